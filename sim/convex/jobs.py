"""Rows of `_scheduled_functions`, and the only steps their state can take.

    pending -> inProgress -> success | failed | canceled        (actions)
    pending -> canceled                                         (actions)
    pending -> success | failed | canceled                      (mutations: no one else sees them inProgress)

A row is also the timer that makes it due: the clock holds the `Job` itself. The store versions rows as it versions
documents: a `JobVersion` is what an older snapshot must still see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.convex.functions import ACTION, MUTATION
from sim.history.vocabulary import CANCELED, FAILED, IN_PROGRESS, NEVER, PENDING, SUCCESS
from sim.kernel.errors import InternalError

if TYPE_CHECKING:
    from sim.convex.functions import Function
    from sim.history.request import Request
    from sim.history.vocabulary import JobState


LEGAL: Final = frozenset(
    {
        (MUTATION, PENDING, SUCCESS),
        (MUTATION, PENDING, FAILED),
        (MUTATION, PENDING, CANCELED),
        (ACTION, PENDING, IN_PROGRESS),
        (ACTION, PENDING, CANCELED),
        (ACTION, IN_PROGRESS, SUCCESS),
        (ACTION, IN_PROGRESS, FAILED),
        (ACTION, IN_PROGRESS, CANCELED),
    }
)


class IllegalStep(InternalError):
    """A job's state does not allow this step; nothing was changed."""


class JobVersion:
    """A row as it was before a later change."""

    __slots__ = (
        "args",
        "asked_ns",
        "commit_ts",
        "completed_ns",
        "due_ns",
        "function",
        "id",
        "previous",
        "request",
        "state",
    )

    def __init__(self, job: Job | JobVersion) -> None:
        self.id: int = job.id
        self.function: Function = job.function
        self.args: Any = job.args
        self.request: Request = job.request
        self.asked_ns: int = job.asked_ns
        self.due_ns: int = job.due_ns
        self.completed_ns: int = job.completed_ns
        self.state: JobState = job.state
        self.commit_ts: int = job.commit_ts
        self.previous: JobVersion | None = job.previous


class Job:
    """One scheduled function: it was asked to run at `asked_ns`, and runs next at `due_ns`."""

    __slots__ = (
        "args",
        "asked_ns",
        "callbacks",
        "commit_ts",
        "completed_ns",
        "due_ns",
        "function",
        "id",
        "previous",
        "request",
        "runs",
        "state",
        "system_errors",
    )
    _ok = True

    def __init__(self, number: int, function: Function, args: Any, request: Request, asked_ns: int) -> None:
        self.id = number
        self.function = function
        self.args = args
        self.request = request
        self.asked_ns = self.due_ns = asked_ns
        self.completed_ns = NEVER
        self.state: JobState = PENDING
        self.system_errors = 0
        self.runs = 0
        """How often its mutation has run, with or without a commit: the index of the draws of a rerun."""
        self.commit_ts = 0
        self.previous: JobVersion | None = None
        self.callbacks: Any = None

    def check_step(self, state: JobState) -> None:
        """Raise `IllegalStep` unless the row may go from its state to `state`."""
        if (self.function.kind, self.state, state) not in LEGAL:
            raise IllegalStep(f"job {self.id} ({self.function.name}) cannot go from {self.state} to {state}")
