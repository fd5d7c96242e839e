import numpy as np
import pytest
from made_logs import arrivals_ns, down_at

from sim.fitting.clustering import clustering_of
from sim.fitting.hidden_states import Groups, TwoStates, down_probabilities, log_likelihood
from sim.fitting.scenario import time_law
from sim.fitting.weather import FoundWeather, weather_of

STATES = TwoStates(up=30.0, down=4.0, fail_up=0.05, fail_down=0.8)


def groups(count: int, seed: int) -> Groups:
    rng = np.random.default_rng(seed)
    failures = (rng.random(count) < 0.3).astype(np.float64)
    gaps = rng.exponential(1.0, count)
    gaps[0] = 0.0
    return Groups(gaps, failures, 1.0 - failures)


def by_hand(made: Groups) -> tuple[float, list[float]]:
    """The likelihood and the chance of `down` at each call, summed over all courses of the states."""
    count = len(made.gaps)
    down = STATES.down_share
    total, of_down = 0.0, [0.0] * count
    for course in range(1 << count):
        states = [bool(course >> at & 1) for at in range(count)]
        chance = down if states[0] else 1 - down
        for at, state in enumerate(states):
            if at:
                decay = np.exp(-made.gaps[at] * (1 / STATES.up + 1 / STATES.down))
                goes_down = down * (1 - decay) + decay * states[at - 1]
                chance *= goes_down if state else 1 - goes_down
            share = STATES.fail_down if state else STATES.fail_up
            chance *= share if made.failures[at] else 1 - share
        total += chance
        for at, state in enumerate(states):
            of_down[at] += chance * state
    return float(np.log(total)), [one / total for one in of_down]


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_likelihood_and_states_are_those_of_all_courses(count: int) -> None:
    made = groups(count, seed=count)
    likelihood, down = by_hand(made)
    assert log_likelihood(made, STATES) == pytest.approx(likelihood)
    assert down_probabilities(made, STATES) == pytest.approx(down)


def found(seed: int, *, even: bool = False, up_s: float = 40.0, down_s: float = 4.0) -> FoundWeather:
    rng, count = np.random.default_rng(seed), 8000
    started_ns = arrivals_ns(rng, count, 10.0)
    down = down_at(rng, started_ns, up_s, down_s, even=even)
    failed = rng.random(count) < np.where(down, 0.9, 0.02)
    weather = weather_of(started_ns.astype(np.int64), failed)
    assert weather is not None
    return weather


def test_weather_is_found_within_its_intervals() -> None:
    weather = found(seed=1)
    truths = ((weather.up, 40e9), (weather.down, 4e9), (weather.fail_up, 0.02), (weather.fail_down, 0.9))
    assert all(one.low <= truth <= one.high for one, truth in truths)
    assert 10 <= len(weather.spells) <= 30


def test_times_down_that_are_all_alike_have_their_length() -> None:
    weather = found(seed=2, even=True)
    lengths = np.array([high - low for low, high in weather.spells])
    assert weather.down.low <= 4e9 <= weather.down.high
    assert np.median(lengths) == pytest.approx(4e9, rel=0.1)
    up, down = weather.variations
    assert up is not None
    assert down is not None
    assert up > 0.5
    assert down < 0.1


def test_times_that_vary_little_are_written_so() -> None:
    assert time_law(4e9, None) == time_law(4e9, 0.9) == {"exponential": {"mean": "4s"}}
    assert time_law(4e9, 0.05) == {"constant": "4s"}
    assert time_law(4e9, 0.25) == {"gamma": {"shape": 11.6, "mean": "4s"}}


def test_many_calls_are_put_in_groups_and_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = found(seed=3)
    monkeypatch.setattr("sim.fitting.weather.MOST_GROUPS", 2000)
    grouped = found(seed=3)
    assert grouped.calls_used == whole.calls_used
    assert grouped.down.value == pytest.approx(whole.down.value, rel=0.1)
    assert len(grouped.down_calls) == 8000


def test_states_shorter_than_groups_are_sought_in_one_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.fitting.weather.MOST_GROUPS", 400)
    weather = found(seed=4, up_s=6.0, down_s=2.0)
    assert weather.calls_used == 400
    assert len(weather.down_calls) == 400


@pytest.mark.parametrize("share", [0.005, 0.05, 0.5])
def test_independent_failures_have_no_weather(share: float) -> None:
    rng = np.random.default_rng(8)
    started_ns = arrivals_ns(rng, 3000, 10.0).astype(np.int64)
    assert weather_of(started_ns, rng.random(3000) < share) is None


def test_too_few_failures_and_no_time_have_no_weather() -> None:
    times_ns = np.arange(100) * 1_000_000
    assert weather_of(times_ns, np.arange(100) < 3) is None
    assert weather_of(np.zeros(100, np.int64), np.arange(100) < 50) is None


@pytest.mark.slow
def test_intervals_of_weather_have_the_truth_as_often_as_they_say() -> None:
    truths = {"up": 40e9, "down": 4e9, "fail_up": 0.02, "fail_down": 0.9}
    logs = 60
    hits = dict.fromkeys(truths, 0)
    for seed in range(logs):
        weather = found(1000 + seed)
        for name, truth in truths.items():
            one = getattr(weather, name)
            hits[name] += one.low <= truth <= one.high
    # Fewer than 52 of 60 at 95 % happen once in 100.
    assert min(hits.values()) >= 52


@pytest.mark.slow
def test_logs_without_clustering_hardly_ever_get_weather() -> None:
    rng = np.random.default_rng(9)
    found = 0
    for share in (0.003, 0.03, 0.3):
        for _ in range(400):
            started_ns = arrivals_ns(rng, 2000, 10.0).astype(np.int64)
            failed = rng.random(2000) < share
            found += clustering_of(failed).is_found and weather_of(started_ns, failed) is not None
    assert found <= 2
