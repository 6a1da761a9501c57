"""--html in headless Chromium: it draws, zooms and searches, says nothing on the console and requests nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.pages import DATA, chromium, generated, opened, page_of, report_of

HOSTILE = "</script><script>document.title='owned';alert(1)</script><img src=http://x.invalid/>"
MOST_ELEMENTS, MOST_DRAWN, MOST_BYTES = 3_000, 6_500, 60 * 10**6


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def posix_aio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a recording with two threads, signals and completion."""
    path = tmp_path_factory.mktemp("page") / "posix-aio.html"
    path.write_text(page_of(report_of(DATA / "posix-aio.parquet")))
    return path


@pytest.mark.parametrize(
    "context", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 800}}]
)
def test_the_page_is_whole_and_silent(browser: Any, posix_aio: Path, context: Any) -> None:
    with opened(browser, posix_aio, **context) as its:
        page = its.page
        assert page.locator("#figure svg text", has_text="aio_read").count() >= 1
        assert page.locator("#chart canvas").count() == 1 and its.data("drawn") > 10
        assert page.locator("#phase-charts canvas").count() == 4
        for part in ("verdict", "phases", "slowest", "threads", "syscalls", "trust", "reading"):
            assert page.locator(f"#{part} h2").count() == 1, part
        wide = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert wide, "the page itself is never wider than the window"
        assert its.requested == [posix_aio.as_uri()] and not its.said


def test_zoom_by_buttons_and_keys(browser: Any, posix_aio: Path) -> None:
    with opened(browser, posix_aio) as its:
        whole = its.data("span")
        its.page.click("[data-zoom=in]")
        its.wait_for(f"document.documentElement.dataset.span < {0.6 * whole}")
        its.page.focus("#chart")
        its.page.keyboard.press("+")
        its.wait_for(f"document.documentElement.dataset.span < {0.3 * whole}")
        its.page.keyboard.press("ArrowRight")
        its.page.keyboard.press("-")
        its.wait_for(f"document.documentElement.dataset.span > {0.4 * whole}")
        its.page.keyboard.press("0")
        its.wait_for(f"document.documentElement.dataset.span == {whole}")
        assert not its.said


def test_search_goes_to_an_operation_and_says_what_it_was(browser: Any, posix_aio: Path) -> None:
    report = report_of(DATA / "posix-aio.parquet")
    operation = report["operations"][2]
    took = operation["done_ns"] - operation["ask_ns"]
    with opened(browser, posix_aio) as its:
        page = its.page
        page.fill("#search", "#2")
        page.click("#found button")
        its.wait_for(f"document.documentElement.dataset.span < {2 * took}")
        assert "Operation #2" in page.inner_text("#details")
        assert f"({operation['tid']})" in page.inner_text("#details")
        page.fill("#search", ">0.5ms")
        assert page.locator("#found button").count() == 5
        page.fill("#search", "fd 4")
        assert "fd 4" in page.inner_text("#found")
        page.fill("#search", "no such thing")
        assert "nothing found" in page.inner_text("#found")
        assert not its.said


def test_a_slow_operation_is_shown_in_the_timeline(browser: Any, posix_aio: Path) -> None:
    with opened(browser, posix_aio) as its:
        index = its.page.get_attribute("#slowest button >> nth=0", "data-operation")
        its.page.click("#slowest button >> nth=0")
        assert f"Operation #{index}" in its.page.inner_text("#details")


def test_text_from_the_traced_system_stays_text(browser: Any, tmp_path: Path) -> None:
    report = report_of(DATA / "posix-aio.parquet")
    plain, hostile = tmp_path / "plain.html", tmp_path / "hostile.html"
    plain.write_text(page_of(report))
    report["scenario"] = None
    report["target"]["command"] = [HOSTILE]
    report["host"]["kernel"] = HOSTILE
    report["failure"] = HOSTILE
    report["model"]["evidence"].append(HOSTILE)
    for part in (*report["threads"], *report["states_over_time"]["threads"]):
        part["name"] = HOSTILE
    for part in (*report["descriptors"], *report["operations_over_time"]["descriptors"]):
        part["file"] = HOSTILE
    report["slowest"][0]["reasons"][0]["text"] = HOSTILE
    for step in report["figure"]["steps"]:
        step.update({"name": HOSTILE} if "name" in step else {})
    hostile.write_text(page_of(report))

    def scripts_and_images(path: Path) -> tuple[int, int]:
        with opened(browser, path) as its:
            its.page.fill("#search", "script")
            found = (its.page.locator("script").count(), its.page.locator("img").count())
            assert its.page.title() != "owned" and not its.said and len(its.requested) == 1
            if path == hostile:
                assert its.page.locator("#found button", has_text="</script>").count() > 0
                assert its.page.locator("#threads td", has_text="</script>").count() > 0
            return found

    assert scripts_and_images(plain) == scripts_and_images(hostile)


def test_many_busy_threads_are_drawn_in_no_more_rectangles(browser: Any, tmp_path: Path) -> None:
    report = report_of(DATA / "posix-aio.parquet")
    changes = list(range(0, 12 * 10**7, 6000))
    threads = [
        {"tid": tid, "tgid": 1, "name": "busy", "end_ns": 12 * 10**7, "at_ns": changes}
        | {"states": [at // 6000 * 7 // 3 % 4 for at in changes]}
        for tid in range(1, 41)
    ]
    report["states_over_time"] |= {"threads": threads, "begin_ns": 0, "end_ns": 12 * 10**7}
    path = tmp_path / "busy.html"
    path.write_text(page_of(report))
    with opened(browser, path) as its:
        assert 3_000 < its.data("drawn") < MOST_DRAWN
        its.page.fill("#search", "busy 40")
        its.page.click("#found button")
        assert "line " in its.page.inner_text("#details") and not its.said


def test_a_hundred_thousand_operations_are_drawn_reduced(browser: Any, tmp_path: Path) -> None:
    recording, path = tmp_path / "big.parquet", tmp_path / "big.html"
    module = generated()
    assert module.main(["blocking", "500000", str(recording)]) == 0
    report = report_of(recording)
    assert len(report["operations"]) == 100_000
    path.write_text(page_of(report))
    assert path.stat().st_size < MOST_BYTES
    with opened(browser, path) as its:
        assert 0 < its.data("drawn") < MOST_DRAWN
        assert "zoom in to tell them apart" in its.page.inner_text("#drawn")
        assert "100,000" in its.page.inner_text("#phases")
        whole = its.data("span")
        for times in range(1, 9):
            its.page.click("[data-zoom=in]")
            its.wait_for(f"document.documentElement.dataset.span < {whole * 0.51**times}")
            assert 0 < its.data("drawn") < MOST_DRAWN
        its.page.fill("#search", "#77777")
        its.page.click("#found button")
        assert "Operation #77,777: 46 µs" in its.page.inner_text("#details")
        assert its.page.evaluate("document.querySelectorAll('*').length") < MOST_ELEMENTS
        assert not its.said
