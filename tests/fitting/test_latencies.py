import numpy as np
import pytest
from made_logs import log_of

from sim.fitting.latencies import latencies_of, sampled, spikes_of

RNG = np.random.default_rng(3)
USUAL = RNG.lognormal(np.log(1e8), 1, 20_000).astype(np.int64)


def test_a_timeout_that_is_blurred_a_little_is_one_spike() -> None:
    slow = (30e9 + RNG.exponential(3e5, 400)).astype(np.int64)
    (spike,) = spikes_of(np.sort(np.concatenate([USUAL, slow])))
    assert spike.at_ns == pytest.approx(30e9, rel=1e-3)
    assert (spike.calls, spike.is_last) == (400, True)


@pytest.mark.parametrize(
    "values",
    [
        USUAL,
        np.rint(RNG.lognormal(np.log(3), 0.6, 20_000)).astype(np.int64) * 1_000_000,
        RNG.exponential(1e6, 1000).astype(np.int64),
        np.arange(9),
    ],
    ids=["lognormal", "rounded to 1 ms", "exponential", "few"],
)
def test_latencies_without_a_clock_that_ends_them_have_no_spike(values: np.ndarray) -> None:
    assert spikes_of(np.sort(values)) == ()


def test_calls_that_all_end_at_one_time_are_one_spike() -> None:
    (spike,) = spikes_of(np.full(100, 10**10))
    assert (spike.at_ns, spike.share) == (10**10, 1.0)


def test_statuses_are_told_by_frequency_and_unknown_latencies_left_out() -> None:
    log = log_of([5e6, -1, 7e6, 9e6, 1e6], [1, 1, 0, 0, 0])
    good, bad = latencies_of(log)
    assert (good.status, good.calls, good.values_ns.tolist()) == ("200", 3, [1_000_000, 7_000_000, 9_000_000])
    assert (bad.status, bad.failed, bad.calls, bad.values_ns.tolist()) == ("503", True, 2, [5_000_000])


def test_a_status_without_a_latency_has_no_points() -> None:
    (one,) = latencies_of(log_of([-1, -1]))
    assert (one.points, one.laws, one.law) == ((), (), None)


@pytest.mark.parametrize("name", ["timeout", "ETIMEDOUT", "timed out", "DEADLINE_EXCEEDED"])
def test_names_of_timeouts_are_known(name: str) -> None:
    one, other = latencies_of(log_of([1e9, 1e9], [0, 1], statuses=(name, "503")))
    assert (one.is_timeout, other.is_timeout) == (True, False)


def test_a_sample_has_evenly_spread_quantiles() -> None:
    assert sampled(np.arange(100), 4).tolist() == [12, 37, 62, 87]
    assert sampled(np.arange(3), 4).tolist() == [0, 1, 2]
