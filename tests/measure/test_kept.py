"""Measurements of packed parts are those of the requests in full, to the last bit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.engine.vector import simulate
from sim.history import packed
from sim.history.records import Requests
from sim.history.vocabulary import NEVER
from sim.measure.estimates import Sample, Unsorted
from sim.measure.metrics import measure
from sim.measure.possible import Possible
from sim.measure.quantities import METRICS, QUANTITIES, columns_of
from sim.measure.summary import cell_summary
from sim.scenario.load import parse

WORLDS = {
    "polled": "{retrier: helpers, action: {latency: {lognormal: {median: 120ms, p99: 900ms}}, outcomes: {fail: 0.3}}}",
    "canceled": "{retrier: helpers, cancel: {share: 0.2, after: {constant: 80ms}}, action: {outcomes: {fail: 0.2}}}",
    "all canceled": "{retrier: helpers, cancel: {share: 1, after: {constant: 0ms}}}",
    "given up": "{retrier: {kind: helpers, max_failures: 1}, action: {outcomes: {fail: 0.5}}}",
    "never": "{retrier: helpers, action: {outcomes: {hang: 1}}}",
    "constant": "{retrier: none, action: {latency: {constant: 5ms}}}",
}


@pytest.fixture(params=WORLDS)
def parts(request: pytest.FixtureRequest) -> list[Requests]:
    scenario = parse(WORLDS[request.param])
    return [simulate(scenario, range(first, first + 400)) for first in (0, 400, 800)]


def test_each_metric_is_that_of_plain_sorted_values(parts: list[Requests]) -> None:
    whole = Requests.concatenate(parts)
    got = measure(packed.join(parts), shared=False)
    plain = measure(whole, shared=False)
    for name in QUANTITIES:
        values, counted = columns_of(name, whole)
        plain._samples[name] = [Sample.of(values if counted is None else values[counted])]  # noqa: SLF001
    assert {path: got.value(path) for path in METRICS} == {path: plain.value(path) for path in METRICS}
    assert cell_summary(got) == cell_summary(measure(whole, shared=False))


def test_the_curve_of_a_time_is_that_of_plain_sorted_values(parts: list[Requests]) -> None:
    one, other = measure(packed.join(parts), shared=False), measure(Requests.concatenate(parts), shared=False)
    for quantity in ("time_to_effect", "time_to_known", "detection_lag"):
        assert one.tail(quantity).times_ns.tolist() == other.tail(quantity).times_ns.tolist()
        assert one.tail(quantity).shares.tolist() == other.tail(quantity).shares.tolist()


def test_no_request_measures_nothing() -> None:
    empty = packed.join([Requests.blank(range(0))])
    assert measure(empty, shared=False, possible=Possible()).value("time_to_effect.p50").value is None


times = st.lists(st.integers(0, 2**40) | st.sampled_from([0, 5, NEVER]), min_size=1, max_size=80)


@given(times, st.data())
def test_unsorted_values_answer_as_sorted_ones_do(values: list[int], data: st.DataObject) -> None:
    one, other = Unsorted(np.array(values)), Sample.of(np.array(values))
    finite = len(values) - other.infinite
    assert (len(one), one.infinite, one.sums()) == (len(other), other.infinite, other.sums())
    for _ in range(4):
        rank = data.draw(st.integers(1, len(values)))
        bound = data.draw(st.sampled_from([*values, 3, math.inf]))
        assert (one.ordered(rank), one.between(rank)) == (other.ordered(rank), other.between(rank))
        assert one.share_up_to(bound, inclusive=True) == other.share_up_to(bound, inclusive=True)
        if finite:
            ranks = np.array(data.draw(st.lists(st.integers(max(1, finite - 3), finite), min_size=1, max_size=3)))
            assert one.at(ranks).tolist() == other.at(ranks).tolist()
        few = np.array(data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=6)))
        assert one.counts_up_to(few).tolist() == other.counts_up_to(few).tolist()
