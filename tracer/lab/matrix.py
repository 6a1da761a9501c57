"""The same scenarios on many kernels: one machine a kernel (several beside each other where CPUs allow), the running
kernel without one, every run recorded; and all of it as one dict."""

from __future__ import annotations

import concurrent.futures
import os
import time
from typing import Any

from tracer.lab import HOST, compare, one_kernel
from tracer.lab.lab import Lab
from tracer.lab.one_kernel import MatrixPlan, Say

SCHEMA = 1


def run(lab: Lab, kernels: list[str], plan: MatrixPlan, at_once: int, say: Say) -> dict[str, Any]:
    """The plan on every kernel, `at_once` machines beside each other.

    say: told of progress, a line at a time. Returns the matrix (docs/json.md). Raises LabError, KeyboardInterrupt.
    """
    plan.directory.mkdir(parents=True, exist_ok=True)
    machines = [name for name in kernels if name != HOST]
    began = time.monotonic()
    accelerator, why = lab.prepare(machines) if machines else (None, None)
    results = _on_machines(lab, machines, accelerator, plan, at_once, say) if accelerator else {}
    if HOST in kernels:  # alone, since it runs beside nothing that it measures
        results[HOST] = one_kernel.on_host(plan, say)
    ordered = sorted(
        (results[name] for name in kernels), key=lambda kernel: _version(kernel["release"])
    )
    cells = {kernel["name"]: kernel.pop("cells") for kernel in ordered}
    for kernel in ordered:
        kernel["accel"] = None if kernel["name"] == HOST else accelerator
    return {
        "schema": SCHEMA,
        "scenarios": plan.scenarios,
        "run_options": plan.options,
        "icount": lab.options.icount,
        "accel": accelerator,
        "accel_why": why,
        "took_s": round(time.monotonic() - began, 1),
        "kernels": ordered,
        "cells": cells,
        "differs": compare.differences(ordered, plan.scenarios, cells),
    }


def _on_machines(
    lab: Lab, names: list[str], accelerator: str, plan: MatrixPlan, at_once: int, say: Say
) -> dict[str, dict[str, Any]]:
    """The plan in a machine for each kernel; where one fails, or on Ctrl-C, the others are ended."""
    stop, stopped = os.pipe2(os.O_CLOEXEC)
    try:
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            # a thread lives as long as its machine: the kernel ends a machine with the thread that started it
            waiting = {
                pool.submit(one_kernel.on_machine, lab, name, accelerator, plan, say, stop): name
                for name in names
            }
            try:
                return {
                    waiting[done]: done.result()
                    for done in concurrent.futures.as_completed(waiting)
                }
            except BaseException:
                os.write(stopped, b"\0")
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        os.close(stop)
        os.close(stopped)


def complete(matrix: dict[str, Any]) -> bool:
    """Whether every scenario ran on every kernel, saw what the workload says in contiguous phases, and lost nothing."""
    cells = [
        matrix["cells"][kernel["name"]].get(name)
        for kernel in matrix["kernels"]
        for name in matrix["scenarios"]
    ]
    exact = all(
        cell
        and cell["status"] == 0
        and cell.get("ledger")
        and cell["contiguous"]
        and not cell["differences"]
        and cell["ledger"]["balanced"]
        and not cell["ledger"]["lost"]
        for cell in cells
    )
    # [] is a `verify` that said nothing
    return exact and all(kernel["claims"] != [] for kernel in matrix["kernels"])


def _version(release: str) -> list[int]:
    return [
        int(number) for number in release.split("-")[0].split("+")[0].split(".") if number.isdigit()
    ]
