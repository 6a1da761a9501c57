"""The page of a recording of 100,000 operations: its size, and how long a browser takes until it can be used."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from analysing import generate
from calls import Setting
from machine import PYTHON
from rounds import median
from table import goal, render, spread

RECORDS, MOST_MS, MOST_MB = 500_000, 2_000, 60
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def opening(setting: Setting) -> dict[str, Any]:
    """From navigation to the end of the page's own script, when it answers to zoom and search; a browser once started
    opens it in a new tab each time."""
    title = "The page (--html) of 100,000 operations"
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return _not_measured(title, "no Playwright (pip install playwright)")
    if browser is None:
        return _not_measured(title, "no Chromium (apt-get install chromium)")
    path = generate(setting, "blocking", RECORDS)
    page = path.with_suffix(".html")
    command = [*PYTHON, "-m", "tracer", "report", str(path), "--html", str(page)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with sync_playwright() as driver:
        # root's Chromium has no sandbox; the page is ours
        started = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        times = [_opened(started, page) for _ in range(max(5, setting.rounds))]
        version = started.version
        started.close()
    took, size = median(times), page.stat().st_size / 1e6
    path.unlink()
    page.unlink()
    rows = [[f"Chromium {version}", f"{size:.1f}", *spread(took)]]
    return {
        "interactive_ms": took,
        "megabytes": size,
        "goals": [
            goal("page of 100,000 operations, ms", took["median"], MOST_MS),
            goal("page of 100,000 operations, MB", size, MOST_MB),
        ],
        "table": render(title, ["", "MB", "ms to interactive", "spread"], rows),
    }


def _opened(browser: Any, page: Path) -> float:
    """ms from navigation until the page says that it is ready."""
    tab = browser.new_page(viewport={"width": 1200, "height": 900})
    tab.goto(page.as_uri())
    tab.wait_for_selector("html[data-ready]")
    took = float(tab.evaluate("Number(document.documentElement.dataset.readyAt)"))
    tab.close()
    return took


def _not_measured(title: str, why: str) -> dict[str, Any]:
    return {"goals": [], "table": render(title, ["", ""], [["not measured", why]])}
