"""Reports as pages (--html) for tests, and a headless Chromium that opens them: Debian's, driven by Playwright."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.running import ROOT

from tracer.output.format import Options
from tracer.output.html import FORMAT, render
from tracer.recording import parquet
from tracer.report import build

DATA = ROOT / "tests" / "data"
_MOST_FRAMES = 600
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def report_of(path: Path) -> Any:
    """The report of a recording with what a page needs."""
    read = partial(parquet.columns, str(path))
    return build.build(read, parquet.read_facts(str(path)), FORMAT.needs)


def page_of(report: Any) -> str:
    """The page of a report."""
    return "".join(render(report, Options()))


def generated() -> ModuleType:
    """benchmarks/generated.py, which makes recordings of any size."""
    spec = importlib.util.spec_from_file_location("generated", ROOT / "benchmarks" / "generated.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass
class Opened:
    """An open page, and what it did that it must not: said on the console, requested from elsewhere."""

    page: Any
    said: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    def data(self, name: str) -> int:
        """A number that the page says of itself: drawn (rectangles), span (ns), ready (ms)."""
        return int(self.page.evaluate(f"document.documentElement.dataset.{name}"))

    def dismiss(self, dialog: Any) -> None:
        """Notes a dialog, which there must not be."""
        self.said.append("a dialog")
        dialog.dismiss()

    def wait_for(self, condition: str) -> None:
        """Waits, frame by frame, until a JavaScript expression is true. (Playwright's own way needs eval, which the
        page's policy forbids.)"""
        for _ in range(_MOST_FRAMES):
            if self.page.evaluate(condition):
                return
            self.page.evaluate("() => new Promise((done) => requestAnimationFrame(done))")
        raise AssertionError(f"it never came to be that {condition}")


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; skips the test where there is none, with the reason."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="no Playwright: pip install playwright"
    )
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if not found:
        pytest.skip("no Chromium: apt-get install chromium")
    with sync_api.sync_playwright() as driver:
        # root's Chromium has no sandbox; the pages are ours
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Any, path: Path, **context: Any) -> Iterator[Opened]:
    """The page in a file, ready. context: of the browser, as Playwright has it."""
    settings = {"viewport": {"width": 1200, "height": 900}} | context
    page = browser.new_page(**settings)
    its = Opened(page)
    page.on("console", lambda message: its.said.append(message.text))
    page.on("pageerror", lambda error: its.said.append(str(error)))
    page.on("dialog", its.dismiss)
    page.on("request", lambda request: its.requested.append(request.url))
    try:
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")
        yield its
    finally:
        page.close()
