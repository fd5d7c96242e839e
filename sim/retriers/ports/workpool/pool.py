"""A pool as a retrier: the functions of the component bound together, and one work for each request."""

from __future__ import annotations

from functools import partial
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sim.convex.functions import Function, FunctionError, action, mutation
from sim.kernel.durations import NS_PER_S
from sim.promises.pool import PoolPromises
from sim.promises.promises import Promises
from sim.retriers.base import ScheduledRetrier
from sim.retriers.ports.workpool import client, complete, config, danger, kick, lib, loop, recovery, stats, worker
from sim.retriers.ports.workpool.batch_worker import loop as batch_worker_loop
from sim.retriers.ports.workpool.batch_worker import monitor
from sim.retriers.ports.workpool.context import Ctx, QueryCtx
from sim.retriers.ports.workpool.options import WorkpoolOptions
from sim.retriers.ports.workpool.shared import DEFAULT_MAX_PARALLELISM, SEGMENT_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.convex.contexts import MutationContext, QueryContext
    from sim.history.pools import PoolLog
    from sim.history.request import Request
    from sim.options.model import Options as AnyOptions

EPOCH_NS: Final = 100_000 * NS_PER_S
"""The `Date.now()` at which a simulation starts: a whole number of segments, long after the zeros of new rows."""
BY_WORK: Final[dict[str, tuple[str, ...]]] = {"workId": ("workId",), "segment": ("segment",)}


