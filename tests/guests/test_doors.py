"""Guests as Python code gives them: a function where a retrier is expected, in every verb."""

import time
from pathlib import Path
from typing import Any

import pytest

import sim
from sim.contracts.catalogue import INVARIANTS
from sim.explorer.play import play

ACTION = {"latency": "100ms", "outcomes": {"fail": 1.0}}
VALUES = {"requests": {"count": 3}, "action": ACTION}
HELD = INVARIANTS[:3]
TEXT = "{requests: {count: 3}, action: {latency: 100ms, outcomes: {fail: 1.0}}, retrier: none}"


def three(call: Any) -> Any:
    for _ in range(2):
        try:
            return call()
        except sim.CallFailed:
            time.sleep(1)
    return call()


class Once(sim.guests.GuestRetrier):
    kind = "once"

    def retry(self, call: Any) -> Any:
        """Call."""
        return call()


def attempts(scenario: Any) -> list[int]:
    return [int(cell.requests.attempts.max()) for cell in sim.run(scenario).cells]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "world.yaml").write_text(TEXT)
    return tmp_path / "world.yaml"


def test_load_takes_a_function_and_a_class(file: Path) -> None:
    assert attempts(sim.load(file, retrier=three)) == [3]
    assert attempts(sim.load(file, retrier=Once)) == [1]


def test_values_of_a_scenario_can_have_functions_and_classes_in_them() -> None:
    assert attempts({**VALUES, "retrier": three}) == [3]
    assert attempts({**VALUES, "variants": {"a": {"retrier": three}, "b": {"retrier": {"kind": Once}}}}) == [3, 1]
    assert attempts({**VALUES, "sweep": {"retrier": [three, Once, "none"]}}) == [3, 1, 1]


def test_a_text_in_values_still_runs_no_code() -> None:
    with pytest.raises(sim.ScenarioError, match="retrier"):
        sim.run({**VALUES, "retrier": f"{__name__}:three"})


def test_code_without_a_name_is_refused_in_a_scenario(file: Path) -> None:
    for given in (
        lambda: sim.load(file, retrier=lambda call: call()),
        lambda: sim.run({**VALUES, "retrier": Local.it}),
    ):
        with pytest.raises(sim.ScenarioError, match=r"retrier: no file can name .* not at the top level of a module"):
            given()


class Local:
    @staticmethod
    def it(call: Any) -> Any:
        return call()


def test_check_takes_a_function_even_one_without_a_name() -> None:
    held = sim.check(VALUES | {"retrier": "none"}, retrier=lambda call: three(call), invariants=())
    assert int(held.cells[0].result.requests.attempts.max()) == 3


def test_check_still_takes_a_function_that_makes_retriers() -> None:
    held = sim.check(VALUES | {"retrier": "none"}, retrier=lambda: Once(), invariants=())
    assert int(held.cells[0].result.requests.attempts.max()) == 1


def test_explore_and_play_take_a_function(tmp_path: Path) -> None:
    small = {"requests": {"count": 1}, "action": ACTION, "retrier": "none", "explore": {"attempts": 1}}
    text = "{requests: {count: 1}, action: {latency: 100ms}, retrier: none, course: {attempts: 1, answers: []}}"
    (tmp_path / "course.yaml").write_text(text)
    found = sim.explore(small, retrier=three, invariants=HELD)
    assert found.states > sim.explore(small, retrier=Once, invariants=HELD).states
    assert play(tmp_path / "course.yaml", retrier=three).holds
