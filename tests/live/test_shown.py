"""What README and the pages show: each command runs, prints the parts that are shown, and comes to the same verdict."""

from __future__ import annotations

import pytest
from support.documents_shown import examples, pages, shown
from support.running import ROOT

pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="no clone here")

# The commands of these run always, those of the others where --thorough is given.
ALWAYS = {"README.md", "docs/howto/aio-read.md", "docs/examples/link.md"}


def by_command():
    """The places of each command that is shown; one that runs for a minute is left to `make examples`."""
    found: dict[tuple[str, int], list[shown.Shown]] = {}
    for page in pages():
        for each in shown.of_page(page):
            found.setdefault((each.command, each.status), []).append(each)
    return {
        key: places
        for key, places in found.items()
        if "compare" not in key[0] and "verify" not in key[0]
    }


def parameters():
    for (command, status), places in by_command().items():
        always = any(str(place.page.relative_to(ROOT)) in ALWAYS for place in places)
        marks = [] if always else [pytest.mark.thorough]
        yield pytest.param(command, status, places, marks=marks, id=command)


def verdict(text):
    """The lines that no time is in."""
    return [line for line in text.splitlines() if line.startswith(("POSIX ", "recvfrom over"))]


@pytest.mark.parametrize(("command", "status", "places"), list(parameters()))
def test_it_prints_what_is_shown(command, status, places, tmp_path):
    examples.programs(tmp_path)
    texts = [place for place in places if not place.picture]
    made = examples.made(command, status, texts or places[:0], tmp_path) if texts else {}
    for place, text in made.items():
        lines = place.page.read_text().splitlines()[place.begin : place.end]
        assert verdict(text) == verdict("\n".join(lines)), place.where
    assert made or not texts
