"""The closed forms of a retry loop, independent failures, at most so many attempts; for every port and for a policy.

Attempts follow the truncated geometric law; a request succeeds with 1 - p^M and takes (1 - p^M) / (1 - p) calls
(M. Brooker, "Fixing retries with token buckets and circuit breakers", 2022, where M is 4); the mean latency is the sum
over the attempts of latency and backoff; duplicates are binomial given the attempts if each attempt may lose its
acknowledgement. The bounds come from the laws' own variances: right numbers pass for all but one seed in ten thousand,
and the seed is fixed.
"""

from math import sqrt

import numpy as np
import pytest
from chance import DOUBT, is_near, is_share
from scipy.special import chdtrc

from sim.engine.event import simulate
from sim.history.records import Requests
from sim.history.vocabulary import Cause, Outcome
from sim.scenario.load import parse

PORTS = ("article", "helpers", "component")
POLICY = "policy"
LOOPS = (*PORTS, POLICY)


def loop(kind: str, most: int) -> str:
    """Write a retrier that makes at most so many attempts."""
    if kind == POLICY:
        return f"{{kind: policy, attempts: {most}, delay: {{exponential: {{initial: 10ms, jitter: full}}}}}}"
    return f"{{kind: {kind}, max_failures: {most - 1}}}"


def simulated(text: str) -> Requests:
    return simulate(parse(text))


def chi_square(observed: list[int], expected: list[float]) -> float:
    """The probability of counts as far from the expected ones; cells that expect under 5 are thrown together."""
    pairs = list(zip(observed, expected, strict=True))
    few = [pair for pair in pairs if pair[1] < 5]
    cells = [pair for pair in pairs if pair[1] >= 5]
    if few:
        cells.append((sum(seen for seen, _ in few), sum(due for _, due in few)))
    total = sum((seen - due) ** 2 / due for seen, due in cells)
    return float(chdtrc(len(cells) - 1, total))


def test_the_chi_square_of_this_file_rejects_a_law_that_is_a_little_off() -> None:
    assert chi_square([6000, 2400, 960, 640], [6000, 2400, 960, 640]) == 1.0
    assert chi_square([6000, 2400, 960, 640], [6200, 2350, 890, 560]) < DOUBT
    assert chi_square([990, 8, 2, 0], [990, 9, 0.9, 0.1]) > DOUBT
    assert chi_square([980, 8, 6, 6], [990, 9, 0.9, 0.1]) < DOUBT


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize(("fail", "most"), [(0.1, 4), (0.5, 4), (0.6, 7)])
def test_attempts_follow_the_truncated_geometric_law(kind: str, fail: float, most: int) -> None:
    count = 4000
    requests = simulated(
        f"{{retrier: {loop(kind, most)}, requests: {{count: {count}}}, seed: 11,"
        f" action: {{outcomes: {{fail: {fail}}}}}}}"
    )
    law = [fail**before * (1 - fail) for before in range(most - 1)] + [fail ** (most - 1)]
    observed = np.bincount(requests.attempts, minlength=most + 1).tolist()
    assert (len(observed), observed[0]) == (most + 1, 0)
    assert chi_square(observed[1:], [count * share for share in law]) > DOUBT
    mean = (1 - fail**most) / (1 - fail)
    square = sum(number**2 * share for number, share in enumerate(law, start=1))
    assert is_near(float(requests.attempts.mean()), mean, sqrt(square - mean**2), count)


@pytest.mark.parametrize(
    ("retrier", "most"), [*((loop(kind, 4), 4) for kind in LOOPS), (loop(POLICY, 2), 2), ("none", 1)]
)
@pytest.mark.parametrize("fail", [0.1, 0.5])
def test_a_request_succeeds_unless_all_attempts_fail(retrier: str, most: int, fail: float) -> None:
    count = 4000
    requests = simulated(
        f"{{retrier: {retrier}, requests: {{count: {count}}}, seed: 17, action: {{outcomes: {{fail: {fail}}}}}}}"
    )
    gave_up = requests.outcome == Outcome.gave_up
    assert is_share(int(gave_up.sum()), count, fail**most)
    assert (requests.outcome[~gave_up] == Outcome.success).all()
    assert requests.attempts[gave_up].tolist() == [most] * int(gave_up.sum())
    assert (requests.effects == ~gave_up).all()


