"""Cells set against each other, metric by metric."""

import json
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.history.records import Requests
from sim.history.vocabulary import NEVER
from sim.measure.differences import Change, Difference, Differences
from sim.measure.estimates import Estimate
from sim.measure.metrics import measure
from sim.measure.quantities import METRICS
from sim.measure.tally import Tally

MS = 1_000_000
Row = dict[str, object]
Groups = Sequence[tuple[int, Row]]
MakeRequests = Callable[[Sequence[Row]], Requests]
lawful = settings(derandomize=True, deadline=None, max_examples=25)


@pytest.fixture
def between(make_requests: MakeRequests) -> Callable[..., Differences]:
    """Set cells made of (count, row) groups against each other."""

    def make(a: Groups, b: Groups, *, paired: bool = True, shared: bool = False) -> Differences:
        first, second = (make_requests([row for count, row in groups for _ in range(count)]) for groups in (a, b))
        measured = [measure(one, shared=shared) for one in (first, second)]
        return Differences(*measured, (first, second) if paired else None, paired=paired)

    return make


def after(ms: float, **more: object) -> Row:
    return {"first_effect_ns": round(ms * MS), **more}


def test_later_effects_are_worse(between: Callable[..., Differences]) -> None:
    found = between([(500, after(100))], [(500, after(130))])["time_to_effect.p99"]
    assert (found.a.value, found.b.value, found.estimate, found.change) == (
        100 * MS,
        130 * MS,
        Estimate(30.0 * MS, 30.0 * MS, 30.0 * MS),
        Change.worse,
    )


@pytest.mark.parametrize(
    ("metric", "less", "more", "change"),
    [
        ("attempts.mean", {"attempts": 1}, {"attempts": 2}, Change.worse),
        ("polls.mean", {"polls": 5}, {"polls": 2}, Change.better),
        ("cost.action_ms", {"action_ns": 5 * MS}, {"action_ns": 2 * MS}, Change.better),
        ("duplicates.rate", {}, {"duplicates": {"ack_lost": 1}}, Change.worse),
        ("success.rate", {"outcome": "gave_up"}, {}, Change.better),
        ("gave_up.rate", {"outcome": "gave_up"}, {}, Change.better),
        ("canceled.rate", {"outcome": "canceled"}, {}, Change.differs),
    ],
)
def test_each_metric_has_a_direction(
    between: Callable[..., Differences], metric: str, less: Row, more: Row, change: Change
) -> None:
    assert between([(100, less)], [(100, more)])[metric].change is change


def test_what_is_the_same_in_every_request_is_the_same(between: Callable[..., Differences]) -> None:
    cell = [(50, after(100)), (50, after(300, attempts=2))]
    found = between(cell, cell)
    assert {one.change for one in found if one.a.value is not None} == {Change.same}


def test_equal_numbers_of_unequal_requests_are_not_the_same(between: Callable[..., Differences]) -> None:
    ahead, behind = [(1, after(100)), (99, after(300))], [(99, after(300)), (1, after(100))]
    assert between(ahead, behind)["time_to_effect.mean"].change is Change.inconclusive


def test_a_maximum_is_never_conclusive(between: Callable[..., Differences]) -> None:
    found = between([(100, after(100))], [(100, after(200))])["time_to_effect.max"]
    assert (found.estimate, found.change) == (Estimate(100.0 * MS), Change.inconclusive)


def test_where_no_request_counts_there_is_no_difference(between: Callable[..., Differences]) -> None:
    found = between([(100, after(100))], [(100, after(200))])["time_to_known.gave_up.p50"]
    assert (found.estimate.value, found.change) == (None, Change.inconclusive)


def test_never_is_infinitely_worse(between: Callable[..., Differences], stuck: Row) -> None:
    found = between([(400, after(100))], [(200, after(100)), (200, stuck)])
    p90, mean = found["time_to_effect.p90"], found["time_to_effect.mean"]
    assert (p90.estimate.value, p90.change, mean.estimate.value, mean.change) == (
        math.inf,
        Change.worse,
        math.inf,
        Change.worse,
    )


def test_one_request_that_never_comes_proves_nothing_about_the_mean(
    between: Callable[..., Differences], stuck: Row
) -> None:
    found = between([(400, after(100))], [(399, after(100)), (1, stuck)])["time_to_effect.mean"]
    assert (found.estimate, found.change) == (Estimate(math.inf, -math.inf, math.inf), Change.inconclusive)


def test_never_in_both_is_no_difference(between: Callable[..., Differences], stuck: Row) -> None:
    found = between([(400, stuck)], [(399, stuck), (1, after(10))])["time_to_effect.p50"]
    assert (found.estimate.value, found.change) == (None, Change.inconclusive)


def test_pairing_tells_what_independent_cells_leave_open(between: Callable[..., Differences]) -> None:
    a = [(1, after(100 + 7 * (number % 50))) for number in range(300)]
    b = [(1, after(101 + 7 * (number % 50))) for number in range(300)]
    changes = [between(a, b, paired=paired)["time_to_effect.mean"].change for paired in (True, False)]
    assert changes == [Change.worse, Change.inconclusive]


