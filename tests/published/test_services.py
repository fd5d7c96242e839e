"""Services held to the closed forms of textbook queues with exponential work.

Every formula has its source beside it; "Kleinrock" is L. Kleinrock, "Queueing Systems", volume 1 (1975). Waiting times
of one replication depend on each other, so intervals are Student's over replications, 99.9 %. Each world is simulated
small, and with `-m slow` large. `tests/support/queueing.py` holds every replication to Little's law as well.
"""

from math import exp, factorial

import pytest
from queueing import agree, observe, queue, sizes

from sim.history.traffic import CallEnd

WORK = "latency: {exponential: {mean: 100ms}}"
MU = 10.0


def erlang_b(servers: int, load: float) -> float:
    """The share of calls that find all servers busy if none may wait; `load` in Erlang."""
    terms = [load**busy / factorial(busy) for busy in range(servers + 1)]
    return terms[-1] / sum(terms)


def erlang_c(servers: int, load: float) -> float:
    """The share of calls that wait, without a limit."""
    blocked = erlang_b(servers, load)
    return servers * blocked / (servers - load * (1 - blocked))


def stationary(births: list[float], deaths: list[float]) -> list[float]:
    """The shares of time of the states of a birth and death process (Kleinrock, chapter 3)."""
    weights = [1.0]
    for birth, death in zip(births, deaths, strict=True):
        weights.append(weights[-1] * birth / death)
    return [weight / sum(weights) for weight in weights]


def mean_of(shares: list[float]) -> float:
    return sum(number * share for number, share in enumerate(shares))


def test_the_formulas_agree_where_they_meet() -> None:
    assert erlang_b(1, 0.5) == pytest.approx(1 / 3)
    assert erlang_c(1, 0.7) == pytest.approx(0.7)
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert stationary([6.0, 6.0], [10.0, 20.0])[-1] == pytest.approx(erlang_b(2, 0.6))


# M/M/1: A. K. Erlang (1909); Kleinrock 3.2 and 5.7 for the distribution of the wait.


@sizes
def test_one_server_waits_as_m_m_1(size: tuple[int, int]) -> None:
    rho, runs = 0.6, queue(size, 6.0, WORK)
    agree(runs, lambda run: run.waits_s.mean(), rho / (MU - 6.0))
    agree(runs, lambda run: (run.waits_s > 0).mean(), rho)
    agree(runs, lambda run: run.sojourns_s.mean(), 1 / (MU - 6.0))
    agree(runs, lambda run: run.mean_in_progress, rho)


@sizes
def test_the_wait_at_one_server_has_an_exponential_tail(size: tuple[int, int]) -> None:
    rho, runs = 0.6, queue(size, 6.0, WORK)
    for t_s in (0.1, 0.3, 0.6):
        agree(runs, lambda run, t_s=t_s: (run.waits_s > t_s).mean(), rho * exp(-(MU - 6.0) * t_s))


@sizes
def test_arrivals_at_one_server_find_a_geometric_number(size: tuple[int, int]) -> None:
    # Poisson arrivals see time averages: R. W. Wolff, Operations Research 30 (1982).
    rho, runs = 0.6, queue(size, 6.0, WORK)
    agree(runs, lambda run: run.found.mean(), rho / (1 - rho))
    agree(runs, lambda run: (run.found == 0).mean(), 1 - rho)
    agree(runs, lambda run: (run.found >= 3).mean(), rho**3)
    agree(runs, lambda run: run.mean_inside, rho / (1 - rho))


# M/M/c: A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic telephone
# exchanges" (1917); Kleinrock 3.5.


@sizes
@pytest.mark.parametrize(("servers", "rate"), [(2, 13.0), (5, 36.0)])
def test_some_servers_wait_as_erlang_c_says(size: tuple[int, int], servers: int, rate: float) -> None:
    runs, waiting, gap = queue(size, rate, WORK, servers), erlang_c(servers, rate / MU), servers * MU - rate
    agree(runs, lambda run: (run.waits_s > 0).mean(), waiting)
    agree(runs, lambda run: run.waits_s.mean(), waiting / gap)
    agree(runs, lambda run: run.mean_in_progress, rate / MU)
    for part in (0.5, 1.5):
        agree(runs, lambda run, part=part: (run.waits_s > part / gap).mean(), waiting * exp(-part))


# M/M/1/K and M/M/c/K: Kleinrock 3.6 and 3.9.


@sizes
@pytest.mark.parametrize(("servers", "places", "rate"), [(1, 4, 9.0), (1, 2, 15.0), (3, 5, 30.0)])
def test_a_bounded_queue_blocks_as_a_birth_and_death_process(
    size: tuple[int, int], servers: int, places: int, rate: float
) -> None:
    runs = queue(size, rate, f"{WORK}, queue: {{limit: {places}}}", servers)
    most = servers + places
    shares = stationary([rate] * most, [MU * min(number, servers) for number in range(1, most + 1)])
    agree(runs, lambda run: run.share(CallEnd.rejected_queue), shares[-1])
    agree(runs, lambda run: run.mean_inside, mean_of(shares))
    waiting = sum(share * max(0, number - servers) for number, share in enumerate(shares))
    # Little's law for the queue alone: only calls that were let in wait.
    agree(runs, lambda run: run.waits_s.mean(), waiting / (rate * (1 - shares[-1])))


# Erlang's loss formula (1917), which needs no law of the work: B. A. Sevastyanov, Theory of Probability 2 (1957).


