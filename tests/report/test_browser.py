"""Pages in a headless Chromium: values under the pointer, cells switched, keyboard, widths, colors, paper."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from to_report import CELLS, HOSTILE, OVER_TIME, SWEEP

from sim.api.run import run
from sim.measure.quantities import Unit
from sim.report.report import write_report
from sim.scenario.load import parse
from sim.text.numerals import value_text

pytest.importorskip("jinja2")
playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no `chromium` on the PATH; Debian's package has one"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
SCENARIOS = {"attacked": CELLS, "swept": SWEEP, "over-time": OVER_TIME}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of each scenario."""
    folder = tmp_path_factory.mktemp("pages")
    return {name: write_report(run(parse(text)), folder / f"{name}.html") for name, text in SCENARIOS.items()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        # As root, Chromium runs without its sandbox only; it opens files of these tests alone.
        made = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield made
        made.close()


class Watched:
    """A page, and all that went wrong in it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("console", lambda message: self.wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.add_init_script(
            "addEventListener('securitypolicyviolation', (event) => console.error('policy', event.violatedDirective))"
        )
        page.route("**/*", self._passed)

    def _passed(self, route: Any) -> None:
        if route.request.url.startswith("file:"):
            route.continue_()
        else:
            self.wrong.append(f"request: {route.request.url}")
            route.abort()

    def open(self, path: Path) -> Any:
        self.page.goto(path.as_uri())
        return self.page


@pytest.fixture
def watched(browser: Any, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """A page in a window of 1280 by 900 pixels; at the end nothing must have gone wrong."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, **getattr(request, "param", {}))
    made = Watched(context.new_page())
    yield made
    context.close()
    assert made.wrong == []


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("width", [320, 400, 800, 1280])
def test_a_page_never_scrolls_sideways(watched: Watched, pages: dict[str, Path], name: str, width: int) -> None:
    page = watched.open(pages[name])
    page.set_viewport_size({"width": width, "height": 900})
    for details in page.query_selector_all("details"):
        details.evaluate("one => { one.open = true; }")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_asked_for_and_nothing_goes_wrong(watched: Watched, pages: dict[str, Path], name: str) -> None:
    page = watched.open(pages[name])
    assert page.title() == name
    assert page.evaluate("typeof retrysim.bind") == "function"


def test_the_policy_stops_code_that_is_not_the_page_s(browser: Any, pages: dict[str, Path]) -> None:
    context = browser.new_context()
    made = Watched(context.new_page())
    page = made.open(pages["attacked"])
    page.evaluate(
        "() => { const one = document.createElement('img'); one.src = 'http://127.0.0.1:1/'; document.body.append(one);"
        "document.body.insertAdjacentHTML('beforeend', '<p onclick=\"window.hit = 1\">x</p>');"
        "document.body.lastChild.click(); }"
    )
    page.wait_for_timeout(100)
    assert page.evaluate("window.hit") is None
    assert any("img-src" in one or "default-src" in one for one in made.wrong)
    assert not any(one.startswith("request") for one in made.wrong)
    context.close()


def test_hostile_names_are_read_as_they_are(watched: Watched, pages: dict[str, Path]) -> None:
    page = watched.open(pages["attacked"])
    assert page.locator("[data-switch='0']").inner_text() == HOSTILE
    assert page.locator("img").count() == 0
    assert HOSTILE in page.locator(".why").inner_text()


def test_numbers_under_the_pointer_read_like_those_of_tables(watched: Watched, pages: dict[str, Path]) -> None:
    page = watched.open(pages["swept"])
    numbers = [0.0, 1.0, 1e-7, 0.00012345, 0.0994, 0.5, 0.99999, 2.0, 9.994, 12.5, 99.95, 123.4, 999.4, 999.6, 1234.5]
    numbers += [
        54321.5,
        1e5,
        999_999.0,
        1.234567e6,
        5e8,
        59.999e9,
        60e9,
        61.4e9,
        3599e9,
        3600e9,
        86399e9,
        9e13,
        4e16,
        1e18,
    ]
    for unit in Unit:
        found = page.evaluate(
            "([numbers, unit]) => numbers.map((one) => retrysim.format(one, unit))", [numbers, unit.value]
        )
        if unit.value in {"duration", "share", "count", "per_second"}:
            assert dict(zip(numbers, found, strict=True)) == {one: value_text(one, unit) for one in numbers}


def chart_of(page: Any, words: str) -> tuple[Any, list[Any]]:
    """Return a chart of curves by words of its title, and what it holds."""
    chart = page.locator(f"figure.chart:has(h3:text-is('{words}'))")
    return chart, json.loads(chart.get_attribute("data-chart"))


def test_the_pointer_shows_the_value_of_the_nearest_curve(watched: Watched, pages: dict[str, Path]) -> None:
    page = watched.open(pages["attacked"])
    chart, (x, y, series) = chart_of(page, "Time to effect")
    plot = chart.locator(".plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    one = series[1]
    index = len(one["x"]) // 2
    place = page.evaluate(
        "([axis, value]) => Math.log(value / axis[2]) / Math.log(axis[3] / axis[2])", [x, one["x"][index]]
    )
    height = page.evaluate(
        "([axis, value]) => Math.log(value / axis[2]) / Math.log(axis[3] / axis[2])", [y, one["y"][index]]
    )
    for key in ("0", "2"):
        page.locator(f"[data-switch='{key}']").click()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + place * box["width"] + 0.5, box["y"] + (1 - height) * box["height"])
    lines = page.locator(".tip").inner_text().split("\n")
    shown = {(value_text(a, Unit.duration), value_text(b, Unit.share)) for a, b in zip(one["x"], one["y"], strict=True)}
    assert lines[0] == "plain"
    assert lines[1].startswith("time since submission: ")
    assert (lines[1].split(": ")[1], lines[2].split(": ")[1]) in shown
    assert lines[2].split(": ")[1] == value_text(one["y"][index], Unit.share)


def test_a_cell_is_switched_off_in_every_picture_and_on_again(watched: Watched, pages: dict[str, Path]) -> None:
    page = watched.open(pages["attacked"])
    marked = page.locator("[data-series='1']")
    assert marked.count() >= 5
    button = page.locator("[data-switch='1']")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert [one for one in marked.all() if one.is_visible()] == []
    button.focus()
    page.keyboard.press("Space")
    assert button.get_attribute("aria-pressed") == "true"
    assert all("off" not in (one.get_attribute("class") or "") for one in marked.all())


def test_all_and_none_switch_every_cell(watched: Watched, pages: dict[str, Path]) -> None:
    page = watched.open(pages["attacked"])
    page.get_by_role("button", name="None").click()
    assert page.locator("[data-series]:not(.off)").count() == 0
    page.get_by_role("button", name="All").click()
    assert page.locator("[data-series].off").count() == 0


def test_arrow_keys_go_along_a_curve_and_from_curve_to_curve(watched: Watched, pages: dict[str, Path]) -> None:
    page = watched.open(pages["attacked"])
    chart, (_, _, series) = chart_of(page, "Attempts per request")
    chart.locator(".plot").focus()
    said = page.locator("[role=status]")
    page.keyboard.press("ArrowRight")
    assert said.inner_text().startswith(f"{series[0]['n']}, attempts: 1, ")
    page.keyboard.press("ArrowRight")
    assert said.inner_text() == (
        f"{series[0]['n']}, attempts: 2, share of requests with at least so many attempts: "
        f"{value_text(series[0]['y'][1], Unit.share)}"
    )
    page.keyboard.press("ArrowDown")
    assert said.inner_text().startswith("plain, attempts: 2, ")
    page.keyboard.press("End")
    assert f"attempts: {series[1]['x'][-1]}" in said.inner_text()
    page.keyboard.press("Escape")
    assert page.locator(".tip").is_hidden()


def test_arrow_keys_skip_cells_that_are_switched_off(watched: Watched, pages: dict[str, Path]) -> None:
    page = watched.open(pages["attacked"])
    page.locator("[data-switch='0']").click()
    chart, _ = chart_of(page, "Attempts per request")
    chart.locator(".plot").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("[role=status]").inner_text().startswith("plain, ")


def test_fields_of_a_map_and_events_of_a_story_are_reached_by_keys(watched: Watched, pages: dict[str, Path]) -> None:
    page = watched.open(pages["swept"])
    for kind, words in (("heat", "action.outcomes.fail"), ("story", "attempt 1")):
        page.locator(f"figure.{kind} .plot").first.focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        assert page.locator("figure .here").count() == 1
        told = page.locator(".tip").inner_text()
        assert told
        assert words in told or kind == "story"


def test_everything_is_reached_with_the_tab_key_and_seen(watched: Watched, pages: dict[str, Path]) -> None:
    page = watched.open(pages["attacked"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    reached = set()
    where = (
        "(({ activeElement: one }) => [one.className || one.dataset.switch, getComputedStyle(one).outlineStyle])"
        "(document)"
    )
    for _ in range(80):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(where)
        reached.add(name)
        assert outline != "none" or not name
    assert {"theme", "0", "1", "2", "plot", "scroll"} <= reached


@pytest.mark.parametrize("watched", [{"color_scheme": "dark"}], indirect=True)
def test_colors_follow_the_system_and_the_button(watched: Watched, pages: dict[str, Path]) -> None:
    page = watched.open(pages["attacked"])
    ground = "getComputedStyle(document.body).backgroundColor"
    line = "getComputedStyle(document.querySelector('.c0 .line')).stroke"
    assert (page.evaluate(ground), page.evaluate(line)) == ("rgb(20, 23, 26)", "rgb(88, 174, 232)")
    button = page.get_by_role("button", name=re.compile("Colors"))
    button.click()
    assert (page.evaluate(ground), page.evaluate(line)) == ("rgb(255, 255, 255)", "rgb(0, 114, 178)")
    button.click()
    assert page.evaluate(ground) == "rgb(20, 23, 26)"
    assert button.inner_text() == "Colors: dark"


def test_paper_has_every_cell_and_no_buttons(watched: Watched, pages: dict[str, Path]) -> None:
    page = watched.open(pages["attacked"])
    page.locator("[data-switch='1']").click()
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("g.series[data-series='1']").first.is_visible()
    assert not page.get_by_role("button", name="All").is_visible()
    assert not page.locator("nav").is_visible()
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page[^s]", paper)) <= 40


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_screen_reader_finds_landmarks_headings_and_names(
    watched: Watched, pages: dict[str, Path], name: str
) -> None:
    page = watched.open(pages[name])
    tree = page.locator("body").aria_snapshot()
    assert "- main:" in tree
    assert '- navigation "Sections":' in tree
    assert f'- heading "{name}" [level=1]' in tree
    assert "- status" in tree or page.get_by_role("status").count() == 1
    levels = [int(level) for level in re.findall(r"heading .*\[level=(\d)\]", tree)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for plot in page.locator(".plot").all():
        assert re.fullmatch(
            r".+: the arrow keys go from (value to value|event to event)", plot.get_attribute("aria-label")
        )
    for button in page.locator("button").all():
        assert button.inner_text().strip()


def test_lines_over_a_sweep_have_buttons_of_their_own(watched: Watched, tmp_path: Path) -> None:
    text = SWEEP.replace("[1, 2, 3]", "[1, 2]")
    page = watched.open(write_report(run(parse(text)), tmp_path / "lines.html"))
    button = page.locator("[data-switch='line-0']")
    button.click()
    assert page.locator("g.series[data-series='line-0']:not(.off)").count() == 0
    assert page.locator("g.series[data-series='line-1']:not(.off)").count() > 0


def test_sixty_cells_of_long_names_stay_readable(watched: Watched, tmp_path: Path) -> None:
    variants = "\n".join(
        f"  'policy {number:02} {'of words ' * 7}': {{retrier.max_failures: {number}}}" for number in range(60)
    )
    text = (
        "name: many\nrequests: {count: 40}\naction: {outcomes: {fail: 0.5}}\nretrier: helpers\nvariants:\n" + variants
    )
    page = watched.open(write_report(run(parse(text)), tmp_path / "many.html"))
    for width in (400, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".legend").bounding_box()["height"] < 250


@pytest.mark.parametrize("watched", [{"has_touch": True, "is_mobile": True}], indirect=True)
def test_a_finger_shows_values_that_stay_until_another_place_is_touched(
    watched: Watched, pages: dict[str, Path]
) -> None:
    page = watched.open(pages["attacked"])
    page.set_viewport_size({"width": 400, "height": 800})
    tip = page.locator(".tip")
    for words in ("Time to effect", "Attempts per request"):
        plot = chart_of(page, words)[0].locator(".plot")
        plot.scroll_into_view_if_needed()
        plot.tap()
        page.wait_for_timeout(50)
        assert tip.is_visible()
        assert page.locator(".mark:visible").count() == 1
    first = tip.inner_text()
    box = plot.bounding_box()
    page.touchscreen.tap(box["x"] + 8, box["y"] + 8)
    assert tip.inner_text() != first
    bars = page.locator("figure.stacks rect.part[data-tip]").first
    bars.scroll_into_view_if_needed()
    bars.tap()
    assert tip.inner_text() == bars.get_attribute("data-tip")
    page.locator("h1").tap()
    assert tip.is_hidden()


def test_names_of_rows_break_between_words_and_long_words_anywhere(watched: Watched, tmp_path: Path) -> None:
    short, long = "delay=1.2345s, attempts=3", "x" * 70
    text = f"requests: {{count: 40}}\nretrier: helpers\nvariants:\n  {short!r}: {{}}\n  {long}: {{}}\n"
    page = watched.open(write_report(run(parse(text)), tmp_path / "names.html"))
    page.set_viewport_size({"width": 400, "height": 900})
    wide, narrow = (page.locator(f"#table th:text-is('{name}')").first for name in (short, long))
    assert wide.bounding_box()["height"] < narrow.bounding_box()["height"]
    lines = "(one) => { const range = document.createRange(); range.selectNodeContents(one); "
    assert wide.evaluate(lines + "return range.getClientRects().length; }") == 2
    for button in page.locator(".switches button").all():
        assert button.bounding_box()["x"] + button.bounding_box()["width"] <= 400
    assert page.locator(".switches").first.evaluate("(one) => one.scrollWidth <= one.clientWidth")
