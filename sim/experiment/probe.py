"""The probe of the platform: two small worlds of its own that `check` and `explore` run beside the user's.

A user's retrier need not read ranges, let a sub-transaction throw, or run when the server dies; so what the platform
owes then would never be seen. The probe's requests do all of that within a few dozen requests (`sim.retriers.probe`),
and their histories and records are checked against all that the platform owes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sim.contracts.catalogue import PLATFORM, PROBED, View, check_view
from sim.engine.world import World
from sim.experiment.terms import terms_of
from sim.history.recorder import Recorder
from sim.history.request import table
from sim.kernel.errors import InternalError
from sim.promises.invariant import Violation
from sim.retriers.probe import Probe
from sim.scenario.load import from_dict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sim.history.recorder import History
    from sim.promises.invariant import Invariant

WORLDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "transactions": {
        "requests": {"count": 24, "arrivals": {"poisson": {"rate": "200/s"}}},
        "action": {"latency": {"uniform": {"low": "1ms", "high": "40ms"}}, "outcomes": {"fail": 0.2}},
        "platform": {
            "profile": "ideal",
            "mutation_latency": {"uniform": {"low": "0ms", "high": "4ms"}},
            "commit_window": {"uniform": {"low": "1ms", "high": "9ms"}},
            "occ_backoff": {"initial": "5ms", "max": "40ms"},
            "scheduled_occ_backoff": {"initial": "5ms", "max": "40ms"},
        },
    },
    "faults": {
        "requests": {"count": 10, "arrivals": {"constant": {"rate": "100/s"}}},
        "action": {
            "latency": {"uniform": {"low": "1ms", "high": "60ms"}},
            "effect_at": 0.5,
            "idempotency": {"window": "10ms"},
            "outcomes": {
                "fail": 0.1,
                "ack_lost": 0.1,
                "crash_before_effect": 0.1,
                "crash_after_effect": 0.1,
                "lost_contact": 0.2,
                "hang": 0.05,
            },
        },
        "platform": {
            "profile": "ideal",
            "parallelism": 4,
            "dispatch_latency": {"constant": "1ms"},
            "mutation_latency": {"constant": "2ms"},
            "commit_window": {"constant": "3ms"},
            "action_time_limit": "90ms",
            "crash_detection": "5ms",
            "retention": "60ms",
            "collection_batch": 3,
            "collection_pause": "6ms",
            "occ_reruns": 2,
            "occ_backoff": {"initial": "5ms", "max": "20ms"},
            "scheduled_occ_backoff": {"initial": "5ms", "max": "20ms"},
            "system_error_backoff": {"initial": "4ms", "max": "20ms"},
            "completion_backoff": {"initial": "4ms", "max": "20ms"},
        },
        "faults": [
            {"restart": {"at": ["70ms"], "down": "15ms"}},
            {"restart": {"at": ["130ms"], "down": "5ms", "inflight": "lost"}},
            {"system_error": {"share": 0.1}},
        ],
        "cancel": {"share": 0.3, "after": {"uniform": {"low": "5ms", "high": "60ms"}}, "target": "action"},
    },
}
"""The probe's worlds: one in which transactions meet, one in which everything strikes."""


STOPS: Final = "goes-on"
"""The name under which the probe reports a platform that contradicts itself, so that nothing more can be simulated."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What the probe found."""

    requests: int
    histories: int
    events: int
    violations: tuple[Violation, ...]
    """What the platform breaks, in the order of the worlds and the invariants."""
    broken_in: History | None = None
    """The history of the world with the first violation."""

    @property
    def holds(self) -> bool:
        """Whether the platform keeps all that it owes."""
        return not self.violations

    @property
    def broken(self) -> tuple[str, ...]:
        """The names of the invariants that are broken, each once."""
        return tuple(dict.fromkeys(violation.invariant for violation in self.violations))


def of_the_platform(invariants: Iterable[Invariant]) -> bool:
    """Tell whether these include all that the platform owes, so that its probe belongs to their check."""
    return set(PLATFORM) <= set(invariants)


@lru_cache(maxsize=4)  # a property test checks one scenario after another
def probe(seed: int = 0, invariants: tuple[Invariant, ...] = PROBED) -> Probed:
    """Run the probe's worlds with a seed, and check their histories. Same seed, same result."""
    count = events = 0
    violations: list[Violation] = []
    broken_in: History | None = None
    for name, options in WORLDS.items():
        cell = from_dict({"name": f"probe-{name}", "world": "shared", "retrier": "helpers", "seed": seed, **options})
        recorder = Recorder()
        world = World(cell, retrier=Probe(), recorder=recorder)
        requests, stopped = world.open(), ""
        try:
            world.go_on()
        except InternalError as error:  # the history up to here shows what led to it
            stopped = str(error)
        world.conclude(requests)
        history = recorder.history()
        found = check_view(View(history, terms_of(world, records=table(requests))), invariants)
        if stopped:
            found.append(Violation(STOPS, -1, f"the simulation cannot go on: {stopped}", ()))
        if found and broken_in is None:
            broken_in = history
        violations += found
        count += len(requests)
        events += len(history)
    return Probed(count, len(WORLDS), events, tuple(violations), broken_in)
