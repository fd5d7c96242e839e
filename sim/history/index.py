"""A history, indexed in one pass: requests with their attempts, jobs with their steps, commits with what they created.

Contracts, stories and traces stand on this index: it alone says which commit created a job, which mutation made a step,
and which attempt an effect belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sim.history import deployment_events, events, service_events
from sim.history.entities import NOT_YET, Attempt, Call, Commit, Job, Place, Request, Step
from sim.history.traffic import CallEnd
from sim.history.vocabulary import ACK_LOST, CANCEL, FAIL, IN_PROGRESS, OWN, PENDING, SUCCESS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.history.events import AttemptEvent
    from sim.history.recorder import History
    from sim.history.service_events import CallEvent

Ledger = (
    deployment_events.JobCreated
    | deployment_events.JobStepped
    | deployment_events.DocumentWritten
    | deployment_events.MutationCommitted
    | deployment_events.RowsCollected
)
"""Events that change the store."""


class Index:
    """A history's requests, jobs and commits, and where things stand."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.events = history.events
        self.requests: dict[int, Request] = {}
        self.jobs: dict[int, Job] = {}
        self.commits: list[Commit] = []
        """In their order."""
        self._commits_of: dict[int, list[Commit]] = {}
        self.restarts: list[Place[deployment_events.ServerDied]] = []
        self.operations: list[Place[deployment_events.OperatorActed]] = []
        """What operators did."""
        self.boots: list[Place[deployment_events.ServerBooted]] = []
        self.draws: list[Place[events.NumberDrawn]] = []
        self.conflicts: list[Place[deployment_events.CommitRefused]] = []
        self.backoffs: list[Place[deployment_events.BackedOff]] = []
        self.ledger: list[Place[Ledger]] = []
        """All changes of the store: jobs, their steps, writes, commits, collections."""
        self.calls: dict[int, Call] = {}
        """Calls at services, by their numbers."""
        self.servers: list[Place[service_events.ServersChanged]] = []
        self.backwards: list[int] = []
        """Places at which the clock went back."""
        self.strays: list[Place[AttemptEvent]] = []
        """Ends, losses and effects of attempts that were never started, and second ends."""
        self.strangers: list[Place[deployment_events.JobStepped | deployment_events.MutationCommitted]] = []
        """Steps and commits of jobs that were never created."""
        self.stray_calls: list[Place[CallEvent]] = []
        """Events of calls that were never sent, or that came twice."""
        last_ns = 0
        for at, event in enumerate(self.events):
            t_ns = event.t_ns
            if t_ns < last_ns:
                self.backwards.append(at)
            last_ns = t_ns
            take = self._takers.get(type(event))
            if take is not None:
                take(self, at, event)
        self.last_ns = last_ns
        """The instant of the last event."""

    def job_text(self, number: int) -> str:
        """Name a job."""
        job = self.jobs.get(number)
        return f"job {number}" if job is None else str(job)

    def commits_of(self, request: int) -> list[Commit]:
        """Return the commits made for a request, in their order."""
        return self._commits_of.get(request, [])

    # One method a kind of event.

    def _request(self, number: int) -> Request:
        request = self.requests.get(number)
        if request is None:
            request = self.requests[number] = Request(number)
        return request

    def _attempt_of(self, at: int, event: AttemptEvent) -> Attempt | None:
        request = self.requests.get(event.request)
        if request is not None:
            number = event.attempt
            attempts = request.attempts
            # Attempts are numbered from 1 in order; anything else is found by looking.
            if 0 < number <= len(attempts) and attempts[number - 1].number == number:
                return attempts[number - 1]
            for attempt in attempts:
                if attempt.number == number:
                    return attempt
        self.strays.append((at, event))
        return None

    def _submitted(self, _at: int, event: events.Submitted) -> None:
        self._request(event.request).submit = event

    def _resubmitted(self, at: int, event: events.Resubmitted) -> None:
        request = self._request(event.request)
        request.resubmits.append((at, event))
        if request.settled is not None:
            # Open again: the next conclusion counts.
            request.settled, request.settled_at, request.outcome = None, NOT_YET, ""

    def _attempt_started(self, at: int, event: events.AttemptStarted) -> None:
        request = self._request(event.request)
        attempt = Attempt(request, at, event)
        request.attempts.append(attempt)
        job = self.jobs.get(event.job)
        if job is not None:
            job.attempts.append(attempt)

    def _attempt_ended(self, at: int, event: events.AttemptEnded) -> None:
        attempt = self._attempt_of(at, event)
        if attempt is None:
            return
        if attempt.end is not None:
            self.strays.append((at, event))
            return
        attempt.end = event
        attempt.end_at = at
        attempt.how = event.end

    def _decided_by_key(self, at: int, event: events.DecidedByKey) -> None:
        attempt = self._attempt_of(at, event)
        if attempt is not None:
            attempt.by_key = event.name

    def _contact_lost(self, at: int, event: events.ContactLost) -> None:
        attempt = self._attempt_of(at, event)
        if attempt is not None and attempt.lost is None:
            attempt.lost = event
            attempt.lost_at = at

    def _call_given_up(self, at: int, event: events.CallGivenUp) -> None:
        attempt = self._attempt_of(at, event)
        if attempt is not None and attempt.given_up is None:
            attempt.given_up = event
            attempt.given_up_at = at

    def _effect_made(self, at: int, event: events.EffectMade) -> None:
        attempt = self._attempt_of(at, event)
        if attempt is not None:
            attempt.effects.append((at, event))
            attempt.request.effects.append((at, event, attempt))
            if attempt.does_own_work:
                attempt.effect_ns = event.t_ns

    def _call_sent(self, at: int, event: service_events.CallSent) -> None:
        request = self._request(event.request)
        if event.call in self.calls:
            self.stray_calls.append((at, event))
            return
        call = self.calls[event.call] = Call(request, at, event)
        request.calls.append(call)
        if (caller := self.calls.get(event.within)) is not None:
            caller.layers.append(call)
        if not event.caller and request.attempts and request.attempts[-1].number == event.number:
            call.attempt = attempt = request.attempts[-1]
            attempt.call = call

    def _call_of(self, at: int, event: CallEvent, stage: str) -> Call | None:
        """Find the call of an event, and note the event as one stage of it; each stage comes once."""
        call = self.calls.get(event.call)
        if call is None or call.service != event.service or getattr(call, stage) is not None:
            self.stray_calls.append((at, event))
            return None
        setattr(call, stage, event)
        return call

    def _call_arrived(self, at: int, event: service_events.CallArrived) -> None:
        if (call := self._call_of(at, event, "arrived")) is not None:
            call.arrived_at = at

    def _call_queued(self, at: int, event: service_events.CallQueued) -> None:
        if (call := self._call_of(at, event, "queued")) is not None:
            call.queued_at = at

    def _call_rejected(self, at: int, event: service_events.CallRejected) -> None:
        if (call := self._call_of(at, event, "rejected")) is not None:
            call.out_at = min(call.out_at, at)

    def _call_dropped(self, at: int, event: service_events.CallDropped) -> None:
        if (call := self._call_of(at, event, "dropped")) is not None:
            call.out_at = min(call.out_at, at)

    def _call_canceled(self, at: int, event: service_events.CallCanceled) -> None:
        self._call_of(at, event, "canceled")

    def _cancel_heard(self, at: int, event: service_events.CancelHeard) -> None:
        if (call := self._call_of(at, event, "cancel_heard")) is not None:
            call.cancel_heard_at = at

    def _work_started(self, at: int, event: service_events.WorkStarted) -> None:
        call = self._call_of(at, event, "work")
        if call is None:
            return
        call.work_at = at
        attempt = call.attempt
        if attempt is None:
            return
        if event.outcome == OWN:
            attempt.does_own_work = True
        else:
            attempt.outcome = event.outcome
            attempt.effect_ns = event.effect_ns
            attempt.latency_ns = event.work_ns
            attempt.by_key = event.by_key

    def _work_ended(self, at: int, event: service_events.WorkEnded) -> None:
        call = self._call_of(at, event, "work_end")
        if call is None:
            return
        call.work_end_at = at
        attempt = call.attempt
        if attempt is not None and attempt.does_own_work and call.work is not None:
            attempt.outcome = ACK_LOST if attempt.effects else FAIL
            if event.end == CallEnd.success.name:
                attempt.outcome = SUCCESS
            attempt.latency_ns = event.t_ns - call.work.t_ns

    def _layer_effect(self, at: int, event: service_events.LayerEffect) -> None:
        call = self.calls.get(event.call)
        if call is None:
            self.stray_calls.append((at, event))
        else:
            call.effects.append((at, event))

    def _layer_answered(self, at: int, event: service_events.LayerAnswered) -> None:
        self._call_of(at, event, "answered")

    def _row_read(self, at: int, event: service_events.RowRead) -> None:
        if (call := self._call_of(at, event, "read")) is not None:
            call.row.append((at, event))

    def _row_written(self, at: int, event: service_events.RowWritten) -> None:
        if (call := self._call_of(at, event, "written")) is not None:
            call.written_at = at
            call.row.append((at, event))

    def _servers_changed(self, at: int, event: service_events.ServersChanged) -> None:
        self.servers.append((at, event))

    def _job_created(self, at: int, event: deployment_events.JobCreated) -> None:
        self.ledger.append((at, event))
        request = self._request(event.request)
        job = Job(request, at, event)
        request.jobs.append(job)
        self.jobs[job.id] = job

    def _job_stepped(self, at: int, event: deployment_events.JobStepped) -> None:
        self.ledger.append((at, event))
        job = self.jobs.get(event.job)
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

    def _stored(self, at: int, event: deployment_events.DocumentWritten | deployment_events.RowsCollected) -> None:
        self.ledger.append((at, event))

    def _mutation_committed(self, at: int, event: deployment_events.MutationCommitted) -> None:
        self.ledger.append((at, event))
        commits, jobs = self.commits, self.jobs
        before_at = commits[-1].at if commits else -1
        commit = Commit(at, event)
        commits.append(commit)
        of_request = self._commits_of.get(event.request)
        if of_request is None:
            self._commits_of[event.request] = [commit]
        else:
            of_request.append(commit)
        for row in event.writes:
            job = jobs.get(row) if isinstance(row, int) else None
            if job is None:
                continue
            if job.at > before_at and job.by is None and row != event.job:
                job.by = commit
                commit.created.append(job)
            if job.steps and job.steps[-1].at > before_at:
                job.steps[-1].by = commit
        if event.job >= 0:
            job = jobs.get(event.job)
            if job is None:
                self.strangers.append((at, event))
            else:
                job.commits.append((at, event))
        elif event.function == CANCEL:
            self._request(event.request).cancel_commits.append(commit)

    def _function_threw(self, at: int, event: deployment_events.FunctionThrew) -> None:
        job = self.jobs.get(event.job)
        if job is not None:
            job.threw.append((at, event))

    def _system_error_struck(self, at: int, event: deployment_events.SystemErrorStruck) -> None:
        job = self.jobs.get(event.job)
        if job is not None:
            job.errors.append((at, event))

    def _number_drawn(self, at: int, event: events.NumberDrawn) -> None:
        self.draws.append((at, event))

    def _commit_refused(self, at: int, event: deployment_events.CommitRefused) -> None:
        self.conflicts.append((at, event))

    def _backed_off(self, at: int, event: deployment_events.BackedOff) -> None:
        self.backoffs.append((at, event))

    def _sleep_started(self, at: int, event: events.SleepStarted) -> None:
        self._request(event.request).sleeps.append((at, event))

    def _guest_woken(self, at: int, event: events.GuestWoken) -> None:
        request = self._request(event.request)
        request.wakes.append((at, event))
        if event.reason == events.CUT_SHORT and event.left_ns is not None:
            ends_ns = event.t_ns + event.left_ns
            for place, sleep in reversed(request.sleeps):
                if sleep.t_ns + sleep.duration_ns == ends_ns and place not in request.cuts:
                    request.cuts[place] = at, event
                    break

    def _settled(self, at: int, event: events.Settled) -> None:
        request = self._request(event.request)
        if request.settled is not None and not request.resubmits:
            request.resettled.append(event)
            return
        request.settled = event
        request.settled_at = at
        request.outcome = event.outcome

    def _settled_again(self, _at: int, event: events.SettledAgain) -> None:
        self._request(event.request).resettled.append(event)

    def _callback_ran(self, _at: int, event: events.CallbackRan) -> None:
        self._request(event.request).callbacks.append(event)

    def _callback_threw(self, _at: int, event: events.CallbackThrew) -> None:
        self._request(event.request).callbacks_lost.append(event)

    def _cancel_asked(self, at: int, event: events.CancelAsked) -> None:
        self._request(event.request).cancels.append((at, event))

    def _cancel_answered(self, at: int, event: events.CancelAnswered) -> None:
        self._request(event.request).answers.append((at, event))

    def _operator_acted(self, at: int, event: deployment_events.OperatorActed) -> None:
        self.operations.append((at, event))

    def _server_died(self, at: int, event: deployment_events.ServerDied) -> None:
        self.restarts.append((at, event))

    def _server_booted(self, at: int, event: deployment_events.ServerBooted) -> None:
        self.boots.append((at, event))

    def _ran_away(self, at: int, event: events.RanAway) -> None:
        request = self._request(event.request)
        if request.runaway is None:
            request.runaway = event
            request.runaway_at = at

    _takers: ClassVar[dict[type[events.Event], Callable[..., None]]] = {
        events.Submitted: _submitted,
        events.Resubmitted: _resubmitted,
        events.AttemptStarted: _attempt_started,
        events.AttemptEnded: _attempt_ended,
        events.ContactLost: _contact_lost,
        events.DecidedByKey: _decided_by_key,
        events.CallGivenUp: _call_given_up,
        events.EffectMade: _effect_made,
        service_events.CallSent: _call_sent,
        service_events.CallArrived: _call_arrived,
        service_events.CallQueued: _call_queued,
        service_events.CallRejected: _call_rejected,
        service_events.CallDropped: _call_dropped,
        service_events.CallCanceled: _call_canceled,
        service_events.CancelHeard: _cancel_heard,
        service_events.WorkStarted: _work_started,
        service_events.WorkEnded: _work_ended,
        service_events.LayerEffect: _layer_effect,
        service_events.LayerAnswered: _layer_answered,
        service_events.RowRead: _row_read,
        service_events.RowWritten: _row_written,
        service_events.ServersChanged: _servers_changed,
        deployment_events.JobCreated: _job_created,
        deployment_events.JobStepped: _job_stepped,
        deployment_events.DocumentWritten: _stored,
        deployment_events.RowsCollected: _stored,
        deployment_events.MutationCommitted: _mutation_committed,
        deployment_events.FunctionThrew: _function_threw,
        deployment_events.SystemErrorStruck: _system_error_struck,
        events.NumberDrawn: _number_drawn,
        deployment_events.CommitRefused: _commit_refused,
        deployment_events.BackedOff: _backed_off,
        events.SleepStarted: _sleep_started,
        events.GuestWoken: _guest_woken,
        events.Settled: _settled,
        events.SettledAgain: _settled_again,
        events.CallbackRan: _callback_ran,
        events.CallbackThrew: _callback_threw,
        events.CancelAsked: _cancel_asked,
        events.CancelAnswered: _cancel_answered,
        deployment_events.OperatorActed: _operator_acted,
        deployment_events.ServerDied: _server_died,
        deployment_events.ServerBooted: _server_booted,
        events.RanAway: _ran_away,
    }
    """The method for each kind of event; notes have none."""
