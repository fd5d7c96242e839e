"""The live page in a real browser: sliders by keyboard, ghosts, saving, copying, mistakes; nothing foreign is asked."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sim.api.run import run
from sim.scenario.load import load
from sim.text.numerals import percent_text

pytest.importorskip("playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no Chromium"),
]
ROOT = Path(__file__).parents[3]
WIDTHS = (400, 800, 1280)
SCENARIO = """
why: Does waiting help?
seed: 11
requests: {count: 3000}
action:
  latency: {exponential: {mean: 100ms}}
  outcomes: {fail: 0.2, ack_lost: 0.02}
variants:
  short: {retrier: {kind: helpers, max_failures: 2}}
  "article, as shipped": {retrier: article}
"""
FAIL = "action.outcomes.fail"


class Served(NamedTuple):
    """A live server, and what it serves."""

    folder: Path
    address: str
    process: subprocess.Popen[str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("live")
    (folder / "small.yaml").write_text(SCENARIO)
    command = [sys.executable, "-m", "sim", "live", "small.yaml", "--no-open"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder, env=env) as process:  # noqa: S603  # this interpreter
        assert process.stdout is not None
        process.stdout.readline()
        yield Served(folder, process.stdout.readline().strip(), process)
        process.send_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield found
        found.close()


class Page:
    """A page that was opened, and all that it said and asked for."""

    def __init__(self, browser: Any, address: str, *, width: int = 1280, scheme: str = "light") -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)
        self.wait()

    def wait(self) -> None:
        """Wait until all that was asked for is shown."""
        self.page.wait_for_timeout(300)  # an earlier change may still be young
        self.page.locator("body:not(.asked)").wait_for()

    def knob(self, key: str = FAIL) -> Any:
        return self.page.locator(f'.knob[data-key="{key}"]')

    def move(self, *keys: str, knob: str = FAIL) -> None:
        """Press keys on the slider of a number."""
        self.knob(knob).locator('input[type="range"]').focus()
        for key in keys:
            self.page.keyboard.press(key)
        self.wait()

    def curves(self) -> list[str]:
        """The curves of the first picture, without the ghosts."""
        found = self.page.locator("[data-section] figure").first.locator("g.series:not(.ghost) path.line")
        return [one.get_attribute("d") for one in found.all()]

    @property
    def ghosts(self) -> list[str]:
        found = self.page.locator("[data-section] figure").first.locator("g.ghost path.line")
        return [one.get_attribute("d") for one in found.all()]

    @property
    def command(self) -> str:
        return str(self.page.locator(".command code").inner_text())

    def type(self, text: str, knob: str = FAIL) -> None:
        """Write a value beside a slider."""
        self.knob(knob).locator(".exact").fill(text)
        self.page.keyboard.press("Enter")
        self.wait()


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Page]:
    found = Page(browser, served.address)
    yield found
    assert found.said == []
    assert {url for url in found.asked if not url.startswith(served.address.partition("?")[0])} == set()
    found.context.close()


def test_a_slider_moved_by_keyboard_changes_the_curves_and_leaves_those_of_before(page: Page) -> None:
    before = page.curves()
    assert page.ghosts == []
    page.move(*["ArrowRight"] * 6)
    assert page.curves() != before
    assert len(page.ghosts) == 2
    assert page.knob().locator(".exact").input_value() == "0.32"
    assert page.knob().locator('input[type="range"]').get_attribute("aria-valuetext") == "0.32"
    assert "; was " in page.page.locator('[data-section="table"]').inner_text()


def test_the_latest_change_wins(page: Page) -> None:
    page.move(*["ArrowRight"] * 25)
    shown = page.curves()
    page.page.reload()
    page.wait()
    page.type("0.7")
    assert page.knob().locator(".exact").input_value() == "0.7"
    assert page.command.endswith(f"--set {FAIL}=0.7")
    assert page.curves() == shown


def test_ghosts_are_those_of_the_file_or_none_if_so_chosen(page: Page) -> None:
    page.move("ArrowRight", "ArrowRight")
    page.page.wait_for_timeout(1100)  # the next one is another change
    page.move("ArrowRight", "ArrowRight")
    before_this = page.ghosts
    page.page.get_by_label("as in the file").check()
    page.wait()
    of_file = page.ghosts
    assert of_file not in ([], before_this)
    page.page.get_by_label("none", exact=True).check()
    page.wait()
    assert page.ghosts == []


def test_undo_gives_the_curves_of_the_file_again(page: Page) -> None:
    before = page.curves()
    page.move("PageUp")
    assert page.curves() != before
    page.knob().get_by_role("button", name=re.compile("back to 0.2")).click()
    page.wait()
    page.page.get_by_label("none", exact=True).check()
    page.wait()
    assert page.curves() == before
    assert page.command == "retrysim run small.yaml"


def test_a_variant_has_sliders_of_its_own(page: Page) -> None:
    before = page.curves()
    key = "variants.short.retrier.max_failures"
    page.type("0", knob=key)
    page.page.get_by_label("none", exact=True).check()
    page.wait()
    assert page.curves()[0] != before[0]
    assert page.command == f"retrysim run small.yaml --set {key}=0"


def test_a_wrong_value_is_told_beside_its_slider_and_the_curves_stay(page: Page) -> None:
    before = page.curves()
    page.type("1.5")
    wrong = page.knob().locator(".mistake")
    assert wrong.is_visible()
    assert wrong.inner_text() == "must be at most 1, got 1.5; did you mean '1.5%'?"
    assert page.knob().locator(".exact").get_attribute("aria-invalid") == "true"
    assert page.curves() == before
    page.type("0.3")
    assert not wrong.is_visible()
    assert page.curves() != before


def test_shares_that_are_more_than_all_are_told_beside_the_one_moved_last(page: Page) -> None:
    page.type("0.9")
    page.type("0.5", knob="action.outcomes.hang")
    assert page.knob("action.outcomes.hang").locator(".mistake").is_visible()
    assert not page.knob().locator(".mistake").is_visible()


def test_what_is_saved_gives_the_numbers_of_the_page_when_it_is_run(page: Page, served: Served) -> None:
    page.type("0.45")
    page.page.locator("#save-name").fill("saved-here")
    page.page.get_by_role("button", name="Save").click()
    page.page.get_by_text("Saved.").wait_for()
    result = run(load(served.folder / "saved-here.yaml"))
    table = page.page.locator('[data-section="table"]').inner_text().replace("\N{NO-BREAK SPACE}", " ")
    for cell in result.cells:
        rate = cell.metrics.value("success.rate").value
        assert rate is not None
        assert percent_text(rate) in table
    set_so = load(served.folder / "small.yaml", [(FAIL, "0.45")])
    assert run(set_so).summary()["digest"] == result.digest


def test_a_file_that_is_there_is_replaced_only_after_a_question(page: Page, served: Served) -> None:
    there = served.folder / "there.yaml"
    there.write_text("retrier: none\n")
    page.type("0.6")
    page.page.locator("#save-name").fill("there.yaml")
    page.page.get_by_role("button", name="Save").click()
    page.page.get_by_text("there is a file there.yaml already").wait_for()
    assert there.read_text() == "retrier: none\n"
    page.page.get_by_role("button", name="Replace it").click()
    page.page.get_by_text("Saved.").wait_for()
    assert "0.6" in there.read_text()
    page.said.clear()  # the browser tells of the 409 itself


def test_the_command_is_copied(browser: Any, served: Served) -> None:
    found = Page(browser, served.address)
    found.context.grant_permissions(["clipboard-read", "clipboard-write"])
    found.type("0.25")
    found.page.get_by_role("button", name="Copy").click()
    found.page.get_by_role("button", name="Copied").wait_for()
    assert found.page.evaluate("navigator.clipboard.readText()") == f"retrysim run small.yaml --set {FAIL}=0.25"
    found.context.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(browser: Any, served: Served, width: int, scheme: str) -> None:
    found = Page(browser, served.address, width=width, scheme=scheme)
    found.move("ArrowRight")
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    background = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
    lightness = sum(map(int, re.findall(r"\d+", background)[:3])) / 3
    assert (lightness > 128) == (scheme == "light")
    found.context.close()


def test_on_a_small_screen_the_curves_are_in_view_while_a_slider_moves(browser: Any, served: Served) -> None:
    found = Page(browser, served.address, width=400)
    found.move("ArrowRight")
    plot = found.page.locator("[data-section] .plot").first.bounding_box()
    panel = found.page.locator(".lead").bounding_box()
    assert plot["y"] >= 0
    assert plot["y"] + plot["height"] <= panel["y"] + 1
    found.context.close()


def test_the_keyboard_alone_reaches_a_slider_the_values_and_the_buttons(page: Page) -> None:
    seen = set()
    for _ in range(40):
        page.page.keyboard.press("Tab")
        seen.add(page.page.evaluate("`${document.activeElement.tagName} ${document.activeElement.type ?? ''}`"))
    assert {"INPUT range", "INPUT text", "INPUT radio", "BUTTON button", "SUMMARY "} <= seen


def test_every_control_has_a_name(page: Page) -> None:
    nameless = page.page.evaluate(
        """[...document.querySelectorAll("input, button")].filter((one) =>
            !one.getAttribute("aria-label") && !one.labels?.length && !one.textContent.trim()).length"""
    )
    assert nameless == 0


def test_a_cell_switched_off_stays_off_when_curves_change(page: Page) -> None:
    page.page.locator('[data-switch="0"]').click()
    page.move("ArrowRight")
    off = page.page.locator('[data-section] g.series[data-series="0"]')
    assert off.count() > 0
    assert all("off" in one.get_attribute("class").split() for one in off.all())


def test_two_pages_of_one_server_do_not_disturb_each_other(browser: Any, served: Served) -> None:
    one, other = Page(browser, served.address), Page(browser, served.address)
    one.type("0.5")
    other.type("0.1")
    assert one.command.endswith("=0.5")
    assert other.command.endswith("=0.1")
    one.context.close()
    other.move("ArrowRight")
    assert other.command.endswith("=0.105") or "0.12" in other.command
    other.context.close()


def test_a_server_that_has_ended_is_told(browser: Any, served: Served, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SCENARIO)
    command = [sys.executable, "-m", "sim", "live", "small.yaml", "--no-open"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=env) as process:  # noqa: S603  # this interpreter
        assert process.stdout is not None
        process.stdout.readline()
        found = Page(browser, process.stdout.readline().strip())
        process.terminate()
        process.wait(30)
    found.move("ArrowRight")
    assert "the server does not answer" in found.page.locator(".status").inner_text()
    found.context.close()
    assert served.process.poll() is None
