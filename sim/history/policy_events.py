"""What a policy decides: one frozen class an event kind, as in `sim.history.events`.

An attempt that is a further copy of a try has a `CopySent` right before it; every other attempt of a policy begins a
try. A try that its own client refuses has no attempt, but a `TryRefused`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from sim.history.events import AttemptEvent, Event

AT_ANSWER: Final = "answer"
AT_START: Final = "start"
AT_COPY: Final = "copy"
AT_ANY_TIME: Final = "time"


@dataclass(frozen=True, slots=True)
class Decided(AttemptEvent):
    """A policy decides what follows from an answer; `attempt` is the one that gave it, or -1."""

    kind: ClassVar[str] = "decided"
    reason: str
    """`retry`, or why the request ends: a word of `sim.clients.policy.judging`; `copy` if only a copy is not sent."""
    n: int = 0
    """The number of the retry as its delay counts it, 1 first; 0 if it was not asked for one."""
    own_ns: int = -1
    """The policy's own delay, or -1: none was drawn."""
    hint_ns: int = -1
    """The wait that the answer asks for, if the policy hears it; or -1."""
    wait_ns: int = 0
    """The wait before the next try."""
    have: float = -1
    """What the budget had, in `unit`; -1 without one."""
    of: float = -1
    """How much it can have, or needs."""
    unit: str = ""
    answer: str = ""
    """The kind of the answer that it is about; empty if there is none."""
    moment: str = AT_ANSWER
    """`answer`: the try has failed. `start`: the next one would begin. `copy`: a copy would be sent. `time`: at any
    other time, as a limit on time is over."""


@dataclass(frozen=True, slots=True)
class TryRefused(Event):
    """A client's own gate lets no call be made."""

    kind: ClassVar[str] = "refused"
    gate: str
    """`breaker`, `bulkhead` or `rate_limit`; or `timeout` if that is over while it waits at one of them."""
    level: int
    """What it refuses: 0 the request, 1 a try, 2 a copy."""
    number: int = 0
    """Of a copy its number in its try, 1 first."""


@dataclass(frozen=True, slots=True)
class GateWaited(Event):
    """Something begins to wait at a gate of its client."""

    kind: ClassVar[str] = "gate_wait"
    level: int
    """What waits: as that of `TryRefused`."""
    gate: str
    wait_ns: int
    """For how long at most, or -1."""
    number: int = 0
    """As that of `TryRefused`."""


@dataclass(frozen=True, slots=True)
class CopySent(AttemptEvent):
    """The attempt that follows is a further copy of the present try."""

    kind: ClassVar[str] = "copy"
    number: int
    """Counts the copies of the try, the first call included: from 2."""


@dataclass(frozen=True, slots=True)
class DeliveredAgain(Event):
    """A try begins beside one that has not ended."""

    kind: ClassVar[str] = "redelivered"
    tries: int
    """Its number among the tries."""


@dataclass(frozen=True, slots=True)
class BreakerChanged(Event):
    """A breaker changes its state; `request` is -1 if it is not that of a request alone."""

    kind: ClassVar[str] = "breaker"
    state: str
    """`closed`, `open` or `half_open`."""
    policy: str
    """Whose it is, as in `sim.clients.cells.Address`."""
    part: str
    scope: str
    owner: str | int
    since_ns: int
    """Since when, which may be past: a change by time is noticed at the next step."""
