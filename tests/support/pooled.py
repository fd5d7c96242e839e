"""A deployment with one pool of works: what each attempt does is the test's choice, and transactions can overlap."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fake_choices import ByStream

from sim.convex.contexts import MutationContext
from sim.convex.deployment import Deployment
from sim.convex.functions import ACTION, Function, FunctionError, mutation
from sim.convex.jobs import Job
from sim.convex.platform import Platform
from sim.convex.server import Server
from sim.convex.store import Store
from sim.convex.tables import BY_CREATION, TOP, Range
from sim.history.events import Event
from sim.history.failure import Failure
from sim.history.recorder import Recorder
from sim.history.request import Request
from sim.kernel.clock import Clock
from sim.kernel.durations import parse_duration
from sim.retriers.ports.workpool.pool import EPOCH_NS, Workpool
from sim.world.action_model import ActionModel
from sim.world.fate import Fate

MS = 1_000_000
S = 1000
"""A second in ms, the unit of all instants here."""
OWN = -2
SHORT = {"workpool": "", "batchWorker": ""}


class Scripted:
    """The fates of attempts, as `outcome latency` for each request's attempts; the last one is repeated."""

    def __init__(self, fates: dict[int, Sequence[str]], rest: Sequence[str]) -> None:
        self.fates, self.rest = fates, rest

    def draw(self, request: Request, attempt: int, _now_ns: int, _weather: Any) -> Fate:
        """Return the fate of an attempt."""
        script = self.fates.get(request.number, self.rest)
        outcome, _, latency = script[min(attempt, len(script)) - 1].partition(" ")
        is_final = outcome == "final"
        failure = Failure(is_final, -1) if outcome in ("fail", "final") else None
        return Fate("fail" if is_final else outcome, parse_duration(latency or "0ms"), failure)  # type: ignore[arg-type]


