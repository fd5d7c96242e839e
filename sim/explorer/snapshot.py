"""One look at a world between two steps: everything that can still matter, as nested tuples of plain values.

Jobs are renumbered in order of creation and instants are relative to now, if the world allows it (see `Distinctions`).
"""

from __future__ import annotations

from functools import partial
from types import FunctionType, MappingProxyType, MethodType
from typing import TYPE_CHECKING, Any, Final

from sim.clients.client import Client
from sim.clients.connection import Connection
from sim.clients.hedged import Hedge
from sim.clients.loop_gates import Waiter
from sim.clients.policy.call import Call as PolicyCall
from sim.clients.policy.machine import Run
from sim.clients.policy.passage import Passage
from sim.clients.policy.spent import Spent
from sim.convex.calls import MutationCall
from sim.convex.commits import Commits
from sim.convex.deployment import Deployment
from sim.convex.execution import Execution
from sim.convex.executor import Executor
from sim.convex.functions import Function
from sim.convex.jobs import Job
from sim.convex.retention import Retention
from sim.convex.server import Server
from sim.convex.traced import TracedContext
from sim.engine.asking import Asking
from sim.engine.resubmissions import Resubmissions
from sim.engine.world import World
from sim.explorer import policy_state, service_state
from sim.explorer.plain_values import ATOMS, NotCanonical, PlainValues, collect_jobs
from sim.history.recorder import noted
from sim.history.request import Request
from sim.history.vocabulary import ALIVE, IN_PROGRESS, NEVER, PENDING
from sim.kernel.alarm import Alarm
from sim.kernel.clock import Call, Clock, Pending
from sim.options.model import Options
from sim.retriers.base import Retrier
from sim.world.action_model import ActionModel
from sim.world.attempt import Attempt
from sim.world.hosts import ByClass
from sim.world.services.capacity import Capacity
from sim.world.services.service import Receiver
from sim.world.services.visit import Cancellation, Visit
from sim.world.weather import OnOff, WeatherPath

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sim.convex.contexts import MutationContext
    from sim.explorer.course import Course
    from sim.explorer.plain_values import Distinctions
    from sim.guests.timers import Timer as GuestTimer
    from sim.guests.waits import Waiting

NEVER_SETTLED = 1 << 200
"""Later than every instant."""

STATIC = (
    *(World, Asking, Resubmissions, ByClass),
    *(Deployment, Server, Retention, Commits, Executor, Clock, ActionModel, Function, Options, Retrier),
    Capacity,
)
"""Objects of these classes are the same in all states of a search."""


