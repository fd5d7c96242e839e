"""What simulated requests come to, held against closed forms: each request alone, a platform that takes no time.

Where chance is left, the bounds come from the closed form's own variance: right numbers pass for all but one seed in
ten thousand, and the seed is fixed.
"""

from itertools import accumulate
from math import exp, sqrt

import numpy as np
import pytest
from chance import DOUBT, is_near, is_share
from numpy.typing import NDArray
from scipy.special import chdtrc

from sim.engine.event import simulate
from sim.history.records import Requests
from sim.history.vocabulary import Outcome
from sim.kernel.draws import Draws
from sim.scenario.load import parse

MS = 1_000_000
PORTS = ("article", "helpers", "component")


def simulated(text: str) -> Requests:
    return simulate(parse(text))


def known_ms(requests: Requests) -> NDArray[np.float64]:
    return (requests.settled_ns - requests.submitted_ns) / MS


def fills_evenly(values: NDArray[np.float64], low: float, high: float) -> bool:
    """Whether values fill the tenths of an interval as evenly as those of a uniform law do (chi-square)."""
    inside = np.histogram(values, bins=10, range=(low, high))[0]
    due = len(values) / 10
    return bool(inside.sum() == len(values) and chdtrc(9, ((inside - due) ** 2).sum() / due) > DOUBT)


def test_the_chi_square_of_this_file_rejects_a_law_that_is_a_little_off() -> None:
    even = (np.arange(4000) + 0.5) / 4000
    assert fills_evenly(even, 0, 1)
    assert not fills_evenly(even**1.1, 0, 1)
    assert not fills_evenly(even * 1.001, 0, 1)


# Time to known.


def article_known_ns(  # noqa: PLR0917  # the numbers of the article
    failures: int, most: int, latency_ns: int, wait_ns: int, retry_ns: int, base: int
) -> tuple[int, int]:
    """When the article knows, and when the last attempt ended, after so many failures; `most` of them are retried.

    In nothing but whole numbers: poll, wait longer, poll again. An end that falls on a poll precedes it.
    """
    poll_ns = start_ns = handled = 0
    while True:
        if poll_ns < start_ns + latency_ns:
            poll_ns += wait_ns
            wait_ns *= base
        elif handled == min(failures, most):
            return poll_ns, start_ns + latency_ns
        else:
            handled += 1
            poll_ns += retry_ns
            start_ns = poll_ns
            retry_ns *= base


@pytest.mark.parametrize(
    ("latency_ms", "wait_ms", "retry_ms", "base", "most"),
    [(50, 10, 10, 2, 16), (70, 10, 10, 2, 6), (1000, 1, 250, 2, 4), (90, 30, 20, 1, 5), (40, 10, 5, 3, 0)],
)
def test_article_knows_at_the_poll_that_the_recurrence_says(
    latency_ms: int, wait_ms: int, retry_ms: int, base: int, most: int
) -> None:
    count, fail = 3000, 0.4
    requests = simulated(
        f"{{retrier: {{kind: article, wait_backoff: {wait_ms}ms, retry_backoff: {retry_ms}ms, base: {base},"
        f" max_failures: {most}}}, requests: {{count: {count}}}, seed: 21,"
        f" action: {{latency: {{constant: {latency_ms}ms}}, outcomes: {{fail: {fail}}}}}}}"
    )
    table = [
        article_known_ns(failures, most, latency_ms * MS, wait_ms * MS, retry_ms * MS, base)
        for failures in range(most + 2)
    ]
    failures = requests.attempts - (requests.outcome == Outcome.success)
    assert requests.settled_ns.tolist() == [table[number][0] for number in failures]
    assert requests.known_attempt_end_ns.tolist() == [table[number][1] for number in failures]
    law = [fail**number * (1 - fail) for number in range(most + 1)] + [fail ** (most + 1)]
    mean = sum(chance * known / MS for chance, (known, _) in zip(law, table, strict=True))
    square = sum(chance * (known / MS) ** 2 for chance, (known, _) in zip(law, table, strict=True))
    assert is_near(float(known_ms(requests).mean()), mean, sqrt(square - mean**2), count)


