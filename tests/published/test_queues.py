"""A queue without retries and timeouts: the slots of a deployment are the servers of a textbook queue.

Poisson arrivals, exponential actions that never fail, a platform that takes no time: M/M/c, first come first served.
The closed forms: A. K. Erlang's delay formula, "Solution of some problems in the theory of probabilities of
significance in automatic telephone exchanges", 1917; for one server the waiting time is 0 with 1 - rho, else
exponential with mean 1 / (mu - lambda). An effect at the start of its attempt makes `first_effect` the moment of
service.

Waiting times of one replication depend on each other, so the intervals are Student's over replications, 99.9 %.
"""

from heapq import heapreplace
from math import exp, factorial, sqrt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import stdtrit

from sim.api.run import run
from sim.engine.event import simulate
from sim.history.records import Requests
from sim.history.vocabulary import Outcome
from sim.kernel.draws import Draws
from sim.laws.distributions import exponential_ns
from sim.scenario.load import parse
from sim.scenario.schema import Scenario

MS = 1_000_000
SECOND = 1_000 * MS


def queue(
    *,
    servers: int,
    rate: float,
    mean: str,
    count: int,
    replications: int = 1,
    cut: str = "0s",
    retrier: str = "component",
) -> Scenario:
    return parse(
        f"""
        world: shared
        seed: 40
        requests: {{count: {count}, arrivals: {{poisson: {{rate: {rate}/s}}}}}}
        replications: {replications}
        measure: {{from: {cut}}}
        platform: {{profile: ideal, parallelism: {servers}}}
        action: {{latency: {{exponential: {{mean: {mean}}}}}, effect_at: 0}}
        retrier: {retrier}
        """
    )


def waits_ns(requests: Requests) -> NDArray[np.int64]:
    return requests.first_effect_ns - requests.submitted_ns


def erlang_c(servers: int, load: float) -> float:
    """The share of arrivals that wait, `load` in Erlang."""
    full = load**servers / factorial(servers) * servers / (servers - load)
    return full / (full + sum(load**busy / factorial(busy) for busy in range(servers)))


def holds(values: list[float], expected: float) -> bool:
    """Whether the t-interval of independent replications holds a number."""
    half = float(stdtrit(len(values) - 1, 0.9995)) * float(np.std(values, ddof=1)) / sqrt(len(values))
    return abs(float(np.mean(values)) - expected) <= half


def by_replication(requests: Requests, values: NDArray[Any]) -> list[float]:
    """The mean of values in each replication."""
    return [float(values[requests.replication == number].mean()) for number in np.unique(requests.replication)]


def test_erlang_c_of_one_server_is_its_load() -> None:
    assert erlang_c(1, 0.7) == pytest.approx(0.7)
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)


@pytest.mark.parametrize("retrier", ["component", "article"])
@pytest.mark.parametrize(("servers", "rate", "mean"), [(1, 9.3, "100ms"), (3, 2.5, "1s"), (8, 7.5, "1s")])
def test_every_attempt_starts_as_in_a_first_come_first_served_queue(
    retrier: str, servers: int, rate: float, mean: str
) -> None:
    # Polls share the slots and the line; if the platform takes no time they delay no request.
    requests = simulate(queue(servers=servers, rate=rate, mean=mean, count=2500, retrier=retrier))
    service_ns = requests.last_attempt_end_ns - requests.first_effect_ns
    free_ns = [0] * servers
    expected = []
    for arrived_ns, takes_ns in zip(requests.submitted_ns.tolist(), service_ns.tolist(), strict=True):
        start_ns = max(arrived_ns, free_ns[0])
        heapreplace(free_ns, start_ns + takes_ns)
        expected.append(start_ns)
    assert requests.first_effect_ns.tolist() == expected
    assert requests.outcome.tolist() == [Outcome.success] * 2500
    assert (waits_ns(requests) > 0).sum() > 500


