"""A retrier that no one uses but `check` and `explore`: it probes the platform, and notes all that it is told.

Its requests share a few documents and jobs. Their mutations read them by id, by ranges of indexes, by jobs, inside
sub-transactions that throw and are caught, and write some of what they have read; its actions read by queries. All
choices are draws, so that each seed probes otherwise. `sim.contracts.platform.probe` judges the notes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sim.contracts.platform.probe import DONE, INDEXES, MISSING, PROBED
from sim.convex.functions import ActionFailed, Function, FunctionError, action, mutation
from sim.history.vocabulary import ALIVE, CANCELED, FAILED, SUCCESS, Outcome
from sim.retriers.base import ScheduledRetrier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.contracts.platform.probe import Asked, Operation
    from sim.convex.contexts import MutationContext, QueryContext
    from sim.convex.execution import ActionContext

CELLS: Final = "cells"
HOT: Final = 6
"""So many documents are read by their ids."""
GROUPS: Final = 2
RANKS: Final = (1, 2, 2.5, 3, None, True, "a")
STEPS: Final = 3
"""Mutations that a request schedules, besides those of its action and its looks."""
LOOKS: Final = 12
"""After so many looks in vain a request concludes that it failed."""
TRIES: Final = 3
"""So many jobs of the action a request has at most."""
OUTCOMES: Final = {SUCCESS: Outcome.success, FAILED: Outcome.gave_up, CANCELED: Outcome.canceled}


class _Dice:
    """Many small numbers from one that is drawn: a history has an event for each draw, and one is enough.

    A linear congruential generator modulo 2^64, with Knuth's constants (MMIX); its high bits are good enough here.
    """

    def __init__(self, ctx: MutationContext | ActionContext, stream: str) -> None:
        self._state = int(ctx.uniform(stream) * 2**64)

    def pick(self, ways: int) -> int:
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self._state >> 32) * ways >> 32

    def cell(self) -> str:
        return f"{CELLS}:{self.pick(HOT) + 1}"

    def rank(self) -> Any:
        return RANKS[self.pick(len(RANKS))]

    def document(self) -> dict[str, Any]:
        """Make a document; one in eight has no rank."""
        at = {} if not self.pick(8) else {"rank": self.rank()}
        return {"group": self.pick(GROUPS), "at": at, "count": 0}

    def read(self) -> Operation:
        """Choose a read: a point, or a range of one of the indexes, whole, between bounds, or cut off."""
        kind = self.pick(5)
        if kind < 2:
            return ("get", self.cell())
        take = None if self.pick(2) else 1 + self.pick(2)
        if kind == 2:
            return ("query", CELLS, "by_creation", (), (), take)
        bounds: tuple[tuple[str, Any], ...] = ()
        if self.pick(3):
            low = (("above", "at_least")[self.pick(2)], 1 + self.pick(2))
            high = (("below", "at_most")[self.pick(2)], (2.5, 3)[self.pick(2)])
            bounds = ((low,), (high,), (low, high))[self.pick(3)]
        equal = (self.pick(GROUPS),) if kind == 3 else ()
        return ("query", CELLS, "by_group" if kind == 3 else "by_rank", equal, bounds, take)


class Probe(ScheduledRetrier):
    """Reads and writes shared documents and jobs; an action of its own runs the user's."""

    kind: ClassVar[str] = "probe"
    stateless: ClassVar[bool] = True
    watchers: ClassVar[tuple[str, ...]] = ("look",)
    action_jobs: ClassVar[tuple[str, ...]] = ("act",)
    poll_jobs: ClassVar[tuple[str, ...]] = ("look",)
    tables: ClassVar[dict[str, dict[str, Sequence[str]]]] = {
        CELLS: {name: fields for name, fields in INDEXES.items() if fields},
    }

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.act = action("act", self._act)
        self.step = mutation("step", self._step)
        self.look = mutation("look", self._look, poll=True)
        self.throwing = mutation("throwing", self._throwing)
        self.reading = mutation("reading", _read)
        self.report = mutation("report", lambda ctx, seen: ctx.note(PROBED, "report", seen))

    def bind(self, action: Function) -> None:
        """Take the user's action."""
        self.action = action

    def submit(self, ctx: MutationContext) -> int:
        """Insert a document, and schedule steps, the action and the first look."""
        dice = _Dice(ctx, "submit")
        asked: list[Asked] = []
        _do(ctx, ("insert", CELLS, dice.document()), asked)
        if not dice.pick(3):
            ctx.run_after(dice.pick(40), self.act, TRIES + 1)  # beside the one that is looked at
        job = ctx.run_after(dice.pick(40), self.act, 1)
        jobs = [job, *(ctx.run_after(5 * number + dice.pick(20), self.step, number) for number in range(STEPS))]
        _do(ctx, ("insert", CELLS, {**dice.document(), "job": jobs[dice.pick(len(jobs))]}), asked)
        ctx.run_after(10 + dice.pick(10), self.look, {"job": job, "looks": 1, "tries": 1})
        ctx.note(PROBED, "submit", tuple(asked))
        return job

    # Mutations.

    def _step(self, ctx: MutationContext, number: int) -> None:
        """Read and write as the dice say; now and then throw in the end, so that nothing of it counts."""
        dice = _Dice(ctx, f"step {number}")
        asked: list[Asked] = []
        for _ in range(1 + dice.pick(2)):
            self._work(ctx, dice, asked)
        if not dice.pick(8):
            raise FunctionError("a step of the probe throws")
        ctx.note(PROBED, "step", tuple(asked))

    def _work(self, ctx: MutationContext, dice: _Dice, asked: list[Asked]) -> None:
        kinds = (self._write_skew, self._phantom, self._lost_update, self._job, self._sub, self._sub)
        kinds[dice.pick(len(kinds))](ctx, dice, asked)

    def _write_skew(self, ctx: MutationContext, dice: _Dice, asked: list[Asked]) -> None:
        """Read one and write another."""
        _do(ctx, dice.read(), asked)
        self._write(ctx, dice, asked)

    def _phantom(self, ctx: MutationContext, dice: _Dice, asked: list[Asked]) -> None:
        """Write what it finds in a range, or into the range."""
        found = _do(ctx, dice.read(), asked)
        documents = [found] if isinstance(found, dict) else list(found or ())
        if len(documents) > 1:
            _do(ctx, ("delete", documents[-1]["_id"]), asked)
        elif documents:
            _do(ctx, ("patch", documents[0]["_id"], {"at": {"rank": dice.rank()}}), asked)
        else:
            _do(ctx, ("insert", CELLS, dice.document()), asked)

    def _lost_update(self, ctx: MutationContext, dice: _Dice, asked: list[Asked]) -> None:
        """Count."""
        cell = dice.cell()
        there = _do(ctx, ("get", cell), asked)
        if there is not None:
            _do(ctx, ("patch", cell, {"count": there.get("count", 0) + 1}), asked)

    def _job(self, ctx: MutationContext, dice: _Dice, asked: list[Asked]) -> None:
        """Look at another's job, and cancel it now and then."""
        found = _do(ctx, ("query", CELLS, "by_creation", (), (), None), asked)
        jobs = [document["job"] for document in found if "job" in document]
        if jobs:
            job = jobs[dice.pick(len(jobs))]
            if dice.pick(2):
                _do(ctx, ("cancel", job), asked)
            _do(ctx, ("job", job), asked)

    def _sub(self, ctx: MutationContext, dice: _Dice, asked: list[Asked]) -> None:
        """Run a sub-transaction that throws or not; its reads count either way."""
        inside: list[Asked] = []
        threw = True
        with suppress(FunctionError):  # also that a mutation cannot cancel its own job
            ctx.run_mutation(self.throwing, (dice, dice.pick(3) > 0, inside))
            threw = False
        asked.append((("sub", threw), tuple(inside)))
        if dice.pick(2):
            self._write(ctx, dice, asked)
        if dice.pick(2):
            _do(ctx, dice.read(), asked)

    def _throwing(self, ctx: MutationContext, args: tuple[_Dice, bool, list[Asked]]) -> None:
        dice, throws, inside = args
        _do(ctx, dice.read(), inside)
        if dice.pick(2):
            self._write(ctx, dice, inside)
        if dice.pick(2):
            self._job(ctx, dice, inside)
        if throws:
            ctx.run_after(1, self.report, ())
            ctx.settle(Outcome.gave_up)
            raise FunctionError("a sub-transaction of the probe throws")

    def _write(self, ctx: MutationContext, dice: _Dice, asked: list[Asked]) -> None:
        """Write a document, whether it is there or not."""
        cell = dice.cell()
        match dice.pick(4):
            case 0:
                _do(ctx, ("insert", CELLS, dice.document()), asked)
            case 1:
                _do(ctx, ("replace", cell, dice.document()), asked)
            case 2:
                _do(ctx, ("patch", cell, {"group": dice.pick(GROUPS)}), asked)
            case _:
                _do(ctx, ("patch", cell, {"at": {"rank": dice.rank()}}), asked)

    def _look(self, ctx: MutationContext, args: dict[str, Any]) -> None:
        """Look at the job of the action: try again if it has failed, and conclude what it says otherwise."""
        asked: list[Asked] = []
        state = _do(ctx, ("job", args["job"]), asked)
        looks, tries = args["looks"] + 1, args["tries"]
        if state == FAILED and tries < TRIES:
            job = ctx.run_after(tries, self.act, tries + 1)
            ctx.run_after(10, self.look, {"job": job, "looks": looks, "tries": tries + 1})
        elif state in ALIVE and looks <= LOOKS:
            ctx.run_after(5 * looks, self.look, {**args, "looks": looks})
        else:
            outcome = OUTCOMES.get(state, Outcome.gave_up)
            if ctx.request.number % 2:
                ctx.settle(outcome)
            else:  # the instant is written down, so it counts, and not that of the commit
                ctx.settle(outcome, ctx.now_ns)
                _do(ctx, ("insert", CELLS, {"group": None, "settled": ctx.now_ns}), asked)
        ctx.note(PROBED, "look", tuple(asked))

    # The action.

    async def _act(self, ctx: ActionContext, tries: int) -> None:
        """Query, call a mutation, query again, run the user's action, and report what was seen."""
        dice = _Dice(ctx, f"act {tries}")
        seen: list[Asked] = []
        for turn in range(1 + dice.pick(2)):
            read = dice.read()
            now_ns = ctx.now_ns
            seen.append((("seen", now_ns, read), await ctx.run_query(self.reading, read)))
            with suppress(FunctionError):
                await ctx.run_mutation(self.step, 3 * tries + turn)
            await ctx.sleep(dice.pick(5))
        await ctx.run_after(dice.pick(10), self.step, 3 * tries + 2)
        for _ in range(1 + dice.pick(2)):
            with suppress(ActionFailed):
                await ctx.run_action(self.action)
                break
        await ctx.run_mutation(self.report, tuple(seen))


def _do(ctx: MutationContext, operation: Operation, asked: list[Asked]) -> Any:
    """Carry out an operation, and note it with its answer."""
    word, *args = operation
    told: Any = DONE
    try:
        match word:
            case "get" | "query":
                told = _read(ctx, operation)
            case "job":
                row = ctx.get_job(args[0])
                told = None if row is None else row.state
            case "insert":
                told = ctx.insert(*args)
            case "patch":
                ctx.patch(*args)
            case "replace":
                ctx.replace(*args)
            case "delete":
                ctx.delete(*args)
            case _:
                ctx.cancel(args[0])
    except LookupError:
        told = MISSING
    asked.append((operation, told))
    return told


def _read(ctx: QueryContext, operation: Operation) -> Any:
    word, *args = operation
    if word == "get":
        return ctx.get(args[0])
    table, index, equal, bounds, take = args
    return tuple(ctx.query(table, index, equal, take=take, **dict(bounds)))