class Snapshot:
    """One look at the world of a course."""

    def __init__(self, course: Course, distinct: Distinctions, settled_ns: Mapping[int, int]) -> None:
        """Look at the world; `settled_ns` has the instant at which each request settled."""
        self._course = course
        self._world = world = course.world
        self._distinct = distinct
        self._up_to_time = distinct.up_to_time
        self._settled_ns = settled_ns
        self.now_ns = world.clock.now_ns
        values = PlainValues(distinct, self.now_ns)
        self._values = values
        self._job = values.job
        self._plain = values.plain
        self._tasks: list[tuple[Any, Any]] = []

    def state(self, observed: tuple[Any, ...]) -> Any:
        """Return the state, given what has been observed of each request. Raises NotCanonical."""
        course, world = self._course, self._world
        deployment = world.deployment
        executor, store = deployment.executor, deployment.store
        timers = world.clock.timers()
        executions = [*(executor.running[number] for number in sorted(executor.running)), *executor.unseen]
        live = [job for job in store.jobs.values() if job.state in (PENDING, IN_PROGRESS)]
        documents = [(key, version.document) for key, version in store.documents.items()]
        self._number(live, executions, documents, timers)
        for execution in executions:
            if execution._task is not None:
                self._tasks.append((execution._task, ("x", self._job(execution.job_id))))
            for at, task in enumerate(execution._tasks or ()):
                self._tasks.append((task, ("x", self._job(execution.job_id), at)))
        for place, client in world.clients.items():
            if isinstance(client, Client):
                self._tasks.append((client._task, ("c", place)))
        return (
            0 if self._up_to_time else self.now_ns,
            course.crashes_left,
            tuple(course.cancels_left),
            observed,
            tuple(self._request(request) for request in course.requests),
            tuple((t_ns - self.now_ns, urgency, self.value(timer)) for t_ns, urgency, _, timer in timers),
            tuple(self._row(number) for number in sorted(self._values.ranks)),
            tuple((key, self._plain(document)) for key, document in documents),
            # A transaction that is lost keeps the numbers it gave away, so they can be ahead of all rows.
            0 if self._up_to_time else store.jobs_created,
            tuple(table.created for table in store.tables.values()),
            # The next creation comes after the last one: that tells only if it is not past.
            tuple((name, t_ns - self.now_ns) for name, t_ns in store.created_ns.items() if t_ns >= self.now_ns),
            tuple(self.now_ns - job.completed_ns for job in deployment.retention.completed_jobs),
            deployment.server.down,
            executor.free,
            tuple(self._job(number) for _, number, _ in sorted(executor.waiting, key=lambda entry: entry[:2])),
            tuple(self._job(number) for number in executor.starting),
            tuple(self._execution(execution) for execution in executions),
            tuple(self.value(call) for call in deployment.server._when_up),
            tuple(
                self._client(client) if isinstance(client, Client) else policy_state.run(self, client)
                for client in world.clients.values()
            ),
            policy_state.cells(self, world.cells),
            tuple(world._to_come),
            tuple(world._submitting),
            tuple(self._attributes(retrier) for _, retrier in world.retriers.deployed()),
            None if world._asking is None else self._asking(world._asking),
            tuple(service_state.service(self, receiver) for receiver in world.services.values()),
        )

    # Jobs and their numbers.

    def _number(self, live: list[Job], executions: list[Execution], documents: Any, timers: Any) -> None:
        """Give numbers to the jobs that can still matter: live ones, and ones that a function may still look up."""
        found = {job.id for job in live}
        found.update(execution.job_id for execution in executions)
        for *_, timer in timers:
            if isinstance(timer, Job):
                found.add(timer.id)
            elif isinstance(timer, MutationCall) and timer.to_commit is not None:
                found.update(job.id for job in timer.to_commit.created or ())
        names = self._distinct.fields.jobs
        if names:
            for job in live:
                collect_jobs(job.args, names, found)
            for _, document in documents:
                collect_jobs(document, names, found)
        elif self._course.deployed:
            found.update(self._world.deployment.store.jobs)
        self._values.number_jobs(found)

    def _row(self, number: int) -> Any:
        deployment = self._world.deployment
        job = deployment.store.jobs.get(number)
        rank = self._values.ranks[number]
        if job is None:
            return (rank, "gone")
        if job.state in (PENDING, IN_PROGRESS):
            due_ns = job.due_ns - self.now_ns if job.due_ns > self.now_ns else 0
            since_ns = self.now_ns - job.due_ns if not self._course.bounds.orders and due_ns == 0 else 0
            name = job.function.name
            return (
                rank,
                name,
                self._request_number(job.request),
                job.state,
                due_ns,
                since_ns,
                job.system_errors,
                self._plain(job.args),
            )
        ended_for_ns = 0 if deployment.retention.retention_ns is None else self.now_ns - job.completed_ns
        return (rank, job.function.name, job.state, ended_for_ns)

    # Requests, executions, clients.

    def _request(self, request: Request) -> Any:
        now_ns = self.now_ns
        waits_ns = now_ns - request.last_attempt_end_ns if request.settled_ns == NEVER else 0
        key, remembers = request.key, self._distinct.remembers
        applied_ns = now_ns - key.applied_ns if key is not None and remembers else NEVER
        known = None
        if key is not None and remembers:
            failure = key.answer if key.answer is None or isinstance(key.answer, str) else tuple(key.answer)
            busy_ns = max(key.busy_until_ns - now_ns, 0)
            known = (now_ns - key.seen_ns, busy_ns, failure, 0 if failure is None else now_ns - key.answer_ns)
        return (
            int(request.outcome),
            request.settled_ns != NEVER,
            request.permanent,
            request.attempts,
            request.effects,
            request.suppressed,
            None if request.duplicates is None else tuple(request.duplicates),
            None if key is None or key.last_applied is None else self.attempt(key.last_applied),
            applied_ns,
            known,
            waits_ns if self._distinct.named_waits else 0,
            now_ns - request.submitted_ns if self._distinct.deadline else 0,
            request.runaway,
            request.canceled,
            None if request.concluded is None else tuple(sorted(request.concluded)),
            request.submissions,
            request.client,
            request.caller_class,
            None if request.jobs is None else tuple(self._job(job.id) for job in request.jobs if job.state in ALIVE),
            None if request.weather is None else self.weather(request.weather),
        )

    def _asking(self, asking: Asking) -> Any:
        """Return what closed arrivals go on by; open ones come whatever happens."""
        return tuple(asking._asked), tuple(
            (client, asking._waiting[client].number) for client in sorted(asking._waiting)
        )

    def attempt(self, attempt: Attempt) -> Any:
        """Describe an attempt."""
        return (
            self._request_number(attempt.request),
            attempt.number,
            attempt.how,
            int(attempt.blame),
            attempt.ended,
            attempt.given_up,
            attempt.is_to_blame,
            attempt.by_key,
            attempt.effect_done,
            attempt._effect_at_end,
            attempt.effect_dropped,
            attempt.callbacks is None,
            None if attempt.failure is None else tuple(attempt.failure),
        )

    def _execution(self, execution: Execution) -> Any:
        left_ns = 0 if execution.deadline_ns is None else execution.deadline_ns - self.now_ns
        return (
            self._job(execution.job_id),
            execution.alive,
            execution.seen,
            left_ns,
            execution.strike,
            execution.writes,
            tuple(self.attempt(attempt) for attempt in execution.attempts),
            tuple((branch.attempt is None, branch.answer.done) for branch in execution.branches or ()),
            execution._called is not None,
            self._plain(self._course.witness.learned_by(execution)),
        )

    def _client(self, client: Client) -> Any:
        return (
            self._request_number(client.request),
            client.asleep,
            client.sleeps if client.calls_at_most < client.sleeps + client.request.attempts else 0,
            tuple(self.value(connection) for connection in client.connections),
            self._plain(self._course.witness.learned_by(client)),
            None if client.hedge is None else client.hedge.state,
            tuple((tuple(address), policy_state.inside(self, cell)) for address, cell in client.own_cells.items()),
            client._task._stopped,
            # A course has a witness, so the loop is kept. Code of a guest goes on by what its process has learned.
            () if client.process is not None else self._attributes(client.loop),
        )

    def _attributes(self, retrier: Any) -> Any:
        """Return the attributes of a retrier; a port has only handlers and options, which never change."""
        known = vars(retrier)
        return tuple(
            (name, self._plain(value))
            for name, value in known.items()
            if not isinstance(value, (Function, Options, FunctionType, MethodType))
        )

    def weather(self, path: WeatherPath) -> Any:
        """Describe weather that comes in turns, as far as it is known."""
        if not any(isinstance(source, OnOff) for source in path._sources):
            return None
        turns = path._turns
        return tuple((key, turns[key]._first_down, tuple(turns[key]._ends_ns)) for key in sorted(turns))

    # Timers, and the values they hold.

    def value(self, value: Any) -> Any:
        """Describe what a timer holds. Raises NotCanonical."""
        kind = type(value)
        if kind in ATOMS:
            return value
        describe = _DESCRIBERS.get(kind) or _describer(kind)
        return describe(self, value)

    def _document(self, value: Any) -> Any:
        return self._plain(value)

    def _same(self, value: Any) -> Any:
        return value

    def _static(self, value: Any) -> Any:
        return type(value).__name__

    def _job_timer(self, job: Job) -> Any:
        executor = self._world.deployment.executor
        due, admitted = job.callbacks is executor.commits.due_callbacks, job.callbacks is executor.admitted_callbacks
        return ("job", self._job(job.id), due, admitted)

    def _call_timer(self, call: Call) -> Any:
        return ("call", self.value(call.function))

    def _attempt_timer(self, attempt: Attempt) -> Any:
        return ("attempt", self.attempt(attempt))

    def _method(self, method: MethodType) -> Any:
        return (method.__func__.__qualname__, self.value(method.__self__))

    def _partial(self, value: partial[Any]) -> Any:
        return ("partial", self.value(value.func), self.value(value.args))

    def _request_number(self, request: Request) -> Any:
        return ("request", request.number, request.submission)

    def _pending(self, pending: Pending) -> Any:
        owner = next((label for task, label in self._tasks if task is pending._task), None)
        return ("pending", pending.done, owner)

    def _guests_timer(self, timer: GuestTimer) -> Any:
        """Describe a timer of asyncio: the code that it runs follows from what its process has learned."""
        if self._world.clock.is_off(timer):
            return "called off"
        owner = timer.inside or timer.of
        return ("timer", timer.number, None if owner is None else self._request_number(owner.client.request))

    def _waiting(self, waiting: Waiting) -> Any:
        off = waiting.callbacks is not None and self._world.clock.is_off(waiting)
        return "called off" if off else ("waiting", waiting.is_handed, self._pending(waiting))

    def _client_number(self, client: Client) -> Any:
        return ("client", self._request_number(client.request))

    def _hedge(self, hedge: Hedge) -> Any:
        return ("hedge", self._request_number(hedge.request), hedge.state)

    def _waiter(self, waiter: Waiter) -> Any:
        return ("waiter", waiter.name)

    def _policy_call(self, call: PolicyCall) -> Any:
        return policy_state.call(self, call)

    def _spent(self, spent: Spent) -> Any:
        return policy_state.spent(self, spent)

    def _run_number(self, run: Run) -> Any:
        return ("run", self._request_number(run.request), run.callbacks is not None)

    def _passage(self, passage: Passage) -> Any:
        return policy_state.passage(self, passage)

    def _service(self, receiver: Receiver) -> Any:
        return ("service", receiver.name)

    def _visit(self, visit: Visit) -> Any:
        return service_state.visit_timer(self, visit) if visit.callbacks else service_state.visit_values(self, visit)

    def _visit_effect(self, effect: Any) -> Any:
        if isinstance(effect.callbacks[0].__self__, Clock):
            return "called off"
        return ("effect", service_state.visit_values(self, effect.visit))

    def _cancellation(self, message: Cancellation) -> Any:
        return ("cancel", service_state.visit_values(self, message.visit))

    def _alarm(self, alarm: Alarm) -> Any:
        return service_state.alarm_values(self, alarm)

    def _weather_path(self, path: WeatherPath) -> Any:
        del path  # the request has it
        return "weather"

    def _sequence(self, values: list[Any] | tuple[Any, ...]) -> Any:
        return tuple(map(self.value, values))

    def _effect(self, effect: Any) -> Any:
        return ("effect", self.attempt(effect.attempt))

    def _connection(self, connection: Connection) -> Any:
        attempt = None if connection.attempt is None else self.attempt(connection.attempt)
        since_ns = self.now_ns - connection.started_ns if self._distinct.timeout else 0
        return (
            "connection",
            attempt,
            connection.answer.done,
            connection.timeout_ms is not None,
            since_ns,
            *connection.place,
        )

    def _function(self, function: FunctionType) -> Any:
        cells = function.__closure__ or ()
        names = function.__code__.co_freevars
        server = self._world.deployment.server
        enclosed: list[Any] = []
        for name, cell in zip(names, cells, strict=True):
            inside = cell.cell_contents
            if name == "epoch":
                enclosed.append(inside == server.epoch)
            elif name == "job_id":
                enclosed.append(self._job(inside))
            elif inside is server.store.jobs:
                enclosed.append("jobs")  # their rows are a part of the state
            elif inside is not function:
                enclosed.append(self.value(inside))
        return (function.__qualname__, tuple(enclosed))

    def _mutation(self, call: MutationCall) -> Any:
        stale = call._epoch != self._world.deployment.server.epoch
        job, caller = call._job, call._caller
        return (
            "mutation",
            call._function.name,
            self.value(call._args),
            self._request_number(call._request),
            None if job is None else self._job(job.id),
            None if caller is None else self._job(caller.id),
            call._rerun,
            stale,
            self.value(call._finished),
            None if call.to_commit is None else self._transaction(call.to_commit),
        )

    def _transaction(self, context: MutationContext) -> Any:
        store = self._world.deployment.store
        doomed = context.begin_ts != store.last_ts and store.overlaps(context)
        created = context.created or ()
        return (
            doomed,
            self.now_ns - context.now_ns,
            context.now_ns > self._settled_ns.get(context.request.number, NEVER_SETTLED),
            tuple(context.reads)
            if not self._up_to_time
            else tuple(self._job(read) if isinstance(read, int) else read for read in context.reads),
            tuple(self.value(tuple(read)) for read in context.ranges or ()),
            self._plain(context.writes),
            tuple(
                (self._job(job.id), job.function.name, job.state, job.due_ns - self.now_ns, self._plain(job.args))
                for job in created
            ),
            tuple((self._job(number), state) for number, state in (context.job_states or {}).items()),
            tuple(
                (
                    self._request_number(one.request),
                    int(one.outcome),
                    None if one.at_ns is None else one.at_ns - self.now_ns,
                    None if one.attempt_end_ns is None else one.attempt_end_ns - self.now_ns,
                )
                for one in context.settlements
            ),
            noted((context._trace,)) if isinstance(context, TracedContext) else (),
            tuple(map(self.value, context.after)),
        )

    def _within(self, host: Any) -> Any:
        return ("within", self._job(host.job_id))