class Pooled:
    """One pool in a deployment without latencies, or with those given, and a history of all that happens."""

    def __init__(
        self,
        *rest: str,
        fates: dict[int, Sequence[str]] | None = None,
        numbers: dict[str, float | Sequence[float]] | None = None,
        platform: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.clock, self.recorder = Clock(), Recorder()
        self.numbers = ByStream(**(numbers or {}))
        self.server = Server(
            self.clock, Platform(**(platform or {})), self.numbers, recorder=self.recorder, store=Store(freeze=True)
        )
        self.deployment = Deployment(self.server)
        self.store = self.server.store
        model = ActionModel(
            self.clock,
            self.numbers,
            Scripted(fates or {}, rest or ("success 50ms",)),  # type: ignore[arg-type]  # it draws
            recorder=self.recorder,
        )
        self.pool = Workpool(**options)
        self.pool.bind(Function("action", ACTION, external=model))
        for name, indexes in self.pool.tables.items():
            self.store.define(name, indexes)
        self.own = Request(OWN)
        self.own.jobs = []
        self.pool.serve_many(self.own)
        self.requests: dict[int, Request] = {}

    # What an app and an operator do.

    def request(self, number: int) -> Request:
        """Return the request of a number."""
        if number not in self.requests:
            self.requests[number] = Request(number, self.clock.now_ns)
            self.requests[number].jobs = []
        return self.requests[number]

    def mutate(self, handler: Callable[[MutationContext], Any], number: int = 0) -> Any:
        """Run a mutation of the app now and commit it; returns what it returns, or the error that it throws."""
        answers: list[Any] = []

        def finished(value: Any, error: FunctionError | None) -> None:
            answers.append(value if error is None else error)

        self.deployment.call(mutation("app", lambda ctx, _: handler(ctx)), None, self.request(number), finished)
        return answers[0] if answers else None

    def enqueue(self, *numbers: int, **item: Any) -> Any:
        """Put the works of requests into the pool, one by one; returns the last id, or the error."""
        for number in numbers or (0,):
            request = self.request(number)
            found = self.mutate(lambda ctx, request=request: self.pool.enqueue(ctx, request, **item), number)
        return found

    def enqueue_batch(self, count: int, **item: Any) -> Any:
        """Put the works of the first requests into the pool in one call."""
        requests = [self.request(number) for number in range(count)]
        return self.mutate(lambda ctx: self.pool.enqueue_batch(ctx, requests, **item))

    def cancel(self, work_id: str) -> Any:
        """Cancel a work."""
        return self.mutate(lambda ctx: self.pool.cancel(ctx, work_id))

    def status(self, work_id: str) -> str:
        """Return the state of a work's status, with the attempts made before if it is not finished."""
        found = self.mutate(lambda ctx: self.pool.status(ctx, work_id))
        before = found.get("previousAttempts")
        return found["state"] if before is None else f"{found['state']} {before}"

    def lose(self, *names: str) -> None:
        """Let an operator cancel the newest unfinished job of each function, for any request."""
        for name in names:
            job = [job for job in self.jobs(name) if job.state in ("pending", "inProgress")][-1]
            self.store.step(job, "canceled")

    # Time.

    def at(self, at_ms: float, do: Callable[[], Any]) -> None:
        """Do something at an instant, before whatever else is due then."""
        self.clock.call_after(round(at_ms * MS) - self.clock.now_ns, do, urgent=True)

    def run(self, until_ms: float | None = None) -> "Pooled":
        """Go on until nothing is left to do, or until an instant."""
        if until_ms is not None:
            self.clock.call_after(round(until_ms * MS) - self.clock.now_ns, lambda: None)  # time goes on until then
        drained = self.clock.drain(None if until_ms is None else round(until_ms * MS), 200_000)
        assert drained or until_ms is not None, "this world does not come to an end"
        return self

    # Transactions that overlap.

    def open(self, handler: Callable[[MutationContext], Any] | str, number: int = 0) -> MutationContext:
        """Run a mutation of the app, or the newest pending job of a name, up to its commit."""
        job = None
        request = self.request(number)
        if isinstance(handler, str):
            job = self.pending(handler)
            request = job.request
        context = self.deployment.commits.new_context(self.server, request, job)
        self.store.hold(context)
        if job is None:
            handler(context)  # type: ignore[operator]  # it is no name
        else:
            context.get_job(job.id)
            job.function.handler(context, job.args)  # type: ignore[misc]  # a mutation has a handler
        return context

    def commit(self, context: MutationContext) -> bool:
        """Commit an open mutation; False if it is refused, since it overlaps another."""
        return self.deployment.commits.commit(context, context.job, held=True)

    def overlap(self, first: Any, second: Any, number: int = 1) -> bool:
        """Tell whether two mutations of one snapshot conflict if the first one commits first."""
        one, other = self.open(first), self.open(second, number)
        assert self.commit(one)
        return not self.commit(other)

    # What there is.

    def jobs(self, name: str) -> list[Job]:
        """Return the jobs of a function, in order of creation."""
        return [job for _, job in sorted(self.store.jobs.items()) if job.function.name == name]

    def pending(self, name: str) -> Job:
        """Return the newest pending job of a function."""
        return [job for job in self.jobs(name) if job.state == "pending"][-1]

    def states(self, name: str) -> list[str]:
        """Return the states of the jobs of a function."""
        return [job.state for job in self.jobs(name)]

    def documents(self, table: str) -> list[dict[str, Any]]:
        """Return the documents of a table, whichever of the two components has it, in order of creation."""
        full = next(name for name in self.store.tables if name.rpartition("/")[2] == table)
        found = self.store.range_at(self._whole(full), self.store.last_ts)
        return [document for _, document in found]

    def document(self, table: str) -> dict[str, Any]:
        """Return the one document of a table."""
        (found,) = self.documents(table)
        return found

    @staticmethod
    def _whole(table: str) -> Any:
        return Range(table, BY_CREATION, (), (TOP,))

    def running(self) -> int:
        """Count the slots that are held."""
        state = self.documents("internalState")
        return len(state[0]["running"]) if state else 0

    # What happened.

    def events(self, kind: str) -> list[Event]:
        """Return what the history has of one kind."""
        return [event for event in self.recorder.history() if event.kind == kind]

    def ran(self, name: str) -> list[float]:
        """Return the instants in ms at which the mutations of a name committed."""
        return [event.t_ns / MS for event in self.events("commit") if event.function == name]  # type: ignore[attr-defined]

    def when(self, kind: str, number: int | None = None) -> list[float]:
        """Return the instants in ms of the events of a kind, of one request if that is given."""
        return [event.t_ns / MS for event in self.events(kind) if number in (None, event.request)]

    def callbacks(self) -> list[str]:
        """Return what each onComplete was given."""
        return [event.result for event in self.events("callback")]  # type: ignore[attr-defined]

    def reads(self, context: MutationContext) -> list[str]:
        """Return what counts as read, in order: `table p`, `job NAME`, `table t`, or `table i(index)`, each once."""
        found = [self._name(one) for one in context.reads]
        ranges = [f"{_short(one.table)} {_kind(one)}" for one in context.ranges or ()]
        return [*dict.fromkeys([*found, *ranges])]

    def _name(self, read: int | str) -> str:
        return (
            f"job {self.store.jobs[read].function.name}"
            if isinstance(read, int)
            else f"{_short(read.partition(':')[0])} p"
        )

    def writes(self, name: str, which: int = -1) -> list[str]:
        """Return what a mutation wrote, in order: `table I`, `P` or `D`, `job I`, `job canceled`."""
        return [*self.all_writes(name)][which]

    def all_writes(self, name: str) -> Iterator[list[str]]:
        """Return the writes of each commit of a mutation."""
        alive: set[str] = set()
        steps: list[str] = []
        for event in self.recorder.history():
            match event.kind:
                case "write":
                    document_id = event.document_id  # type: ignore[attr-defined]
                    deleted = event.document is None  # type: ignore[attr-defined]
                    kind = "D" if deleted else "P" if document_id in alive else "I"
                    (alive.discard if deleted else alive.add)(document_id)
                    steps.append(f"{_short(document_id.partition(':')[0])} {kind}")
                case "job":
                    steps.append(f"{event.function} I")  # type: ignore[attr-defined]
                case "state" if event.after == "canceled":  # type: ignore[attr-defined]
                    steps.append(f"{event.function} canceled")  # type: ignore[attr-defined]
                case "commit":
                    if event.function == name:  # type: ignore[attr-defined]
                        yield steps
                    steps = []


def _short(table: str) -> str:
    return table.rpartition("/")[2]


def _kind(one: Any) -> str:
    _table, index, low, _high = one
    return "t" if index == BY_CREATION and low == () else f"i({index})"


def segment_ms(segment: int) -> float:
    """Return the instant in ms at which a segment starts."""
    return segment * 100 - EPOCH_NS / MS
