"""Every metric of the traffic, on tables made by hand whose numbers were computed by hand."""

from typing import Any

import pytest
from traffic_tables import S, calls, measured, requests, traffic

from sim.measure.metrics import CellMetrics, measure
from sim.measure.paths import Named, UnknownMetric, metric_of
from sim.measure.quantities import METRICS
from sim.measure.recovery import RecoveryTerms
from sim.measure.summary import cell_summary
from sim.measure.traffic import TrafficMetrics

NAMED = Named(services=("payments", "ledger"), classes=("web", "batch"), deadlines_ns=(2 * S, None), clients=3)
ASKED = requests(
    {"submitted": 0, "settled": 4, "effects": 1, "client": 1},
    {"submitted": 1, "settled": 3, "outcome": "gave_up", "effects": 1, "caller_class": 1},
    {"submitted": 2, "settled": 7, "outcome": "gave_up"},
    {"submitted": 8},
)
CALLS = calls(
    {"request": 0, "service": 0, "sent": 0, "ended": 4, "effect": 4},
    {"request": 1, "service": 0, "sent": 1, "ended": 5, "effect": 5, "given_up": 3},
    {"request": 2, "service": 0, "sent": 2, "began": -1, "ended": 2, "end": "rejected_queue"},
    # It waits for a second, and calls the ledger in the course of its work.
    {"request": 2, "service": 0, "sent": 3, "began": 4, "ended": 6, "end": "failed", "number": 2, "slept": 1},
    {"request": 2, "service": 1, "caller": 0, "sent": 4.5, "ended": 5.5},
    {"request": 3, "service": 0, "sent": 8, "arrived": 8.5, "ended": -1, "end": "open"},
    {"request": 3, "service": 0, "sent": 9, "began": -1, "ended": 9, "end": "refused", "number": 2},
)
SERVERS = ({"service": 0, "servers": 2}, {"service": 1, "servers": -1})


def world(window: tuple[float, float | None] | None = None) -> TrafficMetrics:
    return measured(ASKED, traffic(CALLS, capacities=SERVERS), NAMED, window=window)


def metrics_of(traffic_metrics: TrafficMetrics) -> CellMetrics:
    return measure(traffic_metrics.requests, shared=True, named=traffic_metrics.named, traffic=traffic_metrics)


WHOLE = {
    "offered.rate": 4 / 10,
    "goodput.rate": 1 / 10,
    "attempts.rate": 5 / 10,  # the layer is no attempt, and a refused try no call
    "in_flight.mean": (4 + 4 + 0 + 3 + 2) / 10,
    "in_flight.peak": 3,
    "queue.mean": 1 / 10,
    "queue.peak": 1,
    "queue_wait.mean": 1 * S / 4,  # over the attempts whose work began
    "queue_wait.p50": 0,
    "queue_wait.p99": 1 * S,
    "queue_wait.max": 1 * S,
    "utilization.mean": (4 + 4 + 2 + 1.5) / 20,  # the ledger has no limit
    "rejected.rate": 1 / 5,
    "refused.rate": 1 / 6,
    "dropped.rate": 0,
    "wasted.share": 4 / (4 + 4 + 2 + 1.5 + 1),
    "false_failures.rate": 1 / 4,
    "waits.mean": 1 * S,
    "waits.p90": 1 * S,
    "deadline_missed.rate": 3 / 3,  # batch has no deadline
    "service.payments.offered.rate": 5 / 10,
    "service.payments.goodput.rate": 1 / 10,  # the caller of the other success had gone
    "service.payments.in_flight.mean": (4 + 4 + 0 + 3 + 1.5) / 10,
    "service.payments.utilization.mean": (4 + 4 + 2 + 1.5) / 20,
    "service.payments.rejected.rate": 1 / 5,
    "service.payments.wasted.share": 4 / (4 + 4 + 2 + 1.5),
    "service.payments.class.batch.offered.rate": 1 / 10,
    "service.payments.class.batch.wasted.share": 1,
    "service.ledger.offered.rate": 1 / 10,
    "service.ledger.utilization.mean": None,
    "class.web.offered.rate": 3 / 10,
    "class.web.false_failures.rate": 0,
    "class.batch.false_failures.rate": 1,
    "class.batch.attempts.rate": 1 / 10,
    "class.batch.gave_up.rate": 1,
    "class.batch.time_to_known.p50": 2 * S,
    "class.web.deadline_missed.rate": 1,
    "client.1.offered.rate": 1 / 10,
    "client.1.success.rate": 1,
    "client.0.attempts.rate": 4 / 10,
}