def test_component_backs_off_by_the_draws_at_its_addresses() -> None:
    requests = simulated(
        "{retrier: component, requests: {count: 300}, seed: 99,"
        " action: {latency: {constant: 7ms}, outcomes: {fail: 0.7}}}"
    )
    draws = Draws(99)
    for number, attempts in enumerate(requests.attempts.tolist()):
        outcomes = [draws.uniform("outcome", number, attempt) < 0.7 for attempt in range(1, 6)]
        assert attempts == min([*outcomes, False].index(False) + 1, 5)
        waits_ms = [250 * 2.0**n * (0.5 + draws.uniform("backoff", number, n)) for n in range(1, attempts)]
        assert requests.settled_ns[number] == attempts * 7 * MS + sum(round(wait_ms * MS) for wait_ms in waits_ms)


def test_component_that_runs_after_a_delay_starts_that_much_later() -> None:
    text = "{{retrier: {{kind: component{}}}, requests: {{count: 500}}, action: {{outcomes: {{fail: 0.5}}}}}}"
    at_once, later = simulated(text.format("")), simulated(text.format(", run_after: 3s"))
    assert (later.settled_ns - at_once.settled_ns).tolist() == [3000 * MS] * 500


def test_none_knows_after_one_latency() -> None:
    count, fail = 6000, 0.3
    requests = simulated(
        f"{{retrier: none, requests: {{count: {count}}}, seed: 4, action: {{latency: {{exponential: {{mean: 80ms}}}},"
        f" outcomes: {{fail: {{share: {fail}, latency: {{constant: 2s}}}}}}}}}}"
    )
    successes = known_ms(requests)[requests.outcome == Outcome.success]
    failures = known_ms(requests)[requests.outcome == Outcome.gave_up]
    assert fills_evenly(-np.expm1(-successes / 80), 0, 1)
    assert set(failures.tolist()) == {2000.0}
    assert is_share(len(failures), count, fail)


def test_helpers_first_look_comes_after_half_to_one_and_a_half_times_the_wait() -> None:
    count = 4000
    requests = simulated(
        f"{{retrier: helpers, requests: {{count: {count}}}, seed: 6, action: {{latency: {{constant: 20ms}}}}}}"
    )
    assert fills_evenly(known_ms(requests), 50, 150)
    assert requests.polls.tolist() == [2] * count


def test_helpers_second_look_comes_after_a_wait_twice_as_long() -> None:
    # First look A ~ U(50, 150) ms; before 100 ms it comes too early, and B ~ U(100, 300) ms comes on top.
    count = 4000
    requests = simulated(
        f"{{retrier: helpers, requests: {{count: {count}}}, seed: 7, action: {{latency: {{constant: 100ms}}}}}}"
    )
    known = known_ms(requests)
    early = requests.polls == 3
    assert is_share(int(early.sum()), count, 0.5)
    assert is_near(float(known[~early].mean()), 125, 50 / sqrt(12), int((~early).sum()))
    assert is_near(float(known[early].mean()), 75 + 200, sqrt(50**2 / 12 + 200**2 / 12), int(early.sum()))


def test_helpers_look_for_a_retry_after_both_backoffs_with_a_jitter_of_its_own() -> None:
    # The first look at A ~ U(50, 150) ms handles the failure; waitBackoff is 200 ms by then: C ~ U(150, 450) ms.
    count = 4000
    requests = simulated(
        f"{{retrier: helpers, requests: {{count: {count}}}, seed: 8, action: {{script:"
        " [{outcome: fail, latency: 1us}, {outcome: success, latency: 1us}]}}"
    )
    variance = 100**2 / 12 + 300**2 / 12
    assert requests.polls.tolist() == [3] * count
    assert is_near(float(known_ms(requests).mean()), 100 + 300, sqrt(variance), count)
    # The retry itself starts at A + D, D ~ U(50, 150) ms.
    starts_ms = requests.last_attempt_end_ns / MS - 0.001
    assert is_near(float(starts_ms.mean()), 100 + 100, sqrt(2 * 100**2 / 12), count)


def test_helpers_can_look_for_a_retry_before_it_has_started() -> None:
    # Retry after 100 (0.5 + U) ms, look after (100 + 1)(0.5 + V) ms: the look is in time where U <= 1.01 V + 0.004.
    count = 5000
    requests = simulated(
        f"{{retrier: {{kind: helpers, wait_backoff: 1ms, base: 1}}, requests: {{count: {count}}}, seed: 9,"
        " action: {script: [{outcome: fail, latency: 100us}, {outcome: success, latency: 100us}]}}"
    )
    certain_from = (1 - 0.004) / 1.01
    in_time = 1.01 * certain_from**2 / 2 + 0.004 * certain_from + (1 - certain_from)
    assert is_share(int((requests.polls == 3).sum()), count, in_time)
    assert 0.49 < 1 - in_time < 0.5