def test_shared_worlds_are_paired_by_replication(between: Callable[..., Differences]) -> None:
    def cell(extra: int) -> Groups:
        # Replications differ more from one another (100, 300, 500 ms) than the cells do in each of them.
        return [(50, after(100 + 200 * number + extra * (number + 1), replication=number)) for number in range(3)]

    paired, alone = (between(cell(0), cell(10), shared=True, paired=paired) for paired in (True, False))
    half = 4.302653 * 10 / math.sqrt(3)
    got = paired["time_to_effect.mean"].estimate
    assert (got.value, (got.low or 0) / MS <= 20 - half, (got.high or 0) / MS >= 20 + half) == (20.0 * MS, True, True)
    assert (got.high or 0) / MS < 100
    assert (alone["time_to_effect.mean"].estimate.high or 0) > (got.high or 0)


def test_one_replication_of_a_shared_world_is_never_conclusive(between: Callable[..., Differences]) -> None:
    found = between([(50, after(100))], [(50, after(200))], shared=True)["time_to_effect.mean"]
    assert (found.estimate, found.change) == (Estimate(100.0 * MS), Change.inconclusive)


def test_the_same_simulation_cannot_differ(make_requests: MakeRequests) -> None:
    metrics = measure(make_requests([{}, {"duplicates": {"ack_lost": 1}}]), shared=False)
    found = Differences(metrics, metrics, determined=True)["duplicates.rate"]
    assert (found.estimate, found.change) == (Estimate(0.0, 0.0, 0.0), Change.same)


def test_histograms_are_compared_as_independent_cells(make_requests: MakeRequests) -> None:
    a, b = (make_requests([after(100 + step * number) for number in range(400)]) for step in (1, 2))
    exact = Differences(*(measure(one, shared=False) for one in (a, b)))
    binned = Differences(*(measure(Tally.of(one), shared=False) for one in (a, b)))
    mean, p90 = binned["time_to_effect.mean"], binned["time_to_effect.p90"]
    assert mean.estimate == exact["time_to_effect.mean"].estimate
    inside = exact["time_to_effect.p90"].estimate
    assert (p90.change, (p90.estimate.low or 0) < (inside.low or 0), (p90.estimate.high or 0) > (inside.high or 0)) == (
        Change.worse,
        True,
        True,
    )


def test_the_summary_is_json(between: Callable[..., Differences], stuck: Row) -> None:
    found = between([(400, after(100))], [(200, after(100)), (200, stuck)])
    told = json.loads(json.dumps({one.metric.path: one.summary() for one in found}, allow_nan=False))
    p90 = told["time_to_effect.p90"]
    assert (set(told), told["time_to_effect.p50"]["a"]) == (set(METRICS) - {"cost.money"}, 100.0)
    assert (p90["difference"], "difference" in p90["infinite"], p90["unit"]) == (None, True, "ms")


outcomes = st.sampled_from(["success", "gave_up", "stuck", "canceled", "open"])
rows = st.builds(
    lambda outcome, ms, attempts, polls: {
        "outcome": outcome,
        "first_effect_ns": NEVER if ms is None else ms * MS,
        "settled_ns": NEVER if outcome in ("stuck", "open") else (ms or 0) * MS + MS,
        "attempts": attempts,
        "polls": polls,
        "duplicates": {"timeout": attempts // 3},
    },
    outcomes,
    st.none() | st.integers(0, 40),
    st.integers(1, 4),
    st.integers(0, 5),
)
pairs = st.lists(st.tuples(rows, rows), min_size=1, max_size=60)


def turned(estimate: Estimate) -> tuple[float | None, ...]:
    return tuple(None if end is None else -end for end in (estimate.value, estimate.high, estimate.low))


def close(one: Sequence[float | None], other: Sequence[float | None]) -> bool:
    known = [(first, second) for first, second in zip(one, other, strict=True) if (first, second) != (None, None)]
    return all(None not in pair and np.isclose(*pair, rtol=1e-9, atol=1e-6) for pair in known)  # type: ignore[arg-type]


@pytest.mark.parametrize("paired", [True, False])
@lawful
@given(pairs=pairs)
def test_b_against_a_is_a_against_b_turned_around(
    make_requests: MakeRequests, pairs: list[tuple[Row, Row]], *, paired: bool
) -> None:
    one, other = (make_requests(list(side)) for side in zip(*pairs, strict=True))
    first, second = (measure(requests, shared=False) for requests in (one, other))
    forth = Differences(first, second, (one, other) if paired else None)
    back = Differences(second, first, (other, one) if paired else None)
    both = {path: (forth[path].estimate, back[path].estimate) for path in METRICS}
    unequal = [
        path for path, (there, here) in both.items() if not close((there.value, there.low, there.high), turned(here))
    ]
    assert unequal == []


OPPOSITE = {Change.better: Change.worse, Change.worse: Change.better}


@lawful
@given(pairs=pairs)
def test_what_is_better_one_way_is_worse_the_other(make_requests: MakeRequests, pairs: list[tuple[Row, Row]]) -> None:
    one, other = (make_requests(list(side)) for side in zip(*pairs, strict=True))
    first, second = (measure(requests, shared=False) for requests in (one, other))
    forth, back = Differences(first, second, (one, other)), Differences(second, first, (other, one))
    found: list[tuple[Difference, Difference]] = [(forth[path], back[path]) for path in METRICS]
    assert [OPPOSITE.get(there.change, there.change) for there, _ in found] == [here.change for _, here in found]
