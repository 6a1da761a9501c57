"""The command iotrace, also as `python -m tracer`."""

from __future__ import annotations

import signal


def main() -> None:
    """Runs the command line. Ctrl-C while it is being imported ends it as it ends any program, without a word."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from tracer.cli.main import main as command_line
    from tracer.cli.params import OWN_PROCESS

    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, before)
    command_line(prog_name="iotrace", obj=OWN_PROCESS)


if __name__ == "__main__":
    main()
