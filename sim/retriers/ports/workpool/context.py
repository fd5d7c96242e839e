"""What the component's mutations and queries are given: its database, that of its batch worker, its functions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from sim.convex.component import Database, ReadDatabase
from sim.convex.functions import mutation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.convex.contexts import MutationContext, QueryContext
    from sim.convex.functions import Function
    from sim.history.pools import PoolLog
    from sim.history.request import Request

Answer = TypeVar("Answer")
WORKPOOL: Final = "workpool/"
"""Stands before the names of the component's tables."""
BATCH_WORKER: Final = "batchWorker/"
"""Stands before the names of the tables of the component within it."""


class Component(Protocol):
    """The functions of a pool, and what its clock and its bookkeeping rest on."""

    action: Function
    loop: Function
    monitor: Function
    get_batch: Function
    run: Function
    run_batch: Function
    get_work_args: Function
    run_mutation_wrapper: Function
    complete: Function
    recover: Function
    cancel_all_page: Function
    calculate_backlog_and_report: Function
    clear_pending: Function
    clear_old_work: Function
    on_complete: Function
    epoch_ns: int
    """Added to the simulation's clock to get `Date.now()`."""
    own: Request | None
    """The request that is charged with what serves the whole pool; None: that at hand."""
    log: PoolLog | None
    """Takes what happens over time, as it commits; None: no log is kept."""


class QueryCtx:
    """What a query of the component is given."""

    __slots__ = ("db", "now_ns", "pool")
    db: ReadDatabase

    def __init__(self, ctx: QueryContext, pool: Component) -> None:
        self.db = ReadDatabase(ctx, WORKPOOL)
        self.pool = pool
        self.now_ns = ctx.now_ns + pool.epoch_ns
        """`Date.now()`, in ns."""


class Ctx(QueryCtx):
    """What a mutation of the component is given."""

    __slots__ = ("batch_worker", "outer")
    db: Database

    def __init__(self, ctx: MutationContext, pool: Component) -> None:
        self.outer = ctx
        """The mutation of the deployment that this is, or that it is a part of."""
        self.pool = pool
        self.now_ns = ctx.now_ns + pool.epoch_ns
        self.db = Database(ctx, WORKPOOL, pool.epoch_ns)
        self.batch_worker = Database(ctx, BATCH_WORKER, pool.epoch_ns)

    def call(self, function: Callable[..., Answer], *args: Any) -> Answer:
        """Call a function of the component as an app does: if it throws, nothing of it stays, and the app may go on."""
        called = mutation(function.__name__, lambda _ctx, _args: function(self, *args))
        answer: Answer = self.outer.run_mutation(called)
        return answer

    @property
    def own(self) -> Request:
        """The request that is charged with what serves the whole pool."""
        return self.outer.request if self.pool.own is None else self.pool.own

    def log(self, entry: str, *values: Any) -> None:
        """Let the pool's log take an entry once this has committed, if there is a log."""
        log = self.pool.log
        if log is not None:
            self.outer.after_commit(partial(getattr(log, entry), *values))

    def request_of(self, work: dict[str, Any]) -> Request:
        """Return the request of a work, given its document or an item made of it."""
        return self.outer.server.requests[key_of(work)]

    def request_of_all(self, works: Sequence[dict[str, Any]]) -> Request:
        """Return the request that is charged with a job that serves these works."""
        return self.request_of(works[0]) if len(works) == 1 or self.pool.own is None else self.pool.own


def key_of(work: dict[str, Any]) -> tuple[int, int]:
    """Return the number and the submission of a work's request: the arguments of the user's function."""
    return work["fnArgs"]["request"], work["fnArgs"]["submission"]
