"""The numbers in which machines differ, one module for each that is supported."""

from __future__ import annotations

SUPPORTED = ("x86_64",)  # as uname(2) names machines
