"""A small deployment to test against: functions made on the spot, an action by script, a history of everything."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from fake_choices import ByStream
from one_action import action_model

from sim.convex.contexts import MutationContext
from sim.convex.deployment import Deployment
from sim.convex.functions import ACTION, Function, FunctionError, mutation
from sim.convex.platform import Platform
from sim.convex.server import Server
from sim.convex.store import Store
from sim.engine.world import World
from sim.history.events import Event
from sim.history.recorder import Recorder
from sim.history.request import Request
from sim.history.vocabulary import NEVER, Outcome
from sim.kernel.clock import Clock
from sim.scenario.schema import Scenario

MS = 1_000_000


class Bench:
    """One deployment, by default without latencies and limits, and one request."""

    def __init__(  # what a test may want to choose
        self,
        *,
        script: Sequence[tuple[str, float]] = (("success", 50),),
        effect_at: float = 1.0,
        numbers: Mapping[str, Any] | None = None,
        system_error_share: float = 0.0,
        store: Store | None = None,
        **platform: Any,
    ) -> None:
        self.clock = Clock()
        self.recorder = Recorder()
        self.numbers = ByStream(**(numbers or {}))
        self.server = Server(
            self.clock,
            Platform(**platform),
            self.numbers,
            recorder=self.recorder,
            system_error_share=system_error_share,
            store=Store(freeze=True) if store is None else store,
        )
        self.deployment = Deployment(self.server)
        self.store = self.deployment.store
        self.model = action_model(
            self.clock,
            self.numbers,
            script=[(outcome, round(latency_ms * MS)) for outcome, latency_ms in script],
            effect_at=effect_at,
            recorder=self.recorder,
        )
        self.action = Function("action", ACTION, external=self.model)
        self.request = self.new_request(0)

    def new_request(self, number: int) -> Request:
        """Make a request whose jobs can be canceled from the dashboard."""
        request = Request(number, self.clock.now_ns)
        request.jobs = []
        return request

    def call(self, handler: Callable[[MutationContext], Any], request: Request | None = None) -> list[Any]:
        """Call a mutation as a client does; what comes back, a value or an error, is put into the list."""
        answers: list[Any] = []

        def finished(value: Any, error: FunctionError | None) -> None:
            answers.append(value if error is None else error)

        client = mutation("client", lambda ctx, _: handler(ctx))
        self.deployment.call(client, None, self.request if request is None else request, finished)
        return answers

    def commit_now(self, handler: Callable[[MutationContext], Any], request: Request | None = None) -> None:
        """Run a mutation and commit it at once, whatever latencies the platform has."""
        context = self.deployment.commits.new_context(self.server, self.request if request is None else request)
        handler(context)
        assert self.deployment.commits.commit(context)

    def at(self, at_ms: float, function: Callable[[], Any]) -> None:
        """Do something at an instant, before whatever else is due then."""
        self.clock.call_after(round(at_ms * MS) - self.clock.now_ns, function, urgent=True)

    def run(self, until_ms: float | None = None) -> "Bench":
        """Go on until nothing but background work is left, or until an instant."""
        drained = self.clock.drain(None if until_ms is None else round(until_ms * MS), 100_000)
        assert drained or until_ms is not None, "this world does not come to an end"
        return self

    def restart_at(self, at_ms: float, down_ms: float = 0) -> None:
        """Let the server die at an instant, before whatever else is due then."""
        self.at(at_ms, lambda: self.deployment.restart(round(down_ms * MS)))

    def events(self, kind: str) -> list[Event]:
        """Return what the history has of one kind."""
        return [event for event in self.recorder.history() if event.kind == kind]

    def when(self, kind: str, name: str | None = None) -> list[float]:
        """Return the instants in ms of the events of a kind, of one name if that is given."""
        return [event.t_ns / MS for event in self.events(kind) if name in (None, event.word)]

    def steps(self, job: int) -> list[tuple[float, str]]:
        """Return the steps of a job's state, with their instants in ms."""
        return [(event.t_ns / MS, event.after) for event in self.events("state") if event.job == job]

    def states(self) -> list[str]:
        """Return the last states of all jobs, in order of creation."""
        return [job.state for _, job in sorted(self.store.jobs.items())]


