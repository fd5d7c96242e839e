"""Make the pictures of pages again: `python docs/make_screenshots.py`, with playwright and the system's Chromium."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT: Final = Path(__file__).parents[1]
SCENARIO: Final = "scenarios/questions/payment.yaml"
WIDTH: Final = 1100
SIM: Final = (sys.executable, "-m", "sim")


def shoot_report(page: Page, folder: Path) -> None:
    """Picture the page of a run."""
    for words in (("run", SCENARIO, "--no-plots"), ("report", "results/payment")):
        subprocess.run([*SIM, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # ours
    page.goto((folder / "results" / "payment" / "report.html").as_uri())
    page.wait_for_timeout(500)
    page.screenshot(path=ROOT / "docs" / "pictures" / "report.png")


def shoot_live(page: Page, folder: Path) -> None:
    """Picture the live page after a slider has moved."""
    words = [*SIM, "live", SCENARIO, "--no-open"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603  # ours
        if server.stdout is None:
            raise RuntimeError("the server says nothing")
        page.goto(next(line.strip() for line in server.stdout if "http://" in line))
        page.wait_for_timeout(4000)
        slider = page.locator("input[type=range]").first
        slider.focus()
        for _ in range(5):
            slider.press("ArrowRight")
        page.wait_for_timeout(3000)
        page.screenshot(path=ROOT / "docs" / "pictures" / "live.png")
        server.send_signal(signal.SIGINT)


def main() -> None:
    """Make both."""
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        folder = Path(made)
        (folder / "scenarios").symlink_to(ROOT / "scenarios")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        shoot_report(page, folder)
        shoot_live(page, folder)
        browser.close()


if __name__ == "__main__":
    main()
