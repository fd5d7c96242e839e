"""What results, histories and scenarios show of themselves: tables as text, and escaped HTML for notebooks."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import sim
from sim.history.recorder import History
from sim.history.shown import FEW_MORE, FIRST, cut, html_table, text_table
from sim.scenario.load import parse
from sim.scenario.schema import Scenario
from sim.stories.lines import timeline_lines

TEXT = """
name: shown
why: Is 1 < 2 & 3 > 2?
requests: {count: 30}
action: {outcomes: {fail: 0.4}}
variants:
  "<b>none</b>": {retrier: none}
  helpers: {retrier: {kind: helpers, wait_backoff: 10ms}}
"""


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return parse(TEXT)


@pytest.fixture(scope="module")
def result(scenario: Scenario) -> Any:
    return sim.run(scenario)


class Balanced(HTMLParser):
    """Holds that every element is closed in its order, and keeps the texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def everything(scenario: Scenario, result: Any) -> list[Any]:
    history = sim.replay(scenario, 3, cell="helpers")
    return [
        scenario,
        result,
        result.cells[0].metrics,
        result.requests("helpers"),
        history,
        History(history._raw),  # noqa: SLF001  # without a story
        sim.compare(result.cells[0], result.cells[1]),
        sim.compare(result.cells[0], result.cells[1]).cells[0],
    ]


def test_html_is_balanced_and_escaped_and_names_no_address(scenario: Scenario, result: Any) -> None:
    for one in everything(scenario, result):
        text = one._repr_html_()
        Balanced(text)
        assert "<b>" not in text
        assert re.search("https?:|<script|<img|<link|on[a-z]+=", text) is None
    shown = "".join(Balanced(result._repr_html_()).texts)
    assert "<b>none</b>" in shown


def test_text_fits_100_columns(scenario: Scenario, result: Any) -> None:
    for one in everything(scenario, result):
        if not isinstance(one, Scenario):  # whose texts are as long as they were written
            assert max(map(len, repr(one).splitlines())) <= 100


@pytest.mark.parametrize(("columns", "leaves_out"), [("80", True), ("160", False)])
def test_tables_take_the_width_of_the_terminal(
    result: Any, monkeypatch: pytest.MonkeyPatch, columns: str, *, leaves_out: bool
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for one in (result, sim.compare(*result.cells)):
        assert max(map(len, repr(one).splitlines())) <= int(columns)
        assert ("left out" in repr(one)) is leaves_out


def test_html_has_every_interval(result: Any) -> None:
    for one in (result, sim.compare(*result.cells)):
        assert "left out" not in one._repr_html_()


def test_a_result_shows_its_cells(result: Any) -> None:
    lines = repr(result).splitlines()
    assert lines[0] == "shown: isolated world, 30 requests a cell, seed 0"
    assert sum(line.startswith(("<b>none</b>", "helpers")) for line in lines) == 2


def test_a_cell_says_how_its_requests_ended(result: Any) -> None:
    assert re.fullmatch(r"<cell 'helpers': 30 requests \(success \d+\)>", repr(result["helpers"]))


def test_metrics_show_every_path_with_its_unit(result: Any) -> None:
    metrics = result["helpers"].metrics
    rows = [line.split() for line in repr(metrics).splitlines()[2:]]
    assert [row[0] for row in rows] == list(metrics.paths)
    assert {row[-1] for row in rows} == {"1", "ms"}


def test_requests_show_the_first_ones_and_how_many_more_there_are(result: Any) -> None:
    lines = repr(result.requests("helpers")).splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("30 requests", "... 20 more requests", 13)
    few = repr(sim.run({"retrier": "none", "requests": {"count": FIRST + FEW_MORE}}).requests())
    assert "more requests" not in few
    assert cut(FIRST + FEW_MORE) == FIRST + FEW_MORE


def test_a_history_shows_its_first_events(scenario: Scenario) -> None:
    history = sim.replay(scenario, 3, cell="helpers")
    lines = repr(history).splitlines()
    assert lines[0] == f"history of {len(history)} events"
    assert lines[2].split()[:3] == ["0s", "3", "submit"]
    assert repr(History([])) == "history of 0 events"


def test_what_replay_returns_tells_the_story(scenario: Scenario) -> None:
    history = sim.replay(scenario, 3, cell="helpers")
    found = history.replayed
    assert str(history).splitlines() == timeline_lines(history, found.number, found.outcome)
    assert max(map(len, history.story(60).splitlines())) <= 60
    assert history._repr_html_().startswith("<pre")
    assert history.digest() == found.history.digest()


def test_a_scenario_shows_what_was_written_as_yaml_that_reads_back(scenario: Scenario) -> None:
    assert parse(repr(scenario)).written == scenario.written
    loaded = sim.load(Path("scenarios/quickstart.yaml"), requests=5)
    assert "requests: {count: 5}" in repr(loaded)


def test_tables_align_their_columns() -> None:
    assert text_table(["a", "bb"], [["x", "1"], ["yy", "22"]], right=frozenset({1})) == "a   bb\nx    1\nyy  22"
    assert html_table(["<"], [["a\nb"]], note="&").count("&amp;") == 1


# What scenarios can be given as.


@pytest.mark.parametrize("as_path", [str, Path])
def test_a_file_is_run_as_what_it_loads_to(as_path: Any, tmp_path: Path) -> None:
    path = tmp_path / "few.yaml"
    path.write_text("retrier: none\nrequests: {count: 5}\n")
    expected = sim.run(sim.load(path)).summary_json()
    assert sim.run(as_path(path)).summary_json() == expected
    assert sim.check(as_path(path)).result.scenario.name == "few"
    assert sim.replay(as_path(path), 2).replayed.number == 2


def test_plain_values_are_a_scenario_whose_files_are_looked_for_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("times.csv").write_text("latency_ms\n" + "5\n" * 20)
    values = {
        "retrier": "none",
        "requests": {"count": 3},
        "action": {"latency": {"empirical": {"file": "times.csv", "column": "latency_ms"}}},
    }
    assert sim.run(values).requests().settled_ns.tolist() == [5_000_000] * 3
    assert sim.explore({"retrier": "none", "explore": {"requests": 1}}).states > 0


def test_mistakes_of_plain_values_are_named_and_other_things_refused() -> None:
    with pytest.raises(sim.ScenarioError, match="retrier"):
        sim.run({"retrier": "helper"})
    with pytest.raises(sim.ScenarioError, match="there is no such file"):
        sim.run("no-such.yaml")
    with pytest.raises(TypeError, match="not list"):
        sim.run([])  # type: ignore[arg-type]


def test_searches_show_themselves() -> None:
    found = sim.explore({"retrier": "none", "explore": {"requests": 1}})
    assert re.fullmatch(r"<searched \d+ states in \d+ executions: nothing broken>", repr(found))
    tuned = sim.tune(
        {
            "retrier": {"kind": "component", "initial_backoff": "100ms"},
            "requests": {"count": 40},
            "action": {"outcomes": {"fail": 0.2}},
            "tune": {
                "search": {"retrier.max_failures": [2, 3]},
                "objectives": ["time_to_known.p50", "amplification"],
                "budget": {"candidates": 2, "finalists": 2},
            },
        }
    )
    head, *lines = repr(tuned).splitlines()
    assert re.fullmatch(r"scenario: (no point|1 point|2 points) among 2 candidates, seed 0", head)
    assert any("max failures" in line for line in lines)
    Balanced(tuned._repr_html_())
