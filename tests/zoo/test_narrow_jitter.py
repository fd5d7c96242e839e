"""Jitter narrower than its law: no history breaks anything, and over many of them an end is never seen."""

from typing import Any

import pytest

from sim.retriers.ports.component import Component
from sim.retriers.ports.helpers import Helpers
from sim.testing.strategies import scenarios

WORLDS: dict[str, tuple[type, Any]] = {
    "helpers": (Helpers, scenarios("helpers", always=("fail",))),
    "component": (Component, scenarios("component", always=("fail", "hang", "latency"))),
}
JITTERED = 'jitter(args["retryBackoff"], ctx.uniform("action_jitter", args["failure"]))'
UNIFORM = 'ctx.uniform("action_jitter", args["failure"])'
BEAT = 'jitter(HEARTBEAT_INTERVAL_MS, ctx.uniform("heartbeat", args["scheduled"]))'
NARROW: dict[str, tuple[str, tuple[str, str], set[str]]] = {
    # name: (the retrier, the change, what is never seen)
    "helpers: no jitter": (
        "helpers",
        (JITTERED, 'args["retryBackoff"]'),
        {"delays-reach-low", "delays-reach-high"},
    ),
    "helpers: half of the jitter": (
        "helpers",
        (JITTERED, JITTERED.replace(UNIFORM, f"0.5 * {UNIFORM}")),
        {"delays-reach-high"},
    ),
    "component: heartbeats without jitter": (
        "component",
        (BEAT, "HEARTBEAT_INTERVAL_MS"),
        {"polls-reach-low", "polls-reach-high"},
    ),
}


@pytest.mark.parametrize("name", WORLDS)
def test_the_jitter_of_the_original_goes_all_the_way(zoo: Any, name: str) -> None:
    retrier, worlds = WORLDS[name]
    assert zoo.unseen(worlds, retrier) == set()


@pytest.mark.parametrize("name", NARROW)
def test_jitter_narrower_than_its_law_never_comes_near_an_end(zoo: Any, name: str) -> None:
    kind, change, expected = NARROW[name]
    retrier, worlds = WORLDS[kind]
    assert zoo.unseen(worlds, zoo.mutated(retrier, change)) == expected