def test_eight_slots_wait_as_erlang_c_says() -> None:
    rate, servers, load = 6.0, 8, 6.0
    result = run(queue(servers=servers, rate=rate, mean="1s", count=1200, replications=14, cut="30s"))
    requests, metrics = result.requests(), result.cells[0].metrics
    wait_ns = waits_ns(requests)
    mean_s = erlang_c(servers, load) / (servers - load)
    assert holds([value / SECOND for value in metrics.replication_values("time_to_effect.mean")], mean_s)
    assert holds(by_replication(requests, wait_ns > 0), erlang_c(servers, load))


@pytest.fixture(scope="module")
def one_slot() -> Requests:
    """Replications of M/M/1 at 6/s and 10/s, from their empty start."""
    return run(queue(servers=1, rate=6.0, mean="100ms", count=1200, replications=14)).requests()


def test_one_slot_waits_as_the_textbook_says(one_slot: Requests) -> None:
    rho, gap = 0.6, 10.0 - 6.0
    requests = one_slot.select(one_slot.submitted_ns >= 10 * SECOND)
    wait_s = waits_ns(requests) / SECOND
    assert holds(by_replication(requests, wait_s), rho / gap)
    assert holds(by_replication(requests, wait_s > 0), rho)
    assert holds(by_replication(requests, wait_s > 1 / gap), rho * exp(-1))
    # With its service a request takes an exponential time, mean 1 / (mu - lambda).
    known_s = (requests.settled_ns - requests.submitted_ns) / SECOND
    assert holds(by_replication(requests, known_s), 1 / gap)
    assert holds(by_replication(requests, known_s > 2 / gap), exp(-2))


def test_an_arrival_finds_a_geometric_number_in_the_system(one_slot: Requests) -> None:
    rho, found = 0.6, []
    for replication in range(14):
        part = one_slot.select(one_slot.replication == replication)
        present = part.number - np.searchsorted(part.settled_ns, part.submitted_ns, side="right")
        found.append(present[part.submitted_ns >= 10 * SECOND])
    assert holds([float(present.mean()) for present in found], rho / (1 - rho))
    assert holds([float((present == 0).mean()) for present in found], 1 - rho)
    assert holds([float((present >= 3).mean()) for present in found], rho**3)


def test_the_numbers_of_p5_settle_where_the_textbook_says() -> None:
    # Near saturation one needs more requests than a test can simulate; Lindley's recurrence, to which the engine is
    # held above, takes its arrivals and services from the same draws.
    arrivals, services, count = 9.3, 10.0, 200_000
    means_s, late = [], []
    for replication in range(12):
        draws = Draws(40, replication)
        numbers = np.arange(count)
        gaps_ns = exponential_ns(draws.uniforms("arrival", numbers), SECOND / arrivals)
        service_ns = exponential_ns(draws.uniforms("latency", numbers, 1), SECOND / services)
        steps = np.concatenate([[0.0], np.cumsum(service_ns[:-1] - gaps_ns[1:])])
        waits_s = (steps - np.minimum.accumulate(steps))[10_000:] / SECOND
        means_s.append(float(waits_s.mean()))
        late.append(float((waits_s > 4).mean()))
    rho, gap = arrivals / services, services - arrivals
    assert holds(means_s, rho / gap)
    assert holds(late, rho * exp(-4 * gap))


def test_lindley_on_the_draws_is_what_the_engine_does() -> None:
    count = 3000
    requests = simulate(queue(servers=1, rate=9.3, mean="100ms", count=count))
    draws, numbers = Draws(40, 0), np.arange(count)
    gaps_ns = np.rint(exponential_ns(draws.uniforms("arrival", numbers), SECOND / 9.3))
    service_ns = np.rint(exponential_ns(draws.uniforms("latency", numbers, 1), SECOND / 10))
    steps = np.concatenate([[0.0], np.cumsum(service_ns[:-1] - gaps_ns[1:])])
    assert waits_ns(requests).tolist() == (steps - np.minimum.accumulate(steps)).astype(np.int64).tolist()
