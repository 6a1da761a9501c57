"""tracer/output/svg/style.py: text can be read on its ground, and lines are not wider than they may be."""

from __future__ import annotations

import re

import pytest

from tracer.output.svg.style import sheet, width_of, wrapped

TEXTS = ("ink", "faint", "bad", "wait", "notice", "copy", "completion")


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def colours(dark: bool) -> dict[str, str]:
    """Class → colour, of the style sheet's light part or its dark one."""
    light_part, dark_part = sheet("p").split("@media", 1)
    found = re.findall(r"\.p \.([\w-]+)\{fill:(#\w+)\}", dark_part if dark else light_part)
    return dict(found)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("text", TEXTS)
def test_text_has_contrast_enough_on_paper_and_in_lanes(text: str, dark: bool) -> None:
    its = colours(dark)
    assert contrast(its[text], its["paper"]) >= 4.5 and contrast(its[text], its["lane"]) >= 4.5


def test_paper_is_light_on_paper() -> None:
    assert "@media screen and (prefers-color-scheme:dark)" in sheet("p")


def test_lines_are_no_wider_than_asked_and_a_number_keeps_its_unit() -> None:
    text = "Operation 4, the median of 5: 64 bytes, 1.08 ms from asking to done. " * 3
    lines = wrapped(text.strip(), 260)
    assert len(lines) > 3 and all(width_of(line, 13) <= 260 for line in lines)
    assert not any(line.startswith("ms") for line in lines)
    assert " ".join(lines) == text.strip()


def test_a_sign_stays_with_what_it_means() -> None:
    text = "heavy edge: has a CPU · ~ estimated · + since the line above · waves: time is left out"
    for width in range(60, 500, 7):
        lines = wrapped(text, width)
        assert " ".join(lines) == text and not any(line.endswith(("~", "+")) for line in lines)
