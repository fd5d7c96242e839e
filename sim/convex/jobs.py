"""Rows of `_scheduled_functions`, and the only steps their state can take.

    pending -> inProgress -> success | failed | canceled        (actions)
    pending -> success | failed | canceled                      (mutations: others never see inProgress)

A row is also the timer that makes it due: the clock holds the `Job` itself. Rows are versioned by the store like
documents are; what an older snapshot must still see is kept as a `JobVersion`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.history.vocabulary import CANCELED, FAILED, IN_PROGRESS, NEVER, PENDING, SUCCESS
from sim.kernel.errors import InternalError

if TYPE_CHECKING:
    from sim.convex.functions import Function
    from sim.history.request import Request


LEGAL: Final = frozenset(
    {
        ("mutation", PENDING, SUCCESS),
        ("mutation", PENDING, FAILED),
        ("mutation", PENDING, CANCELED),
        ("action", PENDING, IN_PROGRESS),
        ("action", PENDING, CANCELED),
        ("action", IN_PROGRESS, SUCCESS),
        ("action", IN_PROGRESS, FAILED),
        ("action", IN_PROGRESS, CANCELED),
    }
)


class IllegalStep(InternalError):
    """A job was asked to take a step that its state does not allow; nothing was changed."""


class JobVersion:
    """What a row looked like before its latest change."""

    __slots__ = ("args", "asked_ns", "commit_ts", "completed_ns", "due_ns", "function", "id", "previous", "state")

    def __init__(self, job: Job) -> None:
        self.id = job.id
        self.function = job.function
        self.args = job.args
        self.asked_ns = job.asked_ns
        self.due_ns = job.due_ns
        self.completed_ns = job.completed_ns
        self.state = job.state
        self.commit_ts = job.commit_ts
        self.previous = job.previous


class Job:
    """One scheduled function: `asked_ns` is the time its scheduling asked for, `due_ns` when it runs next."""

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
        self.state = PENDING
        self.system_errors = 0
        self.runs = 0
        """How often its mutation has run, commits or not: the index of the draws of a rerun."""
        self.commit_ts = 0
        self.previous: JobVersion | None = None
        self.callbacks: Any = None

    def check_step(self, state: str) -> None:
        """Raise `IllegalStep` unless the row may take the step to `state` from where it is."""
        if (self.function.kind, self.state, state) not in LEGAL:
            raise IllegalStep(f"job {self.id} ({self.function.name}) cannot go from {self.state} to {state}")
