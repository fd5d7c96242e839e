"""The metrics of the traffic against closed forms of queues: M/M/c (Erlang's delay formula) and M/M/1/K (loss).

A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic telephone
exchanges", 1917; L. Kleinrock, "Queueing Systems", volume 1, Wiley 1975, sections 3.5 and 3.6. The intervals are those
that users see, 95 % over replications, after a warm-up.
"""

from math import factorial

import pytest

from sim.api.run import run
from sim.measure.metrics import CellMetrics
from sim.scenario.load import from_dict

pytestmark = pytest.mark.slow


def metrics(rate: str, servers: int, limit: int | str, seed: int) -> CellMetrics:
    scenario = from_dict(
        {
            "seed": seed,
            "world": "shared",
            "requests": {"count": 3000, "arrivals": {"poisson": {"rate": rate}}},
            "replications": 10,
            "until": "60s",
            "measure": {"from": "10s"},
            "action": {"service": "one"},
            "services": {
                "one": {
                    "servers": servers,
                    "latency": {"exponential": {"mean": "100ms"}},
                    "queue": {"limit": limit},
                }
            },
            "retrier": "none",
        }
    )
    return run(scenario).cells[0].metrics


def holds(found: CellMetrics, path: str, truth: float) -> bool:
    estimate = found.value(path)
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low <= truth <= estimate.high


def test_a_queue_with_several_servers_is_erlangs() -> None:
    found, servers, load = metrics("40/s", 5, "unlimited", 11), 5, 4.0
    rho = load / servers
    tail = load**servers / factorial(servers) / (1 - rho)
    waits = tail / (sum(load**one / factorial(one) for one in range(servers)) + tail)
    length = waits * rho / (1 - rho)
    truths = {
        "utilization.mean": rho,
        "queue.mean": length,
        "service.one.in_flight.mean": length + load,
        "queue_wait.mean": length / 40 * 1e9,
    }
    assert {path: holds(found, path, truth) for path, truth in truths.items()} == dict.fromkeys(truths, True)


def test_a_short_queue_loses_what_kleinrock_says() -> None:
    found, inside, rho = metrics("12/s", 1, 3, 12), 4, 1.2
    chances = [(1 - rho) * rho**one / (1 - rho ** (inside + 1)) for one in range(inside + 1)]
    truths = {
        "rejected.rate": chances[-1],
        "utilization.mean": 1 - chances[0],
        "service.one.in_flight.mean": sum(one * chance for one, chance in enumerate(chances)),
        "goodput.rate": 10 * (1 - chances[0]),
    }
    assert {path: holds(found, path, truth) for path, truth in truths.items()} == dict.fromkeys(truths, True)
