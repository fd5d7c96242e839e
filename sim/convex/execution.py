"""One execution of an action's job: how it can end, and what an action can do.

It returns or throws; it dies, alone or with the server; it is cut off at the time limit; or the platform loses sight of
it while it goes on. The first four end its job; the last ends the job but not the execution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from sim.convex.branches import Branch
from sim.convex.calls import MutationCall
from sim.convex.contexts import QueryContext
from sim.convex.functions import ActionFailed, Function, FunctionError, note_mistake
from sim.history.vocabulary import ANSWERED, CUT, DIED, FAILED, NEVER, RETURNED, SUCCESS, Cause
from sim.kernel.clock import Pending, Task
from sim.kernel.durations import ns_of_ms

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from sim.convex.commits import Commits
    from sim.convex.jobs import Job
    from sim.history.request import Request
    from sim.history.vocabulary import End, JobState
    from sim.world.attempt import Attempt


class Slots(Protocol):
    """What an execution tells the executor, whose slot it holds while it is seen."""

    def over(self, execution: Execution, state: JobState) -> None:
        """Record the end of the execution as the end of its job."""
        ...

    def lose(self, execution: Execution) -> None:
        """Lose sight of it: its job fails although it goes on."""
        ...

    def over_unseen(self, execution: Execution) -> None:
        """Note that an execution out of sight has ended."""
        ...


class Execution:
    """One execution of an action's job; it hosts the attempts made in it, and is the timer of its own time limit."""

    slept_ns: ClassVar[int] = NEVER
    is_copy: ClassVar[bool] = False
    __slots__ = (
        "_called",
        "_slots",
        "_task",
        "_tasks",
        "alive",
        "attempt",
        "branches",
        "callbacks",
        "commits",
        "deadline_ns",
        "job",
        "job_id",
        "refused",
        "request",
        "seen",
        "server",
        "started_ns",
        "strike",
        "writes",
    )
    _ok = True

    def __init__(self, commits: Commits, job: Job, slots: Slots) -> None:
        self.commits = commits
        self.server = server = commits.server
        self._slots = slots
        self.job = job
        self.job_id = job.id
        self.request: Request = job.request
        self.started_ns = now_ns = server.clock.now_ns
        limit_ns = server.action_time_limit_ns
        self.deadline_ns: int | None = None if limit_ns is None else now_ns + limit_ns
        self.alive = True
        self.seen = True
        """Whether the platform still waits for its end."""
        self.strike: float | None = server.strike_of(job) if server.system_error_share else None
        self.writes = 0
        """How many writes of its end a system error has struck so far."""
        self.attempt: Attempt | None = None
        self.branches: list[Branch] | None = None
        """What hosts the attempts of an action that runs several at once."""
        self.refused = False
        """Whether the last mutation that its handler called has failed."""
        self._task: Task | None = None
        self._tasks: list[Task] | None = None
        """What its handler does at once."""
        self.callbacks: Any = None
        self._called: Pending | None = None
        """The answer that its handler awaits from the user's action."""

    @property
    def goes_on(self) -> bool:
        """Whether anything of it will still run: it is not dead, and not in a call that never ends."""
        attempts = self.attempts
        return self.alive and (
            not attempts or any(attempt.ended or attempt.callbacks is not None for attempt in attempts)
        )

    @property
    def attempts(self) -> list[Attempt]:
        """The attempts that are made in it, as far as it is not done with them."""
        found = [] if self.attempt is None else [self.attempt]
        if self.branches:
            found += [branch.attempt for branch in self.branches if branch.attempt is not None]
        return found

    def let_go(self) -> None:
        """Forget its attempts: they refer to it, and a cycle would be left to the garbage collector."""
        self.attempt = None
        for branch in self.branches or ():
            branch.let_go()
        self.branches = None

    def begin(self) -> None:
        """Run the function's handler."""
        function = self.job.function
        if self.deadline_ns is not None and not self.server.immediate:
            # In the background: the limit alone does not keep the world going, what it cuts off does.
            self.callbacks = _CUT_OFF
            self.server.clock.set_limit(self, self.deadline_ns - self.started_ns)
        coroutine = function.handler(ActionContext(self), self.job.args)  # type: ignore[misc]  # so has an action
        self._task = Task(coroutine, self._returned)
        self._task.go_on()

    def _returned(self, _value: Any, error: Exception | None) -> None:
        if error is not None and not isinstance(error, FunctionError):
            note_mistake(error, self.job.function, self.request, self.server.clock.now_ns)
            raise error
        self._end(SUCCESS if error is None else FAILED)

    def _end(self, state: JobState) -> None:
        self.alive = False
        self._task = self._tasks = None  # the timer of the time limit may keep this for long
        if self.seen:
            self._slots.over(self, state)
        else:
            self.let_go()
            self.request.action_ns += self.server.clock.now_ns - self.started_ns
            self._slots.over_unseen(self)

    def kill(self, how: End = DIED) -> None:
        """Stop where it is, dead or cut off: nothing of it runs anymore, but what it did outside goes on."""
        self.stop()
        for attempt in self.attempts:
            if not attempt.ended:
                self.server.record("attempt_end", attempt.request.number, attempt.number, how)
            cause = Cause.timeout if how == CUT else Cause.crash_after_effect
            attempt.abandon(self.server.clock.now_ns, cause)

    def stop(self) -> None:
        """Let its handler go no further: GeneratorExit is raised where it waits, and by whatever it asks for then."""
        self.alive = False
        errors = [task.stop() for task in (*(self._tasks or ()), self._task) if task is not None]
        error = next((error for error in errors if error is not None), None)
        if error is not None and not isinstance(error, FunctionError):
            note_mistake(error, self.job.function, self.request, self.server.clock.now_ns)
            raise error

    def cut_off(self) -> None:
        """End at the time limit, with all that it does."""
        if self.alive:
            self.kill(CUT)
            self._end(FAILED)

    def attempt_over(self, how: End) -> None:
        """Take the end of the attempt that runs in this execution."""
        called, self._called = self._called, None
        self.hear("attempt", how)
        if how in ANSWERED:
            if called is None:
                self._end(SUCCESS if how == RETURNED else FAILED)
            elif how == RETURNED:
                called.succeed()
            else:
                called.fail(ActionFailed.of(self.attempt.failure))  # type: ignore[union-attr]  # it is over, so it began
        elif how == CUT:
            self.cut_off()
        else:
            self.die()

    def die(self) -> None:
        """Stop without a word; the platform finds out later."""
        self.stop()
        for branch in self.branches or ():
            branch.lose()
        server = self.server
        detection_ns = server.platform.crash_detection if self.seen else 0
        if detection_ns:
            epoch = server.epoch
            server.clock.call_after(detection_ns, lambda: self._end(FAILED) if epoch == server.epoch else None)
        else:
            self._end(FAILED)

    def attempt_lost(self) -> None:
        """Let the platform mark the job failed while the execution goes on, if it still sees it."""
        if not self.seen:
            return
        self.seen = False
        self._slots.lose(self)

    def call_external(self, function: Function) -> Pending:
        """Run the user's action inside this execution; returns its answer to come."""
        self._called = called = Pending()
        function.external.begin(self, self.request)  # type: ignore[union-attr]  # so has the user's action
        return called

    def branch(self, function: Function, request: Request, *, at_once: bool = False) -> Branch:
        """Run the user's function for a request beside whatever else runs inside this execution."""
        if self.branches is None:
            self.branches = []
        branch = Branch(self, None if self.branches else self.strike)
        self.branches.append(branch)
        self.server.progress += 1
        external: Any = function.external
        if at_once:
            external.happen(branch, request, external.foresee(request, self.server.clock.now_ns))
        else:
            external.begin(branch, request)
        return branch

    def all(self, coroutines: Sequence[Coroutine[Any, Any, None]]) -> Pending:
        """Run coroutines at once, each until it waits; returns what completes when all are over."""
        done, left = Pending(), len(coroutines)

        def over(_value: Any, error: Exception | None) -> None:
            nonlocal left
            left -= 1
            if error is not None:
                failure, error = [error], None  # as below
                done.fail(failure.pop())
            elif not left:
                done.succeed()

        self._tasks = [Task(coroutine, over) for coroutine in coroutines]
        if not left:
            done.succeed()
        for task in self._tasks:
            if self.alive:
                task.go_on()
            else:
                task.stop()
        return done

    def call_mutation(self, function: Function, args: Any, request: Request | None = None) -> Pending:
        """Call a mutation, for the request of the job or another; returns its answer, which comes with its commit."""
        done = Pending()

        def finished(value: Any, error: FunctionError | None) -> None:
            if not self.alive:
                return
            self.hear("mutation", value if error is None else str(error))
            self.refused = error is not None
            if error is None:
                done.succeed(value)
            else:
                failure, error = [error], None  # no variable holds it while the handler goes on, see `Pending`
                done.fail(failure.pop())

        reruns = self.server.called_reruns
        of = self.request if request is None else request
        MutationCall(self.commits, function, args, of, reruns, caller=self.job).start(finished)
        return done

    async def sleep(self, delay_ms: float) -> None:
        """Wait, at most until the time limit."""
        clock = self.server.clock
        delay_ns = ns_of_ms(delay_ms)
        if self.deadline_ns is not None and clock.now_ns + delay_ns > self.deadline_ns:
            clock.call_after(self.deadline_ns - clock.now_ns, self.cut_off)
            await Pending()
        awake = Pending()
        clock.call_after(delay_ns, lambda: awake.succeed() if self.alive else None)
        try:
            await awake
        except GeneratorExit:
            self.alive = False
            raise
        self.hear("awake", None)

    def hear(self, what: str, value: Any) -> None:
        """Tell the witness what the handler learns."""
        witness = self.server.witness
        if witness is not None:
            witness.learned(self, what, value)


