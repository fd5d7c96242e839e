"""Quantities in bins: numbers by hand, sums that must agree with totals, and bands."""

import math

import numpy as np
import pytest
from traffic_tables import S, calls, measured, ns, requests, traffic

from sim.measure import timeline as room
from sim.measure.paths import Named
from sim.measure.timeline import MOST_BINS, Timeline, timeline_of
from sim.measure.traffic import TrafficMetrics

NAMED = Named(services=("payments",))
CALLS = calls(
    {"request": 0, "service": 0, "sent": 0, "ended": 1.5},
    {"request": 1, "service": 0, "sent": 0.5, "began": 1.5, "ended": 2.5, "given_up": 2},
    {"request": 1, "service": 0, "sent": 2, "began": -1, "ended": 2, "end": "rejected_queue", "number": 2},
    {"request": 2, "service": 0, "sent": 3.5, "began": -1, "ended": 4, "end": "dropped"},
)
ASKED = requests(
    {"submitted": 0, "settled": 1.5},
    {"submitted": 0.5, "settled": 2, "outcome": "gave_up"},
    {"submitted": 3.5},
)


def world() -> TrafficMetrics:
    return measured(ASKED, traffic(CALLS, observed=(4,), capacities=({"servers": 1},)), NAMED)


def told() -> Timeline:
    return timeline_of(world(), S, 4 * S)


@pytest.mark.parametrize(
    ("quantity", "bins"),
    [
        ("offered", [2, 0, 0, 1]),
        ("goodput", [0, 1, 0, 0]),
        ("attempts", [2, 0, 1, 1]),
        ("retries", [0, 0, 1, 0]),
        ("in_flight", [1.5, 1.5, 0.5, 0.5]),
        ("queue", [0.5, 0.5, 0, 0.5]),
        ("service.payments.utilization", [1, 1, 0.5, 0]),
        ("service.payments.goodput", [0, 1, 0, 0]),
        ("service.payments.rejected.queue", [0, 0, 1, 0]),
        ("service.payments.dropped", [0, 0, 0, 1]),
    ],
)
def test_bins_of_one_second(quantity: str, bins: list[float]) -> None:
    assert told()[quantity].mean.tolist() == bins


def test_rates_are_per_second_whatever_the_width() -> None:
    assert timeline_of(world(), 2 * S, 4 * S)["offered"].mean.tolist() == [1, 0.5]


def test_the_last_bin_may_be_narrower() -> None:
    wide = timeline_of(world(), 3 * S, 4 * S)
    assert wide.edges_ns.tolist() == [0, 3 * S, 4 * S]
    assert wide["offered"].mean.tolist() == [2 / 3, 1]


def test_one_replication_has_no_band() -> None:
    assert (told()["goodput"].low, told()["goodput"].high) == (None, None)


def test_a_band_is_the_t_interval_of_each_bin() -> None:
    rows = [{"replication": at, "submitted": 0.1} for at, count in enumerate((1, 2, 3)) for _ in range(count)]
    met = traffic(calls({"sent": 0}), observed=(2, 2, 2))
    band = timeline_of(measured(requests(*rows), met), S, 2 * S)["offered"]
    assert band.low is not None
    assert band.high is not None
    half = 4.302652729911275 / math.sqrt(3)  # t at 97.5 % with 2 degrees of freedom, standard deviation 1
    assert [band.mean[0], band.low[0], band.high[0]] == pytest.approx([2, max(0, 2 - half), 2 + half])
    assert [band.mean[1], band.low[1], band.high[1]] == [0, 0, 0]


def test_where_there_are_no_servers_there_is_no_utilization() -> None:
    met = traffic(CALLS, observed=(4,), capacities=({"servers": 1}, {"at": 3, "servers": 0}))
    found = timeline_of(measured(ASKED, met, NAMED), S, 4 * S)["service.payments.utilization"].mean
    assert np.isnan(found).tolist() == [False, False, False, True]


def test_a_replication_that_runs_until_nothing_is_left_has_zeros_behind_its_end() -> None:
    asked = requests({"replication": 0, "submitted": 0}, {"replication": 1, "submitted": 3})
    met = traffic(calls({"sent": 0}), observed=(1, 4))
    assert timeline_of(measured(asked, met), S, None)["offered"].mean.tolist() == [0.5, 0, 0, 0.5]


def test_blocks_of_replications_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    rows = [{"replication": at, "submitted": float(one)} for at in range(7) for one in np.sort(rng.uniform(0, 4, 5))]
    met = traffic(calls(*({**row, "sent": row["submitted"]} for row in rows)), observed=(4,) * 7)
    whole = timeline_of(measured(requests(*rows), met), S, 4 * S)
    monkeypatch.setattr(room, "MOST_CELLS", 8)
    parts = timeline_of(measured(requests(*rows), met), S, 4 * S)
    for name in ("offered", "in_flight"):
        assert parts[name].mean == pytest.approx(whole[name].mean)
        assert parts[name].high == pytest.approx(whole[name].high)


def test_bins_sum_to_totals() -> None:
    asked, met = world().requests, world().traffic
    rates = timeline_of(measured(asked, met, NAMED), ns(0.3), 4 * S)
    seconds = np.diff(rates.edges_ns) / S
    assert (rates["attempts"].mean * seconds).sum() == pytest.approx(len(CALLS))
    assert (rates["in_flight"].mean * seconds).sum() == pytest.approx(1.5 + 2 + 0 + 0.5)


def test_of_too_many_bins_the_last_are_left_out() -> None:
    cut = timeline_of(world(), 1000, None)
    assert (cut.is_cut, len(cut["offered"])) == (True, MOST_BINS)


def test_a_quantity_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(KeyError, match="no quantity 'gooput' over time; there are offered, goodput"):
        told()["gooput"]
