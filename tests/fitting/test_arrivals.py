from typing import Any

import numpy as np
import pytest
from made_logs import arrivals_ns

from sim.fitting.arrivals import arrivals_of


def kind_of(started_ns: Any) -> str:
    found = arrivals_of(np.rint(started_ns).astype(np.int64))
    assert found is not None
    return found.kind


def test_independent_callers_have_their_rate_in_the_interval() -> None:
    hits, kinds = 0, set()
    for seed in range(100):
        found = arrivals_of(arrivals_ns(np.random.default_rng(seed), 1000, 40.0).astype(np.int64))
        assert found is not None
        hits += found.rate.low <= 40 <= found.rate.high
        kinds.add(found.kind)
    assert kinds == {"poisson"}
    assert hits >= 88  # fewer happen once in 200 at 95 %


@pytest.mark.parametrize("resolution_ns", [1e6, 1e9])
def test_times_that_the_log_rounds_are_those_of_independent_callers(resolution_ns: float) -> None:
    started_ns = arrivals_ns(np.random.default_rng(1), 3000, 20.0)
    assert kind_of(started_ns // resolution_ns * resolution_ns) == "poisson"


def test_even_arrivals_are_constant() -> None:
    assert kind_of(np.arange(500) * 25e6) == "constant"


def test_a_rate_that_changes_is_a_schedule() -> None:
    rng = np.random.default_rng(2)
    started_ns = np.sort(np.concatenate([rng.uniform(0, 100, 1000), rng.uniform(100, 200, 3000)])) * 1e9
    found = arrivals_of(started_ns.astype(np.int64))
    assert found is not None
    assert found.kind == "schedule"
    first, last = found.pieces[2][1], found.pieces[-3][1]
    assert (first, last) == (pytest.approx(10, rel=0.3), pytest.approx(30, rel=0.3))


def test_bursts_are_kept_as_they_were() -> None:
    rng = np.random.default_rng(3)
    started_ns = np.sort(np.repeat(rng.uniform(0, 200, 300), 10) * 1e9 + rng.uniform(0, 1e8, 3000))
    assert kind_of(started_ns) == "file"


def test_gaps_more_even_than_chance_are_kept_as_they_were() -> None:
    gaps_ns = np.random.default_rng(4).gamma(4, 25e6, 2000)
    assert kind_of(np.cumsum(gaps_ns)) == "file"


@pytest.mark.parametrize("started_ns", [np.zeros(0), np.arange(5) * 1e9, np.zeros(100)])
def test_too_few_arrivals_or_no_time_say_nothing(started_ns: Any) -> None:
    assert arrivals_of(started_ns.astype(np.int64)) is None


@pytest.mark.parametrize("seed", range(3))
def test_independent_callers_are_such_in_times_of_whole_seconds_too(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times_ns = (np.floor(0.7 + np.cumsum(rng.exponential(1 / 50, 10_000))) * 1e9).astype(np.int64)
    found = arrivals_of(times_ns - times_ns[0])
    assert found is not None
    assert found.kind == "poisson"
    assert found.rate.value == pytest.approx(50, rel=0.05)


def test_bursts_show_in_times_of_whole_seconds() -> None:
    seconds = np.repeat(np.arange(400) * 10**9, np.tile([95, 5], 200))
    found = arrivals_of(seconds)
    assert found is not None
    assert found.kind != "poisson"
