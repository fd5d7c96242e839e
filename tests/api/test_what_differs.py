"""What differs between the runs of two cells."""

from typing import Any

import pytest

from sim.api.compare import compare
from sim.api.run import run
from sim.api.what_differs import Origin
from sim.expect.conditions import parse_condition
from sim.results.result import Result
from sim.scenario.load import from_dict


def result(**changes: Any) -> Result:
    tree: dict[str, Any] = {"seed": 1, "requests": {"count": 20}, "action": {"outcomes": {"fail": 0.2}}}
    return run(from_dict({**tree, "retrier": {"kind": "component", "max_failures": 3}, **changes}))


@pytest.fixture(scope="module")
def plain() -> Result:
    return result()


def said(a: Result, b: Result) -> str:
    return compare(a, b).cells[0].what_differs


def test_nothing_differs_between_a_run_and_itself(plain: Result) -> None:
    assert said(plain, plain).startswith("Nothing differs")


def test_the_seed_alone_is_said_to_be_alone(plain: Result) -> None:
    assert said(plain, result(seed=2)) == "Nothing but the seed differs (1 | 2)."


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"retrier": {"kind": "component", "max_failures": 5}}, "retrier.max_failures (3 | 5)"),
        ({"retrier": "none"}, "retrier (component | none)"),
        ({"requests": {"count": 30}}, "requests.count (20 | 30)"),
        ({"action": {"outcomes": {"fail": 0.3}}}, "action.outcomes.fail (0.2 | 0.3)"),
        ({"cost": {"attempt": "1 USD"}}, "cost.attempt (none | 1 USD)"),
    ],
)
def test_each_setting_is_named_with_both_values(plain: Result, change: dict[str, Any], words: str) -> None:
    assert words in said(plain, result(**change))


def test_engines_and_versions_are_told(plain: Result) -> None:
    cell = plain.cells[0]
    origins = Origin("event", {"retrysim": "1"}), Origin("vector", {"retrysim": "2"})
    assert (
        compare(cell, cell, origins=origins).cells[0].what_differs
        == "What differs (A | B): engine (event | vector), version of retrysim (1 | 2)."
    )


def test_the_summary_has_conditions_verdicts_and_the_exit_code(plain: Result) -> None:
    compared = compare(plain, result(retrier="none"))
    found = compared.summary([parse_condition("attempts.mean > +50%")], 0)
    assert (found["exit_code"], [one["verdict"] for one in found["fail_if"]]) == (0, ["does not hold"])
    (pair,) = found["comparisons"]
    assert pair["differing"] == [{"key": "retrier", "a": "component", "b": "none"}]
    assert {"difference", "low", "high", "unit", "relative", "verdict"} <= pair["differences"]["attempts.mean"].keys()
