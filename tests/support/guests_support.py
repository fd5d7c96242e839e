"""Runs a guest in a small world, and returns what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from sim.engine.world import World
from sim.guests import guest_of
from sim.history.recorder import Recorder
from sim.history.request import table
from sim.history.vocabulary import Outcome
from sim.scenario.load import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.history.records import Requests

MS = 10**6
S = 10**9


class Ran(NamedTuple):
    """What became of the requests of a guest."""

    requests: Requests
    raw: list[Any]
    """The events of their history, as they were recorded."""

    @property
    def outcomes(self) -> list[str]:
        """The outcome of each request."""
        return [Outcome(one).name for one in self.requests.outcome]

    def seen(self, *kinds: str, request: int = 0) -> list[tuple[Any, ...]]:
        """Return instant, kind and name of the events of one request that are of some kinds."""
        return [(one[0], one[1], one[4]) for one in self.raw if one[2] == request and one[1] in kinds]

    def ends(self) -> list[int]:
        """Return when each request settled, in ns."""
        return [int(one) for one in self.requests.settled_ns]


def world(
    guest: Any,
    *,
    count: int = 1,
    latency: Any = "100ms",
    outcomes: dict[str, float] | None = None,
    shared: bool = False,
    arrivals: Any = None,
    recorder: Recorder | None = None,
    **more: Any,
) -> World:
    """Compose a world; in a shared one all requests come at once unless `arrivals` says otherwise."""
    text: dict[str, Any] = {
        "seed": 3,
        "requests": {"count": count, **({"arrivals": arrivals or "at_once"} if shared else {})},
        "action": {"outcomes": outcomes or {}, "latency": latency},
        "retrier": "none",
        "world": "shared" if shared else "isolated",
        **more,
    }
    guest.keeps_nothing = True  # the lists that tests let it write to are not to be copied
    made = guest if isinstance(guest, type) else guest_of(guest)
    return World(parse(yaml.safe_dump(text)), retrier=made, recorder=recorder)


def run(guest: Callable[[Any], Any] | type, *, shared: bool = False, count: int = 1, **more: Any) -> Ran:
    """Let a guest serve some requests."""
    recorder = Recorder()
    composed = world(guest, shared=shared, count=count, recorder=recorder, **more)
    requests = composed.shared() if shared else composed.isolated(range(count))
    return Ran(table(requests), recorder.raw)
