"""How long a change of a live page takes: from the slider to new curves on the screen, and on the server alone.

    python benchmarks/live.py [SCENARIO] [--requests 20000] [--changes 40]

Prints the median and the 95th percentile of both, and the time of the processor, which other work on the machine
lengthens less. The page is opened in the Chromium of the system (extra `browser`); the time goes from the slider's
event to the frame that shows the new curves, as the page itself measures it.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.report.live.opened import Opened
from sim.report.live.server import Live, Play
from sim.scenario.load import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.scenario.schema import Scenario


def loaded(path: str, requests: int, changes: Sequence[tuple[str, str]]) -> Scenario:
    """Load the scenario with changes."""
    return load(path, changes, requests=requests)


def stops(opened: Opened, changes: int) -> Iterator[dict[str, str]]:
    """Yield changes of the first number, each to a value that was not seen before as far as there are any."""
    knob = opened.knobs.found[0]
    others = [text for text in knob.stops if text != knob.value]
    for number in range(changes):
        yield {knob.key: others[(7 * number) % len(others)]}


def server_ms(path: str, requests: int, changes: int) -> list[list[float]]:
    """Return how long each change takes on the server: until its curves, until the whole page, and its work alone."""
    opened = Opened(Path(path), partial(loaded, path, requests), str)
    live = Live(opened, None, print)
    live.warm_up()
    found: list[list[float]] = [[], [], []]
    before: dict[str, str] = {}
    for values in stops(opened, changes):
        began, worked = time.perf_counter(), time.process_time()
        told: list[float] = []
        live.play(Play(values=values, before=before), partial(_note, told, began), lambda: None)
        found[0].append(told[0])
        found[1].append(told[-1])
        found[2].append(1000 * (time.process_time() - worked))
        before = values
    return found


def _note(told: list[float], began: float, line: Any) -> None:
    if line["kind"] != "progress":
        told.append(1000 * (time.perf_counter() - began))


def browser_ms(path: str, requests: int, changes: int) -> list[float]:
    """Return how long each change takes until its curves are on the screen of a headless Chromium."""
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "sim", "live", path, "--requests", str(requests), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603  # this very package
        assert server.stdout is not None  # noqa: S101  # it is a pipe
        server.stdout.readline()
        address = server.stdout.readline().strip()
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(address)
            page.locator("body:not(.asked)").wait_for()
            page.locator('.knob input[type="range"]').first.focus()
            for _ in range(changes):
                page.keyboard.press("ArrowRight")
                page.locator("body:not(.asked)").wait_for()
                page.wait_for_timeout(50)
            entries = page.evaluate("performance.getEntriesByName('change').map((one) => one.duration)")
            browser.close()
        server.terminate()
    return [float(one) for one in entries[1:]]  # the first is the page itself


def row(name: str, values: Sequence[float]) -> str:
    """Write a row of the table."""
    ordered = sorted(values)
    return (
        f"{name:46} {statistics.median(ordered):8.0f} {ordered[int(0.95 * (len(ordered) - 1))]:8.0f} {len(ordered):8d}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scenario", nargs="?", default="scenarios/quickstart.yaml")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--changes", type=int, default=40)
    asked = parser.parse_args()
    curves, whole, work = server_ms(asked.scenario, asked.requests, asked.changes)
    shown = browser_ms(asked.scenario, asked.requests, asked.changes)
    print(f"{asked.scenario}, {asked.requests:,} requests a cell, ms")
    print(f"{'':46} {'median':>8} {'p95':>8} {'changes':>8}")
    print(row("server: curves", curves))
    print(row("server: the whole page", whole))
    print(row("server: the whole page, time of its processor", work))
    print(row("Chromium: slider to curves on the screen", shown))


if __name__ == "__main__":
    main()
