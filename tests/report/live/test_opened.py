"""Changes on a live page: the same scenarios and the same messages as `--set` gives."""

from pathlib import Path

import pytest
from live_pages import SMALL, opened

from sim.report.live.opened import Refused, WrongNumbers
from sim.scenario.identity import digest
from sim.scenario.load import load


def test_a_change_makes_the_scenario_that_set_makes(tmp_path: Path) -> None:
    page = opened(tmp_path)
    changes = [("action.outcomes.fail", "0.35"), ("retrier.max_failures", "7"), ("action.latency.constant", "1m30s")]
    found = page.scenario_with(dict(changes))
    assert digest(found) == digest(load(tmp_path / "small.yaml", changes))
    assert found.written == load(tmp_path / "small.yaml", changes).written


def test_values_of_the_file_are_no_changes(tmp_path: Path) -> None:
    page = opened(tmp_path)
    assert page.scenario_with({"retrier.max_failures": "3"}) is page.scenario
    assert page.command({"retrier.max_failures": "3", "action.outcomes.fail": "0.5"}) == (
        "small.yaml action.outcomes.fail=0.5"
    )


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("action.outcomes.fail", "1.5", "at most 1"),
        ("action.outcomes.fail", "-0.1", "at least 0"),
        ("action.latency.constant", "10", "needs a unit"),
        ("action.latency.constant", "quick", "not a duration"),
        ("retrier.max_failures", "2.5", "whole number"),
        ("retrier.max_failures", "", "missing"),
        ("retrier.max_failures", "[1", ""),
        ("retrier.max_failures", "!!python/object:os.system {}", ""),
    ],
)
def test_a_wrong_value_is_told_beside_its_knob(tmp_path: Path, key: str, text: str, reason: str) -> None:
    with pytest.raises(WrongNumbers) as error:
        opened(tmp_path).scenario_with({"action.outcomes.hang": "0.01", key: text})
    assert error.value.mistakes[0].key == key
    assert reason in error.value.mistakes[0].reason


def test_what_is_wrong_between_numbers_is_told_beside_the_one_changed_last(tmp_path: Path) -> None:
    values = {"action.outcomes.hang": "0.5", "retrier.base": "3", "action.outcomes.fail": "0.6"}
    with pytest.raises(WrongNumbers) as error:
        opened(tmp_path).scenario_with(values)
    assert [mistake.key for mistake in error.value.mistakes] == ["action.outcomes.fail"]


def test_what_is_no_knob_cannot_be_changed(tmp_path: Path) -> None:
    page = opened(tmp_path)
    for key in ("why", "retrier", "requests.count", "action.latency", "__class__", "x" * 1000):
        with pytest.raises(Refused):
            page.scenario_with({key: "1"})
    with pytest.raises(Refused):
        page.scenario_with({"retrier.base": "1" * 65})


def test_the_page_shows_the_file_as_it_was_opened(tmp_path: Path) -> None:
    page = opened(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL.replace("0.2", "0.9"))
    assert page.scenario_with({"retrier.base": "3"}).action.outcomes.fail.share == 0.2  # type: ignore[union-attr]


@pytest.mark.parametrize(("what", "words"), [("edited", "has changed"), ("deleted", "is gone")])
def test_a_file_that_is_not_what_was_opened_is_told(tmp_path: Path, what: str, words: str) -> None:
    page = opened(tmp_path)
    file = tmp_path / "small.yaml"
    assert page.news() == ""
    file.touch()
    assert page.news() == ""
    if what == "edited":
        file.write_text(SMALL.replace("0.2", "0.9"))
    else:
        file.unlink()
    assert f"small.yaml {words} since it was opened" in page.news()
    with pytest.raises(Refused, match=words):
        page.scenario_with({"retrier.base": "-1"})
