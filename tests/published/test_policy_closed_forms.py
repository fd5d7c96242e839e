"""Parts of a policy held to closed forms: hedges, token buckets and breakers under independent failures.

The derivations stand beside the tests; "m" is the mean of exponential latencies.
"""

from math import ceil, exp, log, sqrt

import numpy as np
import pytest
from chance import is_near, is_share
from published_claims import Sample

from sim.engine.event import simulate, simulate_replication
from sim.history.records import Requests
from sim.history.traffic import CallEnd
from sim.scenario.load import parse

MS = 1e6
FAR = 4.0
"""In standard errors."""


def known_ms(requests: Requests) -> np.ndarray:
    return np.asarray(requests.settled_ns - requests.submitted_ns) / MS


# Hedges. Copy j goes at j * a if none was answered by then, so that of exponential latencies
# P(T > t) = exp(-sum over j <= k of max(0, t - j * a) / m), and behind the last copy
# t_q = (m * log(1 / (1 - q)) + a * k * (k + 1) / 2) / (k + 1).


def hedged_tail(t_ms: float, after_ms: float, copies: int, mean_ms: float) -> float:
    return exp(-sum(max(0.0, t_ms - copy * after_ms) for copy in range(copies + 1)) / mean_ms)


def hedged_quantile_ms(share: float, after_ms: float, copies: int, mean_ms: float) -> float:
    return (mean_ms * log(1 / (1 - share)) + after_ms * copies * (copies + 1) / 2) / (copies + 1)


@pytest.mark.parametrize(("after_ms", "copies"), [(200, 1), (150, 2)])
def test_hedged_calls_have_the_tail_of_the_least_of_shifted_exponentials(after_ms: int, copies: int) -> None:
    count, mean_ms = 8000, 100.0
    requests = simulate(
        parse(
            f"{{requests: {{count: {count}}}, seed: 31, action: {{latency: {{exponential: {{mean: 100ms}}}}}},"
            f" retrier: {{kind: policy, hedge: {{after: {after_ms}ms, at_most: {copies}}}}}}}"
        )
    )
    p99_ms = hedged_quantile_ms(0.99, after_ms, copies, mean_ms)
    assert hedged_tail(p99_ms, after_ms, copies, mean_ms) == pytest.approx(0.01)
    assert p99_ms > copies * after_ms
    for t_ms in (0.5 * after_ms, 1.2 * after_ms, p99_ms):
        share = hedged_tail(t_ms, after_ms, copies, mean_ms)
        assert is_share(int((known_ms(requests) > t_ms).sum()), count, share), t_ms
    # A copy costs a call as often as it is sent.
    sent = [hedged_tail(copy * after_ms, after_ms, copies, mean_ms) for copy in range(1, copies + 1)]
    square = sum((2 * copy - 1) * share for copy, share in enumerate(sent, start=1))
    deviation = sqrt(square - sum(sent) ** 2)
    assert is_near(float(requests.attempts.mean()) - 1, sum(sent), deviation, count)


# Token buckets: retries cost what comes in, so that with more failures than that each request has retries of its own
# income, and what lay in the bucket at first.


def open_world(retrier: str, fail: float, count: int, rate: float = 50.0) -> str:
    return f"""
world: shared
seed: 32
requests: {{count: {count}, arrivals: {{poisson: {{rate: {rate}/s}}}}}}
action: {{latency: {{constant: 0s}}, outcomes: {{fail: {fail}}}}}
retrier: {retrier}
"""


@pytest.mark.parametrize("fail", [0.6, 0.9, 1.0])
def test_retries_cost_what_requests_bring_in_and_no_more(fail: float) -> None:
    count, capacity, income = 3000, 5, 0.1
    budget = f"{{tokens: {{capacity: {capacity}, cost: 1, on_request: {income}}}}}"
    scenario = parse(open_world(f"{{kind: policy, attempts: unlimited, budget: {budget}}}", fail, count))
    requests, _ = simulate_replication(scenario)
    retries = int((requests.attempts - 1).sum())
    # The bucket is full as the first requests come, so their income is lost until a retry has taken something.
    assert count * income - capacity <= retries <= capacity + count * income


