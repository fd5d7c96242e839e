"""Expectations, conditions and targets on metrics of the traffic, of services and of classes."""

import pytest
from traffic_tables import S, calls, measured, requests, traffic

from sim.expect.conditions import parse_condition
from sim.expect.expectations import ExpressionError, Ruling, parse
from sim.expect.targets import parse_target
from sim.measure.differences import Change, Differences
from sim.measure.metrics import CellMetrics, measure
from sim.measure.paths import Named
from sim.measure.recovery import RecoveryTerms

NAMED = Named(services=("payments",))


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("offered.rate >= 40/s", 40),
        ("goodput.rate >= 90/m", 1.5),
        ("goodput.rate > 0/s", 0),
        ("service.payments.queue_wait.p99 <= 200ms", 0.2 * S),
        ("service.payments.utilization.mean <= 80%", 0.8),
        ("class.web.wasted.share <= 0.1", 0.1),
        ("in_flight.peak <= 100", 100),
        ("service.payments.class.web.rejected.rate <= 1%", 0.01),
    ],
)
def test_the_unit_of_a_bound_is_that_of_the_metric(text: str, bound: float) -> None:
    assert parse(text).bound == bound


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("offered.rate >= 40", 17, "'40' is not a bound of offered.rate: write a number a second such as 40/s"),
        ("offered.rate >= 40/d", 17, "'40/d' is not a bound of offered.rate: write a number a second such as 40/s"),
        ("queue.mean >= 4/s", 15, "'4/s' is not a bound of queue.mean: write a plain number such as 1.5"),
        ("ofered.rate >= 40/s", 1, "unknown metric 'ofered.rate'; did you mean 'offered.rate'?"),
    ],
)
def test_what_is_wrong_has_its_column(text: str, column: int, reason: str) -> None:
    with pytest.raises(ExpressionError) as error:
        parse(text)
    assert (error.value.column, error.value.reason) == (column, reason)


def test_conditions_take_differences_a_second() -> None:
    condition = parse_condition("goodput.rate < -5/s")
    assert (condition.amount, condition.factor) == (-5, 1)
    assert parse_condition("service.payments.goodput.rate < -10%").factor == 0.9
    with pytest.raises(ExpressionError, match=r"'\+5' is not a difference of goodput.rate: write \+5/s"):
        parse_condition("goodput.rate > +5")


def test_targets_take_widths_a_second() -> None:
    target = parse_target("goodput.rate +- 0.5/s")
    assert (target.width, target.relative) == (0.5, False)
    assert parse_target("goodput.rate +- 5%").relative
    with pytest.raises(ExpressionError, match=r"'0\.5' is not a width of goodput\.rate"):
        parse_target("goodput.rate +- 0.5")


def metrics(heard: float, replications: int = 12, recovery: RecoveryTerms | None = None) -> CellMetrics:
    """Measure a world in which about so many of ten requests succeed and are worked on for a second each."""
    rows = [
        {"replication": at, "submitted": one, "settled": one + 1 if one < heard + at % 2 else -1}
        for at in range(replications)
        for one in range(10)
    ]
    met = calls(*({**row, "service": 0, "sent": row["submitted"], "request": row["submitted"]} for row in rows))
    levels = [{"replication": at, "servers": 2} for at in range(replications)]
    of_all = traffic(met, observed=(20,) * replications, capacities=levels)
    made = measured(requests(*rows), of_all, NAMED, recovery=recovery)
    return measure(made.requests, shared=True, named=NAMED, traffic=made)


@pytest.mark.parametrize(
    ("text", "ruling"),
    [
        ("goodput.rate >= 0.2/s", Ruling.met),
        ("goodput.rate >= 0.4/s", Ruling.missed),
        ("service.payments.utilization.mean <= 80%", Ruling.met),
    ],
)
def test_they_are_judged_by_the_interval_over_replications(text: str, ruling: Ruling) -> None:
    assert parse(text).judge(metrics(5)).ruling is ruling


def test_one_replication_says_how_many_tell_whether_most_recover() -> None:
    verdict = parse("recovered.rate >= 60%").judge(metrics(10, 1, RecoveryTerms(S, S, 0.1, S)))
    assert (verdict.ruling, verdict.estimate.value) == (Ruling.inconclusive, 1.0)
    needed = verdict.replications_needed
    assert needed is not None
    settled, short = (
        parse("recovered.rate >= 60%").judge(metrics(10, count, RecoveryTerms(S, S, 0.1, S)))
        for count in (needed, needed - 1)
    )
    assert (settled.ruling, short.ruling) == (Ruling.met, Ruling.inconclusive)


def test_a_difference_in_goodput_is_better_or_worse() -> None:
    differences = Differences(metrics(3), metrics(7), paired=True)
    assert differences["goodput.rate"].estimate.value == pytest.approx(0.2)
    assert differences["goodput.rate"].change is Change.better
    assert Differences(metrics(7), metrics(3), paired=True)["goodput.rate"].change is Change.worse


def test_more_load_is_neither_better_nor_worse() -> None:
    assert Differences(metrics(3), metrics(7), paired=True)["service.payments.offered.rate"].change in (
        Change.inconclusive,
        Change.differs,
    )


def test_all_differences_are_those_of_metrics_that_both_have() -> None:
    alone = measure(requests({"submitted": 0}), shared=True)
    paths = [found.metric.path for found in Differences(metrics(3), alone)]
    assert "success.rate" in paths
    assert "goodput.rate" not in paths
    both = [found.metric.path for found in Differences(metrics(3), metrics(4))]
    assert "service.payments.queue.mean" in both
