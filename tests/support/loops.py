"""Retriers of users, written in the styles in which such loops are written; each keeps what it promises."""

from dataclasses import replace
from math import log1p
from typing import Any, ClassVar, NamedTuple

from sim.clients.client import Call, CallFailed, ClientContext
from sim.convex.contexts import MutationContext
from sim.convex.functions import Function, mutation
from sim.history.vocabulary import Outcome
from sim.promises.promises import Promises, growing
from sim.promises.waits import (
    Exponential,
    Quantiles,
    decorrelated_jitter,
    equal_jitter,
    full_jitter,
    no_jitter,
)
from sim.retriers.base import LoopRetrier, ScheduledRetrier

DAY_MS = 86_400_000
OUTCOMES = {"success": Outcome.success, "failed": Outcome.gave_up, "canceled": Outcome.canceled}


class At(NamedTuple):
    """Where a loop stands when it is to wait: the number of the failure, a number drawn for it, the wait before."""

    failure: int
    uniform: float
    before_ms: float = 0.0


class Loop(LoopRetrier):
    """Calls up to `most` times; `wait_ms` says how long it waits after each failure."""

    most: ClassVar[int] = 6

    def law(self) -> Any:
        raise NotImplementedError

    def promises(self) -> Promises:
        return Promises(attempts_at_most=self.most, first_ms=(0, 0), backoff_ms=self.law())

    def wait_ms(self, at: At) -> float:
        raise NotImplementedError

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        before_ms = 0.0
        for failure in range(1, self.most):
            try:
                return await call(timeout_ms=60_000)
            except CallFailed as error:
                if error.final:
                    raise
                wait_ms = self.wait_ms(At(failure, ctx.uniform("jitter", failure), before_ms))
                before_ms = max(wait_ms, error.retry_after_ms or 0)
                await ctx.sleep(before_ms)
        return await call(timeout_ms=60_000)


class Full(Loop):
    def law(self) -> Any:
        return full_jitter(100, 2, cap_ms=1000)

    def wait_ms(self, at: At) -> float:
        return at.uniform * min(100 * 2 ** (at.failure - 1), 1000)


class Equal(Loop):
    def law(self) -> Any:
        return equal_jitter(100, 3)

    def wait_ms(self, at: At) -> float:
        delay_ms = 100.0
        for _ in range(at.failure - 1):
            delay_ms *= 3
        return delay_ms / 2 + (1 - at.uniform) * (delay_ms / 2)


class Decorrelated(Loop):
    def law(self) -> Any:
        return decorrelated_jitter(100, 3, cap_ms=2000)

    def wait_ms(self, at: At) -> float:
        return min(2000, 100 + at.uniform * (3 * (at.before_ms or 100) - 100))


class CappedLate(Loop):
    """The cap comes after the jitter, so that many waits are the cap itself."""

    def law(self) -> Any:
        return lambda failure: Quantiles(lambda u: min(100 * 2.0 ** (failure - 1) * (0.5 + u), 700))

    def wait_ms(self, at: At) -> float:
        return min(100 * 2 ** (at.failure - 1) * (0.5 + at.uniform), 700)


class WholeMs(Loop):
    """Rounds to whole ms; that shifts each wait by less than a test can see."""

    def law(self) -> Any:
        return full_jitter(1000)

    def wait_ms(self, at: At) -> float:
        return round(at.uniform * 1000 * 2 ** (at.failure - 1))


class Constant(Loop):
    def law(self) -> Any:
        return no_jitter(250, 1)

    def wait_ms(self, at: At) -> float:
        del at
        return 250


class BoundsOnly(Loop):
    """Promises bounds and no law: whatever lies between them will do, such as one number for all failures."""

    def law(self) -> Any:
        return growing(100, 2, low=0.0)

    def wait_ms(self, at: At) -> float:
        return 30.0 * 2 ** (at.failure - 1)


class Poisson(Loop):
    def law(self) -> Any:
        return lambda _failure: Exponential(300)

    def wait_ms(self, at: At) -> float:
        return -300 * log1p(-at.uniform)


class InPieces(Full):
    """Sleeps in pieces of at most 50 ms, to look whether it is to stop."""

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        for failure in range(1, self.most):
            try:
                return await call(timeout_ms=60_000)
            except CallFailed as error:
                if error.final:
                    raise
                left_ms = max(self.wait_ms(At(failure, ctx.uniform("jitter", failure))), error.retry_after_ms or 0)
                while left_ms > 0:
                    await ctx.sleep(min(left_ms, 50))
                    left_ms -= 50
        return await call(timeout_ms=60_000)


