"""What an indexed history is made of: requests with their attempts, jobs with their steps, commits.

Where a thing stands is its position in the history; the position of what did not happen is `NOT_YET`, behind all
others, so that "before" is one comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sim.history.vocabulary import (
    CANCELED,
    THREW,
)
from sim.kernel.durations import format_duration

if TYPE_CHECKING:
    from sim.history.events import Committed, Event, Failure

NOT_YET: Final = 1 << 62
"""The position of what the history does not have."""
GAVE_UP: Final = "gave_up"

Place = tuple[int, "Event"]
"""A position in the history, and the event there."""


class Attempt:
    """One start of the user's action, and what became of it."""

    __slots__ = (
        "at",
        "effect_ns",
        "effects",
        "end",
        "end_at",
        "how",
        "job",
        "latency_ns",
        "lost",
        "lost_at",
        "number",
        "request",
        "start",
        "timed_out",
        "timed_out_at",
    )

    def __init__(self, request: Request, at: int, start: Event) -> None:
        self.request = request
        self.at = at
        self.start = start
        self.number = start.subject
        self.job, self.effect_ns, self.latency_ns = start.detail
        self.end: Event | None = None
        self.end_at = NOT_YET
        self.how = ""
        self.lost: Event | None = None
        self.lost_at = NOT_YET
        self.timed_out: Event | None = None
        self.timed_out_at = NOT_YET
        self.effects: list[Place] = []

    @property
    def outcome(self) -> str:
        """What the world had in store for it."""
        return self.start.name

    @property
    def failure(self) -> Failure | None:
        """What the error says that it threw, where that says anything."""
        return self.end.detail if self.end is not None and self.how == THREW else None

    def over_by(self, at: int) -> bool:
        """Tell whether by this position it had ended, or whoever waited for it had given it up."""
        return self.end_at < at or self.lost_at < at or self.timed_out_at < at


class Step:
    """One change of a job's state; `by` is the mutation that made it, None for a step of the platform's own."""

    __slots__ = ("after", "at", "before", "by", "event")

    def __init__(self, at: int, event: Event) -> None:
        self.at = at
        self.event = event
        self.before, self.after = event.detail
        self.by: Commit | None = None


class Job:
    """One scheduled function; `by` is the mutation that created it."""

    __slots__ = (
        "asked_ns",
        "at",
        "born",
        "by",
        "commits",
        "created",
        "end",
        "end_at",
        "errors",
        "id",
        "name",
        "request",
        "started",
        "started_at",
        "state",
        "steps",
        "threw",
    )

    def __init__(self, request: Request, at: int, created: Event) -> None:
        self.request = request
        self.at = at
        self.created = created
        self.id = created.subject
        self.name = created.name
        self.asked_ns, self.state = created.detail
        self.born = self.state
        self.by: Commit | None = None
        self.steps: list[Step] = []
        self.started: Event | None = None
        """The first step to inProgress."""
        self.started_at = NOT_YET
        self.end: Event | None = None
        """The first step to a last state."""
        self.end_at = at if self.state == CANCELED else NOT_YET
        self.commits: list[Place] = []
        """Commits of the mutation that this job runs."""
        self.threw: list[Place] = []
        self.errors: list[Place] = []
        """System errors that struck it."""

    def __str__(self) -> str:
        return f"job {self.id} ({self.name})"


class Commit:
    """One committed mutation, and the jobs it created."""

    __slots__ = ("at", "created", "detail", "event")

    def __init__(self, at: int, event: Event) -> None:
        self.at = at
        self.event = event
        self.detail: Committed = event.detail
        self.created: list[Job] = []


class Request:
    """Everything about one request."""

    __slots__ = (
        "answers",
        "attempts",
        "callbacks",
        "callbacks_lost",
        "cancel_commits",
        "cancels",
        "effects",
        "jobs",
        "number",
        "outcome",
        "resettled",
        "runaway",
        "settled",
        "settled_at",
        "sleeps",
        "submit",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.submit: Event | None = None
        self.attempts: list[Attempt] = []
        self.jobs: list[Job] = []
        self.effects: list[tuple[int, Event, Attempt]] = []
        self.sleeps: list[Place] = []
        self.settled: Event | None = None
        self.settled_at = NOT_YET
        self.outcome = ""
        """What it settled as, empty where it has not."""
        self.resettled: list[Event] = []
        self.callbacks: list[Event] = []
        self.callbacks_lost: list[Event] = []
        self.cancels: list[Place] = []
        """Whoever canceled it, whatever the target."""
        self.cancel_commits: list[Commit] = []
        self.answers: list[Place] = []
        self.runaway: Event | None = None

    @property
    def submitted_ns(self) -> int:
        """The instant at which it was asked for."""
        return 0 if self.submit is None else self.submit.t_ns

    def __str__(self) -> str:
        return f"request {self.number}"


def when(event: Event | None) -> str:
    """Say the instant of an event, nothing where there is none."""
    return "" if event is None else f"at {format_duration(event.t_ns)}"