_CUT_OFF = (lambda execution: execution.cut_off(),)


class ActionContext:
    """What an action can do: call queries, mutations and the user's action one by one, schedule, sleep."""

    __slots__ = ("_of",)

    def __init__(self, execution: Execution) -> None:
        self._of = execution

    @property
    def _execution(self) -> Execution:
        """The execution; raises GeneratorExit if it is dead: nothing that a dead handler asks for takes place."""
        if not self._of.alive:
            raise GeneratorExit
        return self._of

    @property
    def now_ns(self) -> int:
        """The present instant."""
        now_ns = self._execution.server.clock.now_ns
        self._execution.hear("now", now_ns)
        return now_ns

    async def run_query(self, function: Function, args: Any = None) -> Any:
        """Run a query against a snapshot of now."""
        execution = self._execution
        context = QueryContext(execution.server, execution.request)
        value = function.handler(context, args)  # type: ignore[misc]  # a query has a handler
        execution.hear("query", value)
        return value

    async def run_mutation(self, function: Function, args: Any = None, *, request: Request | None = None) -> Any:
        """Run a mutation in a transaction of its own, charged to `request`, by default to that of the job.

        Raises the mutation's error, or `ConflictsExhausted`.
        """
        execution = self._execution
        try:
            return await execution.call_mutation(function, args, request)
        except GeneratorExit:
            execution.alive = False  # a handler that is closed while it waits is dead, whoever closes it
            raise

    async def run_action(self, function: Function) -> Any:
        """Run the user's action inside this execution. Raises `ActionFailed` if it throws."""
        execution = self._execution
        try:
            return await execution.call_external(function)
        except GeneratorExit:
            execution.alive = False  # as above
            raise

    def request_of(self, key: tuple[int, int]) -> Request:
        """Return a request by its number and submission."""
        return self._execution.server.requests[key]

    def start_action(self, function: Function, request: Request, *, at_once: bool = False) -> Branch:
        """Run the user's function for a request, beside others of this execution; `await branch.answer` for its end.

        `at_once`: it takes no time, as a query.
        """
        return self._execution.branch(function, request, at_once=at_once)

    async def all(self, coroutines: Sequence[Coroutine[Any, Any, None]]) -> None:
        """Run coroutines at once and wait for all, as `Promise.all`; the first error of one is raised."""
        if not self._of.alive:
            for coroutine in coroutines:
                coroutine.close()
        execution = self._execution
        try:
            await execution.all(coroutines)
        except GeneratorExit:
            execution.alive = False  # as above
            raise

    async def run_after(
        self, delay_ms: float, function: Function, args: Any = None, *, request: Request | None = None
    ) -> int:
        """Schedule a function, in a transaction of its own: it stays scheduled if this action throws later."""
        execution = self._execution
        of = execution.request if request is None else request
        context = execution.commits.new_context(execution.server, of)
        context.caller = execution.job
        job_id = context.run_after(delay_ms, function, args)
        execution.commits.commit(context)
        execution.hear("job", job_id)
        return job_id

    async def sleep(self, delay_ms: float) -> None:
        """Wait."""
        await self._execution.sleep(delay_ms)

    def uniform(self, stream: str, index: int = 0) -> float:
        """Draw the number on [0, 1) of this address for this request."""
        server, request = self._execution.server, self._execution.request
        value = server.choices.uniform(stream, request.number, index, request.first_rerun)
        server.record("draw", request.number, -1, stream, value)
        self._execution.hear("draw", value)
        return value
