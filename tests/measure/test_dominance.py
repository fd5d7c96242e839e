"""The laws of the Pareto set, and of the ranking between rounds."""

import math
from collections.abc import Sequence
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from sim.measure.differences import Change
from sim.measure.dominance import cost_of, dominates, pareto_set, ranked
from sim.measure.estimates import Estimate

BETTER, WORSE, SAME, UNSURE = Change.better, Change.worse, Change.same, Change.inconclusive
Costs = list[list[float]]

costs = st.integers(1, 3).flatmap(
    lambda objectives: st.lists(
        st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, 7.5, math.inf]), min_size=objectives, max_size=objectives),
        min_size=1,
        max_size=9,
    )
)


def told_apart_by(margin: float, values: Costs) -> list[list[Sequence[Change]]]:
    """What each sees of each where differences above a margin are beyond doubt."""

    def change(mine: float, theirs: float) -> Change:
        if mine == theirs:
            return SAME
        return UNSURE if abs(mine - theirs) <= margin else BETTER if mine < theirs else WORSE

    return [[[change(*pair) for pair in zip(one, other, strict=True)] for other in values] for one in values]


def test_it_takes_an_advantage_beyond_doubt_and_no_disadvantage() -> None:
    assert dominates([BETTER, SAME])
    assert dominates([UNSURE, BETTER])
    assert not dominates([BETTER, WORSE])
    assert not dominates([SAME, SAME])
    assert not dominates([UNSURE, UNSURE])


@given(costs, st.sampled_from([0.0, 1.0, 5.0]))
def test_no_member_is_dominated_and_every_other_is(values: Costs, margin: float) -> None:
    seen = told_apart_by(margin, values)
    members = pareto_set(values, lambda one, other: seen[one][other])
    dominated = {
        other for one, other in product(range(len(values)), repeat=2) if one != other and dominates(seen[one][other])
    }
    assert set(members) == set(range(len(values))) - dominated or len(dominated) == len(values)


@given(costs, st.sampled_from([0.0, 1.0, 5.0]))
def test_somebody_is_always_left(values: Costs, margin: float) -> None:
    seen = told_apart_by(margin, values)
    assert pareto_set(values, lambda one, other: seen[one][other]) != []


@given(costs)
def test_without_doubt_the_set_is_the_first_front_of_the_ranking(values: Costs) -> None:
    seen = told_apart_by(0, values)
    members = pareto_set(values, lambda one, other: seen[one][other])
    assert set(ranked(values)[: len(members)]) == set(members)


@given(costs)
def test_a_ranking_has_each_once_and_none_behind_one_that_it_beats(values: Costs) -> None:
    order = ranked(values)
    assert sorted(order) == list(range(len(values)))
    for place, position in enumerate(order):
        for later in order[place + 1 :]:
            beaten = all(a <= b for a, b in zip(values[later], values[position], strict=True))
            assert not (beaten and values[later] != values[position])


def test_a_circle_of_doubts_does_not_leave_nobody() -> None:
    # Each beats the next beyond doubt in one objective; elsewhere nothing is sure.
    values = [[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 3.0, 0.0]]
    seen = {(0, 1): [BETTER, UNSURE, UNSURE], (1, 2): [UNSURE, BETTER, UNSURE], (2, 0): [UNSURE, UNSURE, BETTER]}
    assert pareto_set(values, lambda one, other: seen.get((one, other), [UNSURE] * 3)) == [0, 1, 2]


def test_the_ends_of_a_front_go_before_its_crowd() -> None:
    front = [[0.0, 9.0], [4.0, 4.0], [4.1, 3.9], [4.2, 3.8], [9.0, 0.0]]
    assert set(ranked(front)[:2]) == {0, 4}


def test_success_is_turned_into_a_cost_and_what_is_missing_is_infinite() -> None:
    assert cost_of(Estimate(0.9), "success.rate") == -0.9
    assert cost_of(Estimate(0.9), "duplicates.rate") == 0.9
    assert cost_of(Estimate(None), "success.rate") == math.inf
