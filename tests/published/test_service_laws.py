"""Services held to what is known of queues with other work than exponential, other orders, and impatient calls.

"Kleinrock" is L. Kleinrock, "Queueing Systems", volume 1 (1975). Intervals and sizes are those of `test_services.py`.
"""

from math import exp

import pytest
from queueing import Observed, agree, observe, queue, sizes
from scipy.optimize import brentq

from sim.history.traffic import CallEnd

MU = 10.0
WORK = "latency: {exponential: {mean: 100ms}}"


# M/G/1: F. Pollaczek (1930), A. Y. Khinchine (1932); the second moment by L. Takacs's recurrence, "A single-server
# queue with Poisson input", Operations Research 10 (1962). With the work S: W = lambda E[S^2] / (2 (1 - rho)).

# Name: the options, and E[S], E[S^2], E[S^3] in seconds.
SIGMA = 0.8
WORKS = {
    "D": ("latency: {constant: 100ms}", (0.1, 0.1**2, 0.1**3)),
    "gamma": ("latency: {gamma: {shape: 0.5, mean: 100ms}}", (0.1, 3 * 0.1**2, 15 * 0.1**3)),
    "erlang": ("latency: {gamma: {shape: 4, mean: 100ms}}", (0.1, 1.25 * 0.1**2, 1.875 * 0.1**3)),
    "lognormal": (
        f"latency: {{lognormal: {{median: 80ms, sigma: {SIGMA}}}}}",
        tuple(0.08**power * exp(power**2 * SIGMA**2 / 2) for power in (1, 2, 3)),
    ),
    "normal": ("latency: {normal: {mean: 100ms, sd: 20ms}}", (0.1, 0.1**2 + 0.02**2, 0.1**3 + 3 * 0.1 * 0.02**2)),
    "uniform": ("latency: {uniform: {low: 0s, high: 200ms}}", (0.1, 0.2**2 / 3, 0.2**3 / 4)),
    # Hyperexponential: a tenth of the calls fails, and takes longer.
    "hyperexponential": (
        "latency: {exponential: {mean: 60ms}}, outcomes: {fail: {share: 0.1, latency: {exponential: {mean: 400ms}}}}",
        tuple(factor * (0.9 * 0.06**power + 0.1 * 0.4**power) for power, factor in ((1, 1), (2, 2), (3, 6))),
    ),
}
works = pytest.mark.parametrize("work", WORKS)


@sizes
@works
def test_one_server_waits_as_pollaczek_and_khinchine_say(size: tuple[int, int], work: str) -> None:
    options, (first, second, third) = WORKS[work]
    rate = 0.55 / first
    runs = queue(size, rate, options)
    wait = rate * second / (2 * 0.45)
    agree(runs, lambda run: run.waits_s.mean(), wait)
    agree(runs, lambda run: (run.waits_s > 0).mean(), 0.55)
    agree(runs, lambda run: (run.waits_s**2).mean(), 2 * wait**2 + rate * third / (3 * 0.45))


@sizes
def test_even_arrivals_wait_as_d_m_1(size: tuple[int, int]) -> None:
    # G/M/1, Kleinrock 6.4: an arrival waits with sigma, the root of sigma = A*(mu - mu sigma).
    rate = 7.0
    runs = queue(size, rate, WORK, arrivals="constant")
    sigma = float(brentq(lambda s: s - exp(-(MU / rate) * (1 - s)), 0.01, 0.99))
    agree(runs, lambda run: (run.waits_s > 0).mean(), sigma)
    agree(runs, lambda run: run.waits_s.mean(), sigma / (MU * (1 - sigma)))
    agree(runs, lambda run: (run.waits_s > 0.2).mean(), sigma * exp(-MU * (1 - sigma) * 0.2))


# Orders: none that looks away from the work changes the mean of the wait, but the last-come one spreads it: L. Takacs,
# "Delay distributions for one line with Poisson input, general holding times, and various orders of service", Bell
# System Technical Journal 42 (1963).


