"""Successive halving: its plan, its cost, and who goes on."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.experiment.cell_result import CellResult
from sim.experiment.engines import EVENT
from sim.scenario.cells import Cell
from sim.scenario.load import parse
from sim.text.tried import worst
from sim.tuning.halving import Candidate, best_first, halve, requests_of_rounds, rounds, shortfall

TEXT = """
requests: {{count: 200}}
action: {{outcomes: {{fail: 0.4}}}}
retrier: {{kind: component, max_failures: {failures}}}
expect: [{expect}]
"""


def candidate(failures: int, expect: str = "success.rate >= 50%") -> Candidate:
    scenario = parse(TEXT.format(failures=failures, expect=expect))
    return Candidate(Cell(f"f{failures}", f"f{failures}", {"failures": failures}, scenario))


def measured(failures: int, expect: str) -> CellResult:
    return candidate(failures, expect).measure(200, EVENT)


@given(st.integers(2, 1000), st.integers(1, 32), st.integers(1, 10**6))
def test_rounds_end_with_the_finalists_and_all_requests(candidates: int, finalists: int, whole: int) -> None:
    finalists = min(finalists, candidates)
    plan = rounds(candidates, finalists, whole, 100)
    assert (plan[0].candidates, plan[-1].candidates, plan[-1].upto) == (candidates, finalists, whole)
    for before, after in pairwise(plan):
        assert after.candidates >= before.candidates / 2
        assert before.upto <= after.upto <= whole
    assert min(one.upto for one in plan) >= min(100, whole)


def test_halving_costs_a_part_of_what_measuring_all_would() -> None:
    plan = rounds(64, 8, 8000, 100)
    assert [(one.candidates, one.upto) for one in plan] == [(64, 1000), (32, 2000), (16, 4000), (8, 8000)]
    assert requests_of_rounds(plan) == 64_000 + 32_000 + 32_000 + 32_000


def test_what_goes_on_is_simulated_no_request_twice_and_is_the_same_as_at_once() -> None:
    step_by_step, at_once = candidate(3), candidate(3)
    for upto in (20, 70, 200):
        step_by_step.measure(upto, EVENT)
    at_once.measure(200, EVENT)
    one, two = step_by_step.parts[0], at_once.parts[0]
    assert one.number.tolist() == list(range(200))
    assert (one.settled_ns == two.settled_ns).all()


def test_candidates_beyond_doubt_worse_go_first() -> None:
    all_of_them = [candidate(failures) for failures in (0, 0, 6, 7)]
    told: list[int] = []
    last = halve(all_of_them, rounds(4, 2, 200, 50), ["time_to_effect.p99"], EVENT, told.append)
    assert {one.cell.name for one in last} == {"f6", "f7"}
    assert told == sorted(told)
    assert told[-1] == requests_of_rounds(rounds(4, 2, 200, 50))


def test_who_keeps_the_constraints_comes_before_who_may_and_who_does_not() -> None:
    expect = "success.rate >= 98%"
    results = [measured(failures, expect) for failures in (0, 3, 9)]
    assert [worst(result.verdicts).value for result in results] == ["missed", "inconclusive", "met"]
    order = best_first(results, ["amplification"])
    assert order == [2, 1, 0]


@pytest.mark.parametrize(
    ("expect", "off"),
    [
        ("success.rate >= 80%", 1.0),  # it is 60 %: as far beyond as the bound is from 100 %
        ("gave_up.rate <= 20%", 1.0),
        ("amplification <= 0.5", 1.0),
        ("success.rate >= 10%", 0.0),
    ],
)
def test_how_far_off_is_relative_to_what_the_bound_leaves(expect: str, off: float) -> None:
    (verdict,) = measured(0, expect).verdicts
    assert shortfall(verdict) == pytest.approx(off, abs=0.35)
    assert shortfall(verdict, at_worst=True) >= shortfall(verdict)
