import json
import math
from collections.abc import Callable

import numpy as np
import pytest

from sim.history.records import Requests
from sim.history.vocabulary import NEVER
from sim.measure.estimates import NOTHING, Estimate, rate
from sim.measure.metrics import CellMetrics, measure
from sim.measure.possible import Possible
from sim.measure.quantities import METRICS, Unit
from sim.measure.summary import cell_summary, summary_of

MS = 1_000_000
Row = dict[str, object]
MakeMetrics = Callable[..., CellMetrics]


def four(stuck: Row) -> list[Row]:
    return [
        {"submitted_ns": 10 * MS, "first_effect_ns": 30 * MS, "settled_ns": 60 * MS, "known_attempt_end_ns": 40 * MS},
        {"attempts": 3, "effects": 3, "duplicates": {"ack_lost": 1, "timeout": 1}, "polls": 5, "conflicts": 2},
        {"outcome": "gave_up", "first_effect_ns": NEVER, "settled_ns": 500 * MS, "attempts": 4, "suppressed": 1},
        stuck,
    ]


def test_time_to_effect_starts_at_submission_and_takes_what_never_comes_as_infinite(
    make_metrics: MakeMetrics, stuck: Row
) -> None:
    metrics = make_metrics(four(stuck))
    got = [metrics.value(f"time_to_effect.{name}").value for name in ("p50", "p90", "max", "mean")]
    assert got == [100.0 * MS, math.inf, math.inf, math.inf]


def test_time_to_known_of_an_outcome_is_over_that_outcome_only(make_metrics: MakeMetrics, stuck: Row) -> None:
    metrics = make_metrics(four(stuck))
    paths = (
        "time_to_known.max",
        "time_to_known.success.max",
        "time_to_known.success.mean",
        "time_to_known.gave_up.p50",
    )
    assert [metrics.value(path).value for path in paths] == [math.inf, 150.0 * MS, 100.0 * MS, 500.0 * MS]


def test_detection_lag_is_over_requests_that_settled_after_an_attempts_end(
    make_metrics: MakeMetrics, stuck: Row
) -> None:
    metrics = make_metrics([*four(stuck), {"known_attempt_end_ns": NEVER}])
    assert len(metrics.sample("detection_lag.p50")) == 3
    assert metrics.value("detection_lag.mean").value == (20 + 40 + 390) * MS / 3


def test_canceled_requests_do_not_count_for_the_times_but_for_everything_else(make_metrics: MakeMetrics) -> None:
    metrics = make_metrics([{}, {"outcome": "canceled", "first_effect_ns": NEVER, "attempts": 3}])
    got = [metrics.value(path).value for path in ("time_to_effect.max", "canceled.rate", "attempts.mean")]
    assert got == [100.0 * MS, 0.5, 2.0]


def test_rates_of_outcomes_are_over_all_requests_with_wilsons_interval(make_metrics: MakeMetrics, stuck: Row) -> None:
    metrics = make_metrics(four(stuck))
    assert [metrics.value(f"{name}.rate") for name in ("success", "stuck", "open")] == [
        rate(2, 4),
        rate(1, 4),
        rate(0, 4),
    ]


def test_duplicates_are_counted_by_request_by_effect_and_by_cause(make_metrics: MakeMetrics, stuck: Row) -> None:
    metrics = make_metrics(four(stuck))
    got = (metrics.value("duplicates.rate").value, metrics.value("duplicates.effects").value, metrics.duplicates)
    causes = {"ack_lost": 1, "crash_after_effect": 0, "timeout": 1, "report_lost": 0, "resubmit": 0, "repeated": 0}
    assert got == (0.25, 0.5, causes)


def test_amplification_is_attempts_per_request(make_metrics: MakeMetrics, stuck: Row) -> None:
    metrics = make_metrics(four(stuck))
    assert (metrics.value("amplification").value, metrics.attempts) == (2.25, {1: 2, 3: 1, 4: 1})


def metrics_in(summary: dict[str, object]) -> dict[str, dict[str, object]]:
    return summary["metrics"]  # type: ignore[return-value]


