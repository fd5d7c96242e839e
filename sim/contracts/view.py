"""A history, indexed in one pass: requests with their attempts, jobs with their steps, commits with what they created.

Invariants look things up here instead of searching the events, so that many of them cost little more than one.
"""

from __future__ import annotations

from bisect import bisect
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from sim.contracts.terms import Terms
from sim.history.entities import NOT_YET, Attempt, Commit, Job, Request, Step
from sim.history.vocabulary import ANSWERED, CANCEL, IN_PROGRESS, PENDING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sim.history.entities import Place
    from sim.history.events import Event, History

_place = itemgetter(0)


class View:
    """A history with its terms, indexed; what an invariant is a function of."""

    def __init__(self, history: History, terms: Terms | None = None) -> None:
        self.history = history
        self.terms = Terms() if terms is None else terms
        self.events = events = history.events
        self.requests: dict[int, Request] = {}
        self.jobs: dict[int, Job] = {}
        self.commits: list[Commit] = []
        self.restarts: list[Place] = []
        self.boots: list[Place] = []
        self.draws: list[Place] = []
        self.conflicts: list[Place] = []
        self.ledger: list[Place] = []
        """What changes the store: jobs, their steps, writes, commits, collections."""
        self.backwards: list[int] = []
        """Positions at which the clock went back."""
        self.strays: list[Place] = []
        """Ends, losses and effects of attempts that were never started."""
        self.strangers: list[Place] = []
        """Steps and commits of jobs that were never created."""
        takers: Mapping[str, Callable[[int, Event], None]] = {kind: getattr(self, f"_{kind}") for kind in _KINDS_TAKEN}
        last_ns = 0
        for at, event in enumerate(events):
            t_ns = event[0]
            if t_ns < last_ns:
                self.backwards.append(at)
            last_ns = t_ns
            taker = takers.get(event[1])
            if taker is not None:
                taker(at, event)
        self.last_ns = last_ns
        """The instant of the last event."""

    # What invariants ask.

    def is_past(self, t_ns: int) -> bool:
        """Tell whether all that is due at an instant has happened by the end of this history."""
        terms = self.terms
        return terms.drained or t_ns < self.last_ns or (terms.end_ns is not None and t_ns <= terms.end_ns)

    def restarted_between(self, after_at: int, before_at: int) -> bool:
        """Tell whether the server died between two positions."""
        restarts = self.restarts
        return bool(restarts) and bisect(restarts, before_at, key=_place) > bisect(restarts, after_at, key=_place)

    def collected_between(self, after_at: int, before_at: int) -> bool:
        """Tell whether rows of ended jobs were deleted between two positions: who looks for one then finds nothing."""
        return any(event.kind == "collected" and after_at < at < before_at for at, event in self.ledger)

    def heard_at(self, attempt: Attempt) -> int:
        """Return the position from which on the retrier could know what the attempt answered, `NOT_YET` for never.

        A client knows when the attempt ends, if it still waits then. In the deployment the job that hosts the attempt
        has to end after it, with no restart and no lost mutation in between. That a mutation which should report the
        end loses against others too often is no excuse: that is for the retrier to handle.
        """
        end_at = attempt.end_at
        if attempt.how not in ANSWERED or attempt.lost_at < end_at or attempt.timed_out_at < end_at:
            return NOT_YET
        job = self.jobs.get(attempt.job)
        if job is None:
            return end_at
        if job.end_at < end_at or self.restarted_between(end_at, job.end_at):
            return NOT_YET
        for at, event in job.errors:
            # A mutation that is to report the end goes on when its job is cut off at the time limit meanwhile.
            if at > end_at and (event.detail.startswith("mutation") or (at < job.end_at and event.detail != "end")):
                return NOT_YET
        return job.end_at

    def job_text(self, number: int) -> str:
        """Name a job."""
        job = self.jobs.get(number)
        return f"job {number}" if job is None else str(job)

    # Events, by kind.

    def _of(self, number: int) -> Request:
        request = self.requests.get(number)
        if request is None:
            request = self.requests[number] = Request(number)
        return request

    def _attempt_of(self, at: int, event: Event) -> Attempt | None:
        request = self.requests.get(event.request)
        if request is not None:
            number = event.subject
            attempts = request.attempts
            # Attempts are numbered from 1 in order; anything else is found by looking.
            if 0 < number <= len(attempts) and attempts[number - 1].number == number:
                return attempts[number - 1]
            for attempt in attempts:
                if attempt.number == number:
                    return attempt
        self.strays.append((at, event))
        return None

    def _submit(self, _at: int, event: Event) -> None:
        self._of(event.request).submit = event

    def _attempt(self, at: int, event: Event) -> None:
        request = self._of(event.request)
        request.attempts.append(Attempt(request, at, event))

    def _attempt_end(self, at: int, event: Event) -> None:
        attempt = self._attempt_of(at, event)
        if attempt is None:
            return
        if attempt.end is not None:
            self.strays.append((at, event))
            return
        attempt.end = event
        attempt.end_at = at
        attempt.how = event.name

    def _lost(self, at: int, event: Event) -> None:
        attempt = self._attempt_of(at, event)
        if attempt is not None and attempt.lost is None:
            attempt.lost = event
            attempt.lost_at = at

    def _timed_out(self, at: int, event: Event) -> None:
        attempt = self._attempt_of(at, event)
        if attempt is not None and attempt.timed_out is None:
            attempt.timed_out = event
            attempt.timed_out_at = at

    def _effect(self, at: int, event: Event) -> None:
        attempt = self._attempt_of(at, event)
        if attempt is not None:
            attempt.effects.append((at, event))
            attempt.request.effects.append((at, event, attempt))

    def _job(self, at: int, event: Event) -> None:
        self.ledger.append((at, event))
        request = self._of(event.request)
        job = Job(request, at, event)
        request.jobs.append(job)
        self.jobs[job.id] = job

    def _state(self, at: int, event: Event) -> None:
        self.ledger.append((at, event))
        job = self.jobs.get(event.subject)
        if job is None:
            self.strangers.append((at, event))
            return
        step = Step(at, event)
        job.steps.append(step)
        job.state = step.after
        if step.after == IN_PROGRESS:
            if job.started is None:
                job.started = event
                job.started_at = at
        elif job.end is None and step.after != PENDING:
            job.end = event
            job.end_at = min(job.end_at, at)

    def _write(self, at: int, event: Event) -> None:
        self.ledger.append((at, event))

    _collected = _write

    def _commit(self, at: int, event: Event) -> None:
        self.ledger.append((at, event))
        commits, jobs = self.commits, self.jobs
        before_at = commits[-1].at if commits else -1
        commit = Commit(at, event)
        commits.append(commit)
        for row in commit.detail.writes:
            job = jobs.get(row) if isinstance(row, int) else None
            if job is None:
                continue
            if job.at > before_at and job.by is None:
                job.by = commit
                commit.created.append(job)
            if job.steps and job.steps[-1].at > before_at:
                job.steps[-1].by = commit
        if event.subject >= 0:
            job = jobs.get(event.subject)
            if job is None:
                self.strangers.append((at, event))
            else:
                job.commits.append((at, event))
        elif event.name == CANCEL:
            self._of(event.request).cancel_commits.append(commit)

    def _rolled_back(self, at: int, event: Event) -> None:
        job = self.jobs.get(event.subject)
        if job is not None:
            job.threw.append((at, event))

    def _system_error(self, at: int, event: Event) -> None:
        job = self.jobs.get(event.subject)
        if job is not None:
            job.errors.append((at, event))

    def _draw(self, at: int, event: Event) -> None:
        self.draws.append((at, event))

    def _conflict(self, at: int, event: Event) -> None:
        self.conflicts.append((at, event))

    def _sleep(self, at: int, event: Event) -> None:
        self._of(event.request).sleeps.append((at, event))

    def _settled(self, at: int, event: Event) -> None:
        request = self._of(event.request)
        if request.settled is not None:
            request.resettled.append(event)
            return
        request.settled = event
        request.settled_at = at
        request.outcome = event.name

    def _resettled(self, _at: int, event: Event) -> None:
        self._of(event.request).resettled.append(event)

    def _callback(self, _at: int, event: Event) -> None:
        self._of(event.request).callbacks.append(event)

    def _callback_lost(self, _at: int, event: Event) -> None:
        self._of(event.request).callbacks_lost.append(event)

    def _cancel(self, at: int, event: Event) -> None:
        self._of(event.request).cancels.append((at, event))

    def _cancel_answer(self, at: int, event: Event) -> None:
        self._of(event.request).answers.append((at, event))

    def _restart(self, at: int, event: Event) -> None:
        self.restarts.append((at, event))

    def _boot(self, at: int, event: Event) -> None:
        self.boots.append((at, event))

    def _runaway(self, _at: int, event: Event) -> None:
        self._of(event.request).runaway = event


_KINDS_TAKEN: Final[tuple[str, ...]] = (
    "submit",
    "attempt",
    "attempt_end",
    "lost",
    "timed_out",
    "effect",
    "job",
    "state",
    "write",
    "collected",
    "commit",
    "rolled_back",
    "system_error",
    "sleep",
    "draw",
    "conflict",
    "settled",
    "resettled",
    "callback",
    "callback_lost",
    "cancel",
    "cancel_answer",
    "restart",
    "boot",
    "runaway",
)
