"""The executor of scheduled functions: slots, mutations exactly once, actions at most once.

Due jobs start in order of (due time, creation) while a slot is free; the rest wait. Mutations and actions share the
slots. A mutation's job completes in the transaction of the mutation itself. An action's job first goes to inProgress,
then the action runs, then its end is written. If the server dies in between, the job is marked failed when the server
is back, and the action never starts again.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from sim.convex.calls import MutationCall
from sim.convex.commits import Commits
from sim.convex.execution import Execution
from sim.convex.functions import MUTATION, FunctionError, SystemFailure, note_mistake
from sim.convex.server import UNLIMITED
from sim.history.vocabulary import COMPLETION_BACKOFF, FAILED, IN_PROGRESS, PENDING, SUCCESS, SYSTEM_BACKOFF
from sim.kernel.choices import WORLD

if TYPE_CHECKING:
    from sim.convex.jobs import Job
    from sim.convex.retention import Retention
    from sim.convex.server import Server
    from sim.history.vocabulary import JobState

_STARTED: Final = (PENDING, IN_PROGRESS)
NO_SLOTS: Final = -UNLIMITED
"""Free slots while the server is down: slots returned meanwhile cannot make it positive."""


class Executor:
    """Starts due jobs and sees them through."""

    def __init__(self, server: Server, retention: Retention) -> None:
        self.server = server
        self.commits = commits = Commits(server, retention, due=self._due)
        self._retention = retention
        self._store = server.store
        self._clock = server.clock
        self._at_once = server.immediate and not server.dispatches
        """Whether a mutation that finds a slot runs within this step."""
        self._new_context = commits.new_context
        self._commit = commits.commit
        self.free = server.parallelism
        """Free slots."""
        self.waiting: list[tuple[int, int, Job]] = []
        """Due jobs without a slot: a heap of (due ns, id, job)."""
        self.starting: dict[int, Job] = {}
        """Jobs that have a slot and are still pending: on their way to a start, or mutations to their commit."""
        self.running: dict[int, Execution] = {}
        self.unseen: list[Execution] = []
        """Executions that go on although the platform has lost sight of them."""
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._epoch = epoch = self.server.epoch
        self.admitted_callbacks = (lambda job: self._admitted(job, epoch),)

    def reset(self) -> None:
        """Forget everything in memory, after the server has been reset."""
        if self._epoch:
            self._begin_epoch()
        self.free = self.server.parallelism
        self.waiting.clear()
        self.starting.clear()
        self.running.clear()
        self.unseen.clear()

    def _due(self, job: Job) -> None:
        if job.state != PENDING:
            return
        if self.free <= 0:
            heappush(self.waiting, (job.due_ns, job.id, job))
            return
        if not self._at_once:
            self.free -= 1
            self._start(job)
        elif job.function.kind == MUTATION:
            self._run_mutation_now(job)  # runs within this step, so it needs no slot
        else:
            self.free -= 1
            self._start_action(job)

    def release(self) -> None:
        """Give a slot back; the job that waited longest takes it, as a step of its own."""
        self.free += 1
        if self.waiting and not self.server.down:
            self._admit()

    def _admit(self) -> None:
        while self.waiting and self.free > 0:
            job = heappop(self.waiting)[2]
            if job.state == PENDING:
                self.free -= 1
                job.callbacks = self.admitted_callbacks
                self._clock.set_timer(job, 0)

    def _admitted(self, job: Job, epoch: int) -> None:
        if epoch != self.server.epoch:
            # The slot was lost in a restart within this instant.
            heappush(self.waiting, (job.due_ns, job.id, job))
            if not self.server.down:
                self._admit()
        elif job.state != PENDING:
            self.release()
        else:
            self._start(job)

    def _start(self, job: Job) -> None:
        self.starting[job.id] = job
        delay_ns = self.server.dispatch_delay(job.request)
        if delay_ns:
            epoch = self.server.epoch
            self._clock.call_after(delay_ns, lambda: self._dispatched(job, epoch))
        else:
            self._run(job)

    def _dispatched(self, job: Job, epoch: int) -> None:
        if epoch != self.server.epoch:
            return
        if job.state != PENDING:
            del self.starting[job.id]
            self.release()
        else:
            self._run(job)

    def _run(self, job: Job) -> None:
        if job.function.kind == MUTATION and not self.server.immediate:
            self._call_mutation(job)
            return
        del self.starting[job.id]
        if job.function.kind == MUTATION:
            self._run_mutation_now(job)
            self.release()
        else:
            self._start_action(job)

    def _call_mutation(self, job: Job) -> None:
        """Run a scheduled mutation that takes its time, with reruns until it commits."""
        server, request = self.server, job.request
        if request.number < WORLD and server.gives_up(request, self._goes_on):
            del self.starting[job.id]
            self.release()
            return
        if job.function.poll and request.polls >= server.polls_per_request and request.number >= 0:
            del self.starting[job.id]
            server.run_away(request, "polls")
            self.release()
            return
        call = MutationCall(self.commits, job.function, job.args, request, server.scheduled_reruns, job=job)
        call.start(lambda _, error: self._mutation_over(job, error))

    def _count_poll(self, job: Job) -> None:
        """Count an execution of a function that polls, once it has committed or thrown."""
        job.request.polls += 1
        recorder = self.server.recorder
        if recorder is not None and recorder.polls is not None:
            recorder.polls.add(job.function.name)

    def _run_mutation_now(self, job: Job) -> None:
        """Run a scheduled mutation within this step: the path of every poll if the platform takes no time."""
        function, request, server = job.function, job.request, self.server
        if request.number < WORLD and server.gives_up(request, self._goes_on):
            return
        if function.poll:
            if request.polls >= server.polls_per_request and request.number >= 0:
                server.run_away(request, "polls")
                return
            self._count_poll(job)
        context = self._new_context(server, request, job)
        try:
            function.handler(context, job.args)  # type: ignore[misc]  # a mutation has a handler
        except FunctionError as error:
            self.commits.rolled_back(context, function.name, error)
            self._complete(job, FAILED)
        except Exception as error:
            note_mistake(error, function, request, self._clock.now_ns)
            raise
        else:
            self._commit(context, job)

    def _mutation_over(self, job: Job, error: FunctionError | None) -> None:
        del self.starting[job.id]
        if isinstance(error, SystemFailure) and job.state == PENDING:
            self.put_back(job)
        elif error is not None:
            if job.function.poll:
                self._count_poll(job)
            if job.state == PENDING:
                self._complete(job, FAILED)
        elif job.state == SUCCESS and job.function.poll:
            self._count_poll(job)
        self.release()

    def put_back(self, job: Job) -> None:
        """Let a pending job that met a system error run again later; the caller gives its slot back."""
        server = self.server
        backoff = server.platform.system_error_backoff
        errors, name = job.system_errors, job.function.name
        delay_ns = server.full_jitter(backoff, SYSTEM_BACKOFF, job.request, errors, job_id=job.id, name=name)
        job.system_errors += 1
        self._store.reschedule(job, self._clock.now_ns + delay_ns)
        self.commits.time_job(job)

    def _complete(self, job: Job, state: JobState) -> None:
        """Write the end of a job in a transaction of its own."""
        before, server = job.state, self.server
        self._store.step(job, state)
        job.completed_ns = self._clock.now_ns
        if self._retention.retention_ns is not None:
            self._retention.completed(job)
        recorder = server.recorder
        if recorder is not None:
            name, change = job.function.name, (before, state)
            recorder.add((job.completed_ns, "state", job.request.number, job.id, name, change))

    def _start_action(self, job: Job) -> None:
        server = self.server
        if server.system_error_share and server.strikes(job, "start"):
            self.put_back(job)
            self.release()
            return
        self._store.step(job, IN_PROGRESS)
        request = job.request
        request.actions += 1
        recorder = server.recorder
        if recorder is not None:
            recorder.add((self._clock.now_ns, "state", request.number, job.id, job.function.name, _STARTED))
        if server.witness is not None:
            server.witness.durable()
            server.witness.before_durable()
        self.running[job.id] = execution = Execution(self.commits, job, self)
        external = job.function.external
        if external is None:
            execution.begin()
        else:
            external.begin(execution, request)

    # What executions tell.

    def over(self, execution: Execution, state: JobState) -> None:
        """Write the end of an action. The write is repeated until it succeeds; the execution keeps its slot so long."""
        server, job = self.server, execution.job
        if server.system_error_share and server.strikes(job, "end"):
            backoff = server.platform.completion_backoff
            writes, name = execution.writes, job.function.name
            delay_ns = server.full_jitter(backoff, COMPLETION_BACKOFF, job.request, writes, job_id=job.id, name=name)
            execution.writes += 1
            epoch = server.epoch
            self._clock.call_after(delay_ns, lambda: self.over(execution, state) if epoch == server.epoch else None)
            return
        if server.witness is not None:
            server.witness.before_durable()
        del self.running[job.id]
        attempt = execution.attempt
        if attempt is not None:
            attempt.over(reported=state == SUCCESS and job.state == IN_PROGRESS and not execution.refused)
        execution.let_go()
        job.request.action_ns += self._clock.now_ns - execution.started_ns
        if job.state == IN_PROGRESS:
            self._complete(job, state)
        self.release()

    def lose(self, execution: Execution) -> None:
        """Mark a running action failed although it goes on: the platform has lost sight of it."""
        self.unseen.append(execution)
        job = execution.job
        del self.running[job.id]
        if job.state == IN_PROGRESS:
            self._complete(job, FAILED)
        self.release()

    def over_unseen(self, execution: Execution) -> None:
        """Forget an execution out of sight that is over."""
        self.unseen.remove(execution)

    # Restarts.

    @property
    def executions(self) -> list[Execution]:
        """All executions, in sight and out of sight."""
        return [*self.running.values(), *self.unseen]

    def _goes_on(self) -> bool:
        """Tell whether any action still runs, other than in a call that never ends."""
        return any(execution.goes_on for execution in self.executions)

    def stop(self) -> None:
        """Lose everything in memory: the server has died."""
        self._begin_epoch()
        self.free = NO_SLOTS
        for execution in self.executions:
            execution.kill()
            execution.job.request.action_ns += self._clock.now_ns - execution.started_ns
        self.running.clear()
        self.unseen.clear()
        self.starting.clear()

    def boot(self) -> None:
        """Start again from the rows: actions that were running are marked failed, then due jobs start."""
        self.free = self.server.parallelism
        rows = self._store.jobs.values()
        # Timers stay where they are; a job whose timer has fired is due.
        self.waiting = [
            (job.due_ns, job.id, job)
            for job in rows
            if job.state == PENDING and job.callbacks is None and not job.request.runaway
        ]
        heapify(self.waiting)
        for job in [job for job in rows if job.state == IN_PROGRESS]:
            self._complete(job, FAILED)
        self._admit()
