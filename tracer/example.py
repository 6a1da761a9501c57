"""One real operation as the steps of a figure: what the application and the kernel did, in time order."""

from __future__ import annotations

from tracer import syscalls
from tracer.folding import Call
from tracer.operations import Analysis, Operation
from tracer.records import LIBRARY_NAMES
from tracer.tallies import signal_name


def figure(operations: list[Operation], names: list[str], analysis: Analysis, base: int) -> dict | None:
    """The median operation (by ask → done) of the most frequent model, times in ns from `base`; None without one."""
    if not operations:
        return None
    model = max(dict.fromkeys(names), key=names.count)
    mine = [i for i, name in enumerate(names) if name == model]
    waited = [i for i in mine if operations[i].way != "at once"] or mine
    chosen = sorted(waited, key=lambda i: operations[i].done - operations[i].ask)[(len(waited) - 1) // 2]
    steps = [_shifted(step, base) for step in _steps(operations[chosen], analysis)]
    return {"operation": chosen, "model": model, "steps": steps}


def _steps(op: Operation, analysis: Analysis) -> list[dict]:
    steps = [_call(call, op) for call in op.calls]
    steps += [{"kind": "library", "name": LIBRARY_NAMES[which], "enter_ns": time, "tid": tid}
              for time, tid, which in analysis.library_calls if time == op.ask]
    for call in op.calls:
        for _, woken, back in call.sleeps[-1:]:
            if woken:
                steps.append({"kind": "wake", "at_ns": woken, "tid": call.tid})
            if back:
                steps.append({"kind": "run", "at_ns": back, "tid": call.tid})
    steps.append({"kind": "ready", "at_ns": op.ready, "estimated": "ready" in op.estimated})
    steps.append({"kind": "copy", "at_ns": op.copy_start, "end_ns": op.copy_end,
                  "estimated": "copy_start" in op.estimated, "tid": op.helper or op.tid})
    if op.signal:
        number, generated, delivered = op.signal
        steps.append({"kind": "signal", "name": signal_name(number), "generated_ns": generated,
                      "delivered_ns": delivered})
    return sorted(steps, key=lambda step: step.get("enter_ns") or step.get("at_ns") or step.get("generated_ns")
                  or step.get("delivered_ns"))


def _call(call: Call, op: Operation) -> dict:
    return {
        "kind": "call", "name": syscalls.name_of(call.nr), "enter_ns": call.start, "exit_ns": call.end,
        "result": call.result if call.result >= 0 else syscalls.error_name(call.result), "tid": call.tid,
        "fd": call.fd, "count": call.count, "busy_ns": call.busy,
        "blocked_ns": sum((woken or back or call.end) - out for out, woken, back in call.sleeps),
        "brings_data": call is op.calls[-1], "waits": call is not op.calls[-1] and call.result >= 0,
    }


def _shifted(step: dict, base: int) -> dict:
    return {key: value - base if key in ("enter_ns", "exit_ns", "at_ns", "end_ns", "generated_ns", "delivered_ns")
            and value is not None else value for key, value in step.items()}
