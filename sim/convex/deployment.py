"""One simulated deployment: the store, the executor, and what clients and operators do to them.

Profiles and numbers come from `Platform`. Where the platform takes no time (no latencies, no system errors), a
mutation begins and commits within one step and cannot conflict; the deployment is then `immediate`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sim.convex.calls import MutationCall
from sim.convex.executor import UNLIMITED, Executor
from sim.convex.functions import Function, FunctionError, MutationContext, mistaken
from sim.convex.store import Store
from sim.convex.traced import TracedContext
from sim.history.request import Request
from sim.history.vocabulary import CANCELED, IN_PROGRESS, NEVER, PENDING
from sim.kernel.choices import WORLD
from sim.kernel.durations import RUNAWAY_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sim.convex.execution import Execution
    from sim.convex.jobs import Job
    from sim.convex.platform import Backoff, Platform
    from sim.history.events import Recorder
    from sim.kernel.choices import Choices
    from sim.kernel.clock import Clock
    from sim.world.witness import Witness


@dataclass(frozen=True, slots=True)
class Reruns:
    """How often a refused mutation runs again, and how long it waits before."""

    limit: int | None
    backoff: Backoff


class Deployment:
    """A deployment on a clock; `reset` makes it new for the next world.

    From `heals_at_ns` on no system error strikes.
    """

    def __init__(  # noqa: PLR0913  # the parts of a world, put together in one place
        self,
        clock: Clock,
        platform: Platform,
        choices: Choices,
        *,
        recorder: Recorder | None = None,
        witness: Witness | None = None,
        system_error_share: float = 0.0,
        heals_at_ns: int | None = None,
        polls_per_request: int = 1_000_000,
        horizon_ns: int = RUNAWAY_NS,
        store: Store | None = None,
    ) -> None:
        self.clock = clock
        self.platform = platform
        self.choices = choices
        self.recorder = recorder
        self.new_context = MutationContext if recorder is None else TracedContext
        self.store = Store() if store is None else store
        self.witness = witness
        self.system_error_share = system_error_share
        self._system_error = (system_error_share,)
        self.heals_at_ns = horizon_ns if heals_at_ns is None else heals_at_ns
        self.polls_per_request = polls_per_request
        self.horizon_ns = horizon_ns
        self.parallelism = UNLIMITED if platform.parallelism is None else platform.parallelism
        self.action_time_limit_ns: int | None = platform.action_time_limit
        self.retention_ns: int | None = platform.retention
        self.called_reruns = Reruns(platform.occ_reruns, platform.occ_backoff)
        self.scheduled_reruns = Reruns(None, platform.scheduled_occ_backoff)
        self.immediate = platform.mutation_latency is None and platform.commit_window is None and not system_error_share
        self._mutation_latency = self._bound(platform.mutation_latency, "mutation_latency")
        self._commit_window = self._bound(platform.commit_window, "commit_window")
        self._dispatch_latency = self._bound(platform.dispatch_latency, "dispatch_latency")
        self.dispatches = platform.dispatch_latency is not None
        self.executor = Executor(self)
        self.commit = self.executor.commit
        self._completed: deque[Job] = deque()
        self._collecting = False
        self._when_up: list[Callable[[], None]] = []
        self.reset()

    def _bound(self, law: Any, stream: str) -> Callable[[int, int, int], int] | None:
        return None if law is None else self.choices.delays(law, stream)

    def reset(self) -> None:
        """Forget everything but functions and tables."""
        self.store.reset()
        self.executor.reset()
        self._completed.clear()
        self._collecting = False
        self._when_up.clear()

    # What clients and operators do.

    def call(
        self,
        function: Function,
        args: Any,
        request: Request,
        finished: Callable[[Any, FunctionError | None], None] = lambda _value, _error: None,
    ) -> None:
        """Call a mutation as a client outside does; one that meets a restart is called again."""
        if self.immediate and not self.executor.down:
            context = self.new_context(self, request)
            try:
                value = function.handler(context, args)  # type: ignore[misc]  # a mutation has a handler
            except FunctionError as error:
                self.rolled_back(context, function.name, error)
                finished(None, error)
            except Exception as error:
                mistaken(error, function, request, self.clock.now_ns)
                raise
            else:
                self.commit(context, name=function.name)
                finished(value, None)
            return
        MutationCall(self, function, args, request, None, self.called_reruns).start(finished)

    def every(self, interval_ns: int, function: Function) -> None:
        """Run a mutation again and again, first after one interval: a cron.

        A run that is due while the server is down does not take place. Crons keep no world going.
        """
        nobody = Request(WORLD)

        def run() -> None:
            if not self.executor.down:
                self.call(function, {}, nobody)
            self.clock.call_in_background(interval_ns, run)

        self.clock.call_in_background(interval_ns, run)

    def cancel_from_dashboard(self, request: Request, names: Sequence[str]) -> None:
        """Cancel the request's newest unfinished job with one of these function names, as an operator does."""
        jobs = [job for job in request.jobs or () if job.function.name in names and job.state in (PENDING, IN_PROGRESS)]
        if not jobs:
            return
        job = jobs[-1]
        before = job.state
        self.store.step(job, CANCELED)
        job.completed_ns = self.clock.now_ns
        self.completed(job)
        self.record("state", request.number, job.id, job.function.name, (before, CANCELED))

    def restart(self, down_ns: int, inflight: str = "continues") -> None:
        """Lose everything in memory and come back after `down_ns`.

        Effects that the actions that died have still ahead come at their moment, or never where `inflight` is `lost`.
        """
        self.record("restart", -1, -1, inflight, down_ns)
        died = [*self.executor.running.values(), *self.executor.unseen]
        self.executor.stop()
        if inflight == "lost":
            for execution in died:
                if execution.attempt is not None:
                    execution.attempt.drop_effect()

        def boot() -> None:
            self.record("boot", -1, -1, "")
            self.executor.boot()
            waiting, self._when_up = self._when_up, []
            for call in waiting:
                call()

        if down_ns:
            self.clock.call_after(down_ns, boot, urgent=True)
        else:
            boot()

    def when_up(self, call: Callable[[], None]) -> None:
        """Call when the server is back."""
        self._when_up.append(call)

    # What the executor and the contexts need.

    def own_transaction(self, execution: Execution) -> MutationContext:
        """Open the transaction of one call that an action makes outside any mutation."""
        context = self.new_context(self, execution.request)
        context.caller = execution.job
        return context

    def rolled_back(self, context: MutationContext, name: str, error: FunctionError) -> None:
        """Record a mutation that threw: its draws happened, nothing else did."""
        if self.recorder is not None:
            self.record_draws(context)
            job_id = -1 if context.job is None else context.job.id
            self.record("rolled_back", context.request.number, job_id, name, str(error))

    def settle(self, context: MutationContext) -> None:
        """Take the conclusion about a request that a mutation has committed; only the first one counts."""
        outcome, at_ns, attempt_end_ns = context.settlement  # type: ignore[misc]  # there is one
        request = context.request
        if request.settle(outcome, self.clock.now_ns if at_ns is None else at_ns, attempt_end_ns):
            self.record("settled", request.number, -1, outcome.name, request.settled_ns)
        else:
            self.record("resettled", request.number, -1, outcome.name)

    def record_draws(self, context: MutationContext) -> None:
        """Record what a mutation that does not commit has drawn."""
        if self.recorder is not None and isinstance(context, TracedContext):
            self.recorder.raw.extend(context.drawn(self.clock.now_ns))

    def record(self, kind: str, request: int, subject: int, name: str, detail: Any = None) -> None:
        """Add an event to the history, where one is kept."""
        if self.recorder is not None:
            self.recorder.add((self.clock.now_ns, kind, request, subject, name, detail))

    def run_away(self, request: Request, limit: str) -> None:
        """Note that a request ran into a limit; what is still pending of it does not run any more."""
        if not request.runaway:
            request.runaway = limit
            self.record("runaway", request.number, -1, limit)

    def mutation_delay(self, request: Request, index: int) -> int:
        """Draw the time from a mutation's start to its snapshot, in ns."""
        return 0 if self._mutation_latency is None else self._mutation_latency(request.number, index, 0)

    def commit_delay(self, request: Request, index: int, rerun: int) -> int:
        """Draw the time from a mutation's snapshot to its commit, in ns."""
        return 0 if self._commit_window is None else self._commit_window(request.number, index, rerun)

    def dispatch_delay(self, request: Request) -> int:
        """Draw the time from a job's admission to its start, in ns."""
        if self._dispatch_latency is None:
            return 0
        request.executions += 1
        return self._dispatch_latency(request.number, request.executions - 1, 0)

    def strikes(self, job: Job, what: str) -> bool:
        """Draw whether a system error strikes this step of a job."""
        request = job.request
        request.executions += 1
        if self.clock.now_ns >= self.heals_at_ns:
            return False
        if self.choices.choose(self._system_error, "system_error", request.number, request.executions - 1):
            return False
        self.record("system_error", request.number, job.id, job.function.name, what)
        return True

    def strike_of(self, job: Job) -> float | None:
        """Draw whether a system error kills an action's execution, and after which share of the attempt."""
        if not self.strikes(job, "execution"):
            return None
        return self.choices.uniform("system_error_moment", job.request.number, job.request.executions)

    # Retention.

    def completed(self, job: Job) -> None:
        """Note a completed row; after the retention it is collected."""
        if self.retention_ns is None:
            return
        self._completed.append(job)
        if not self._collecting:
            self._collecting = True
            self.clock.call_in_background(self.retention_ns, self._collect)

    def canceled(self, job_ids: Iterable[int]) -> None:
        """Note the rows that a mutation has canceled, or created canceled."""
        for job_id in job_ids:
            job = self.store.jobs[job_id]
            if job.completed_ns == NEVER:
                job.completed_ns = self.clock.now_ns
                self.completed(job)

    def _collect(self) -> None:
        """Delete expired rows as the backend's collector does: a batch a transaction, a pause after a full one."""
        if self.executor.down:
            self.when_up(self._collect)
            return
        platform, now_ns = self.platform, self.clock.now_ns
        retention_ns = self.retention_ns or 0
        batch: list[int] = []
        while (
            self._completed
            and len(batch) < platform.collection_batch
            and self._completed[0].completed_ns + retention_ns <= now_ns
        ):
            batch.append(self._completed.popleft().id)
        if batch:
            self.store.delete_jobs(batch)
            self.record("collected", -1, -1, "", len(batch))
        self._collecting = bool(self._completed)
        if self._completed:
            next_ns = self._completed[0].completed_ns + retention_ns - now_ns
            pause_ns = platform.collection_pause if len(batch) == platform.collection_batch else 0
            self.clock.call_in_background(max(next_ns, pause_ns), self._collect)

    def watched(self, names: Sequence[str]) -> set[int]:
        """Return the numbers of the requests that a pending or running function of these names may still look at."""
        jobs = self.store.jobs.values()
        alive = {job.request.number for job in jobs if job.state == PENDING and job.function.name in names}
        executions = [*self.executor.running.values(), *self.executor.unseen]
        return alive | {
            execution.request.number
            for execution in executions
            if execution.goes_on and execution.job.function.name in names
        }
