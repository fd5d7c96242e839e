"""Policies that people run, in a world that has all that they decide about: both engines leave the same records."""

from __future__ import annotations

import pytest
from equal_tables import assert_same

from sim.engine import tables
from sim.retriers.presets import names
from sim.scenario.load import parse

WORLD = """
world: shared
until: 20s
requests: {{count: 25, arrivals: {{poisson: {{rate: 5/s}}}}}}
clients: {{count: 3}}
action: {{service: db}}
services:
  db:
    servers: 2
    latency: {{exponential: {{mean: 300ms}}}}
    outcomes:
      fail:
        - {{kind: throttled, share: 0.4, retry_after: {{exponential: {{mean: 400ms}}}}}}
        - {{kind: bad, share: 0.2, final: 0.1}}
      ack_lost: 0.1
retrier: {{kind: policy, preset: {name}}}
"""
PLAYED = [name for name in names() if tables.refusal(parse(WORLD.format(name=name))) is None]


def test_most_presets_can_be_played() -> None:
    assert len(PLAYED) > len(names()) / 2


@pytest.mark.parametrize("name", PLAYED)
def test_a_preset_plays_the_same(name: str) -> None:
    requests, _ = assert_same(parse(WORLD.format(name=name)))
    assert len(requests) == 25