@pytest.mark.parametrize("path", WHOLE)
def test_over_all_that_was_observed(path: str) -> None:
    assert metrics_of(world()).value(path).value == (WHOLE[path] and pytest.approx(WHOLE[path], rel=1e-12, abs=0))


WINDOW = {
    "offered.rate": 1 / 4,
    "goodput.rate": 1 / 4,
    "attempts.rate": 2 / 4,
    "in_flight.mean": (2 + 3 + 3) / 4,
    "in_flight.peak": 3,
    "queue.mean": 1 / 4,
    "utilization.mean": (2 + 3 + 2) / 8,
    "rejected.rate": 1 / 2,
    "refused.rate": 0,
    "wasted.share": 3 / (2 + 3 + 2 + 1),
    "service.payments.offered.rate": 2 / 4,
}


@pytest.mark.parametrize("path", WINDOW)
def test_in_a_window_from_2_to_6_seconds(path: str) -> None:
    assert metrics_of(world(window=(2, 6))).value(path).value == pytest.approx(WINDOW[path], rel=1e-12, abs=0)


def test_a_window_is_cut_to_what_was_observed() -> None:
    assert metrics_of(world(window=(8, 100))).value("offered.rate").value == 1 / 2


def test_a_window_behind_the_end_of_observation_has_nothing() -> None:
    metrics = metrics_of(world(window=(20, 30)))
    assert {metrics.value(path).value for path in WINDOW} == {None}


def test_what_happens_at_the_end_of_observation_counts_unless_the_window_ends_there() -> None:
    asked, met = requests({"submitted": 0, "settled": 10}), traffic(calls({"sent": 0, "ended": 10}))
    ends = [measured(asked, met, window=window) for window in (None, (0, None), (0, 10))]
    assert [metrics_of(one).value("goodput.rate").value for one in ends] == [0.1, 0.1, 0.0]


def test_a_cell_is_the_sum_over_its_replications_and_its_interval_comes_from_them() -> None:
    asked = requests(*({"replication": at, "submitted": one} for at in range(3) for one in range(at + 1)))
    met = traffic(calls(*({"replication": at, "sent": 0} for at in range(3))), observed=(2, 2, 4))
    estimate = metrics_of(measured(asked, met)).value("offered.rate")
    assert estimate.value == 6 / 8
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low < 0.5  # 1/2, 2/2 and 3/4
    assert estimate.high > 1


def test_a_peak_is_the_mean_over_replications() -> None:
    asked = requests({"replication": 0, "submitted": 0}, {"replication": 1, "submitted": 0})
    two = [{"replication": 0, "sent": 0}, {"replication": 0, "sent": 0.5}]
    met = traffic(calls(*two, {"replication": 1, "sent": 0}), observed=(10, 10))
    assert metrics_of(measured(asked, met)).value("in_flight.peak").value == 1.5


def test_a_call_that_begins_as_another_ends_does_not_meet_it() -> None:
    met = traffic(calls({"sent": 0, "ended": 1}, {"sent": 1, "ended": 2}))
    assert metrics_of(measured(requests({"submitted": 0}), met)).value("in_flight.peak").value == 1


def test_servers_that_are_taken_away_count_until_their_work_is_done() -> None:
    busy = calls(*({"service": 0, "sent": 0, "ended": 6} for _ in range(3)))
    levels = ({"servers": 4}, {"at": 4, "servers": 1})
    metrics = metrics_of(
        measured(requests({"submitted": 0}), traffic(busy, capacities=levels), Named(services=("payments",)))
    )
    assert metrics.value("utilization.mean").value == 18 / (4 * 4 + 3 * 2 + 1 * 4)


