"""One execution of an action job: what the platform holds of it, and how it can end.

It returns or throws; it dies, alone or with the server; it is cut off at the time limit; or the platform loses sight of
it while it goes on. The first four end its job; the last ends the job and not the execution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.convex.calls import MutationCall
from sim.convex.functions import ActionContext, ActionFailed, Function, FunctionError, mistaken
from sim.history.vocabulary import CUT, DIED, FAILED, RETURNED, SUCCESS, THREW, Cause
from sim.kernel.clock import Pending, Task

if TYPE_CHECKING:
    from sim.convex.deployment import Deployment
    from sim.convex.jobs import Job
    from sim.history.request import Request


class Execution:
    """One execution of an action job; it hosts the attempts made in it."""

    __slots__ = (
        "_called",
        "_task",
        "alive",
        "attempt",
        "deadline_ns",
        "deployment",
        "job",
        "job_id",
        "request",
        "seen",
        "started_ns",
        "strike",
        "writes",
    )

    def __init__(self, deployment: Deployment, job: Job) -> None:
        self.deployment = deployment
        self.job = job
        self.job_id = job.id
        self.request: Request = job.request
        self.started_ns = now_ns = deployment.clock.now_ns
        limit_ns = deployment.action_time_limit_ns
        self.deadline_ns: int | None = None if limit_ns is None else now_ns + limit_ns
        self.alive = True
        self.seen = True
        """Whether the platform still waits for its end."""
        self.strike: float | None = deployment.strike_of(job) if deployment.system_error_share else None
        self.writes = 0
        """Writes of its end that a system error has struck so far."""
        self.attempt: Any = None
        self._task: Task | None = None
        self._called: Pending | None = None

    @property
    def goes_on(self) -> bool:
        """Whether anything of it will still run: it is not dead, and not in a call that never ends."""
        attempt = self.attempt
        return self.alive and (attempt is None or attempt.ended or attempt.callbacks is not None)

    def begin(self) -> None:
        """Run the function's handler."""
        function = self.job.function
        if self.deadline_ns is not None and not self.deployment.immediate:
            # In the background: what there is to cut off keeps the world going, the limit itself does not.
            self.deployment.clock.call_in_background(self.deadline_ns - self.started_ns, self._cut_off)
        coroutine = function.handler(ActionContext(self), self.job.args)  # type: ignore[misc]  # so has an action
        self._task = Task(coroutine, self._returned)
        self._task.go_on()

    def _returned(self, _value: Any, error: Exception | None) -> None:
        if error is not None and not isinstance(error, FunctionError):
            mistaken(error, self.job.function, self.request, self.deployment.clock.now_ns)
            raise error
        self._end(SUCCESS if error is None else FAILED)

    def _end(self, state: str) -> None:
        self.alive = False
        if self.seen:
            self.deployment.executor.over(self, state)
        else:
            self.attempt = None
            self.request.action_ns += self.deployment.clock.now_ns - self.started_ns
            self.deployment.executor.unseen.remove(self)

    def kill(self, how: str = DIED) -> None:
        """Stop where it is, dead or cut off: nothing of it runs any more, but what it did outside goes on."""
        self.alive = False
        if self._task is not None:
            self._task.stop()
        attempt = self.attempt
        if attempt is not None:
            if not attempt.ended:
                self.deployment.record("attempt_end", self.request.number, attempt.number, how)
            cause = Cause.timeout if how == CUT else Cause.crash_after_effect
            attempt.abandon(self.deployment.clock.now_ns, cause)

    def _cut_off(self) -> None:
        if self.alive:
            self.kill(CUT)
            self._end(FAILED)

    def attempt_over(self, how: str) -> None:
        """Take the end of the attempt that runs in this execution."""
        called, self._called = self._called, None
        self.hear("attempt", how)
        if how in (RETURNED, THREW):
            if called is None:
                self._end(SUCCESS if how == RETURNED else FAILED)
            elif how == RETURNED:
                called.succeed()
            else:
                failure = self.attempt.failure
                called.fail(ActionFailed("the action failed") if failure is None else ActionFailed.saying(failure))
        elif how == CUT:
            self._cut_off()
        else:
            self._die()

    def _die(self) -> None:
        """Stop without a word; the platform finds out later."""
        self.alive = False
        if self._task is not None:
            self._task.stop()
        detection_ns = self.deployment.platform.crash_detection if self.seen else 0
        if detection_ns:
            executor = self.deployment.executor
            epoch = executor.epoch
            self.deployment.clock.call_after(
                detection_ns, lambda: self._end(FAILED) if epoch == executor.epoch else None
            )
        else:
            self._end(FAILED)

    def attempt_lost(self) -> None:
        """Let the platform mark the job failed while the execution goes on."""
        self.seen = False
        executor = self.deployment.executor
        executor.unseen.append(self)
        executor.lose(self.job)

    async def call_external(self, function: Function) -> Any:
        """Run the user's action inside this execution."""
        self._called = called = Pending()
        function.external.begin(self, self.request)  # type: ignore[union-attr]  # so has the user's action
        return await called

    async def call_mutation(self, function: Function, args: Any) -> Any:
        """Call a mutation and wait for its commit."""
        deployment = self.deployment
        done = Pending()

        def finished(value: Any, error: FunctionError | None) -> None:
            if not self.alive:
                return
            self.hear("mutation", value if error is None else str(error))
            if error is None:
                done.succeed(value)
            else:
                done.fail(error)

        MutationCall(deployment, function, args, self.request, self.job, deployment.called_reruns).start(finished)
        return await done

    async def sleep(self, delay_ms: float) -> None:
        """Wait, at most until the time limit."""
        clock = self.deployment.clock
        delay_ns = round(delay_ms * 1e6)
        if self.deadline_ns is not None and clock.now_ns + delay_ns > self.deadline_ns:
            clock.call_after(self.deadline_ns - clock.now_ns, self._cut_off)
            await Pending()
        awake = Pending()
        clock.call_after(delay_ns, lambda: awake.succeed() if self.alive else None)
        await awake
        self.hear("awake", None)

    def hear(self, what: str, value: Any) -> None:
        """Tell the witness what the handler learns."""
        witness = self.deployment.witness
        if witness is not None:
            witness.learned(self, what, value)