@pytest.mark.parametrize("port", PORTS)
def test_no_retries_make_one_attempt(port: str) -> None:
    requests = simulated(
        f"{{retrier: {{kind: {port}, max_failures: 0}}, requests: {{count: 500}}, action: {{outcomes: {{fail: 0.4}}}}}}"
    )
    assert requests.attempts.tolist() == [1] * 500


def test_backoff_leaves_the_amplification_of_open_clients_as_it_is() -> None:
    # M. Brooker, "What is Backoff For?": who comes next does not wait for who came before, so waiting only shifts
    # the same attempts.
    attempts = [
        simulated(f"{{retrier: {retrier}, requests: {{count: 2000}}, seed: 23, action: {{outcomes: {{fail: 0.5}}}}}}")
        for retrier in (
            "{kind: article, max_failures: 3}",
            "{kind: article, max_failures: 3, retry_backoff: 1h, base: 10}",
            "{kind: helpers, max_failures: 3, retry_backoff: 1ms}",
            "{kind: component, max_failures: 3}",
        )
    ]
    assert [requests.attempts.tolist() for requests in attempts] == [attempts[0].attempts.tolist()] * 4


@pytest.mark.parametrize("port", PORTS)
def test_requests_under_a_permanent_failure_use_every_attempt_and_give_up(port: str) -> None:
    count, share, fail, most = 4000, 0.3, 0.2, 3
    requests = simulated(
        f"{{retrier: {{kind: {port}, max_failures: {most - 1}}}, requests: {{count: {count}}}, seed: 5,"
        f" action: {{permanent_failure: {share}, outcomes: {{fail: {fail}}}}}}}"
    )
    gave_up = requests.outcome == Outcome.gave_up
    assert is_share(int(gave_up.sum()), count, share + (1 - share) * fail**most)
    assert set(requests.attempts[gave_up].tolist()) == {most}
    assert (requests.first_effect_ns[gave_up] == -1).all()


@pytest.mark.parametrize("kind", LOOPS)
def test_duplicates_by_lost_acknowledgements_are_binomial_given_the_attempts(kind: str) -> None:
    count, fail, ack_lost, most = 8000, 0.25, 0.25, 4
    requests = simulated(
        f"{{retrier: {loop(kind, most)}, requests: {{count: {count}}}, seed: 3,"
        f" action: {{outcomes: {{fail: {fail}, ack_lost: {ack_lost}}}}}}}"
    )
    bad, done = fail + ack_lost, ack_lost / (fail + ack_lost)
    duplicates = requests.duplicates.sum(axis=1)
    observed: list[int] = []
    expected: list[float] = []
    for attempts in range(1, most + 1):
        for successful in (True, False) if attempts == most else (True,):
            chosen = (requests.attempts == attempts) & ((requests.outcome == Outcome.success) == successful)
            failures = attempts - successful
            share = bad**failures * (1 - bad if successful else 1)
            # Each failure is an effect with chance `done`; without a success the first of them is no duplicate.
            law = binomial(failures, done)
            if not successful:
                law = [law[0] + law[1], *law[2:]]
            observed += np.bincount(duplicates[chosen], minlength=len(law)).tolist()
            expected += [count * share * chance for chance in law]
    assert chi_square(observed, expected) > DOUBT
    assert requests.duplicates[:, Cause.ack_lost].tolist() == duplicates.tolist()
    assert (requests.effects - (requests.effects > 0) == duplicates).all()


def binomial(trials: int, share: float) -> list[float]:
    law = [1.0]
    for _ in range(trials):
        law = [a * (1 - share) + b * share for a, b in zip([*law, 0.0], [0.0, *law], strict=True)]
    return law


def test_a_receiver_that_remembers_suppresses_what_would_have_been_duplicates() -> None:
    text = (
        "{{retrier: helpers, requests: {{count: 2000}}, seed: 3, action: {{outcomes: {{fail: 0.2, ack_lost: 0.3}}{}}}}}"
    )
    forgets = simulated(text.format(""))
    remembers = simulated(text.format(", idempotency: {window: 24h}"))
    assert forgets.duplicates.sum() > 500
    assert remembers.suppressed.tolist() == forgets.duplicates.sum(axis=1).tolist()
    assert remembers.duplicates.sum() == 0
    assert remembers.attempts.tolist() == forgets.attempts.tolist()


