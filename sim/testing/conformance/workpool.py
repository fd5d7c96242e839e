"""Replays cases of workpool: all works of a case share one pool in one deployment.

Scripted steps were created before the kickoff in the recordings, so they precede all else of their instant; the order
among them is that of `_Play._steps`. A timer is a job that becomes due (also a canceled one), an action that ends, or
a scripted step. An action that dies with the execution of another has no end, so its timer does not count.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sim.convex.contexts import QueryContext
from sim.convex.functions import ACTION, Function, FunctionError, mutation
from sim.history.request import Request
from sim.history.vocabulary import ALIVE
from sim.kernel.choices import WORLD
from sim.retriers.ports.workpool.pool import Workpool
from sim.testing.conformance.ground import ground, ns
from sim.testing.conformance.workpool_events import TOLD, Teller
from sim.testing.conformance.works import Work, by_time, calls, each, works_of
from sim.world.attempt import Attempt
from sim.world.hosts import ByClass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sim.convex.contexts import MutationContext
    from sim.convex.jobs import Job
    from sim.history.recorder import Raw

MOST_TIMERS: Final = 4000
EPOCH_MS: Final = 100_000_000
"""What `Date.now()` gave at the kickoff if a case does not say it."""
TABLES_LEFT: Final = ("work", "pendingStart", "pendingCompletion", "pendingCancelation")


def replay(case: Mapping[str, Any]) -> dict[str, Any]:
    """Run a case and return `{"events": [...], "final": {...}}`; times are in ms since the kickoff.

    Raises KeyError for an outcome that the recordings do not know.
    """
    play = _Play(case)
    play.run(case.get("max_timers", MOST_TIMERS))
    teller = Teller(play.works, play.pool.epoch_ns, play.jobs)
    events = teller.tell(play.raw)
    return {"events": events, "final": play.final(teller)}


class _Play:
    """A case on its way through the deployment."""

    def __init__(self, case: Mapping[str, Any]) -> None:
        self._case = case
        self.works = works_of(case)
        self._clock, self._recorder, self._script, self._deployment = base = ground(case)
        self._own = Request(WORLD)
        """What serves the whole pool."""
        self._requests = [Request(work.number) for work in self.works]
        for request in self._requests:
            request.caller_class = request.number
        self._ids: dict[int, Any] = {}
        """The pool's names for the works that it has taken."""
        self._fired = 0
        self._last_ns = 0
        self._truncated = False
        self.pool = pool = Workpool(**case["options"].get("pool", {}))
        pool.epoch_ns = ns(case.get("epoch_ms", EPOCH_MS)) + ns(case.get("start_at_ms", 0))
        pool.own = self._own
        models = [base.model(work.attempts) for work in self.works]
        pool.bind(Function("action", ACTION, external=ByClass(models)))
        for table, indexes in pool.tables.items():
            self._deployment.store.define(table, indexes)

    @property
    def raw(self) -> Sequence[Raw]:
        """What was recorded."""
        return self._recorder.raw

    @property
    def jobs(self) -> Mapping[int, Job]:
        """All jobs by number."""
        return self._deployment.store.jobs

    def run(self, most_timers: int) -> None:
        """Play the case until nothing is left to do, or for so many timers."""
        clock = self._clock
        for at_ms, step in self._steps():
            clock.call_after(ns(at_ms), step, urgent=True)
        self._tell("start")
        kickoff = [work for work in self.works if not work.enqueue_at_ms]
        if kickoff:
            self._enqueue(kickoff)
        while not clock.drained:
            entry = clock.next_timers()[0]
            if isinstance(entry[3], Attempt) and entry[3].ended:
                clock.fire(entry)  # it died with its execution
                continue
            if self._fired == most_timers:
                self._truncated = True
                return
            clock.fire(entry)
            self._fired += 1
            self._last_ns = clock.now_ns

    # The scripted steps.

    def _steps(self) -> Iterator[tuple[float, Callable[[], None]]]:
        case = self._case
        for at_ms, works in by_time(work for work in self.works if work.enqueue_at_ms):
            yield at_ms, partial(self._enqueue_later, works)
        for work in self.works:
            for at_ms in work.cancel_at_ms:
                yield at_ms, partial(self._cancel, work)
        for at_ms in each(case.get("cancel_at_ms")):
            yield at_ms, partial(self._cancel, self.works[0])
        for one in each(case.get("cancel_all")):
            yield one["at_ms"], partial(self._cancel_all, one)
        for one in each(case.get("cancel_job")):
            yield one["at_ms"], partial(self._cancel_job, one["fn"])
        for one in each(case.get("config")):
            yield one["at_ms"], partial(self._configure, one)
        for at_ms in each(case.get("status_at_ms")):
            yield at_ms, self._ask

    def _tell(self, ev: str, **told: Any) -> None:
        self._recorder.add((self._clock.now_ns, TOLD, WORLD, -1, ev, told))

    def _call(self, name: str, handler: Callable[[MutationContext], Any]) -> tuple[Any, FunctionError | None]:
        """Call a mutation, which takes no time; returns its value, or its error."""
        answers: list[tuple[Any, FunctionError | None]] = []
        function = mutation(name, lambda ctx, _args: handler(ctx))
        self._deployment.call(function, None, self._own, lambda value, error: answers.append((value, error)))
        return answers[0]

    def _enqueue(self, works: Sequence[Work]) -> FunctionError | None:
        """Enqueue works in one mutation."""
        pool, requests = self.pool, self._requests

        def handler(ctx: MutationContext) -> dict[int, Any]:
            ids: dict[int, Any] = {}
            for together in calls(works):
                first = together[0]
                if first.batch is None:
                    ids[first.number] = pool.enqueue(ctx, requests[first.number], **first.item)
                else:
                    named = pool.enqueue_batch(ctx, [requests[work.number] for work in together], **first.item)
                    ids |= zip((work.number for work in together), named, strict=True)
            return ids

        ids, error = self._call("enqueue", handler)
        if error is None:
            self._ids |= ids
        return error

    def _enqueue_later(self, works: Sequence[Work]) -> None:
        numbers = [work.number for work in works]
        self._tell("enqueue_call", works=numbers)
        error = self._enqueue(works)
        if error is not None:
            self._tell("enqueue_throw", works=numbers, msg=str(error))

    def _answer(self, told: dict[str, Any], error: FunctionError | None) -> None:
        if error is None:
            self._tell("cancel_return", **told, value=None)
        else:
            self._tell("cancel_throw", **told, msg=str(error))

    def _cancel(self, work: Work) -> None:
        told = {"work": work.number} if "works" in self._case else {}
        self._tell("cancel_call", target="run", **told)
        work_id = self._ids.get(work.number)
        if work_id is None:
            self._answer(told, FunctionError("there is no such work"))
            return
        _, error = self._call("cancel", lambda ctx: self.pool.cancel(ctx, work_id))
        self._answer(told, error)

    def _cancel_all(self, asked: Mapping[str, Any]) -> None:
        told = {"limit": asked["limit"]} if asked.get("limit") is not None else {}
        self._tell("cancel_call", target="all", **told)
        _, error = self._call("cancelAll", lambda ctx: self.pool.cancel_all(ctx, **told))
        self._answer(told, error)

    def _cancel_job(self, fn: str) -> None:
        """Cancel the newest unfinished job of a function, as an operator does."""
        jobs = [job for job in self.jobs.values() if job.function.name == fn and job.state in ALIVE]
        self._tell("cancel_call", target="job", job=jobs[-1].id if jobs else -1)
        anyone = Request(WORLD)
        anyone.jobs = jobs
        self._deployment.cancel_from_dashboard(anyone, [fn])

    def _configure(self, asked: Mapping[str, Any]) -> None:
        given = {name: value for name, value in asked.items() if name != "at_ms"}
        told = {"maxParallelism": given["maxParallelism"]} if "maxParallelism" in given else {}
        self._tell("config_call", **told)
        _, error = self._call("update", lambda ctx: self.pool.update_config(ctx, **given))
        if error is not None:
            self._tell("config_throw", **told, msg=str(error))

    def _ask(self) -> None:
        for number in sorted(self._ids):
            self._tell("status", work=number, **self._status(number))

    # The end.

    def _query(self) -> QueryContext:
        return QueryContext(self._deployment.server, self._own)

    def _status(self, number: int) -> dict[str, Any]:
        status: dict[str, Any] = self.pool.status(self._query(), self._ids[number])
        return status

    def final(self, teller: Teller) -> dict[str, Any]:
        """Return how it ended."""
        ctx = self._query()
        works = [
            {
                "work": number,
                "status": self._status(number),
                "attempts": self._requests[number].attempts,
                **teller.last_callback(number),
            }
            for number in sorted(self._ids)
        ]
        worker = ctx.query("batchWorker/workers")
        final: dict[str, Any] = {
            "virtual_duration_ms": self._last_ns / 1e6,
            "timers_fired": self._fired,
            "attempts": sum(request.attempts for request in self._requests),
            "draws": len(self._script.used),
            "jobs": [[job.function.name, job.state] for job in self.jobs.values()],
            "works": works,
            "left": {table: len(ctx.query(f"workpool/{table}")) for table in TABLES_LEFT},
            "worker": worker[0]["status"] if worker else None,
        }
        if self._truncated:
            final["truncated"] = True
        if "works" not in self._case and works:
            final |= {name: works[0][name] for name in ("status", "result", "settled_at")}
        return final
