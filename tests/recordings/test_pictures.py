"""Outputs of the recordings in tests/data: pictures are valid, reports fit a screen, some are as when looked at."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from support.pictures import GOLDEN, MAKERS, RECORDINGS, picture_of, text_of

from tracer.output.svg.style import BODY, GROWN, SMALL, TITLE, width_of
from tracer.output.terminal.report import SCREEN

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_recording_gives_a_picture_whose_parts_lie_inside_it(name: str) -> None:
    root = ElementTree.fromstring(picture_of(name))
    assert root.tag == f"{SVG}svg" and root.get("role") == "img"
    named = {child.get("id") for child in root if child.tag in (f"{SVG}title", f"{SVG}desc")}
    assert named == set((root.get("aria-labelledby") or "").split())
    _, _, width, height = map(float, (root.get("viewBox") or "").split())
    words = list(root.iter(f"{SVG}text"))
    assert all(text.text and text.text.strip() for text in words)
    for element in root.iter():
        for key, most in (("x", width), ("x1", width), ("x2", width), ("y", height)):
            value = element.get(key)
            assert value is None or 0 <= float(value) <= most, (element.attrib, most)
    assert (
        "DATA READY" in "".join(root.itertext())
        or "data was there" in "".join(root.itertext())
        or "DEVICE IS DONE" in "".join(root.itertext())
    )


@pytest.mark.parametrize("name", RECORDINGS)
def test_no_text_of_a_lane_lies_on_another(name: str) -> None:
    root = ElementTree.fromstring(picture_of(name))
    places = [
        (float(text.get("x") or 0), float(text.get("y") or 0), "small" in (text.get("class") or ""))
        for text in root.iter(f"{SVG}text")
        if "middle" not in (text.get("class") or "")
    ]
    for x, y, small in places:
        near = [
            other for other in places if other[0] == x and abs(other[1] - y) < (15 if small else 17)
        ]
        assert len(near) == 1, near


@pytest.mark.parametrize("name", RECORDINGS)
def test_letters_have_room_to_be_larger_where_the_picture_is_shown_small(name: str) -> None:
    root = ElementTree.fromstring(picture_of(name))
    width = float(root.get("width") or 0)
    texts = [(text, extent(text)) for text in root.iter(f"{SVG}text")]
    for text, (begin, end, y) in texts:
        assert begin >= 0 and end <= width, (text.text, begin, end, width)
        for other, (its_begin, its_end, its_y) in texts:
            if other is not text and abs(y - its_y) < 10:
                assert end <= its_begin or its_end <= begin, (text.text, other.text)


def extent(text: ElementTree.Element) -> tuple[float, float, float]:
    """From where to where a text goes when its letters are as large as they get, and the height of its middle."""
    classes = (text.get("class") or "").split()
    size = TITLE if "title" in classes else GROWN * (SMALL if "small" in classes else BODY)
    wide = width_of(text.text or "", 10, "bold" in classes) * size / 10
    x, y = float(text.get("x") or 0), float(text.get("y") or 0)
    begin = x - wide * ("end" in classes) - wide / 2 * ("middle" in classes)
    return begin, begin + wide, y - size / 3


@pytest.mark.parametrize(
    ("ending", "name"), [(ending, name) for ending, (_, names) in MAKERS.items() for name in names]
)
def test_an_output_is_as_it_was_when_somebody_looked_at_it(ending: str, name: str) -> None:
    made = MAKERS[ending][0](name)
    assert made == (GOLDEN / f"{name}.{ending}").read_text(), (
        "look at it, then python -m support.pictures"
    )


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_report_fits_a_screen(name: str) -> None:
    assert text_of(name).count("\n") <= SCREEN


def test_a_list_tells_the_senders_calls_from_the_programs() -> None:
    said = [line[9:].lstrip(" ┃┊") for line in text_of("posix-aio-c", width=50).splitlines()]
    sends = [its for its in said if "send →" in its or its == "← return" or "send returns" in its]
    assert sends == ["(sender) send →", "(sender) ← send returns"]