def component_known_ms(
    fail: float, most: int, means_ms: tuple[float, float], deviations_ms: tuple[float, float]
) -> tuple[float, float]:
    """Mean and deviation of the time to known without crashes: latencies (success, failure) and jittered backoffs."""
    initial_ms, base = 250.0, 2.0
    backoffs_ms = [initial_ms * base ** (failed + 1) for failed in range(most - 1)]
    mean = square = 0.0
    for failures in range(most + 1):
        chance = fail**failures * (1 - fail if failures < most else 1)
        waits_ms = backoffs_ms[:failures]
        inner = failures * means_ms[1] + sum(waits_ms) + (means_ms[0] if failures < most else 0)
        variance = failures * deviations_ms[1] ** 2 + sum(wait_ms**2 / 12 for wait_ms in waits_ms)
        variance += deviations_ms[0] ** 2 if failures < most else 0
        mean += chance * inner
        square += chance * (variance + inner**2)
    return mean, sqrt(square - mean**2)


@pytest.mark.parametrize(
    ("latency", "failure", "means_ms", "deviations_ms"),
    [
        ("constant: 120ms", "constant: 5ms", (120, 5), (0, 0)),
        ("exponential: {mean: 800ms}", "exponential: {mean: 200ms}", (800, 200), (800, 200)),
        ("gamma: {shape: 4, mean: 1s}", "uniform: {low: 0ms, high: 60ms}", (1000, 30), (500, 60 / sqrt(12))),
    ],
)
def test_component_knows_after_its_latencies_and_backoffs(
    latency: str, failure: str, means_ms: tuple[float, float], deviations_ms: tuple[float, float]
) -> None:
    count, fail, most = 5000, 0.45, 5
    requests = simulated(
        f"{{retrier: component, requests: {{count: {count}}}, seed: 8, action: {{latency: {{{latency}}},"
        f" outcomes: {{fail: {{share: {fail}, latency: {{{failure}}}}}}}}}}}"
    )
    known_ms = (requests.settled_ns - requests.submitted_ns) / 1e6
    mean, deviation = component_known_ms(fail, most, means_ms, deviations_ms)
    assert is_near(float(known_ms.mean()), mean, deviation, count)
    assert (requests.settled_ns == requests.last_attempt_end_ns).all()


def policy_known_ms(fail: float, most: int, mean_ms: float, initial_ms: float) -> tuple[float, float]:
    """Mean and deviation of the time to known: exponential latencies, and full jitter up to initial * 2^(n - 1)."""
    backoffs_ms = [initial_ms * 2**number for number in range(most - 1)]
    mean = square = 0.0
    for calls in range(1, most + 1):
        chance = fail ** (calls - 1) * (1 - fail if calls < most else 1)
        waits_ms = backoffs_ms[: calls - 1]
        inner = calls * mean_ms + sum(waits_ms) / 2
        mean += chance * inner
        square += chance * (calls * mean_ms**2 + sum(wait_ms**2 / 12 for wait_ms in waits_ms) + inner**2)
    return mean, sqrt(square - mean**2)


def test_a_policy_knows_after_the_latencies_and_backoffs_of_its_attempts() -> None:
    count, fail, most = 6000, 0.5, 4
    requests = simulated(
        f"{{requests: {{count: {count}}}, seed: 9, action: {{latency: {{exponential: {{mean: 100ms}}}},"
        f" outcomes: {{fail: {fail}}}}}, retrier: {{kind: policy, attempts: {most},"
        " delay: {exponential: {initial: 50ms, jitter: full}}}}"
    )
    mean, deviation = policy_known_ms(fail, most, 100.0, 50.0)
    assert is_near(float((requests.settled_ns - requests.submitted_ns).mean()) / 1e6, mean, deviation, count)
    assert (requests.settled_ns == requests.last_attempt_end_ns).all()
