import numpy as np
import pytest
from made_logs import log_of

from sim.fitting.fit import fit_log
from sim.fitting.policies import FoundPolicy, policy_of
from sim.fitting.requests import courses_of


def retried(
    *, requests: int = 600, limit: int = 3, fail: float = 0.5, stays: float = 0.0, final: float = 0.0, seed: int = 1
) -> dict[str, list[float]]:
    """Rows of requests, each tried up to `limit` times 1 s after a failure; 'final' ones once."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[float]] = {name: [] for name in ("latency", "status", "start", "request", "attempt")}
    for number in range(requests):
        start, is_lost = number * 0.1e9, rng.random() < stays
        for attempt in range(1, limit + 1):
            status = 2 if rng.random() < final else 1 if is_lost or rng.random() < fail else 0
            latency = rng.exponential(20e6)
            values = (latency, status, start, number, attempt)
            for name, value in zip(rows, values, strict=True):
                rows[name].append(value)
            if status != 1:
                break
            start += latency + 1e9
    return rows


def policy(rows: dict[str, list[float]]) -> FoundPolicy:
    order = np.argsort(rows["start"], kind="stable")
    latency, status, start, request, attempt = (np.array(rows[name])[order] for name in rows)
    log = log_of(latency, status, start, statuses=("200", "503", "404"), request=request, attempt=attempt)
    found = policy_of(log, courses_of(log))
    assert found is not None
    return found


def test_the_limit_is_that_of_requests_that_gave_up() -> None:
    found = policy(retried(limit=4))
    assert found.attempts == 4
    assert found.at_limit is not None
    assert found.at_limit.value == 1.0


def test_failures_that_nothing_retries_are_final() -> None:
    found = policy(retried(final=0.1))
    assert found.retried_share("503") == 1.0
    assert found.retried_share("404") == 0.0
    assert found.delay is not None
    assert found.delay.written == "1s"


def test_requests_that_always_fail_show_in_second_attempts() -> None:
    found = policy(retried(requests=4000, fail=0.1, stays=0.05))
    assert found.stays == pytest.approx(0.05, abs=0.015)


def test_requests_alike_have_none_that_always_fail() -> None:
    assert policy(retried()).stays == 0.0


def test_a_request_that_the_log_ends_before_is_open() -> None:
    rows = retried(requests=50)
    log = log_of(
        [*rows["latency"], 1e6],
        [*rows["status"], 1],
        np.array([*rows["start"], max(rows["start"]) + 1e6]),
        request=[*map(int, rows["request"]), 50],
        attempt=[*map(int, rows["attempt"]), 1],
    )
    order = np.argsort(log.started_ns, kind="stable")
    assert order[-1] == log.count - 1
    assert courses_of(log).is_open[-1]


def test_a_key_without_retries_has_no_policy() -> None:
    log = log_of([1e6, 2e6], [0, 1], [0, 1e9], request=[0, 1], attempt=[1, 1])
    assert policy_of(log, courses_of(log)) is None


def test_retries_without_times_have_no_delay() -> None:
    log = log_of([1e6] * 20, [1, 0] * 10, request=[at // 2 for at in range(20)], attempt=[1, 2] * 10)
    fitted = fit_log(log)
    assert fitted.policy is not None
    assert fitted.policy.delay is None
    assert fitted.whole.p50 is None


def test_attempts_that_overlap_are_told_and_left_out() -> None:
    count = 400
    request = np.repeat(np.arange(count), 2)
    start = np.repeat(np.arange(count) * 1e9, 2)
    start[1::2] += np.where(np.arange(count) % 10 == 0, 0.1e9, 0.701e9)
    log = log_of(np.full(2 * count, 0.201e9), [1, 0] * count, start, request=request, attempt=[1, 2] * count)
    found = policy_of(log, courses_of(log))
    assert found is not None
    assert found.overlapping == pytest.approx(0.1)
    assert found.delay is not None
    assert found.delay.written == "500ms"
