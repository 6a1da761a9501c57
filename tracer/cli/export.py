"""`iotrace export`: recordings as tables for DuckDB, Polars, pandas and others that read Parquet."""

from __future__ import annotations

import os

import click

from tracer.cli import completion, epilog
from tracer.cli.errors import Command

ORDER = 6
_EPILOG = epilog.epilog(
    epilog.READS_ALL,
    (
        "iotrace export run.parquet -o tables",
        "iotrace export runs/*.parquet -o tables",
    ),
)


@click.command("export", cls=Command, epilog=_EPILOG)
@click.argument(
    "recordings",
    nargs=-1,
    required=True,
    type=click.Path(),
    metavar="RUN...",
    shell_complete=completion.of_recordings,
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(),
    metavar="DIR",
    help="The directory in which the tables are written.",
)
def command(recordings: tuple[str, ...], output: str) -> None:
    """Write operations, calls, threads, descriptors and signals of recordings as Parquet.

    They become DIR/TABLE/host=H/run=R/*.parquet. Needs neither root nor BCC.
    """
    from tracer.capture import spawn
    from tracer.tables import files

    if user := spawn.invoking_user():  # what is in DIR is theirs, and may be links
        _become(*user)
    files.export(recordings, output)


def _become(uid: int, gid: int) -> None:
    """From now on this process is the user who called sudo; raises OSError."""
    os.setgroups([gid])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
