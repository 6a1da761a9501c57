"""The report's contract in tests: does a report hold to docs/schema/report.schema.json?"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"


@cache
def validator(name: str = "report") -> Draft202012Validator:
    """Of docs/schema/NAME.schema.json."""
    return Draft202012Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_text()))


def holds(report: dict[str, Any]) -> bool:
    """Whether a report as JSON has it is as the schema says."""
    return bool(validator().is_valid(report))


def faults(report: dict[str, Any], name: str = "report") -> list[str]:
    """Where a report as JSON has it is not as docs/schema/NAME.schema.json says, one line each."""
    return [
        f"{'.'.join(map(str, fault.absolute_path))}: {fault.message[:200]}"
        for fault in validator(name).iter_errors(report)
    ]