@pytest.fixture
def bench() -> type[Bench]:
    """Return the class: each test says what it needs."""
    return Bench


class SharedWorld:
    """One replication of a shared world, simulated to its end, and what the platform owed it."""

    def __init__(self, cell: Scenario) -> None:
        recorder = Recorder()
        world = World(cell, recorder=recorder)
        self.requests = world.shared()
        self.events = recorder.history().events
        self.executor = world.deployment.executor
        self.jobs = list(world.deployment.store.jobs.values())
        self.slots = cell.platform.parallelism

    def count(self, kind: str) -> int:
        """Count what happened of one kind."""
        return sum(event.kind == kind for event in self.events)

    def broken_promises(self) -> list[str]:
        """Say what the platform promised and did not keep."""
        return [*self._of_jobs(), *self._of_slots(), *self._of_snapshots(), *self._of_requests()]

    def _of_jobs(self) -> Iterator[str]:
        commits = Counter(event.job for event in self.events if event.kind == "commit" and event.job >= 0)
        steps = [event for event in self.events if event.kind == "state"]
        starts = Counter(event.job for event in steps if event.after == "inProgress")
        ends = Counter(event.job for event in steps if event.after != "inProgress")
        for what, counts in (("committed", commits), ("started", starts), ("ended", ends)):
            yield from (f"job {job} {what} {count} times" for job, count in counts.items() if count > 1)
        threw = {event.job for event in self.events if event.kind == "rolled_back"}
        for job in self.jobs:
            if job.function.kind == "mutation" and job.state == "failed" and job.id not in threw:
                yield f"job {job.id} ({job.function.name}) failed, but did not throw"
            if job.state in {"pending", "inProgress"}:
                yield f"job {job.id} ({job.function.name}) is still {job.state}"
            if job.function.kind == "mutation" and (job.state == "success") != (commits[job.id] == 1):
                yield f"job {job.id} is {job.state} with {commits[job.id]} commits"

    def _of_slots(self) -> Iterator[str]:
        busy = 0
        steps = []
        for event in self.events:
            if event.kind == "state" and "inProgress" in {event.before, event.after}:
                steps.append((event.t_ns, event.after == "inProgress"))
            elif event.kind == "commit" and event.job >= 0 and event.begin_ns < event.t_ns:
                steps += [(event.begin_ns, True), (event.t_ns, False)]
        for at_ns, begins in sorted(steps):
            busy += 1 if begins else -1
            if busy > (self.slots or busy):
                yield f"{busy} jobs run in {self.slots} slots at {at_ns} ns"
        if self.slots not in {None, self.executor.free}:
            yield f"{self.executor.free} of {self.slots} slots are free at the end"

    def _of_snapshots(self) -> Iterator[str]:
        commits = [event for event in self.events if event.kind == "commit" and event.commit_ts]
        written: dict[int | str, int] = {}
        for commit in sorted(commits, key=lambda commit: commit.commit_ts):
            yield from (
                f"commit {commit.commit_ts} read {row} as of {commit.begin_ts}, and commit {written[row]} changed it"
                for row, _ in commit.reads
                if written.get(row, 0) > commit.begin_ts
            )
            written |= dict.fromkeys(commit.writes, commit.commit_ts)

    def _of_requests(self) -> Iterator[str]:
        effects = Counter((event.request, event.attempt) for event in self.events if event.kind == "effect")
        yield from (f"attempt {attempt} had {count} effects" for attempt, count in effects.items() if count > 1)
        for request in self.requests:
            if request.outcome in {Outcome.open, Outcome.runaway}:
                yield f"request {request.number} is {request.outcome.name}"
            if request.attempts > request.actions:
                yield f"request {request.number} had {request.attempts} attempts in {request.actions} executions"
            if (request.settled_ns == NEVER) != (request.outcome == Outcome.stuck):
                yield f"request {request.number} is {request.outcome.name}, settled at {request.settled_ns}"
            if request.known_attempt_end_ns > request.settled_ns:
                yield f"request {request.number} settled by an attempt that had not ended"


@pytest.fixture
def shared_world() -> type[SharedWorld]:
    """Return the class: each test has its own scenarios."""
    return SharedWorld
