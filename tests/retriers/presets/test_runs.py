"""Every preset is played by the engine in a world that rejects, throttles and fails."""

import pytest

from sim.api.run import run
from sim.retriers.presets import names
from sim.scenario.load import parse

WORLD = """
world: shared
until: 2h
requests: {count: 30, arrivals: {poisson: {rate: 5/s}}}
clients: {count: 3}
action: {service: api}
services:
  api:
    servers: 4
    queue: {limit: 2}
    network: {request: {constant: 5ms}, reply: {constant: 5ms}}
    latency: {exponential: {mean: 500ms}}
    outcomes: {fail: [{kind: throttled, share: 0.2, retry_after: {constant: 2s}}, {kind: broken, share: 0.3}]}
"""


@pytest.mark.parametrize("name", names())
def test_a_preset_is_played_to_the_end_of_its_requests(name: str) -> None:
    (cell,) = run(parse(f"retrier: {name}\n{WORLD}")).cells
    outcomes = cell.metrics.outcomes
    assert outcomes["success"] >= 10
    assert outcomes["stuck"] == 0
