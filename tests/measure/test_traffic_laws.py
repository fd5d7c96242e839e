"""Laws that hold of any traffic: what comes in goes out, and queues are as long as calls wait."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traffic_tables import S, calls, measured, requests, traffic

from sim.history.traffic import CallEnd
from sim.measure.metrics import CellMetrics, measure
from sim.measure.paths import Named, metric_of
from sim.measure.timeline import REASONS, timeline_of
from sim.measure.traffic import TrafficMetrics

END = 20
FEW = settings(max_examples=40)
NAMED = Named(services=("one", "two"), classes=("web", "batch"), deadlines_ns=(2 * S, None))
REJECTED = [end.name for end in CallEnd if end.name.startswith("rejected")]


@st.composite
def call_rows(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a call as a receiver may meet it, in whole seconds."""
    sent = draw(st.integers(0, END))
    arrived = min(END, sent + draw(st.integers(0, 2)))
    row = {"request": draw(st.integers(0, 5)), "service": draw(st.integers(0, 1)), "sent": sent, "arrived": arrived}
    end = draw(st.sampled_from(["success", "failed", "open", "dropped", *REJECTED]))
    waited = min(END, arrived + draw(st.integers(0, 5)))
    over = min(END, waited + draw(st.integers(0, 6)))
    if end == "open":
        row |= {"began": draw(st.sampled_from([-1, waited])), "ended": -1}
    elif end in ("success", "failed"):
        row |= {"began": waited, "ended": over}
    else:
        row |= {"began": -1, "ended": waited}
    if draw(st.booleans()):
        row["given_up"] = min(END, sent + draw(st.integers(0, 6)))
    return {**row, "end": end}


worlds = st.lists(call_rows(), max_size=12).map(lambda rows: sorted(rows, key=lambda row: row["sent"]))


def world(rows: list[dict[str, Any]], window: tuple[float, float | None] | None = None) -> TrafficMetrics:
    asked = requests(*({"submitted": at, "settled": at + 1, "caller_class": at % 2} for at in range(6)))
    met = traffic(calls(*rows), observed=(END,), capacities=({"service": 0, "servers": 3},))
    return measured(asked, met, NAMED, window=window)


def metrics_of(made: TrafficMetrics) -> CellMetrics:
    return measure(made.requests, shared=True, named=NAMED, traffic=made)


def value(metrics: CellMetrics, path: str) -> float:
    found = metrics.value(path).value
    return 0.0 if found is None else found


@FEW
@given(worlds)
def test_the_queue_is_as_long_as_calls_wait(rows: list[dict[str, Any]]) -> None:
    """Little's law as an identity: the integral of the queue's length is the sum of all waits."""
    waits = 0
    for row in rows:
        until = row["began"] if row["began"] != -1 else END if row["ended"] == -1 else row["ended"]
        waits += until - row["arrived"]
    assert value(metrics_of(world(rows)), "queue.mean") * END == pytest.approx(waits)


@FEW
@given(worlds)
def test_every_call_that_arrives_succeeds_fails_is_turned_away_or_is_open(rows: list[dict[str, Any]]) -> None:
    made = world(rows)
    for service, name in enumerate(NAMED.services):
        ours = [row for row in rows if row["service"] == service]
        arrived = value(metrics_of(made), f"service.{name}.offered.rate") * END
        worked = sum(row["end"] in ("success", "failed", "open") for row in ours)
        away = arrived * sum(value(metrics_of(made), f"service.{name}.{what}.rate") for what in ("rejected", "dropped"))
        assert arrived == pytest.approx(worked + away)


@FEW
@given(worlds)
def test_goodput_is_heard_work(rows: list[dict[str, Any]]) -> None:
    metrics = metrics_of(world(rows))
    heard = sum(row["end"] == "success" and "given_up" not in row for row in rows)
    assert sum(value(metrics, f"service.{name}.goodput.rate") for name in NAMED.services) * END == pytest.approx(heard)


@FEW
@given(worlds)
def test_services_and_classes_add_up_to_the_world(rows: list[dict[str, Any]]) -> None:
    metrics = metrics_of(world(rows))
    for base in ("attempts.rate", "in_flight.mean", "queue.mean", "offered.rate"):
        parts = sum(value(metrics, f"class.{name}.{base}") for name in NAMED.classes)
        assert parts == pytest.approx(value(metrics, base))
    queues = sum(value(metrics, f"service.{name}.queue.mean") for name in NAMED.services)
    assert queues == pytest.approx(value(metrics, "queue.mean"))


@FEW
@given(worlds, st.integers(1, END - 1))
def test_two_windows_add_up_to_the_whole(rows: list[dict[str, Any]], cut: int) -> None:
    whole = metrics_of(world(rows))
    first, second = metrics_of(world(rows, (0, cut))), metrics_of(world(rows, (cut, None)))
    for base in ("offered.rate", "goodput.rate", "attempts.rate", "in_flight.mean", "queue.mean"):
        parts = value(first, base) * cut + value(second, base) * (END - cut)
        assert parts == pytest.approx(value(whole, base) * END)
    peaks = [value(one, "in_flight.peak") for one in (first, second)]
    assert max(peaks) == value(whole, "in_flight.peak")


@FEW
@given(worlds, st.integers(1, 7))
def test_the_bins_of_a_timeline_sum_to_the_totals(rows: list[dict[str, Any]], width: int) -> None:
    made = world(rows)
    metrics, told = metrics_of(made), timeline_of(made, width * S, END * S)
    seconds = np.diff(told.edges_ns) / S
    for name in ("offered", "goodput", "attempts"):
        assert (told[name].mean * seconds).sum() == pytest.approx(value(metrics, f"{name}.rate") * END)
    for name in ("in_flight", "queue", "service.one.in_flight", "service.one.queue", "class.web.in_flight"):
        assert (told[name].mean * seconds).sum() == pytest.approx(value(metrics, f"{name}.mean") * END)
    away = sum((told[f"service.{name}.{why}"].mean * seconds).sum() for name in NAMED.services for why in REASONS)
    assert away == pytest.approx(sum(row["end"] in ("dropped", *REJECTED) for row in rows))


@FEW
@given(worlds)
def test_shares_lie_between_0_and_1(rows: list[dict[str, Any]]) -> None:
    metrics = metrics_of(world(rows))
    shares = [path for path in metrics.paths if metric_of(path).unit.value == "share"]
    found = [metrics.value(path).value for path in shares]
    assert all(0 <= one <= 1 for one in found if one is not None)