class Workpool(ScheduledRetrier):
    """Runs the work of each request in a slot of the pool, and again after a failure."""

    kind: ClassVar[str] = "workpool"
    stateless: ClassVar[bool] = True
    Options: ClassVar[type[AnyOptions]] = WorkpoolOptions
    options: WorkpoolOptions
    watchers: ClassVar[tuple[str, ...]] = (
        "loop",
        "monitor",
        "runBatch",
        "runMutationWrapper",
        "complete",
        "recover",
    )
    functions: ClassVar[tuple[str, ...]] = (*watchers, "cancelAll", "calculateBacklogAndReport", "onComplete")
    action_jobs: ClassVar[tuple[str, ...]] = ("runBatch", "runMutationWrapper")
    poll_jobs: ClassVar[tuple[str, ...]] = ("loop",)
    tables: ClassVar[dict[str, dict[str, tuple[str, ...]]]] = {
        "workpool/globals": {},
        "workpool/internalState": {},
        "workpool/work": {"by_creation_time": ("_creationTime",)},
        "workpool/pendingStart": {**BY_WORK, "by_creation_time": ("_creationTime",)},
        "workpool/pendingCompletion": BY_WORK,
        "workpool/pendingCancelation": BY_WORK,
        "workpool/payload": {},
        "batchWorker/workers": {"name": ("name",)},
        "batchWorker/workerState": {},
        "counters": {},
    }

    def __init__(self, options: WorkpoolOptions | None = None, **upstream: Any) -> None:
        """Take options, or upstream's own unchecked: of the client, and of each enqueue (`onComplete`: a word)."""
        given = WorkpoolOptions() if options is None else options
        super().__init__(given)
        self.enqueue_options: dict[str, Any] = {**(given.upstream() if options is not None else {}), **upstream}
        self.epoch_ns = EPOCH_NS
        self.own: Request | None = None
        self.log: PoolLog | None = None
        self.loop = mutation("loop", self._mutation(batch_worker_loop.loop), poll=True)
        self.monitor = mutation("monitor", self._mutation(monitor.monitor))
        self.get_batch = mutation("getBatch", self._get_batch)
        self.run = mutation("run", self._mutation(loop.run))
        self.run_batch = action("runBatch", self._run_batch)
        self.get_work_args = mutation("getWorkArgs", self._get_work_args)
        self.run_mutation_wrapper = mutation("runMutationWrapper", self._mutation(worker.run_mutation_wrapper))
        self.complete = mutation("complete", self._mutation(complete.complete))
        self.recover = mutation("recover", self._mutation(recovery.recover))
        self.cancel_all_page = mutation("cancelAll", self._mutation(lib.cancel_all))
        self.calculate_backlog_and_report = mutation(
            "calculateBacklogAndReport", self._mutation(stats.calculate_backlog_and_report)
        )
        self.clear_pending = mutation("clearPending", self._mutation(danger.clear_pending))
        self.clear_old_work = mutation("clearOldWork", self._mutation(danger.clear_old_work))
        self.on_complete = mutation("onComplete", self._on_complete)

    def promises(self) -> Promises:
        """State the number of attempts, and what a pool owes of slots, segments, retries and its loop.

        No law of delays: a retry comes as soon as the loop looks in or after its segment, so up to 100 ms before its
        backoff is over, and after it by as much as slots and the loop take.
        """
        behavior = client.retry_behavior_of(self.enqueue_options)
        is_action = self.enqueue_options.get("fnType", "action") == "action"
        most = behavior["maxAttempts"] if behavior is not None and is_action else 1
        return Promises(
            attempts_at_most=max(1, ceil(most)) if isfinite(most) else None,
            retry_after="ignored",
            pool=PoolPromises(segment_ns=SEGMENT_NS),
            takes_no_time=not is_action,
            action_jobs=self.action_jobs,
            poll_jobs=self.poll_jobs,
        )

    def of_operator(self, doing: str) -> Function | None:
        """Return `cancelAll`, `config.update` or `forceKick`."""
        match doing:
            case "cancel_all":
                return mutation("cancelAll", lambda ctx, asked: self.cancel_all(ctx, asked.limit))
            case "set_parallelism":
                return mutation("config.update", lambda ctx, asked: self.update_config(ctx, maxParallelism=asked.slots))
            case "force_kick":
                return mutation("forceKick", lambda ctx, _: self.force_kick(ctx))
        return None

    def bind(self, action: Function) -> None:
        """Take the user's action."""
        self.action = action

    def serve_many(self, own: Request) -> None:
        """Take the request that is charged with what serves the whole pool."""
        self.own = own

    @classmethod
    def pool_of(cls, options: Any) -> str:
        """Return the name of the pool, which metrics can name."""
        return options.pool if isinstance(options, WorkpoolOptions) else ""

    def keep_log(self, log: PoolLog) -> None:
        """Take the log that is told what happens in the pool over time."""
        self.log = log
        parallelism = self.enqueue_options.get("maxParallelism")
        log.allows(DEFAULT_MAX_PARALLELISM if parallelism is None else parallelism)

    def stand_alone(self, uniform: Callable[[str], float]) -> None:
        """Let the request come at any moment within a segment."""
        self.epoch_ns = EPOCH_NS + int(uniform("segment_phase") * SEGMENT_NS)

    # What an app calls.

    def submit(self, ctx: MutationContext) -> str:
        """Put the work of the request at hand into the pool."""
        return self.enqueue(ctx, ctx.request)

    def enqueue(self, ctx: MutationContext, request: Request, **item: Any) -> str:
        """Put the work of a request into the pool and return its id; `item` has options of this enqueue."""
        self._know(ctx, (request,))
        return client.enqueue(Ctx(ctx, self), request, {**self.enqueue_options, **item})

    def enqueue_batch(self, ctx: MutationContext, requests: Sequence[Request], **item: Any) -> list[str]:
        """Put works into the pool in one call of `enqueueBatch` and return their ids."""
        self._know(ctx, requests)
        return client.enqueue_batch(Ctx(ctx, self), requests, {**self.enqueue_options, **item})

    def cancel(self, ctx: MutationContext, handle: str) -> None:
        """Upstream's `cancel`: it answers nothing, whatever there was to cancel."""
        Ctx(ctx, self).call(lib.cancel, handle, self.enqueue_options.get("logLevel"))

    def cancel_all(self, ctx: MutationContext, limit: float | None = None) -> None:
        """Upstream's `cancelAll`."""
        asked = {"logLevel": self.enqueue_options.get("logLevel"), "limit": limit}
        Ctx(ctx, self).call(lib.cancel_all, asked)

    def update_config(self, ctx: MutationContext, **settings: Any) -> None:
        """Upstream's `config.update`: `maxParallelism`, `logLevel`."""
        Ctx(ctx, self).call(config.update, settings)

    def force_kick(self, ctx: MutationContext) -> None:
        """Upstream's `forceKick`."""
        Ctx(ctx, self).call(kick.force_kick)

    def status(self, ctx: QueryContext, work_id: str) -> dict[str, Any]:
        """Upstream's `status`."""
        return lib.status(QueryCtx(ctx, self), work_id)

    # The functions of the component.

    def _mutation(self, handler: Callable[[Ctx, dict[str, Any]], None]) -> Callable[[MutationContext, Any], None]:
        return partial(self._run, handler)

    def _run(self, handler: Callable[[Ctx, dict[str, Any]], None], ctx: MutationContext, args: Any) -> None:
        handler(Ctx(ctx, self), args)

    def _get_batch(self, ctx: QueryContext, _args: Any) -> dict[str, Any]:
        return loop.get_batch(QueryCtx(ctx, self))

    def _get_work_args(self, ctx: QueryContext, payload_id: str) -> bool:
        return worker.get_work_args(QueryCtx(ctx, self), payload_id)

    async def _run_batch(self, ctx: Any, args: dict[str, Any]) -> None:
        await worker.run_batch(ctx, self, args)

    @staticmethod
    def _know(ctx: MutationContext, requests: Sequence[Request]) -> None:
        """Let the functions find the requests whose works they have the ids of."""
        for request in requests:
            ctx.server.requests[request.number, request.submission] = request

    # The caller's own function.

    def _on_complete(self, ctx: MutationContext, args: dict[str, Any]) -> None:
        ctx.note("callback", args["result"]["kind"])
        if args["then"] == "counts":
            counter = next(iter(ctx.query("counters")), None)
            if counter is None:
                ctx.insert("counters", {"completed": 1})
            else:
                ctx.patch(counter["_id"], {"completed": counter["completed"] + 1})
        if args["then"] == "throw":
            raise FunctionError("onComplete threw")