class Deadline(Full):
    """Gives up rather than wait beyond its deadline, which is counted in ms."""

    deadline_ms: ClassVar[float] = 2_000

    def promises(self) -> Promises:
        return Promises(first_ms=(0, 0), backoff_ms=self.law(), deadline_ns=round(self.deadline_ms * 1e6))

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        by_ms = ctx.now_ms + self.deadline_ms
        failure = 0
        while True:
            try:
                return await call(timeout_ms=by_ms - ctx.now_ms)
            except CallFailed as error:
                failure += 1
                wait_ms = max(self.wait_ms(At(failure, ctx.uniform("jitter", failure))), error.retry_after_ms or 0)
                if error.final or ctx.now_ms + wait_ms >= by_ms:
                    raise
                await ctx.sleep(wait_ms)


class Month(Deadline):
    """A deadline of 30 days and some, at which a float of ms is a fraction of a nanosecond off."""

    deadline_ms = 30 * DAY_MS + 0.1

    def law(self) -> Any:
        return full_jitter(DAY_MS, 2, cap_ms=20 * DAY_MS)

    def wait_ms(self, at: At) -> float:
        return at.uniform * min(DAY_MS * 2.0 ** (at.failure - 1), 20 * DAY_MS)


class Century(Month):
    deadline_ms = 100 * 365 * DAY_MS + 1 / 3

    def law(self) -> Any:
        return full_jitter(1000 * DAY_MS, 2)

    def wait_ms(self, at: At) -> float:
        return at.uniform * 1000 * DAY_MS * 2.0 ** (at.failure - 1)


class Overflowing(Loop):
    """Many quick failures: the formula of its law overflows at failure 1025, with the wait long at its cap."""

    most = 1100

    def promises(self) -> Promises:
        return Promises(
            attempts_at_most=self.most,
            backoff_ms=lambda failure: (min(2.0 ** (failure - 1), 4.0), min(2.0 ** (failure - 1), 4.0)),
            deadline_ns=10**13,
        )

    def wait_ms(self, at: At) -> float:
        return min(2.0 ** min(at.failure - 1, 1000), 4.0)


LOOPS: tuple[type[LoopRetrier], ...] = (
    Full,
    Equal,
    Decorrelated,
    CappedLate,
    WholeMs,
    Constant,
    BoundsOnly,
    Poisson,
    InPieces,
    Deadline,
    Month,
    Century,
)


class Pool(ScheduledRetrier):
    """Puts retries into a table of its own, and starts those that are due when it looks at the table."""

    kind = "pool"
    action_jobs = ("action",)
    poll_jobs = ()
    watchers = ("report", "start")
    tables: ClassVar[dict[str, dict[str, tuple[str, ...]]]] = {"queue": {"by_due": ("due",)}}

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.look = mutation("look", self._look)
        self.start = mutation("start", self._start)

    def promises(self) -> Promises:
        return Promises(attempts_at_most=6, first_ms=(0, 0), backoff_ms=full_jitter(1000), action_jobs=self.action_jobs)

    def bind(self, action: Function) -> None:
        self.action = action

    def submit(self, ctx: MutationContext) -> None:
        job = ctx.run_after(0, self.action)
        ctx.run_after(0, self.look, {"job": job, "failures": 0})

    def _look(self, ctx: MutationContext, args: dict[str, Any]) -> None:
        status = ctx.get_job(args["job"])
        if status is not None and status.state in {"pending", "inProgress"}:
            ctx.run_after(500, self.look, args)
        elif status is not None and status.state == "failed" and args["failures"] < 5:
            failures = args["failures"] + 1
            wait_ms = ctx.uniform("backoff", failures) * 1000 * 2 ** (failures - 1)
            row = ctx.insert("queue", {"failures": failures, "job": args["job"]})
            ctx.run_after(wait_ms, self.start, {"row": row})
        else:
            ctx.settle(OUTCOMES["failed" if status is None else status.state])

    def _start(self, ctx: MutationContext, args: dict[str, Any]) -> None:
        row = ctx.get(args["row"])
        assert row is not None
        ctx.get_job(row["job"])
        ctx.delete(args["row"])
        job = ctx.run_after(0, self.action)
        ctx.run_after(0, self.look, {"job": job, "failures": row["failures"]})


class TickingPool(Pool):
    """Looks at its table every 200 ms: a retry waits for the look behind the instant at which it is due."""

    def promises(self) -> Promises:
        return replace(super().promises(), backoff_ms=lambda failure: (0, 1000 * 2 ** (failure - 1) + 200))

    def _look(self, ctx: MutationContext, args: dict[str, Any]) -> None:
        status = ctx.get_job(args["job"])
        row = args.get("due_ns")
        if row is not None:
            if ctx.now_ns >= row:
                job = ctx.run_after(0, self.action)
                args = {"job": job, "failures": args["failures"]}
            ctx.run_after(200, self.look, args)
        elif status is not None and status.state == "failed" and args["failures"] < 5:
            failures = args["failures"] + 1
            wait_ms = ctx.uniform("backoff", failures) * 1000 * 2 ** (failures - 1)
            ctx.run_after(200, self.look, {**args, "failures": failures, "due_ns": ctx.after_ns(wait_ms)})
        else:
            super()._look(ctx, args)


POOLS: tuple[type[ScheduledRetrier], ...] = (Pool, TickingPool)
