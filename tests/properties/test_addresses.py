"""Every number that ports, platform and world draw for a request is its own, which no history can show."""

from functools import cache
from typing import Any

import pytest

from sim.clients.client import CallFailed
from sim.engine.world import World
from sim.kernel.choices import DelayOf, Law
from sim.kernel.draws import Draws
from sim.retriers.base import LoopRetrier
from sim.scenario.load import from_dict

Address = tuple[str, int, int, int]
NUMBER = 2
OUTSIDE = ("none", "jittered")
LATENCY = {"exponential": {"mean": "20ms"}}
WORLD_OF_CHANCE: dict[str, Any] = {
    "seed": 5,
    "requests": {"count": 3},
    "action": {
        "latency": LATENCY,
        "permanent_failure": 0.1,
        "outcomes": {
            "fail": {"share": 0.4, "final": 0.1, "retry_after": LATENCY},
            "crash_before_effect": 0.2,
            "crash_after_effect": 0.2,
            "lost_contact": 0.1,
        },
        "weather": [{"on_off": {"up": LATENCY, "down": LATENCY, "fail": 0.5}}],
    },
    "platform": {"mutation_latency": LATENCY, "dispatch_latency": LATENCY, "commit_window": LATENCY},
    "cancel": {"share": 0.5, "after": {"exponential": {"mean": "1h"}}},
}


class Noted(Draws):
    """Draws that note the addresses of all numbers."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.asked: list[Address] = []

    def uniform(self, stream: str, entity: int, index: int = 0, rerun: int = 0) -> float:
        self.asked.append((stream, entity, index, rerun))
        return super().uniform(stream, entity, index, rerun)

    def delays(self, law: Law, stream: str) -> DelayOf:
        delay_of = super().delays(law, stream)

        def delay(entity: int, index: int, rerun: int) -> int:
            self.asked.append((stream, entity, index, rerun))
            return delay_of(entity, index, rerun)

        return delay


class Jittered(LoopRetrier):
    """A loop that draws."""

    kind = "jittered"

    async def retry(self, call: Any, ctx: Any) -> Any:
        for failure in range(1, 9):
            try:
                return await call(timeout_ms=1000)
            except CallFailed:
                await ctx.sleep(10 * ctx.uniform("jitter", failure))
        raise CallFailed


@cache
def addresses(kind: str) -> list[list[Address]]:
    """Return the addresses from which one request draws, in the order of the draws, for each of some seeds."""
    own = Jittered() if kind == "jittered" else None
    written = {**WORLD_OF_CHANCE, "retrier": "none" if kind in OUTSIDE else kind}
    if kind in OUTSIDE:
        del written["platform"]
    cell = from_dict(written)
    asked = []
    for seed in range(12):
        choices = Noted(seed)
        World(cell, retrier=own, choices=choices).isolated([NUMBER])
        asked.append(choices.asked)
    return asked


KINDS = {
    "none": set[str](),
    "jittered": {"jitter"},
    "article": set[str](),
    "helpers": {"action_jitter", "poll_jitter"},
    "component": {"backoff", "heartbeat"},
    "component-repaired": {"backoff", "heartbeat"},
}
"""Each retrier, and the streams it draws from."""
OF_THE_WORLD = {"outcome", "latency", "death", "final", "retry_after", "permanent", "cancel_share", "cancel_after"}
OF_THE_PLATFORM = {"mutation_latency", "dispatch_latency", "commit_window"}


@pytest.mark.parametrize("kind", KINDS)
def test_each_number_is_drawn_once(kind: str) -> None:
    for asked in addresses(kind):
        # The path of the weather is drawn again from its start at every look.
        once = [address for address in asked if not address[0].startswith("weather")]
        assert len(set(once)) == len(once)


@pytest.mark.parametrize("kind", KINDS)
def test_every_address_has_the_number_of_its_request(kind: str) -> None:
    assert {entity for asked in addresses(kind) for _, entity, _, _ in asked} == {NUMBER}


@pytest.mark.parametrize("kind", KINDS)
def test_the_world_of_chance_draws_from_every_stream(kind: str) -> None:
    expected = KINDS[kind] | OF_THE_WORLD | (set() if kind in OUTSIDE else OF_THE_PLATFORM)
    assert expected - {stream for asked in addresses(kind) for stream, *_ in asked} == set()
