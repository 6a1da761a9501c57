"""tracer/output/svg/bars.py: a comparison's bars, to one scale, with the runs' spread."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from tracer.output.format import Kind, Options
from tracer.output.svg import FORMAT

SVG = "{http://www.w3.org/2000/svg}"


def spread(*runs: float) -> dict[str, Any]:
    return {
        "median": sorted(runs)[len(runs) // 2],
        "min": min(runs),
        "max": max(runs),
        "runs": runs,
    }


def contender(name: str, *runs: float, lang: str = "python", cpu: float = 0.0) -> dict[str, Any]:
    """Runs of so many ns of notice and as many of copy."""
    measures = {"notice_ns": spread(*runs), "copy_ns": spread(*runs)}
    measures |= {"completion_ns": spread(*(0 for _ in runs)), "waiting_cpu": spread(cpu)}
    return {"name": name, "lang": lang, "measures": measures}


def drawn(*models: dict[str, Any]) -> ElementTree.Element:
    options = {"messages": 20, "size": 64, "interval_ns": 10**7, "rounds": 3}
    result = {"models": list(models), "options": options, "host": {"kernel": "6.18"}}
    return ElementTree.fromstring("".join(FORMAT.renders[Kind.COMPARISON](result, Options())))


def test_bars_are_to_one_scale_and_say_their_sums() -> None:
    root = drawn(contender("blocking", 10_000, 12_000, 14_000), contender("poll", 24_000, cpu=0.5))
    widths = [
        float(rect.get("width") or 0)
        for rect in root.iter(f"{SVG}rect")
        if rect.get("class") == "copy"
    ][1:]  # the first is the legend's
    assert abs(widths[1] / widths[0] - 2) < 0.02
    text = " ".join(root.itertext())
    assert "24 µs" in text and "48 µs" in text and "50.0%" in text and "blocking" in text


def test_a_run_far_beyond_the_bars_is_told_and_not_drawn_to_its_end() -> None:
    root = drawn(contender("blocking", 10_000, 10_000, 900_000), contender("poll", 9_000, lang="c"))
    text = " ".join(root.itertext())
    assert "20 µs, up to 1.8 ms" in text and "poll (C)" in text
    width = float(root.get("width") or 0)
    assert all(float(line.get("x2") or 0) < width for line in root.iter(f"{SVG}line"))


def test_nothing_compared_is_said() -> None:
    assert "Nothing was compared." in "".join(drawn().itertext())
