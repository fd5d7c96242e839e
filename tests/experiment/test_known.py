"""What is known of a cell before it is simulated."""

import math

import pytest

from sim.experiment.known import known_of
from sim.measure.paths import metric_of
from sim.measure.possible import ANY, SHARE, Bounds
from sim.measure.quantities import METRICS
from sim.scenario.load import parse


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("retrier: {kind: component, max_failures: 1}", Bounds(1, 2)),
        ("retrier: none", Bounds(1, 1)),
        # A request that is canceled or cut off may have had no attempt yet.
        ("retrier: none\ncancel: {share: 0.5, after: {constant: 1s}}", Bounds(0, 1)),
        ("retrier: none\nuntil: 5s", Bounds(0, 1)),
        (
            "{world: shared, retrier: {kind: component, max_failures: 1}, faults: [system_error: {share: 0.1}]}",
            Bounds(0, 2),
        ),
    ],
)
def test_attempts_lie_between_one_and_what_the_retrier_promises(text: str, bounds: Bounds) -> None:
    assert known_of(parse(text)).bounds(METRICS["attempts.mean"]) == bounds


def test_a_retrier_that_takes_the_place_of_the_scenarios_own_is_known_by_its_own_promises() -> None:
    known = known_of(parse("retrier: none"), parse("retrier: {kind: component, max_failures: 4}").retrier.make)
    assert known.bounds(METRICS["attempts.mean"]) == Bounds(1, 5)


def test_a_request_has_one_duplicate_fewer_than_attempts() -> None:
    known = known_of(parse("retrier: {kind: component, max_failures: 4}"))
    assert known.bounds(METRICS["duplicates.effects"]) == Bounds(0, 4)


def test_actions_are_bounded_unless_a_fault_starts_one_again() -> None:
    text = "{{world: shared, retrier: {{kind: component, max_failures: 1}}, faults: [{}]}}"
    found = [known_of(parse(text.format(fault))) for fault in ("", "system_error: {share: 0.1}")]
    assert [one.bounds(METRICS["cost.actions"]) for one in found] == [Bounds(1, 2), ANY]


def test_rates_are_shares_and_times_have_no_bounds() -> None:
    known = known_of(parse("retrier: none"))
    assert [known.bounds(METRICS[path]) for path in ("success.rate", "time_to_known.mean")] == [SHARE, ANY]


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        ("{retrier: none, action: {latency: {constant: 1s}, outcomes: {fail: 1}}}", True),
        ("{retrier: none, action: {latency: {constant: 1s}, outcomes: {fail: 0.5}}}", False),
        ("{retrier: none, action: {latency: {exponential: {mean: 1s}}}}", False),
        ("{retrier: none, action: {script: [{outcome: fail}, {outcome: success}]}}", True),
        ("{retrier: none, cancel: {share: 1, after: {constant: 1s}}}", False),
        ("{retrier: none, world: shared}", False),
    ],
)
def test_a_scenario_is_certain_if_it_leaves_nothing_to_chance(text: str, certain: bool) -> None:  # noqa: FBT001
    assert known_of(parse(text)).certain is certain


@pytest.mark.parametrize(
    ("shape", "reason"),
    [(0.9, "a Pareto law of shape 0.9 has no mean"), (2, "a Pareto law of shape 2 has no variance"), (2.2, "")],
)
def test_a_pareto_law_without_variance_is_known(shape: float, reason: str) -> None:
    known = known_of(parse(f"{{retrier: none, action: {{latency: {{pareto: {{shape: {shape}, scale: 1s}}}}}}}}"))
    assert known.no_variance.startswith(reason)
    assert bool(known.no_variance) is bool(reason)


@pytest.mark.parametrize(("priced", "is_of_time"), [("action_second", True), ("attempt", False)])
def test_the_mean_cost_of_times_without_variance_has_no_interval(priced: str, *, is_of_time: bool) -> None:
    pareto = "action: {latency: {pareto: {shape: 1.5, scale: 1s}}}"
    known = known_of(parse(f"{{retrier: none, {pareto}, cost: {{{priced}: 1 USD}}}}"))
    assert [bool(known.no_interval(metric_of(f"cost.money{end}"))) for end in ("", ".p99")] == [is_of_time, False]


def test_what_all_requests_of_a_replication_share_turns_as_often_as_its_rarest_part() -> None:
    weather = "{on_off: {up: {exponential: {mean: 100s}}, down: {constant: 20s}}}"
    text = f"{{retrier: component, world: shared, action: {{weather: [{weather}]}}, faults: [restart: {{rate: 60/h}}]}}"
    assert known_of(parse(text)).turn_ns == 120e9
    assert known_of(parse("retrier: none")).turn_ns == math.inf
