"""Mistakes that only simulating shows are told at their place."""

import pytest

from sim.api.run import run
from sim.scenario.load import parse
from sim.scenario.mistakes.problems import ScenarioError

NEGATIVE = """
requests: {count: 10}
retrier: {kind: policy, attempts: 3, delay: {formula: "100ms - n * 60ms"}}
action: {outcomes: {fail: 1.0}}
"""


def test_a_delay_that_a_formula_makes_negative_is_told_at_its_key() -> None:
    with pytest.raises(ScenarioError) as error:
        run(parse(NEGATIVE))
    (problem,) = error.value.problems
    assert problem.keys == ("retrier", "delay")
    assert problem.reason.startswith("the delay before retry 2 is negative, -20 ms")