def test_there_is_no_utilization_if_servers_are_unlimited_for_a_while() -> None:
    levels = ({"servers": 4}, {"at": 4, "servers": -1})
    met = traffic(calls({"service": 0, "sent": 0}), capacities=levels)
    metrics = metrics_of(measured(requests({"submitted": 0}), met, Named(services=("payments",))))
    assert metrics.value("service.payments.utilization.mean").value is None


def test_of_a_call_given_up_the_whole_work_is_wasted() -> None:
    met = traffic(calls({"sent": 0, "ended": 3, "given_up": 2}, {"sent": 0, "ended": 1}))
    assert metrics_of(measured(requests({"submitted": 0}), met)).value("wasted.share").value == 3 / 4


def test_replications_without_a_value_are_left_out_of_the_interval() -> None:
    asked = requests({"replication": 0, "submitted": 0}, {"replication": 1, "submitted": 0})
    met = traffic(calls({"replication": 0, "sent": 0, "slept": 2}, {"replication": 1, "sent": 0}), observed=(5, 5))
    metrics = measured(asked, met)
    assert metrics.replication_values(metric_of("waits.mean")) == [2 * S]
    assert metrics.replication_values(metric_of("waits.p99")) == [2 * S]


TERMS = RecoveryTerms(after_ns=2 * S, within_ns=3 * S, share=0.9, window_ns=2 * S)


def test_recovered_rate_has_the_interval_of_a_rate() -> None:
    rows = [
        {"replication": at, "submitted": one / 2, "settled": one / 2 + 0.1 if at or one < 2 else -1}
        for at in range(4)
        for one in range(40)
    ]
    met = traffic(calls({"sent": 0}), observed=(20,) * 4)
    estimate = metrics_of(measured(requests(*rows), met, recovery=TERMS)).value("recovered.rate")
    assert estimate.value == 3 / 4
    assert (round(estimate.low or 0, 4), round(estimate.high or 0, 4)) == (0.1941, 0.9937)  # Clopper and Pearson


def test_without_recovery_there_is_no_recovered_rate() -> None:
    with pytest.raises(UnknownMetric, match="needs the key `recovery`"):
        metrics_of(world()).value("recovered.rate")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("service.paymets.queue.mean", "there is no service 'paymets'; did you mean 'payments'?"),
        ("class.bulk.success.rate", "there is no class 'bulk'; there are web, batch"),
        ("client.7.success.rate", "there is no client 7; clients are counted from 0 to 2"),
    ],
)
def test_a_part_of_the_world_that_does_not_exist(path: str, reason: str) -> None:
    with pytest.raises(UnknownMetric, match=r".") as error:
        metrics_of(world()).value(path)
    assert str(error.value) == reason


def test_without_traffic_the_reason_is_said() -> None:
    estimate = measure(ASKED, shared=True).value("goodput.rate")
    assert (estimate.value, estimate.reason) == (None, "what its calls met is not known")


def test_false_failures_need_no_calls() -> None:
    assert measure(ASKED, shared=False).value("false_failures.rate").value == 0.25


def test_the_summary_has_the_parts_by_name() -> None:
    summary = cell_summary(metrics_of(world()))
    metrics: Any = summary["metrics"]
    assert list(dict.fromkeys(path.partition(".")[0] for path in metrics if path not in METRICS)) == [
        "offered",
        "goodput",
        "attempts",
        "in_flight",
        "queue",
        "queue_wait",
        "utilization",
        "rejected",
        "refused",
        "dropped",
        "wasted",
        "false_failures",
        "waits",
        "deadline_missed",
        "service",
        "class",
    ]
    assert {path.split(".")[1] for path in metrics if path.startswith("service.")} == {"payments", "ledger"}
    assert metrics["class.web.success.rate"]["value"] == 1 / 3
    assert metrics["class.web.offered.rate"] == {**metrics["class.web.offered.rate"], "value": 0.3, "unit": "1/s"}
    assert metrics["service.payments.queue_wait.p99"]["unit"] == "ms"
    assert summary["classes"]["web"]["requests"] == 3  # type: ignore[index]


def test_without_services_nothing_is_said_of_queues() -> None:
    metrics = metrics_of(measured(requests({"submitted": 0}), traffic(calls({"sent": 0}))))
    assert not [path for path in metrics.paths if "queue" in path or "utilization" in path or "refused" in path]
