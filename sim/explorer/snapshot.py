"""What a world remembers, taken apart into plain values."""

from __future__ import annotations

from functools import partial
from types import FunctionType, MappingProxyType, MethodType
from typing import TYPE_CHECKING, Any

from sim.clients.client import Client
from sim.convex.calls import MutationCall
from sim.convex.commits import Commits
from sim.convex.deployment import Deployment
from sim.convex.execution import Execution
from sim.convex.executor import Executor
from sim.convex.functions import Function
from sim.convex.jobs import Job
from sim.convex.retention import Retention
from sim.convex.server import Server
from sim.engine.world import World
from sim.history.request import Request
from sim.history.vocabulary import IN_PROGRESS, NEVER, PENDING
from sim.kernel.clock import Call, Clock, Pending
from sim.options.model import Options
from sim.retriers.base import Fields, Retrier
from sim.world.action_model import ActionModel
from sim.world.attempt import Attempt
from sim.world.weather import OnOff, WeatherPath

if TYPE_CHECKING:
    from sim.convex.contexts import MutationContext
    from sim.explorer.course import Course
    from sim.explorer.state import States

NEVER_SETTLED = 1 << 200
"""Behind every instant."""


STATIC = (World, Deployment, Server, Retention, Commits, Executor, Clock, ActionModel, Function, Options, Retrier)
"""What is the same in all states of a search."""


class NotCanonical(TypeError):
    """Something holds a value that cannot be compared between runs."""


