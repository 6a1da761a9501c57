"""What is here tests the arithmetic of benchmarks/, whose files import each other by name."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))  # last: they shadow nothing