_BY_CLASS: Final[Mapping[type, Callable[[Snapshot, Any], Any]]] = MappingProxyType(
    {
        **dict.fromkeys((int, str, float, bytes), Snapshot._same),
        Job: Snapshot._job_timer,
        Call: Snapshot._call_timer,
        PolicyCall: Snapshot._policy_call,
        Spent: Snapshot._spent,
        Attempt: Snapshot._attempt_timer,
        MethodType: Snapshot._method,
        FunctionType: Snapshot._function,
        partial: Snapshot._partial,
        Request: Snapshot._request_number,
        Execution: Snapshot._execution,
        MutationCall: Snapshot._mutation,
        Pending: Snapshot._pending,
        Client: Snapshot._client_number,
        Connection: Snapshot._connection,
        Hedge: Snapshot._hedge,
        Waiter: Snapshot._waiter,
        Run: Snapshot._run_number,
        Passage: Snapshot._passage,
        **dict.fromkeys(STATIC, Snapshot._static),
        WeatherPath: Snapshot._weather_path,
        Receiver: Snapshot._service,
        Visit: Snapshot._visit,
        Cancellation: Snapshot._cancellation,
        Alarm: Snapshot._alarm,
        list: Snapshot._sequence,
        tuple: Snapshot._sequence,
        dict: Snapshot._document,
    }
)
"""How to describe what a timer holds, by its class or a base of it."""
_BY_NAME: Final[Mapping[str, Callable[[Snapshot, Any], Any]]] = MappingProxyType(
    {
        "sim.world.action_model._Effect": Snapshot._effect,
        "sim.world.services.work._VisitEffect": Snapshot._visit_effect,
        "sim.retriers.ports.workpool.worker.Within": Snapshot._within,
        "sim.guests.timers.Timer": Snapshot._guests_timer,
        "sim.guests.waits.Waiting": Snapshot._waiting,
    }
)
"""The same for classes that are private to their modules (an effect to come, an attempt within a mutation), and for
those of guests: to import these takes longer than many a search without guests."""


_DESCRIBERS: Final[dict[type, Callable[[Snapshot, Any], Any]]] = {}
"""A cache: the way to describe the objects of each class seen so far."""


def _describer(kind: type) -> Callable[[Snapshot, Any], Any]:
    """Return the way to describe objects of a class. Raises NotCanonical."""
    ways = [_BY_NAME.get(f"{kind.__module__}.{kind.__qualname__}"), *map(_BY_CLASS.get, kind.__mro__)]
    way = next((way for way in ways if way is not None), None)
    if way is None:
        raise NotCanonical(f"a {kind.__name__} in a timer cannot be compared between runs")
    _DESCRIBERS[kind] = way
    return way