def test_the_summary_is_json_without_nan_or_infinity(make_metrics: MakeMetrics, stuck: Row) -> None:
    summary = cell_summary(make_metrics(four(stuck)))
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_the_summary_has_every_metric_by_its_path_with_times_in_ms(make_metrics: MakeMetrics, stuck: Row) -> None:
    summary = cell_summary(make_metrics([*four(stuck), {"first_effect_ns": 1_234_567}]))
    metrics = metrics_in(summary)
    assert list(metrics) == [path for path in METRICS if path != "cost.money"]
    p50 = {"value": 100.0, "low": 0.0, "high": None, "unit": "ms", "infinite": ["high"]}
    assert metrics["time_to_effect.p50"] == p50
    assert {one["unit"] for one in metrics.values()} == {"ms", "1"}


def test_what_never_comes_is_null_and_told_apart_from_what_is_not_known(make_metrics: MakeMetrics, stuck: Row) -> None:
    found = metrics_in(cell_summary(make_metrics(four(stuck))))["time_to_effect.max"]
    assert found == {"value": None, "low": None, "high": None, "unit": "ms", "infinite": ["value"]}
    nothing = metrics_in(cell_summary(make_metrics([])))["time_to_effect.max"]
    assert nothing == {"value": None, "low": None, "high": None, "unit": "ms"}


def test_the_summary_counts_whole_requests_and_events(make_metrics: MakeMetrics, stuck: Row) -> None:
    summary = cell_summary(make_metrics(four(stuck)))
    assert (summary["requests"], summary["suppressed"], summary["conflicts"]) == (4, 1, 2)
    assert summary["outcomes"] == {"success": 2, "gave_up": 1, "stuck": 1, "open": 0, "canceled": 0, "runaway": 0}
    assert summary["attempts"] == {"1": 2, "3": 1, "4": 1}
    assert summary["duplicates"]["requests"] == 1  # type: ignore[index]


def test_a_time_in_the_summary_is_exact_to_the_nanosecond(make_metrics: MakeMetrics) -> None:
    summary = cell_summary(make_metrics([{"first_effect_ns": 1_234_567_890_123}]))
    assert metrics_in(summary)["time_to_effect.p50"]["value"] == 1_234_567.890123


def test_no_requests_give_null_everywhere(make_metrics: MakeMetrics) -> None:
    metrics = make_metrics([])
    assert {metrics.value(path) for path in METRICS if path != "cost.money"} == {NOTHING}
    assert {one["value"] for one in metrics_in(cell_summary(metrics)).values()} == {None}


def test_a_reason_for_no_interval_stands_beside_the_number() -> None:
    assert summary_of(Estimate(3e6, reason="it is so"), Unit.duration)["reason"] == "it is so"


def test_nothing_but_canceled_requests_give_no_times(make_metrics: MakeMetrics) -> None:
    assert make_metrics([{"outcome": "canceled"}] * 3).value("time_to_effect.p99") == NOTHING


def test_one_replication_of_a_shared_world_has_values_but_no_intervals(make_metrics: MakeMetrics, stuck: Row) -> None:
    metrics = make_metrics(four(stuck), shared=True)
    got = {path for path in METRICS if metrics.value(path).has_interval}
    assert (got, metrics.value("success.rate").value) == (set(), 0.5)


def test_a_shared_mean_has_at_least_a_t_interval_over_the_replications(make_metrics: MakeMetrics) -> None:
    rows = [{"replication": number, "attempts": count} for number in range(3) for count in [number + 1] * 5]
    got = make_metrics(rows, shared=True).value("attempts.mean")
    assert (got.value, (got.high or 0) >= 2 + 4.302653 / math.sqrt(3)) == (2.0, True)


def test_a_shared_rate_is_never_surer_than_its_replications(make_metrics: MakeMetrics) -> None:
    rows = [{"replication": number} for number in range(10) for _ in range(300)]
    got = make_metrics(rows, shared=True).value("stuck.rate")
    assert (got.value, got.low, got.high) == (0.0, 0.0, pytest.approx(1 - 0.025**0.1))


