import html as entities
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from to_report import CELLS, HOSTILE, OVER_TIME, SWEEP

from sim.measure.paths import metric_of
from sim.report.tables import all_metrics, main_table
from sim.results.errors import CorruptResults
from sim.results.reading import open_results
from sim.results.result import Result
from sim.text.numerals import value_text

pytest.importorskip("jinja2")

from sim.report.pictures import groups
from sim.report.report import report_html, write_report
from sim.report.stories import needs_own_code, stories
from sim.report.writing import ForeignPage

Simulate = Callable[..., Result]


class Page(HTMLParser):
    """Elements, headings and texts of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_beside_the_results_and_the_same_every_time(simulate: Simulate, tmp_path: Path) -> None:
    simulate(CELLS)
    path = write_report(tmp_path / "results")
    first = path.read_bytes()
    assert path == tmp_path / "results" / "report.html"
    assert write_report(tmp_path / "results").read_bytes() == first
    assert write_report(tmp_path / "results" / "results.sqlite").read_bytes() == first


def test_a_result_in_memory_gives_the_page_of_its_folder(simulate: Simulate, tmp_path: Path) -> None:
    result = simulate(SWEEP)
    saved = write_report(tmp_path / "results").read_text(encoding="utf-8")
    page = write_report(result, tmp_path / "page.html").read_text(encoding="utf-8")
    without_engine = re.compile(r"<dt>Engine</dt>.*")
    assert without_engine.sub("", page) == without_engine.sub("", saved)


def test_a_result_in_memory_needs_a_path(simulate: Simulate) -> None:
    with pytest.raises(ValueError, match="Give a path"):
        write_report(simulate(SWEEP))


def test_question_answer_and_verdicts_stand_in_the_page(simulate: Simulate) -> None:
    result = simulate(CELLS)
    text = Page(report_html(result)).text
    assert result.scenario.why in text
    for sentence in result.sentences():
        assert sentence in text
    assert text.count("missed: ") + text.count("inconclusive: ") == len(result.cells)
    assert "success.rate >= 99.9%; it is " in text


class Breaks(HTMLParser):
    """Numbers that a line may part from their units."""

    KEPT = ("td", "text", "pre", "code", "script", "style", "title")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._around: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "input", "wbr"}:
            self._around.append("tied" if ("class", "tied") in attrs else tag)

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._around.pop()

    def handle_data(self, data: str) -> None:
        if self._around and self._around[-1] not in {"tied", *self.KEPT}:
            self.found += re.findall(r"[0-9] (?:%|us|ms|s)(?![A-Za-z])", data)


@pytest.mark.parametrize("text", [CELLS, SWEEP, OVER_TIME])
def test_no_line_parts_a_number_from_its_unit(simulate: Simulate, text: str) -> None:
    html = report_html(simulate(text))
    assert html.count('class="tied"') > 10
    assert Breaks(html).found == []


def test_hostile_names_stay_texts(simulate: Simulate) -> None:
    page = Page(report_html(simulate(CELLS)))
    assert not [tag for tag, _ in page.tags if tag in {"img", "iframe", "object", "link"}]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert HOSTILE in page.text


def test_a_page_names_no_address_outside_and_no_path_of_the_machine(simulate: Simulate, tmp_path: Path) -> None:
    for text in (CELLS, SWEEP, OVER_TIME):
        html = report_html(simulate(text, text[7:11]))
        page = Page(html)
        links = [value for _, attributes in page.tags for name, value in attributes.items() if name in {"href", "src"}]
        assert all(value is not None and value.startswith("#") for value in links)
        assert re.findall(r"https?:|xmlns|//[a-z]", entities.unescape(html).replace("// ", "")) == []
        assert str(tmp_path) not in html


def test_ids_and_anchors_of_a_page_fit_together(simulate: Simulate) -> None:
    page = Page(report_html(simulate(OVER_TIME)))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [str(attributes["href"])[1:] for tag, attributes in page.tags if tag == "a"]
    assert set(named) <= set(ids)


def test_every_value_of_the_table_has_its_interval(simulate: Simulate) -> None:
    result = simulate(CELLS)
    for row in main_table(result).rows:
        assert [value.interval for value in row.values if not value.interval] == []
    complete = all_metrics(result)
    assert [row.metric for row in complete.rows] == list(result.reported[0].metrics.paths)
    for row in complete.rows:
        for cell, value in zip(result.reported, row.values, strict=True):
            estimate = cell.metrics.value(row.metric)
            assert bool(value.interval) == (estimate.value is not None)
            if estimate.value is None:
                assert value.text == "-"


def test_one_replication_of_a_shared_world_has_no_intervals_and_says_so(simulate: Simulate) -> None:
    result = simulate(OVER_TIME.replace("replications: 3", "replications: 1"))
    assert {value.interval for row in main_table(result).rows for value in row.values} <= {"no interval", ""}
    assert "No intervals: one replication of a shared world." in Page(report_html(result)).text


def test_curves_have_the_numbers_of_the_figure_data(simulate: Simulate) -> None:
    result = simulate(CELLS)
    page = Page(report_html(result))
    charts = [json.loads(str(attributes["data-chart"])) for _, attributes in page.tags if "data-chart" in attributes]
    effect = result.plot.data.time_to_effect()
    (found,) = [chart for chart in charts if "without effect" in chart[1][0]]
    for series, curve in zip(found[2], effect.curves, strict=True):
        known = {0.0: 1.0, **dict(zip(curve.times_ns, curve.shares, strict=True))}
        texts = {value_text(share, metric_of("success.rate").unit) for share in (*known.values(), curve.never)}
        assert {value_text(share, metric_of("success.rate").unit) for share in series["y"]} <= texts


def test_a_sweep_over_two_keys_shows_maps_and_its_cells_share_their_keys_with_the_legend(
    simulate: Simulate, tmp_path: Path
) -> None:
    simulate(SWEEP)
    result = open_results(tmp_path / "results")
    page = Page(report_html(result))
    fields = [attributes["data-series"] for tag, attributes in page.tags if tag == "td" and "data-series" in attributes]
    assert fields
    assert set(fields) == {attributes["data-switch"] for _, attributes in page.tags if "data-switch" in attributes}


def test_each_point_of_a_line_over_a_sweep_has_the_key_of_its_cell(simulate: Simulate) -> None:
    result = simulate(SWEEP.replace(", retrier.max_failures: [1, 2, 3]", ""))
    (sweep,) = [group for group in groups(result) if group.id == "sweep"]
    data = json.loads(str(Page(sweep.charts[0]).tags[0][1]["data-chart"]))
    assert data[2][0]["p"] == ["0", "1", "2"]
    assert [pair[1] for pair in data[3]] == ["0.1", "0.3", "0.5"]
    assert data[2][0]["y"] == [cell.metrics.value("success.rate").value for cell in result.reported]


def test_points_over_a_sweep_read_like_the_table(simulate: Simulate) -> None:
    result = simulate(SWEEP.replace(", retrier.max_failures: [1, 2, 3]", "").replace("count: 200", "count: 20000"))
    (sweep,) = [group for group in groups(result) if group.id == "sweep"]
    complete = {row.metric: row.values for row in all_metrics(result).rows}
    data = json.loads(str(Page(sweep.charts[0]).tags[0][1]["data-chart"]))
    assert data[2][0]["t"] == [f"{value.text} ({value.interval})" for value in complete["success.rate"]]


def test_a_shared_world_shows_load_with_bands_and_what_was_planned(simulate: Simulate) -> None:
    (over_time,) = [group for group in groups(simulate(OVER_TIME)) if group.id == "over-time"]
    page = Page("".join(over_time.charts))
    assert [attributes for _, attributes in page.tags if attributes.get("class") == "band"]
    tips = {str(attributes["data-tip"]) for _, attributes in page.tags if attributes.get("data-tip")}
    assert any("from 2.00 s to 4.00 s" in tip for tip in tips)


def test_stories_are_those_that_a_run_offers(simulate: Simulate) -> None:
    result = simulate(CELLS)
    told = stories(result)
    for one in told:
        (cell,) = [cell for cell in result.cells if cell.cell.name == one.cell]
        assert one.request in cell.examples.values()
        assert one.chart
        assert one.lines[-1].startswith("=> ") or one.lines[-1].startswith(" ")
    assert [one.title for one in told] == ["A repeated effect", "The slowest request"]


def test_stories_of_retriers_that_are_not_there_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_of_report.py").write_text(
        "from sim.retriers.base import LoopRetrier\n\n\nclass Mine(LoopRetrier):\n"
        "    async def retry(self, call, ctx):\n        return await call()\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    from sim.api.run import run
    from sim.scenario.load import parse

    text = "name: own\nrequests: {count: 20}\naction: {outcomes: {ack_lost: 0.3}}\n"
    run(parse(text, retrier="mine_of_report:Mine"), out=tmp_path / "results")
    result = open_results(tmp_path / "results")
    assert needs_own_code(result.cells[0].cell.scenario)
    (slowest,) = stories(result)
    assert not slowest.chart
    assert "code of your own" in slowest.reason
    assert slowest.reason in Page(report_html(result)).text


def test_a_page_that_is_not_ours_is_left_alone(simulate: Simulate, tmp_path: Path) -> None:
    simulate(SWEEP)
    page = tmp_path / "results" / "report.html"
    page.write_text("<title>mine</title>", encoding="utf-8")
    with pytest.raises(ForeignPage, match="is not a page of retrysim"):
        write_report(tmp_path / "results")
    assert page.read_text(encoding="utf-8") == "<title>mine</title>"


def test_a_folder_in_the_place_of_the_page_is_left_alone(simulate: Simulate, tmp_path: Path) -> None:
    simulate(SWEEP)
    (tmp_path / "results" / "report.html").mkdir()
    with pytest.raises(ForeignPage, match="is in the way"):
        write_report(tmp_path / "results")


def test_a_failure_leaves_neither_half_a_page_nor_a_temporary_file(
    simulate: Simulate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate(SWEEP)
    before = sorted((tmp_path / "results").iterdir())
    monkeypatch.setattr("sim.report.report.report_html", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(tmp_path / "results")
    assert sorted((tmp_path / "results").iterdir()) == before


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptResults, match=r"results\.sqlite"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_six_cells_stay_below_a_megabyte(simulate: Simulate) -> None:
    variants = "\n".join(f"  cell {number}: {{retrier.max_failures: {number}}}" for number in range(6))
    text = f"""
name: six
seed: 7
requests: {{count: 3000}}
action: {{latency: {{lognormal: {{median: 20ms, p99: 900ms}}}}, outcomes: {{fail: 0.4, ack_lost: 0.05, hang: 0.01}}}}
retrier: helpers
variants:
{variants}
"""
    assert len(report_html(simulate(text)).encode()) < 1_000_000