@pytest.mark.parametrize("fail", [0.7, 1.0])
def test_retries_go_as_fast_as_tokens_come_back(fail: float) -> None:
    count, capacity, per_second = 3000, 5, 4.0
    budget = f"{{tokens: {{capacity: {capacity}, cost: 1, per_second: {per_second}}}}}"
    scenario = parse(open_world(f"{{kind: policy, attempts: unlimited, budget: {budget}}}", fail, count))
    requests, _ = simulate_replication(scenario)
    seconds = float(requests.submitted_ns[-1]) / 1e9
    retries = int((requests.attempts - 1).sum())
    assert per_second * seconds - capacity <= retries <= capacity + per_second * seconds


def test_a_bucket_that_failures_do_not_empty_changes_nothing() -> None:
    # One failure in fifty asks for 0.02 retries a request, of which 0.1 come in.
    budget = "budget: {tokens: {capacity: 20, cost: 1, on_request: 0.1}}"
    with_budget, without = (
        simulate_replication(parse(open_world(f"{{kind: policy, attempts: 6{more}}}", 0.02, 3000)))[0]
        for more in (f", {budget}", "")
    )
    assert with_budget.attempts.tolist() == without.attempts.tolist()


# Breakers that open at k failures in a row. Calls fail with p, come at rate r and take no time. Closed, it takes
# E = (1 - p^k) / (p^k (1 - p)) calls to k failures in a row (Feller, vol. 1, XIII.7). Open for D, it refuses r D calls
# on average, then one call passes: with 1 - p it closes, with p it opens again. So a turn has 1 / (1 - p) openings, of
# D + 1 / r each, and a closed time of E / r.


def breaker_shares(fail: float, in_a_row: int, open_s: float, rate: float) -> tuple[float, float]:
    """The share of time in which it is open, and the share of calls that it refuses."""
    closed_calls = (1 - fail**in_a_row) / (fail**in_a_row * (1 - fail))
    openings = 1 / (1 - fail)
    of_time = openings * (open_s + 1 / rate) / (openings * (open_s + 1 / rate) + closed_calls / rate)
    of_calls = openings * open_s * rate / (openings * (open_s * rate + 1) + closed_calls)
    return of_time, of_calls


@pytest.mark.parametrize(("fail", "in_a_row", "open_s"), [(0.5, 3, 0.5), (0.7, 5, 0.2), (0.3, 2, 1.0)])
def test_a_breaker_is_open_as_long_as_a_chain_of_two_states_says(fail: float, in_a_row: int, open_s: float) -> None:
    rate, count, runs = 20.0, 1500, 8
    retrier = (
        f"{{kind: policy, breaker: {{window: {{consecutive: {in_a_row}}}, open: {{constant: {int(open_s * 1000)}ms}},"
        " half_open: {calls: 1}}}"
    )
    scenario = parse(open_world(retrier, fail, count, rate=rate))
    of_time, of_calls, refused, opened = *breaker_shares(fail, in_a_row, open_s, rate), [], []
    for run in range(runs):
        requests, traffic = simulate_replication(scenario, run)
        gone = traffic.calls.end == CallEnd.refused
        refused.append(gone.mean())
        opened.append(open_time(requests.submitted_ns, gone) / float(requests.submitted_ns[-1]))
    for measured, expected in ((refused, of_calls), (opened, of_time)):
        sample = Sample(np.array(measured))
        assert abs(sample.mean - expected) < FAR * sample.error


def open_time(submitted_ns: np.ndarray, refused: np.ndarray) -> float:
    """Sum the times from the call that opens it to the call that passes again, if any was refused between them.

    An opening in which no call came is as long, but shows in no call; with r D of 4 and more there are few.
    """
    total, begin = 0, None
    for at_ns, was_refused, before in zip(submitted_ns[1:], refused[1:], submitted_ns[:-1], strict=True):
        if was_refused and begin is None:
            begin = before
        elif not was_refused and begin is not None:
            total += at_ns - begin
            begin = None
    return float(total)


def test_the_closed_form_of_the_breaker_has_its_known_cases() -> None:
    assert breaker_shares(0.5, 1, 1.0, 1.0) == pytest.approx((4 / 6, 2 / 6))
    assert ceil(1 / breaker_shares(1e-3, 3, 1.0, 1.0)[1]) > 10**8
