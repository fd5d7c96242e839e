"""`compare`: what pairs cells, what spoils a comparison, and what cannot be compared."""

import json
from collections.abc import Callable
from types import ModuleType

import pytest

import sim
from sim.api.compare import NotComparable, compare
from sim.api.run import run
from sim.expect.expectations import ExpressionError, Ruling
from sim.measure.differences import Change
from sim.results.result import Result
from sim.scenario.load import parse

BASE = """
seed: 5
requests: {count: 300}
action: {latency: {exponential: {mean: 100ms}}, outcomes: {fail: 0.3}}
"""
CELLS = "variants: {once: {retrier: none}, again: {retrier: {kind: helpers, max_failures: 2}}}"
SHARED = "world: shared\nreplications: 4\nretrier: none\n"
Make = Callable[..., Result]


@pytest.fixture(scope="session")
def made() -> Make:
    """Run a scenario with changes; the same one only once."""
    known: dict[object, Result] = {}

    def make(text: str = BASE + CELLS, **changes: object) -> Result:
        key = (text, json.dumps(changes))
        if key not in known:
            overrides = [(name.replace("__", "."), json.dumps(value)) for name, value in changes.items()]
            known[key] = run(parse(text, overrides=overrides))
        return known[key]

    return make


def test_cells_of_a_run_are_paired_by_request(made: Make) -> None:
    result = made()
    found = compare(result["once"], result["again"])
    assert found["success.rate"].change is Change.better
    assert [cell.pair.basis for cell in found] == [
        (
            "Paired by request: both ran 300 requests of seed 5, and request n of both met the same weather and the "
            "same latencies."
        )
    ]
    assert [cell.pair.warnings for cell in found] == [()]


def test_pairs_are_compared_more_sharply_than_independent_cells(made: Make) -> None:
    slow = made(retrier={"kind": "helpers", "wait_backoff": "200ms"}, variants={})
    other = made(retrier={"kind": "helpers", "wait_backoff": "200ms", "retry_backoff": "120ms"}, variants={})
    elsewhere = made(
        retrier={"kind": "helpers", "wait_backoff": "200ms", "retry_backoff": "120ms"}, variants={}, seed=6
    )
    widths = []
    for cell in (other, elsewhere):
        estimate = compare(slow, cell)["time_to_effect.mean"].estimate
        widths.append((estimate.high or 0) - (estimate.low or 0))
    assert widths[0] < widths[1] / 2


def test_results_of_several_cells_are_compared_cell_by_cell(made: Make) -> None:
    found = compare(made(), made(action__outcomes__fail=0.2))
    assert [(cell.a.id, cell.b.id) for cell in found] == [("once", "once"), ("again", "again")]
    with pytest.raises(KeyError, match="2 pairs of cells were compared"):
        _ = found["success.rate"]


def test_results_of_other_cells_are_refused_with_their_cells(made: Make) -> None:
    with pytest.raises(NotComparable, match=r"choose one of each: A has once, again; B has all"):
        compare(made(), made(retrier="none", variants={}))


def test_another_action_is_warned_of(made: Make) -> None:
    (cell,) = compare(made()["once"], made(action__outcomes__fail=0.2)["once"])
    assert cell.pair.warnings == (
        "Careful: not only the policies differ, but also (A | B): action.outcomes.fail (0.3 | 0.2).",
    )


def test_another_weather_is_warned_of(made: Make) -> None:
    outage = [{"outage": {"from": "0s", "to": "1s", "fail": 1.0}}]
    (cell,) = compare(made()["once"], made(action__weather=outage)["once"])
    assert "action.weather ([] | [{outage: {" in cell.pair.warnings[0]


def test_a_retrier_outside_of_the_deployment_is_no_other_platform(made: Make) -> None:
    convex = made(platform={"profile": "convex"}, retrier="helpers", variants={})
    outside = made(retrier="none", variants={})
    assert compare(outside, convex).cells[0].pair.warnings == ()


def test_other_seeds_are_not_paired_and_said(made: Make) -> None:
    found = compare(made()["once"], made(seed=6)["once"]).cells[0]
    assert (found.paired, found.pair.basis) == (
        False,
        (
            "Not paired, since their seeds differ (5 and 6): the intervals are those of independent requests, wider "
            "than those of pairs."
        ),
    )


