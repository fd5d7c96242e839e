"""What an indexed history is made of: requests with their attempts, jobs with their steps, commits.

A place is a position in the history. An event that did not happen has the place `NOT_YET`, behind all others, so
"before" is one comparison. An entity holds the events that it is made of, each with its place (`..._at`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeVar

from sim.history.vocabulary import AT_SERVICE, CANCELED, CUT, THREW
from sim.kernel.durations import format_duration

if TYPE_CHECKING:
    from sim.history.deployment_events import (
        FunctionThrew,
        JobCreated,
        JobStepped,
        MutationCommitted,
        SystemErrorStruck,
    )
    from sim.history.events import (
        AttemptEnded,
        AttemptStarted,
        CallbackRan,
        CallbackThrew,
        CallGivenUp,
        CancelAnswered,
        CancelAsked,
        ContactLost,
        EffectMade,
        Event,
        GuestWoken,
        RanAway,
        Resubmitted,
        Settled,
        SettledAgain,
        SleepStarted,
        Submitted,
    )
    from sim.history.failure import Failure
    from sim.history.service_events import (
        CallArrived,
        CallCanceled,
        CallDropped,
        CallQueued,
        CallRejected,
        CallSent,
        CancelHeard,
        LayerAnswered,
        LayerEffect,
        RowRead,
        RowWritten,
        WorkEnded,
        WorkStarted,
    )
    from sim.history.vocabulary import AttemptOutcome, JobState

NOT_YET: Final = 1 << 62
"""The place of an event that did not happen."""

E = TypeVar("E", bound="Event")
Place = tuple[int, E]
"""A place in the history, and the event there."""


class Attempt:
    """One start of the user's action, and what became of it."""

    __slots__ = (
        "at",
        "by_key",
        "call",
        "does_own_work",
        "effect_ns",
        "effects",
        "end",
        "end_at",
        "given_up",
        "given_up_at",
        "how",
        "job",
        "latency_ns",
        "lost",
        "lost_at",
        "number",
        "outcome",
        "request",
        "start",
    )

    def __init__(self, request: Request, at: int, start: AttemptStarted) -> None:
        self.request = request
        self.at = at
        self.start = start
        self.number = start.attempt
        self.outcome: AttemptOutcome | Literal["at_service"] = start.outcome
        """What the world had in store for it."""
        self.does_own_work = False
        """Whether a service of the user's own works on it: its outcome and effect are then known as they come."""
        self.job = start.job
        """The number of the job that runs it, or -1 for a client outside."""
        self.effect_ns = start.effect_ns
        self.latency_ns = start.latency_ns
        self.by_key = ""
        """By which rule of its idempotency key it goes as it does (`DecidedByKey`), empty if by none."""
        self.end: AttemptEnded | None = None
        self.end_at = NOT_YET
        self.how = ""
        """How it ended (`End`), empty if it has not."""
        self.lost: ContactLost | None = None
        self.lost_at = NOT_YET
        self.given_up: CallGivenUp | None = None
        self.given_up_at = NOT_YET
        self.effects: list[Place[EffectMade]] = []
        self.call: Call | None = None
        """The call that it is, if it is one at a service."""

    @property
    def is_at_service(self) -> bool:
        """Whether a service has it: what it has in store shows only when the service works on its call."""
        return self.start.outcome == AT_SERVICE

    @property
    def failure(self) -> Failure | None:
        """What the error says that it threw, if that says anything."""
        return self.end.failure if self.end is not None and self.how == THREW else None

    def over_by(self, at: int) -> bool:
        """Tell whether by this place it had ended, was out of sight, or had been given up."""
        return self.end_at < at or self.lost_at < at or self.given_up_at < at


class Call:
    """One call at a service, and what became of it; events that did not happen are None."""

    __slots__ = (
        "answered",
        "arrived",
        "arrived_at",
        "at",
        "attempt",
        "cancel_heard",
        "cancel_heard_at",
        "canceled",
        "dropped",
        "effects",
        "id",
        "layers",
        "out_at",
        "queued",
        "queued_at",
        "read",
        "rejected",
        "request",
        "row",
        "sent",
        "service",
        "work",
        "work_at",
        "work_end",
        "work_end_at",
        "written",
        "written_at",
    )

    def __init__(self, request: Request, at: int, sent: CallSent) -> None:
        self.request = request
        self.at = at
        self.sent = sent
        self.id = sent.call
        self.service = sent.service
        self.attempt: Attempt | None = None
        """The attempt that it is; None for a call that a service makes."""
        self.arrived: CallArrived | None = None
        self.arrived_at = NOT_YET
        self.queued: CallQueued | None = None
        self.queued_at = NOT_YET
        self.rejected: CallRejected | None = None
        self.dropped: CallDropped | None = None
        self.canceled: CallCanceled | None = None
        """Its caller lets the service know that it needs no answer."""
        self.cancel_heard: CancelHeard | None = None
        self.cancel_heard_at = NOT_YET
        self.out_at = NOT_YET
        """The place at which it was rejected or dropped."""
        self.work: WorkStarted | None = None
        self.work_at = NOT_YET
        self.work_end: WorkEnded | None = None
        self.work_end_at = NOT_YET
        self.effects: list[Place[LayerEffect]] = []
        """Of a call that a service makes; the effects of an attempt are its own."""
        self.layers: list[Call] = []
        """Calls of other services that are made in its work, in their order."""
        self.read: RowRead | None = None
        """At a versioned row: what it has read."""
        self.written: RowWritten | None = None
        """At a versioned row: the write, which may come too late to count."""
        self.written_at = NOT_YET
        self.row: list[Place[RowRead | RowWritten]] = []
        """Both of them."""
        self.answered: LayerAnswered | None = None
        """The answer to a call that a service made."""

    @property
    def left_ns(self) -> int | None:
        """The instant at which the service was done with it; None if it is not."""
        ends = (self.rejected, self.dropped, self.work_end, self.written)
        return min((end.t_ns for end in ends if end is not None), default=None)

    @property
    def stopped(self) -> CancelHeard | None:
        """The word of its caller that has stopped it; None if it came too late, or not at all."""
        ends = (self.rejected, self.work_end, self.written)
        heard = self.cancel_heard
        if heard is None or any(end is not None and end.t_ns < heard.t_ns for end in ends):
            return None
        done = self.written is not None or self.rejected is not None
        return None if done or (self.work_end is not None and self.work_end.end != CUT) else heard

    def __str__(self) -> str:
        return f"call {self.id} of {self.request} at {self.service}"


