import numpy as np
from made_logs import arrivals_ns

from sim.fitting.load import LoadEffect, load_effect, shifted_correlation


def effect(started_ns: np.ndarray, latency_ns: np.ndarray) -> LoadEffect:
    yes = np.ones(len(started_ns), np.bool_)
    found = load_effect(started_ns.astype(np.int64), latency_ns.astype(np.int64), yes, yes)
    assert found is not None
    return found


def test_a_queue_makes_latency_follow_load() -> None:
    rng = np.random.default_rng(1)
    started_ns = arrivals_ns(rng, 5000, 50.0)
    free_ns, latency_ns = 0.0, []
    for start_ns, work_ns in zip(started_ns, rng.exponential(1e9 / 65, 5000), strict=True):
        free_ns = max(free_ns, start_ns) + work_ns
        latency_ns.append(free_ns - start_ns)
    found = effect(started_ns, np.array(latency_ns))
    assert found.is_found
    assert found.ratio > 2


def test_slow_times_that_have_nothing_to_do_with_load_are_not_taken_for_it() -> None:
    found = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        slow = np.repeat(rng.normal(0, 1, 30), 50)
        latency_ns = np.exp(slow + rng.normal(0, 0.5, 1500)) * 1e8
        one = effect(arrivals_ns(rng, 1500, 50.0), latency_ns)
        found += one.is_found
    assert found <= 1
    assert one.in_progress > 0.3  # slow calls pile up


def test_the_share_of_shifts_is_one_for_an_even_row() -> None:
    assert shifted_correlation(np.ones(50), np.arange(50.0)) == (0.0, 1.0)


def test_few_calls_and_equal_latencies_say_nothing() -> None:
    yes = np.ones(100, np.bool_)
    assert load_effect(np.arange(100) * 1_000_000, np.arange(100), yes, yes) is None
    yes = np.ones(1000, np.bool_)
    assert load_effect(np.arange(1000) * 1_000_000, np.full(1000, 5_000_000), yes, yes) is None
