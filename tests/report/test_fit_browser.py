"""The page of a fit in a headless Chromium: nothing goes wrong, nothing is too wide, values show under the pointer."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_logs import calls

from sim.fitting.fit import fit_log
from sim.report.fit_page import fit_page

pytest.importorskip("jinja2")
playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no `chromium` on the PATH; Debian's package has one"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fit") / "pay.html"
    made.write_text(fit_page(fit_log(calls(np.random.default_rng(1), 3000)), name="pay.yaml"), encoding="utf-8")
    return made


@pytest.mark.parametrize("width", [1280, 800, 400])
def test_the_page_fits_its_window_and_shows_values_under_the_pointer(path: Path, width: int) -> None:
    wrong: list[Any] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        plot = page.locator("#latencies .plot").first
        plot.scroll_into_view_if_needed()
        plot.hover()
        tip = page.locator(".tip").inner_text()
        browser.close()
    assert "log" in tip
    assert "lognormal" in tip
    assert wrong == []