class _Snapshot:
    """One look at a world."""

    def __init__(self, states: States, course: Course) -> None:
        self._course = course
        self._world = world = course.world
        self._fields: Fields = states._fields
        self._translates = states.translates
        self._deadline = states._deadline
        self._timeout = states._timeout
        self._settled_ns = states._settled_ns
        self._now_ns = world.clock.now_ns
        self._ranks: dict[int, int] = {}
        self._tasks: list[tuple[Any, Any]] = []

    def state(self, observed: tuple[Any, ...]) -> Any:
        course, world = self._course, self._world
        deployment = world.deployment
        executor, store = deployment.executor, deployment.store
        timers = world.clock.timers()
        executions = [*(executor.running[number] for number in sorted(executor.running)), *executor.unseen]
        live = [job for job in store.jobs.values() if job.state in (PENDING, IN_PROGRESS)]
        documents = [(key, version.document) for key, version in store.documents.items()]
        self._number(live, executions, documents, timers)
        for execution in executions:
            self._tasks.append((execution._task, ("x", self._job(execution.job_id))))
        for number, client in world.clients.items():
            self._tasks.append((client._task, ("c", number)))
        return (
            0 if self._translates else self._now_ns,
            course.crashes_left,
            tuple(course.cancels_left),
            observed,
            tuple(self._request(request) for request in course.requests),
            tuple((t_ns - self._now_ns, urgency, self._value(timer)) for t_ns, urgency, _, timer in timers),
            tuple(self._row(number) for number in sorted(self._ranks)),
            tuple((key, self._plain(document)) for key, document in documents),
            tuple(table.created for table in store.tables.values()),
            tuple(self._now_ns - job.completed_ns for job in deployment.retention.completed_jobs),
            deployment.server.down,
            executor.free,
            tuple(self._job(number) for _, number, _ in sorted(executor.waiting, key=lambda entry: entry[:2])),
            tuple(self._job(number) for number in executor.starting),
            tuple(self._execution(execution) for execution in executions),
            tuple(self._value(call) for call in deployment.server._when_up),
            tuple(self._client(client) for client in world.clients.values()),
            tuple(world._to_come),
            tuple(world._submitting),
            self._retrier(),
        )

    # Jobs and their numbers.

    def _number(self, live: list[Job], executions: list[Execution], documents: Any, timers: Any) -> None:
        """Give numbers to the jobs that can still matter: those that live, and those that somebody may ask for."""
        found = {job.id for job in live}
        found.update(execution.job_id for execution in executions)
        for *_, timer in timers:
            if isinstance(timer, Job):
                found.add(timer.id)
            elif isinstance(timer, Call) and (context := _held(timer.function)) is not None:
                found.update(job.id for job in context.created or ())
        names = self._fields.jobs
        if names:
            for job in live:
                _collect(job.args, names, found)
            for _, document in documents:
                _collect(document, names, found)
        elif self._course.deployed:
            found.update(self._world.deployment.store.jobs)
        ordered = sorted(found)
        self._ranks = {number: rank if self._translates else number for rank, number in enumerate(ordered)}

    def _job(self, number: int) -> int:
        return self._ranks.get(number, -2)

    def _row(self, number: int) -> Any:
        deployment = self._world.deployment
        job = deployment.store.jobs.get(number)
        rank = self._ranks[number]
        if job is None:
            return (rank, "gone")
        if job.state in (PENDING, IN_PROGRESS):
            due_ns = job.due_ns - self._now_ns if job.due_ns > self._now_ns else 0
            since_ns = self._now_ns - job.due_ns if not self._course.bounds.orders and due_ns == 0 else 0
            name = job.function.name
            return (
                rank,
                name,
                job.request.number,
                job.state,
                due_ns,
                since_ns,
                job.system_errors,
                self._plain(job.args),
            )
        kept_ns = 0 if deployment.retention.retention_ns is None else self._now_ns - job.completed_ns
        return (rank, job.function.name, job.state, kept_ns)

    # Requests, executions, clients.

    def _request(self, request: Request) -> Any:
        now_ns = self._now_ns
        waits_ns = now_ns - request.last_attempt_end_ns if request.settled_ns == NEVER else 0
        applied_ns = now_ns - request.last_applied_ns if self._world.cell.action.window_ns is not None else 0
        return (
            int(request.outcome),
            request.settled_ns != NEVER,
            request.permanent,
            request.attempts,
            request.effects,
            request.suppressed,
            None if request.duplicates is None else tuple(request.duplicates),
            None if request.last_applied is None else self._attempt(request.last_applied),
            applied_ns,
            waits_ns if self._names_a_wait else 0,
            now_ns - request.submitted_ns if self._deadline else 0,
            request.runaway,
            None if request.weather is None else self._weather(request.weather),
        )

    @property
    def _names_a_wait(self) -> bool:
        action = self._world.cell.action
        return action.outcomes.fail.retry_after is not None or any(
            step.retry_after is not None for step in action.script
        )

    def _attempt(self, attempt: Attempt) -> Any:
        return (
            attempt.request.number,
            attempt.number,
            attempt.how,
            int(attempt.blame),
            attempt.ended,
            attempt.given_up,
            attempt.effect_done,
            attempt._effect_at_end,
            attempt._effect_dropped,
            attempt.callbacks is None,
            None if attempt.failure is None else tuple(attempt.failure),
        )

    def _execution(self, execution: Execution) -> Any:
        left_ns = 0 if execution.deadline_ns is None else execution.deadline_ns - self._now_ns
        return (
            self._job(execution.job_id),
            execution.alive,
            execution.seen,
            left_ns,
            execution.strike,
            execution.writes,
            None if execution.attempt is None else self._attempt(execution.attempt),
            execution._called is not None,
            self._plain(self._course.witness.learned_by(execution)),
        )

    def _client(self, client: Client) -> Any:
        return (
            client.request.number,
            client.asleep,
            client.sleeps if client.calls_at_most < client.sleeps + client.request.attempts else 0,
            tuple(self._value(connection) for connection in client.connections),
            self._plain(self._course.witness.learned_by(client)),
            client._task._stopped,
        )

    def _retrier(self) -> Any:
        """Return what the retrier itself remembers; handlers and options aside, a port remembers nothing."""
        known = vars(self._world.retrier)
        return tuple(
            (name, self._plain(value))
            for name, value in known.items()
            if not isinstance(value, (Function, Options, FunctionType, MethodType))
        )

    def _weather(self, path: WeatherPath) -> Any:
        if not any(isinstance(source, OnOff) for source in self._world.cell.action.weather):
            return None
        turns = path._turns
        return tuple((key, turns[key]._first_down, tuple(turns[key]._ends_ns)) for key in sorted(turns))

    # Timers, and whatever they hold.

    def _value(self, value: Any) -> Any:  # noqa: C901, PLR0911, PLR0912  # one case a type
        if value is None or isinstance(value, (int, str, float, bytes)):
            return value
        if isinstance(value, Job):
            executor = self._world.deployment.executor
            return (
                "job",
                self._job(value.id),
                value.callbacks is executor.commits.due_callbacks,
                value.callbacks is executor.admitted_callbacks,
            )
        if isinstance(value, Call):
            return ("call", self._value(value.function))
        if isinstance(value, Attempt):
            return ("attempt", self._attempt(value))
        if isinstance(value, MethodType):
            context = _held(value)
            transaction = None if context is None else self._transaction(context)
            return (value.__func__.__qualname__, self._value(value.__self__), transaction)
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, partial):
            return ("partial", self._value(value.func), self._value(value.args))
        if isinstance(value, Request):
            return ("request", value.number)
        if isinstance(value, Execution):
            return self._execution(value)
        if isinstance(value, MutationCall):
            return self._call(value)
        if isinstance(value, Pending):
            owner = next((label for task, label in self._tasks if task is value._task), None)
            return ("pending", value.done, owner)
        if isinstance(value, Client):
            return ("client", value.request.number)
        if isinstance(value, STATIC):
            return type(value).__name__
        if isinstance(value, WeatherPath):
            return "weather"
        if isinstance(value, (list, tuple)):
            return tuple(map(self._value, value))
        if isinstance(value, dict):
            return self._plain(value)
        return self._other(value)

    def _other(self, value: Any) -> Any:
        """Describe what only its own module knows: an effect to come, a client's call."""
        kind = type(value).__name__
        if kind == "_Effect":
            return ("effect", self._attempt(value.attempt))
        if kind == "_Connection":
            attempt = None if value.attempt is None else self._attempt(value.attempt)
            since_ns = self._now_ns - value._started_ns if self._timeout else 0
            return ("connection", attempt, value.answer.done, value.timeout_ms is not None, since_ns)
        raise NotCanonical(f"a {kind} in a timer cannot be compared between runs")

    def _function(self, function: FunctionType) -> Any:
        cells = function.__closure__ or ()
        names = function.__code__.co_freevars
        server = self._world.deployment.server
        held: list[Any] = []
        for name, cell in zip(names, cells, strict=True):
            inside = cell.cell_contents
            if name == "epoch":
                held.append(inside == server.epoch)
            elif inside is not function:
                held.append(self._value(inside))
        return (function.__qualname__, tuple(held))

    def _call(self, call: MutationCall) -> Any:
        stale = call._epoch != self._world.deployment.server.epoch
        job, caller = call._job, call._caller
        return (
            "mutation",
            call._function.name,
            self._value(call._args),
            call._request.number,
            None if job is None else self._job(job.id),
            None if caller is None else self._job(caller.id),
            call._rerun,
            stale,
            self._value(call._finished),
        )

    def _transaction(self, context: MutationContext) -> Any:
        store = self._world.deployment.store
        doomed = context.begin_ts != store.last_ts and store.overlaps(context)
        created = context.created or ()
        return (
            doomed,
            self._now_ns - context.now_ns,
            context.now_ns > self._settled_ns.get(context.request.number, NEVER_SETTLED),
            tuple(context.reads)
            if not self._translates
            else tuple(self._job(read) if isinstance(read, int) else read for read in context.reads),
            tuple(self._value(tuple(read)) for read in context.ranges or ()),
            self._plain(context.writes),
            tuple(
                (self._job(job.id), job.function.name, job.state, job.due_ns - self._now_ns, self._plain(job.args))
                for job in created
            ),
            tuple((self._job(number), state) for number, state in (context.job_states or {}).items()),
            None if context.settlement is None else int(context.settlement[0]),
        )

    def _plain(self, value: Any) -> Any:
        """Describe arguments and documents, the fields apart that hold jobs, instants and addresses."""
        if value is None or isinstance(value, (int, str, float)):
            return value
        if isinstance(value, (dict, MappingProxyType)):
            jobs, instants, addresses = self._fields
            held = []
            for key in sorted(value):
                inside = value[key]
                if key in addresses:
                    continue
                if key in jobs and isinstance(inside, int):
                    held.append((key, self._job(inside)))
                elif key in instants and isinstance(inside, int):
                    held.append((key, inside - self._now_ns))
                else:
                    held.append((key, self._plain(inside)))
            return tuple(held)
        if isinstance(value, (list, tuple)):
            return tuple(map(self._plain, value))
        if isinstance(value, Request):
            return ("request", value.number)
        raise NotCanonical(
            f"a {type(value).__name__} in an argument, a document or a retrier cannot be compared between runs"
        )


def _held(function: Any) -> MutationContext | None:
    """Return the transaction that a timer is going to commit, if that is what it does."""
    call = getattr(function, "__self__", None)
    held = isinstance(call, MutationCall) and function.__func__ is MutationCall._commit_held
    return call._context if held else None  # type: ignore[union-attr]  # it is one


def _collect(value: Any, names: tuple[str, ...], found: set[int]) -> None:
    """Add the jobs that arguments or a document name."""
    if isinstance(value, (dict, MappingProxyType)):
        for key, inside in value.items():
            if key in names and isinstance(inside, int):
                found.add(inside)
            elif not isinstance(inside, (int, str, float)):
                _collect(inside, names, found)
    elif isinstance(value, (list, tuple)):
        for inside in value:
            _collect(inside, names, found)
