"""The matrix of scenarios by kernels (docs/json.md) as Markdown; speaks to no kernel interface."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.output import matrix_tables
from tracer.output.format import Format, Kind, Options, Result


def render(matrix: Result) -> str:
    """The same tables as on a terminal."""
    options = " ".join(matrix["run_options"]) or "no further options"
    lines = [f"{matrix_tables.extent(matrix)} (`iotrace run` with {options})."]
    if matrix["accel_why"]:
        lines += ["", f"Machines by {matrix['accel_why']}."]
    tables = (
        matrix_tables.kernels(matrix),
        matrix_tables.outcomes(matrix),
        matrix_tables.ratios(matrix, "notice"),
        matrix_tables.ratios(matrix, "copy"),
        matrix_tables.claims(matrix),
    )
    for head, rows in filter(lambda table: table[1], tables):
        lines += ["", _row(head), _row(["---"] + ["---:"] * (len(head) - 1)), *map(_row, rows)]
    lines += ["", "| what differs | since | on | is |", "|---|---|---|---|"]
    for difference, since, groups in matrix_tables.differences(matrix):
        for number, (kernels, value) in enumerate(groups):
            lines.append(
                _row(
                    [difference, since.removeprefix("since "), kernels, value]
                    if number == 0
                    else ["", "", kernels, value]
                )
            )
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _whole(matrix: Result, options: Options) -> Iterator[str]:
    yield render(matrix) + "\n"


FORMAT = Format(
    flag="--markdown",
    help="The tables as Markdown.",
    renders={Kind.MATRIX: _whole},
    order=20,
)