class Step:
    """One change of a job's state; `by` is the mutation that made it, None for a step of the platform's own."""

    __slots__ = ("after", "at", "before", "by", "event")

    def __init__(self, at: int, event: JobStepped) -> None:
        self.at = at
        self.event = event
        self.before: JobState = event.before
        self.after: JobState = event.after
        self.by: Commit | None = None


class Job:
    """One scheduled function; `by` is the mutation that created it."""

    __slots__ = (
        "asked_ns",
        "at",
        "attempts",
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

    def __init__(self, request: Request, at: int, created: JobCreated) -> None:
        self.request = request
        self.at = at
        self.created = created
        self.id = created.job
        self.name = created.function
        self.asked_ns = created.due_ns
        self.born: JobState = created.state
        self.state: JobState = created.state
        """The state after all steps."""
        self.by: Commit | None = None
        self.steps: list[Step] = []
        self.started: JobStepped | None = None
        """The first step to inProgress."""
        self.started_at = NOT_YET
        self.end: JobStepped | None = None
        """The first step to a last state."""
        self.end_at = at if self.state == CANCELED else NOT_YET
        self.commits: list[Place[MutationCommitted]] = []
        """Commits of the mutation that this job runs."""
        self.threw: list[Place[FunctionThrew]] = []
        self.errors: list[Place[SystemErrorStruck]] = []
        """System errors that struck it."""
        self.attempts: list[Attempt] = []
        """The attempts that it runs, which may be of several requests."""

    @property
    def ended_ns(self) -> int | None:
        """The instant of its end; a job that is born canceled ends as it is created. None if it has not ended."""
        if self.end is not None:
            return self.end.t_ns
        return self.created.t_ns if self.end_at == self.at else None

    @property
    def began_ns(self) -> int | None:
        """The instant at which it began to run: an action's start, a mutation's snapshot. None if it never ran."""
        if self.started is not None:
            return self.started.t_ns
        return self.commits[0][1].begin_ns if self.commits else None

    def __str__(self) -> str:
        return f"job {self.id} ({self.name})"


class Commit:
    """One committed mutation, and the jobs it created."""

    __slots__ = ("at", "created", "event")

    def __init__(self, at: int, event: MutationCommitted) -> None:
        self.at = at
        self.event = event
        self.created: list[Job] = []


class Request:
    """Everything about one request."""

    __slots__ = (
        "answers",
        "attempts",
        "callbacks",
        "callbacks_lost",
        "calls",
        "cancel_commits",
        "cancels",
        "cuts",
        "effects",
        "jobs",
        "number",
        "outcome",
        "resettled",
        "resubmits",
        "runaway",
        "runaway_at",
        "settled",
        "settled_at",
        "sleeps",
        "submit",
        "wakes",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.submit: Submitted | None = None
        self.resubmits: list[Place[Resubmitted]] = []
        """Further submissions by its caller."""
        self.attempts: list[Attempt] = []
        self.calls: list[Call] = []
        """Its calls at services, those of layers included."""
        self.jobs: list[Job] = []
        self.effects: list[tuple[int, EffectMade, Attempt]] = []
        """(place, event, attempt)."""
        self.sleeps: list[Place[SleepStarted]] = []
        self.wakes: list[Place[GuestWoken]] = []
        """What else lets guest code go on: timers, locks, and sleeps that are cut."""
        self.cuts: dict[int, Place[GuestWoken]] = {}
        """By the place of a sleep: where it is cut."""
        self.settled: Settled | None = None
        """The conclusion that counts: of a request that is submitted again the last."""
        self.settled_at = NOT_YET
        self.outcome = ""
        """The name of the `Outcome` it settled as, empty if it has not."""
        self.resettled: list[Settled | SettledAgain] = []
        self.callbacks: list[CallbackRan] = []
        self.callbacks_lost: list[CallbackThrew] = []
        self.cancels: list[Place[CancelAsked]] = []
        """Cancels of any target."""
        self.cancel_commits: list[Commit] = []
        self.answers: list[Place[CancelAnswered]] = []
        self.runaway: RanAway | None = None
        self.runaway_at = NOT_YET

    def slept_until_ns(self, at: int, sleep: SleepStarted) -> int:
        """Return the instant at which the sleep at a place ends: in its time, or where it is cut."""
        cut = self.cuts.get(at)
        return sleep.t_ns + sleep.duration_ns if cut is None else cut[1].t_ns

    @property
    def submitted_ns(self) -> int:
        """The instant at which it was asked for."""
        return 0 if self.submit is None else self.submit.t_ns

    def __str__(self) -> str:
        return f"request {self.number}"


def when(event: Event | None) -> str:
    """Say the instant of an event, nothing for None."""
    return "" if event is None else f"at {format_duration(event.t_ns)}"