# Costs.


@pytest.mark.parametrize("retrier", [*PORTS, "none"])
def test_costs_are_what_the_retrier_does(retrier: str) -> None:
    requests = simulated(
        f"{{retrier: {retrier}, requests: {{count: 1000}}, seed: 2,"
        " action: {latency: {constant: 40ms}, outcomes: {fail: 0.4}}}"
    )
    commits = {
        "article": 1 + requests.polls,
        "helpers": 1 + requests.polls,
        "component": 1 + requests.polls + requests.attempts,
        "none": 0 * requests.polls,
    }
    assert requests.mutations.tolist() == commits[retrier].tolist()
    assert requests.actions.tolist() == requests.attempts.tolist()
    assert requests.action_ns.tolist() == (40 * MS * requests.attempts).tolist()
    assert requests.conflicts.tolist() == [0] * 1000


def test_article_polls_as_often_as_its_growing_wait_fits_into_the_work() -> None:
    # 10 ms doubled: looks at 0, 10, 30, 70, 150, ... ms; a failed attempt costs a look that finds it failed.
    for latency_ms in (1, 10, 11, 30, 69, 70, 71, 1000):
        requests = simulated(
            f"{{retrier: article, requests: {{count: 1}}, action: {{latency: {{constant: {latency_ms}ms}}}}}}"
        )
        looks_ms = list(accumulate((10 * 2**number for number in range(20)), initial=0))
        assert requests.polls.tolist() == [1 + sum(look_ms < latency_ms for look_ms in looks_ms)]


# Weather.


@pytest.mark.parametrize(
    ("up", "down", "down_share"),
    [
        ("exponential: {mean: 9s}", "exponential: {mean: 3s}", 0.25),
        ("constant: 6s", "constant: 4s", 0.4),
        ("uniform: {low: 0s, high: 8s}", "pareto: {shape: 3, scale: 2s}", 3 / 7),
    ],
)
def test_a_first_attempt_meets_on_off_weather_as_often_as_it_is_down(up: str, down: str, down_share: float) -> None:
    count, fail_down, fail = 6000, 0.8, 0.1
    requests = simulated(
        f"{{retrier: none, requests: {{count: {count}}}, seed: 12, action: {{outcomes: {{fail: {fail}}},"
        f" weather: [{{on_off: {{up: {{{up}}}, down: {{{down}}}, fail: {fail_down}}}}}]}}}}"
    )
    share = 1 - (1 - down_share * fail_down) * (1 - fail)
    assert is_share(int((requests.outcome == Outcome.gave_up).sum()), count, share)


def test_a_retry_meets_the_weather_of_its_own_moment() -> None:
    # Exponential turns: from down at 0 to down at t with share + (1 - share) exp(-t (1/up + 1/down)).
    count, up_ms, down_ms = 6000, 300.0, 100.0
    requests = simulated(
        f"{{retrier: {{kind: article, max_failures: 1}}, requests: {{count: {count}}}, seed: 13,"
        " action: {latency: {constant: 50ms}, weather:"
        " [{on_off: {up: {exponential: {mean: 300ms}}, down: {exponential: {mean: 100ms}}}}]}}"
    )
    share = down_ms / (up_ms + down_ms)
    # The first attempt ends at 50 ms, the look at 70 ms sees it, the retry starts 10 ms later.
    both = share * (share + (1 - share) * exp(-80 * (1 / up_ms + 1 / down_ms)))
    assert is_share(int((requests.attempts == 2).sum()), count, share)
    assert is_share(int((requests.outcome == Outcome.gave_up).sum()), count, both)


def test_an_outage_fails_exactly_what_starts_in_it() -> None:
    # The article's second attempt starts at 80 ms: the first ends at 50, the look at 70 sees it, the backoff is 10.
    outage = (
        "{{retrier: article, requests: {{count: 1}},"
        " action: {{latency: {{constant: 50ms}}, weather: [{{outage: {}}}]}}}}"
    )
    attempts = [
        simulated(outage.format(f"{{from: 0s, to: {to}}}")).attempts.tolist() for to in ("1ns", "80ms", "80000001ns")
    ]
    assert attempts == [[2], [2], [3]]