def test_replications_without_requests_are_left_out(make_metrics: MakeMetrics) -> None:
    rows = [{"replication": number, "attempts": 1} for number in (0, 2, 2)]
    metrics = make_metrics(rows, shared=True)
    assert (metrics.replications, metrics.replication_values("attempts.mean")) == (2, [1.0, 1.0])


def test_replications_of_seconds_do_not_show_weather_that_turns_in_minutes(
    make_requests: Callable[..., Requests],
) -> None:
    requests = make_requests([{"replication": number, "settled_ns": 3_000 * MS} for number in range(10)])
    metrics = measure(requests, shared=True, possible=Possible(turn_ns=120_000 * MS))
    assert metrics.value("time_to_known.mean") == Estimate(3_000.0 * MS, reason=metrics.few_turns)
    assert "once in 2m on average, but all replications together see 30s" in metrics.few_turns


def test_equal_requests_of_a_world_without_chance_leave_no_doubt(make_requests: Callable[..., Requests]) -> None:
    requests = make_requests([{"attempts": 2}] * 5)
    got = measure(requests, shared=False, possible=Possible(certain=True)).value("polls.mean")
    assert (got.low, got.high) == (got.value, got.value)


def test_a_law_without_variance_takes_the_intervals_of_means_of_times_only(
    make_requests: Callable[..., Requests],
) -> None:
    requests = make_requests([{"attempts": 1 + number % 2, "settled_ns": number * MS} for number in range(200)])
    metrics = measure(requests, shared=False, possible=Possible(no_variance="no variance"))
    found = [metrics.value(path) for path in ("time_to_known.mean", "time_to_known.p50", "attempts.mean")]
    assert [(one.has_interval, one.reason) for one in found] == [(False, "no variance"), (True, ""), (True, "")]


def test_isolated_worlds_ignore_the_replication(make_metrics: MakeMetrics) -> None:
    rows = [{"replication": number % 2} for number in range(10)]
    assert make_metrics(rows).value("success.rate") == rate(10, 10)


def test_the_tail_is_the_share_above_each_time_with_zeros_and_infinities_apart(
    make_metrics: MakeMetrics, stuck: Row
) -> None:
    tail = make_metrics([{"first_effect_ns": 0}, {"first_effect_ns": 5}, {"first_effect_ns": 5}, stuck]).tail(
        "time_to_effect"
    )
    got = (tail.times_ns.tolist(), tail.shares.tolist(), tail.zero, tail.never, tail.count)
    assert got == ([0.0, 5.0], [0.75, 0.25], 0.25, 0.25, 4)


def test_a_thinned_tail_lies_on_the_full_one(make_requests: Callable[..., Requests]) -> None:
    rows = [{"first_effect_ns": int(time_ns)} for time_ns in np.random.default_rng(7).integers(1, 10**9, 3000)]
    metrics = measure(make_requests(rows), shared=False)
    thin, full = metrics.tail("time_to_effect", points=40), metrics.tail("time_to_effect", points=3000)
    exact = dict(zip(full.times_ns.tolist(), full.shares.tolist(), strict=True))
    assert len(thin.times_ns) < 100
    assert [exact[time] for time in thin.times_ns.tolist()] == thin.shares.tolist()


@pytest.mark.parametrize("path", ["time_to_effect.p99.9", "detection_lag.max", "time_to_known.success.p99"])
def test_times_are_durations(path: str) -> None:
    assert METRICS[path].unit is Unit.duration


def test_every_metric_of_the_contract_is_there() -> None:
    points = ("mean", "p50", "p90", "p99", "p99.9", "max")
    wanted = {f"{name}.rate" for name in ("success", "gave_up", "stuck", "open", "canceled", "runaway", "duplicates")}
    wanted |= {f"{name}.{point}" for name in ("time_to_effect", "time_to_known", "detection_lag") for point in points}
    wanted |= {"attempts.mean", "attempts.max", "amplification", "duplicates.effects", "polls.mean"}
    assert wanted - set(METRICS) == set()