@sizes
@pytest.mark.parametrize(
    "work", [WORK, "latency: {constant: 100ms}", "latency: {gamma: {shape: 0.5, mean: 100ms}}"], ids=["M", "D", "gamma"]
)
def test_without_places_to_wait_calls_are_lost_as_erlang_b_says_whatever_the_work(
    size: tuple[int, int], work: str
) -> None:
    runs = queue(size, 40.0, f"{work}, queue: {{limit: 0}}", 4)
    lost = erlang_b(4, 4.0)
    agree(runs, lambda run: run.share(CallEnd.rejected_queue), lost)
    agree(runs, lambda run: run.mean_in_progress, 4.0 * (1 - lost))


# M/M/infinity and M/G/infinity: L. Takacs, "Introduction to the Theory of Queues" (1962), chapter 3.


@sizes
@pytest.mark.parametrize("work", [WORK, "latency: {uniform: {low: 20ms, high: 180ms}}"], ids=["M", "uniform"])
def test_unlimited_servers_have_a_poisson_number_of_calls(size: tuple[int, int], work: str) -> None:
    runs, load = queue(size, 20.0, work, None), 2.0
    agree(runs, lambda run: run.mean_inside, load)
    agree(runs, lambda run: (run.found == 0).mean(), exp(-load))
    agree(runs, lambda run: (run.found == 2).mean(), exp(-load) * load**2 / 2)
    agree(runs, lambda run: run.found.var(), load)


# A token bucket: with one token it is a server without a queue and constant work (Erlang 1917 again), which counters
# of particles are, too: accepted are 1 of 1 + lambda / rate.


@sizes
def test_a_bucket_of_one_token_loses_poisson_calls_as_one_server_with_constant_work(size: tuple[int, int]) -> None:
    runs = queue(size, 20.0, "latency: {constant: 0s}, rate_limit: {rate: 10/s}", None)
    agree(runs, lambda run: run.share(CallEnd.rejected_rate_limit), erlang_b(1, 2.0))


def steady(rate: str, limit: str, count: int) -> list[int]:
    """Numbers of the calls that a rate limit rejects if they come at even distances."""
    text = f"""
requests: {{arrivals: {{constant: {{rate: {rate}}}}}}}
action: {{service: db}}
services: {{db: {{latency: {{constant: 0s}}, rate_limit: {limit}}}}}
"""
    ((run,),) = observe(text, 1, count, (None,))
    return [int(number) for number in run.calls.request[run.calls.end == CallEnd.rejected_rate_limit]]


def test_even_arrivals_at_the_rate_of_the_bucket_all_pass() -> None:
    assert steady("10/s", "{rate: 10/s}", 300) == []


def test_of_even_arrivals_at_twice_the_rate_every_other_passes() -> None:
    assert steady("20/s", "{rate: 10/s}", 300) == list(range(1, 300, 2))


def test_a_burst_passes_before_even_arrivals_meet_the_rate() -> None:
    # Two tokens are spent for one that comes back: with b tokens calls 0 to 2 b - 2 pass, then every other one.
    assert steady("20/s", "{rate: 10/s, burst: 5}", 40) == list(range(9, 40, 2))


# The repairman: C. Palm (1947); Kleinrock 3.8. Machines work, break, and wait for one of some repairmen.


@sizes
@pytest.mark.parametrize(("repairmen", "machines"), [(1, 4), (2, 6)])
def test_machines_wait_for_repairmen_as_palm_says(size: tuple[int, int], repairmen: int, machines: int) -> None:
    text = f"""
seed: 1947
requests: {{arrivals: {{closed: {{think: {{exponential: {{mean: 250ms}}}}}}}}}}
clients: {{count: {machines}}}
action: {{service: db}}
services: {{db: {{servers: {repairmen}, {WORK}}}}}
"""
    (runs,) = observe(text, *size, (repairmen,))
    breaks = 4.0
    births = [(machines - number) * breaks for number in range(machines)]
    broken = mean_of(stationary(births, [MU * min(number, repairmen) for number in range(1, machines + 1)]))
    agree(runs, lambda run: run.mean_inside, broken)
    agree(runs, lambda run: run.mean_in_progress, breaks * (machines - broken) / MU)
    # A call finds the others as they are without it: S. S. Lavenberg and M. Reiser, Journal of Applied Probability 17.
    others = stationary(births[1:], [MU * min(number, repairmen) for number in range(1, machines)])
    waits = sum(share * max(0, number - repairmen + 1) / (repairmen * MU) for number, share in enumerate(others))
    agree(runs, lambda run: run.waits_s.mean(), waits)


# A tandem: the output of M/M/infinity is Poisson (N. M. Mirasol, Operations Research 11, 1963), so that the second
# service is M/M/1 although its calls come from another one, which waits for them.


@sizes
def test_a_service_called_by_a_service_waits_as_m_m_1(size: tuple[int, int]) -> None:
    text = f"""
seed: 1963
requests: {{arrivals: {{poisson: {{rate: 6/s}}}}}}
action: {{service: front}}
services:
  front: {{latency: {{exponential: {{mean: 200ms}}}}, calls: [{{service: db}}]}}
  db: {{servers: 1, {WORK}}}
"""
    front, back = observe(text, *size, (None, 1))
    agree(back, lambda run: run.waits_s.mean(), 0.6 / 4)
    agree(back, lambda run: (run.waits_s > 0).mean(), 0.6)
    agree(front, lambda run: run.sojourns_s.mean(), 0.2 + 1 / 4)
