"""Arrivals whose rate changes, that come in bursts, or that clients make themselves."""

import math
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sim.kernel.draws import Draws
from sim.laws.distributions import Constant, Exponential, Pareto, Uniform
from sim.world.arrivals import Bursts, Closed, Intensity, RateFrom, Schedule, most_before, open_times_ns, planned_ns

S = 1_000_000_000
SPIKE = Schedule(
    entries=(RateFrom(from_ns=0, rate=40.0), RateFrom(from_ns=20 * S, rate=80.0), RateFrom(from_ns=25 * S, rate=40.0))
)
HILL = Schedule(
    entries=(
        RateFrom(from_ns=5 * S, rate=0.0, ramp=True),
        RateFrom(from_ns=15 * S, rate=60.0, ramp=True),
        RateFrom(from_ns=25 * S, rate=0.0),
    )
)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    gaps_s = draw(st.lists(st.integers(1, 50), min_size=1, max_size=6))
    rates = draw(st.lists(st.sampled_from([0.0, 0.5, 3.0, 40.0]), min_size=len(gaps_s), max_size=len(gaps_s)))
    ramps = draw(st.lists(st.booleans(), min_size=len(gaps_s), max_size=len(gaps_s)))
    starts_s = np.cumsum(gaps_s).tolist()
    rows = list(zip(starts_s, rates, ramps, strict=True))
    entries = [RateFrom(from_ns=start * S, rate=rate, ramp=ramp) for start, rate, ramp in rows]
    entries[-1] = RateFrom(from_ns=starts_s[-1] * S, rate=draw(st.sampled_from([1.0, 20.0])))
    return Schedule(entries=tuple(entries))


@given(schedules(), st.floats(0.001, 5000.0))
def test_the_instant_of_a_mass_has_that_mass_before_it(schedule: Schedule, mass: float) -> None:
    intensity = Intensity(schedule)
    (instant_ns,) = intensity.instants_ns(np.array([mass])).tolist()
    assert intensity.mean_before(instant_ns) == pytest.approx(mass, rel=1e-9)


@given(schedules(), st.integers(0, 2**32))
def test_arrivals_of_a_schedule_ascend_and_come_only_where_its_rate_is_above_0(schedule: Schedule, seed: int) -> None:
    times_ns = open_times_ns(schedule, 200, Draws(seed))
    assert times_ns == sorted(times_ns)
    assert len(times_ns) == 200
    entries = schedule.entries
    for entry, later in pairwise(entries):
        if entry.rate == 0.0 and not entry.ramp:
            assert not any(entry.from_ns < t_ns < later.from_ns for t_ns in times_ns)
    assert times_ns[0] >= entries[0].from_ns


@given(schedules(), st.integers(0, 2**32), st.integers(1, 300))
def test_those_before_an_end_are_the_first_of_all(schedule: Schedule, seed: int, until_s: int) -> None:
    whole = open_times_ns(schedule, 500, Draws(seed))
    kept = open_times_ns(schedule, 500, Draws(seed), until_s * S)
    assert kept == [t_ns for t_ns in whole if t_ns < until_s * S]


def test_a_rate_that_never_changes_gives_the_gaps_of_a_poisson_process() -> None:
    even = Schedule(entries=(RateFrom(from_ns=0, rate=50.0),))
    expected = np.cumsum(Exponential(mean_ns=20_000_000).quantile_ns(Draws(1).uniforms("arrival", np.arange(1000))))
    assert np.max(np.abs(np.array(open_times_ns(even, 1000, Draws(1))) - expected)) <= 1


@pytest.mark.parametrize(
    ("schedule", "from_s", "to_s", "mean"),
    [(SPIKE, 0, 20, 800), (SPIKE, 20, 25, 400), (HILL, 5, 15, 300), (HILL, 10, 20, 450), (HILL, 15, 25, 300)],
)
def test_counts_in_an_interval_are_those_of_the_integral(schedule: Schedule, from_s: int, to_s: int, mean: int) -> None:
    intensity = Intensity(schedule)
    assert intensity.mean_before(to_s * S) - intensity.mean_before(from_s * S) == pytest.approx(mean)
    worlds = 60
    counts = [
        np.count_nonzero((times >= from_s * S) & (times < to_s * S))
        for seed in range(worlds)
        for times in [np.array(open_times_ns(schedule, 3000, Draws(seed), 60 * S))]
    ]
    # Poisson: the mean of as many counts has this deviation, and their variance is their mean.
    deviation = math.sqrt(mean / worlds)
    assert abs(np.mean(counts) - mean) < NormalDist().inv_cdf(1 - 1e-6) * deviation
    assert 0.4 * mean < np.var(counts) < 2.2 * mean


def test_a_schedule_whose_last_rate_is_0_has_an_end() -> None:
    assert len(open_times_ns(HILL, 3000, Draws(3))) < 900
    assert most_before(HILL, None) == math.ceil(600 + 10 * math.sqrt(600)) + 100


def test_room_for_a_schedule_is_ten_deviations_above_its_mean() -> None:
    assert most_before(SPIKE, 60 * S) == math.ceil(2600 + 10 * math.sqrt(2600)) + 100
    assert most_before(SPIKE, None) is None


def test_bursts_come_at_once_unless_they_are_spread() -> None:
    bursts = Bursts(every=60 * S, size=2)
    assert open_times_ns(bursts, 5, Draws(1)) == [0, 0, 60 * S, 60 * S, 120 * S]
    assert list(planned_ns(bursts, 5) or ()) == [0, 0, 60 * S, 60 * S, 120 * S]


def test_the_burst_at_the_end_itself_does_not_come() -> None:
    bursts = Bursts(every=60 * S, size=100)
    assert most_before(bursts, 60 * S) == 100
    assert most_before(bursts, 60 * S + 1) == 200
    assert open_times_ns(bursts, 200, Draws(1), 60 * S) == [0] * 100


def test_a_spread_burst_lies_within_its_law() -> None:
    bursts = Bursts(every=60 * S, size=50, spread=Uniform(low_ns=0, high_ns=2 * S))
    times = np.array(open_times_ns(bursts, 200, Draws(1)))
    assert times.tolist() == sorted(times)
    assert np.bincount(times // (60 * S)).tolist() == [50] * 4
    assert (times % (60 * S)).max() < 2 * S


@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 2**32))
def test_the_first_requests_of_bursts_that_overlap_are_the_first_of_many_more(count: int, size: int, seed: int) -> None:
    bursts = Bursts(every=S, size=size, spread=Exponential(mean_ns=20 * S))
    many = open_times_ns(bursts, 4000, Draws(seed))
    assert open_times_ns(bursts, count, Draws(seed)) == many[:count]


def test_closed_arrivals_are_the_clients_own() -> None:
    closed = Closed(think=Constant(value_ns=S))
    assert (open_times_ns(closed, 10, Draws(1)), planned_ns(closed, 10)) == ([], None)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "give one of think and pace"),
        ({"think": Constant(value_ns=1), "pace": Constant(value_ns=1)}, "give one of think and pace"),
        ({"think": Pareto(scale_ns=S, shape=1.0)}, "its mean is infinite, so a client might never ask again"),
    ],
)
def test_closed_arrivals_need_one_pause_with_a_mean(more: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Closed(**more)