@sizes
@pytest.mark.parametrize("work", ["D", "erlang"])
def test_last_come_first_served_has_the_same_mean_and_a_longer_tail(size: tuple[int, int], work: str) -> None:
    options, (first, second, third) = WORKS[work]
    rate = 0.55 / first
    runs = queue(size, rate, f"{options}, queue: {{order: lifo}}")
    wait = rate * second / (2 * 0.45)
    of_fifo = 2 * wait**2 + rate * third / (3 * 0.45)
    agree(runs, lambda run: run.waits_s.mean(), wait)
    agree(runs, lambda run: (run.waits_s > 0).mean(), 0.55)
    agree(runs, lambda run: (run.waits_s**2).mean(), of_fifo / 0.45)


# Priorities: A. Cobham, "Priority assignment in waiting line problems", Operations Research 2 (1954); work in
# progress is not put off.

SHARE = 0.4
"""Of the calls that go first."""


@sizes
@pytest.mark.parametrize("work", ["D", "erlang", "hyperexponential"])
def test_classes_wait_as_cobham_says(size: tuple[int, int], work: str) -> None:
    options, (first, second, _) = WORKS[work]
    rate = 0.7 / first
    text = f"""
seed: 1954
requests: {{arrivals: {{poisson: {{rate: {rate}/s}}}}}}
classes: {{urgent: {{share: {SHARE}, priority: 0}}, other: {{share: {1 - SHARE}, priority: 1}}}}
action: {{service: db}}
services: {{db: {{servers: 1, {options}, queue: {{order: priority}}}}}}
"""
    (runs,) = observe(text, *size, (1,))
    load = SHARE * 0.7
    remaining = rate * second / 2
    agree([run.of_class(0) for run in runs], lambda run: run.waits_s.mean(), remaining / (1 - load))
    agree([run.of_class(1) for run in runs], lambda run: run.waits_s.mean(), remaining / ((1 - load) * 0.3))
    # The conservation law: L. Kleinrock, Naval Research Logistics Quarterly 12 (1965).
    agree(runs, conserved, 0.7 * remaining / 0.3)


def conserved(run: Observed) -> float:
    """Return the waits of both classes, each times the load of its class."""
    parts = [run.of_class(number).waits_s.mean() for number in (0, 1)]
    return float(0.7 * (SHARE * parts[0] + (1 - SHARE) * parts[1]))


# Impatience: M/M/1+D. D. Y. Barrer, "Queuing with impatient customers and ordered service", Operations Research 5
# (1957).


def barrer(rate: float, patience_s: float) -> tuple[float, float]:
    """Return the shares of calls that leave, and that wait for no time at all."""
    gap = MU - rate
    left = exp(-gap * patience_s) * rate / MU
    idle = 1 / (1 + rate * (1 - exp(-gap * patience_s)) / gap + left)
    return idle * left, idle


def test_without_patience_the_impatient_queue_is_erlangs_loss_system() -> None:
    assert barrer(6.0, 0.0) == pytest.approx((0.6 / 1.6, 1 / 1.6))


@sizes
@pytest.mark.parametrize(("rate", "patience_s"), [(8.0, 0.15), (14.0, 0.3)])
def test_calls_that_wait_too_long_leave_as_barrer_says(size: tuple[int, int], rate: float, patience_s: float) -> None:
    runs = queue(size, rate, f"{WORK}, queue: {{max_wait: {round(patience_s * 1000)}ms}}")
    left, idle = barrer(rate, patience_s)
    agree(runs, lambda run: run.share(CallEnd.rejected_max_wait), left)
    agree(runs, lambda run: run.mean_in_progress, 1 - idle)
    agree(runs, at_once, idle)


def at_once(run: Observed) -> float:
    """Return the share of calls that begin as they come."""
    calls = run.calls
    return float((calls.began_ns == calls.arrived_ns)[run.counted].mean())
