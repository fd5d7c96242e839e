"""The executor of scheduled functions: slots, mutations exactly once, actions at most once.

Due jobs start in order of (due time, creation) while a slot is free; the rest wait. Mutations and actions share the
slots. A mutation's job completes in the transaction of the mutation itself. An action's job first goes to inProgress,
then the action runs, then its end is written; if the server dies in between, the job is marked failed after the next
start and the action is never started again.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from sim.convex.calls import MutationCall, full_jitter
from sim.convex.execution import Execution
from sim.convex.functions import MUTATION, FunctionError, MutationContext, SystemFailure, mistaken
from sim.history.vocabulary import FAILED, IN_PROGRESS, PENDING

if TYPE_CHECKING:
    from sim.convex.deployment import Deployment
    from sim.convex.jobs import Job
    from sim.history.request import Request

UNLIMITED = 1 << 62
NO_SLOTS = -UNLIMITED
"""While the server is down; what is given back then leaves it below zero."""


class Executor:
    """Starts due jobs and sees them through."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.store = deployment.store
        self.clock = deployment.clock
        self.epoch = 0
        """Grows with every restart; what began in an older epoch is gone."""
        self.down = False
        self.free = UNLIMITED
        self.waiting: list[tuple[int, int, Job]] = []
        self.running: dict[int, Execution] = {}
        self.unseen: list[Execution] = []
        """Executions that the platform has lost sight of and that go on."""
        self._at_once = deployment.immediate and not deployment.dispatches
        self.starting: dict[int, Job] = {}
        """Jobs that have a slot and are still pending: on their way to a start, or mutations to their commit."""
        self.due_callbacks = (self._due,)
        self._begin_epoch(0)

    def _begin_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        self.admitted_callbacks = (lambda job: self._admitted(job, epoch),)

    def reset(self) -> None:
        """Forget everything in memory."""
        if self.epoch:
            self._begin_epoch(0)
        self.down = False
        self.free = self.deployment.parallelism
        self.waiting.clear()
        self.starting.clear()
        self.running.clear()
        self.unseen.clear()

    def time_job(self, job: Job) -> None:
        """Set the timer of a pending job."""
        job.callbacks = self.due_callbacks
        self.clock.set_timer(job, max(job.due_ns - self.clock.now_ns, 0))

    def commit(  # noqa: C901, PLR0912  # every poll passes here, and calls cost
        self, context: MutationContext, job: Job | None = None, *, held: bool = False, name: str = ""
    ) -> bool:
        """Commit a mutation, with the end of its own job if it is a scheduled one; False where it was refused.

        What it scheduled is timed in the order in which it asked.
        """
        deployment, request = self.deployment, context.request
        witness = deployment.witness
        if witness is not None and (job is not None or context.caller is not None):
            witness.before_durable()
        if not self.store.commit(context, job, held=held):
            return False
        if witness is not None:
            witness.durable()
        request.mutations += 1
        now_ns = self.clock.now_ns if held else context.now_ns
        if deployment.recorder is not None:
            job_id, name = (-1, name) if job is None else (job.id, job.function.name)
            deployment.recorder.add((now_ns, "commit", request.number, job_id, name, context))
        created = context.created
        if created is not None:
            set_timer, horizon_ns = self.clock.set_timer, deployment.horizon_ns
            for new in created:
                due_ns = new.due_ns
                if new.state != PENDING:
                    deployment.canceled((new.id,))
                    continue
                if due_ns > horizon_ns:
                    deployment.run_away(request, "time")
                    continue
                new.callbacks = self.due_callbacks
                set_timer(new, due_ns - now_ns if due_ns > now_ns else 0)
            if request.jobs is not None:
                request.jobs.extend(created)
        if job is not None:
            job.completed_ns = now_ns
            if deployment.retention_ns is not None:
                deployment.completed(job)
        if context.job_states is not None:
            deployment.canceled(context.job_states)
        if context.settlement is not None:
            deployment.settle(context)
        return True

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
            self._run_mutation_now(job)  # within this step, so nobody can miss the slot it takes
        else:
            self.free -= 1
            self._start_action(job)

    def release(self) -> None:
        """Give a slot back; the job that waited longest takes it, as a step of its own."""
        self.free += 1
        if self.waiting and not self.down:
            self._admit()

    def _admit(self) -> None:
        while self.waiting and self.free > 0:
            job = heappop(self.waiting)[2]
            if job.state == PENDING:
                self.free -= 1
                job.callbacks = self.admitted_callbacks
                self.clock.set_timer(job, 0)

    def _admitted(self, job: Job, epoch: int) -> None:
        if epoch != self.epoch:
            # The slot was lost in a restart within this instant.
            heappush(self.waiting, (job.due_ns, job.id, job))
            if not self.down:
                self._admit()
        elif job.state != PENDING:
            self.release()
        else:
            self._start(job)

    def _start(self, job: Job) -> None:
        self.starting[job.id] = job
        delay_ns = self.deployment.dispatch_delay(job.request)
        if delay_ns:
            epoch = self.epoch
            self.clock.call_after(delay_ns, lambda: self._dispatched(job, epoch))
        else:
            self._run(job)

    def _dispatched(self, job: Job, epoch: int) -> None:
        if epoch != self.epoch:
            return
        if job.state != PENDING:
            del self.starting[job.id]
            self.release()
        else:
            self._run(job)

    def _run(self, job: Job) -> None:
        if job.function.kind == MUTATION and not self.deployment.immediate:
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
        deployment, request = self.deployment, job.request
        if job.function.poll:
            request.polls += 1
            if request.polls > deployment.polls_per_request:
                del self.starting[job.id]
                self._too_many(request)
                self.release()
                return
        call = MutationCall(deployment, job.function, job.args, request, None, deployment.scheduled_reruns, job=job)
        call.start(lambda _, error: self._mutation_over(job, error))

    def _too_many(self, request: Request) -> None:
        """End a request that has polled too often as runaway."""
        request.polls -= 1
        self.deployment.run_away(request, "polls")

    def _run_mutation_now(self, job: Job) -> None:
        """Run a scheduled mutation within this step: the path of every poll where the platform takes no time."""
        function, request, deployment = job.function, job.request, self.deployment
        if function.poll:
            request.polls += 1
            if request.polls > deployment.polls_per_request:
                self._too_many(request)
                return
        context = deployment.new_context(deployment, request, job)
        try:
            function.handler(context, job.args)  # type: ignore[misc]  # a mutation has a handler
        except FunctionError as error:
            deployment.rolled_back(context, function.name, error)
            self._complete(job, FAILED)
        except Exception as error:
            mistaken(error, function, request, self.clock.now_ns)
            raise
        else:
            self.commit(context, job)

    def _mutation_over(self, job: Job, error: FunctionError | None) -> None:
        del self.starting[job.id]
        if isinstance(error, SystemFailure) and job.state == PENDING:
            self.put_back(job)
        elif error is not None and job.state == PENDING:
            self._complete(job, FAILED)
        self.release()

    def put_back(self, job: Job) -> None:
        """Let a pending job that met a system error run again later; its slot is given back by the caller."""
        deployment = self.deployment
        delay_ns = full_jitter(
            deployment, deployment.platform.system_error_backoff, "system_backoff", job.request, job.system_errors
        )
        job.system_errors += 1
        self.store.reschedule(job, self.clock.now_ns + delay_ns)
        self.time_job(job)

    def _complete(self, job: Job, state: str) -> None:
        """Write the end of a job in a transaction of its own."""
        before = job.state
        self.store.step(job, state)
        deployment = self.deployment
        job.completed_ns = self.clock.now_ns
        if deployment.retention_ns is not None:
            deployment.completed(job)
        if deployment.recorder is not None:
            deployment.record("state", job.request.number, job.id, job.function.name, (before, state))

    def _start_action(self, job: Job) -> None:
        deployment = self.deployment
        if deployment.system_error_share and deployment.strikes(job, "start"):
            self.put_back(job)
            self.release()
            return
        self.store.step(job, IN_PROGRESS)
        request = job.request
        request.actions += 1
        if deployment.recorder is not None:
            deployment.record("state", request.number, job.id, job.function.name, (PENDING, IN_PROGRESS))
        if deployment.witness is not None:
            deployment.witness.durable()
            deployment.witness.before_durable()
        self.running[job.id] = execution = Execution(deployment, job)
        external = job.function.external
        if external is None:
            execution.begin()
        else:
            external.begin(execution, request)

    def over(self, execution: Execution, state: str) -> None:
        """Write the end of an action; the write is repeated until it succeeds, and the execution keeps its slot."""
        deployment, job = self.deployment, execution.job
        if deployment.system_error_share and deployment.strikes(job, "end"):
            delay_ns = full_jitter(
                deployment, deployment.platform.completion_backoff, "completion_backoff", job.request, execution.writes
            )
            execution.writes += 1
            epoch = self.epoch
            self.clock.call_after(delay_ns, lambda: self.over(execution, state) if epoch == self.epoch else None)
            return
        if deployment.witness is not None:
            deployment.witness.before_durable()
        del self.running[job.id]
        execution.attempt = None  # it refers to the execution, and a cycle would be left to the garbage collector
        job.request.action_ns += self.clock.now_ns - execution.started_ns
        if job.state == IN_PROGRESS:
            self._complete(job, state)
        self.free += 1
        if self.waiting and not self.down:
            self._admit()

    def lose(self, job: Job) -> None:
        """Mark a running action failed although it goes on: the platform has lost sight of it."""
        del self.running[job.id]
        if job.state == IN_PROGRESS:
            self._complete(job, FAILED)
        self.release()

    def stop(self) -> None:
        """Lose everything in memory: the server dies."""
        self._begin_epoch(self.epoch + 1)
        self.down = True
        self.free = NO_SLOTS
        for execution in [*self.running.values(), *self.unseen]:
            execution.kill()
            execution.job.request.action_ns += self.clock.now_ns - execution.started_ns
        self.running.clear()
        self.unseen.clear()
        self.starting.clear()

    def boot(self) -> None:
        """Start again from the rows: actions that were running are marked failed, then due jobs start."""
        self.down = False
        self.free = self.deployment.parallelism
        rows = self.store.jobs.values()
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
