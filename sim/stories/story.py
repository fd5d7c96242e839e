"""One request's story: what a person would tell of it, as records that lines and pictures are made from.

A history has an event for every step of the platform; a story has an entry for every step that matters to a
reader who asks what became of a request. `sim.stories.reader` makes one from the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from sim.history.vocabulary import PENDING

if TYPE_CHECKING:
    from sim.history.failure import Failure

LOOKED: Final = "looked"
ACTED: Final = "acted"
"""What a poll did that did not throw: nothing but look, or more."""


class Rank(IntEnum):
    """How long a story must be to do without an entry."""

    plain = 0
    """What every failed attempt has."""
    telling = 1
    notable = 2
    """Told in any story."""


@dataclass(slots=True)
class Entry:
    """One line of a story; `quiet` is what an uneventful poll saw, empty for everything else."""

    t_ns: int
    who: str
    text: str
    quiet: str = ""
    again: str = ""
    """What an uneventful poll says of the next."""
    starts: int = 0
    """The attempt that starts here, 0 for none."""
    looks: int = 0
    """How many polls this tells of."""
    rank: Rank = Rank.notable


@dataclass(slots=True)
class Job:
    """A scheduled function: when it was asked for, for when, and what became of it."""

    number: int
    name: str
    asked_ns: int
    due_ns: int
    state: str = PENDING
    ended_ns: int | None = None
    worked: bool = False
    """Whether it is an action."""


@dataclass(slots=True)
class Try:
    """One attempt. `decided_ns` to `due_ns` is the delay before it."""

    number: int
    outcome: str
    start_ns: int
    job: Job | None
    decided_ns: int
    due_ns: int
    end_ns: int | None = None
    how: str = ""
    failure: Failure | None = None
    """What the error that it threw says, if it says anything."""
    lost_ns: int | None = None
    given_up_ns: int | None = None
    """When a client stopped waiting for it."""
    service: str = ""
    """The service that it calls, if it calls one."""
    queued_ns: tuple[int, int | None] | None = None
    """From when to when it waited for a server there; None as an end: to the end of the history."""
    work_ns: tuple[int, int | None] | None = None
    """From when to when a server worked on it."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What an attempt did to the outside; `name` is applied, suppressed or the cause of a duplicate."""

    t_ns: int
    attempt: int
    name: str


@dataclass(frozen=True, slots=True)
class Poll:
    """One execution of a scheduled mutation that committed or threw; `how` is looked, acted or threw."""

    t_ns: int
    name: str
    how: str
    counts: bool = True
    """Whether it counts as a poll."""


@dataclass(slots=True)
class Story:
    """What became of one request; times are ns since the start of the simulation."""

    request: int
    retrier: str = ""
    submitted_ns: int = 0
    end_ns: int = 0
    """The last instant at which anything happened to the request."""
    entries: list[Entry] = field(default_factory=list)
    jobs: dict[int, Job] = field(default_factory=dict)
    tries: list[Try] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    polls: list[Poll] = field(default_factory=list)
    cancels: list[tuple[int, str]] = field(default_factory=list)
    restarts: list[tuple[int, int | None]] = field(default_factory=list)
    """From when to when the server was down; None if it is not back."""
    sleep: tuple[int, int] | None = None
    """The latest sleep of a client, from when to when."""
    decisions_ns: list[int] = field(default_factory=list)
    """When the retrier scheduled another attempt or settled."""
    settled: tuple[int, str] | None = None
    why: str = ""
    """Why a policy gives up, if one does."""
    refusals: list[tuple[int, str]] = field(default_factory=list)
    """When a gate of its client refused a call, and the gate."""
    runaway: str = ""
    conflicts: int = 0
    phase: str = ""
    """What the work of a pool does at the end; empty without a pool."""
    pool_is_shared: bool = False
    """Whether the loop of the pool serves other requests too, so that its polls are none of this one's."""

    @property
    def unfinished(self) -> list[Job]:
        """The jobs that are still pending or running at the end."""
        return [job for job in self.jobs.values() if job.ended_ns is None]
