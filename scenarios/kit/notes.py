"""What a receiver or a sender has done: one JSON object for the tracer, a few lines for who runs it by hand."""

import json
from typing import Any

from scenarios.kit.options import Options


def write_notes(fd: int, notes: dict[str, Any]) -> None:
    """Write `notes` as one JSON object and close `fd`, so that its reader sees the end."""
    with open(fd, "w", encoding="utf-8") as file:
        json.dump(notes, file)


def summary(name: str, options: Options, notes: dict[str, Any]) -> str:
    """The notes as a few lines for who ran the scenario by hand."""
    begin_ns, end_ns = notes["window_ns"]
    lines = [
        f"{name} over {_ways(options)}: {notes['messages']} messages, {notes['bytes']} bytes, "
        f"{notes['dropped']} dropped, in {(end_ns - begin_ns) / 1e6:.1f} ms",
        f"  CPU      {notes['cpu_ns'] / 1e6:.1f} ms",
    ]
    if notes["threads"] > 1:
        lines.append(
            f"  memory   {notes['anonymous_bytes'] / 2**20:.1f} MiB, {notes['threads']} threads"
        )
    lines += [f"  call     {call}: {count}" for call, count in notes["calls"].items()]
    for call, errors in notes["errors"].items():
        lines += [
            f"  error    {call}: {count} × {errno_name}" for errno_name, count in errors.items()
        ]
    lines += [
        f"  signal   {signal_name}: {count}" for signal_name, count in notes["signals"].items()
    ]
    return "\n".join(lines)


def _ways(options: Options) -> str:
    return options.proto if options.sockets == 1 else f"{options.sockets} × {options.proto}"