def test_cells_of_which_only_histograms_are_kept_are_not_paired_and_said(made: Make) -> None:
    binned = made(keep="histogram")["again"]
    found = compare(made()["once"], binned).cells[0]
    assert (found.paired, "Not paired, since only histograms are kept of B:" in found.pair.basis) == (False, True)
    assert found["success.rate"].change is Change.better


def test_other_numbers_of_requests_are_not_paired_and_said(made: Make) -> None:
    found = compare(made()["once"], made(requests__count=200)["again"]).cells[0]
    assert (found.paired, "Not paired, since they have 300 and 200 requests" in found.pair.basis) == (False, True)
    assert found["success.rate"].change is Change.better


def test_shared_worlds_are_paired_by_replication(made: Make) -> None:
    one, other = made(BASE + SHARED), made(BASE + SHARED, retrier="helpers")
    found = compare(one, other).cells[0]
    assert (found.paired, found["success.rate"].change) == (True, Change.better)
    assert found.pair.basis.startswith("Paired by replication: both ran 4 replications of seed 5")


def test_shared_worlds_with_other_requests_are_not_paired(made: Make) -> None:
    one, other = made(BASE + SHARED), made(BASE + SHARED, requests__count=200)
    found = compare(one, other).cells[0]
    assert (found.paired, "other requests arrive, or count" in found.pair.basis) == (False, True)


def test_a_shared_world_and_an_isolated_one_have_nothing_to_compare(made: Make) -> None:
    with pytest.raises(NotComparable, match="A is a world of kind isolated, but B one of kind shared"):
        compare(made()["once"], made(BASE + SHARED))


def test_without_requests_that_count_there_is_nothing_to_compare(made: Make) -> None:
    nobody = made(BASE + SHARED, measure={"from": "1h"})
    with pytest.raises(NotComparable, match="no request of B"):
        compare(made(BASE + SHARED), nobody)


def test_the_same_simulation_is_the_same_for_certain(made: Make) -> None:
    found = compare(made()["again"], made()["again"]).cells[0]
    assert found.pair.basis == "Both are the same simulation: same scenario, same seed, so nothing can differ."
    assert {one.change for one in found.differences if one.a.value is not None} == {Change.same}
    assert (found.pair.a, found.pair.b) == ("again (A)", "again (B)")
    assert found.judge("duplicates.rate > +0%").ruling is Ruling.missed


def test_b_against_a_is_a_against_b_turned_around(made: Make) -> None:
    result = made()
    forth, back = (compare(result[one], result[other]) for one, other in (("once", "again"), ("again", "once")))
    numbers = [(found.metric.path, found.estimate.value) for found in forth.cells[0].differences]
    turned = [(path, None if value is None else -value) for path, value in numbers]
    assert turned == [(found.metric.path, found.estimate.value) for found in back.cells[0].differences]


def test_a_condition_over_several_cells_holds_where_it_holds_in_one(made: Make) -> None:
    found = compare(made(), made(action__outcomes__fail=0.2))
    assert [found.judge(text) for text in ("success.rate > +5%", "success.rate > +50%", "success.rate > +10%")] == [
        Ruling.met,
        Ruling.missed,
        Ruling.inconclusive,
    ]


def test_a_condition_that_is_none_is_told_with_its_column(made: Make) -> None:
    result = made()
    with pytest.raises(ExpressionError, match="at column 16"):
        compare(result["once"], result["again"]).judge("success.rate > 5%")


def test_the_same_results_give_the_same_json() -> None:
    def told() -> str:
        result = run(parse(BASE + CELLS))
        return sim.compare(result["once"], result["again"]).summary_json()

    assert told() == told()
    parts = json.loads(told())["comparisons"][0]
    assert (parts["a"]["cell"], parts["paired"], parts["differences"]["success.rate"]["verdict"]) == (
        "once",
        True,
        "better",
    )


def test_requests_that_did_not_repeat_are_a_warning(leaking: ModuleType) -> None:
    text = BASE + "retrier: none\n"
    steady, leaky = (run(parse(text, retrier=leaking.named(kind))) for kind in (leaking.Steady, leaking.GlobalChance))
    assert compare(steady, steady).repeats
    found = compare(steady, leaky)
    assert not found.repeats
    assert "NOT REPEATABLE" in " ".join(found.sentences())
    assert "NOT REPEATABLE" in found.summary_json()
