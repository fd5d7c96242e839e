"""What the works of pools met over time: a row for each turn of a work, and one for each change of a pool.

A turn begins when a start is planned (an enqueue, or a retry) and ends when its slot is free again. Statuses, backlogs
and slots over time are computed from these rows; a loop that only polls adds none.
"""

# ruff: noqa: RUF009  # each field carries the description of its column

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from sim.history.vocabulary import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray


class TurnEnd(IntEnum):
    """How a turn ended."""

    open = 0
    """Nothing has been reported of it."""
    success = 1
    failed = 2
    """It failed for good."""
    canceled = 3
    retried = 4
    """It failed, and the work has another turn."""


class LoopState(IntEnum):
    """What the loop of a pool does."""

    idle = 0
    """It waits for a ping, and has no time at which it wakes."""
    asleep = 1
    """It waits for a ping or for a time."""
    awake = 2
    """It works, or polls in its cool-down; also if it is lost and the pool does not know."""
    stopped = 3


def _column(dtype: type[np.generic]) -> Any:
    return field(metadata={"dtype": dtype})


@dataclass(frozen=True, slots=True)
class Turns:
    """One row a turn, by replication, then in order of planning; each column has shape (turns,).

    Times are ns of simulated time, those of commits, and `NEVER` (-1) if the thing did not happen.
    """

    replication: NDArray[np.int32] = _column(np.int32)
    pool: NDArray[np.int16] = _column(np.int16)
    """The position of the pool among those of the scenario."""
    request: NDArray[np.int64] = _column(np.int64)
    attempt: NDArray[np.int32] = _column(np.int32)
    """Counts the turns of a work, from 1."""
    planned_ns: NDArray[np.int64] = _column(np.int64)
    due_ns: NDArray[np.int64] = _column(np.int64)
    """When its segment begins; not before `planned_ns`."""
    started_ns: NDArray[np.int64] = _column(np.int64)
    """When it got its slot."""
    reported_ns: NDArray[np.int64] = _column(np.int64)
    """When the pool was told how its attempt went: after a death by recovery."""
    freed_ns: NDArray[np.int64] = _column(np.int64)
    """When its slot was free again."""
    over_ns: NDArray[np.int64] = _column(np.int64)
    """When the work was deleted; `NEVER` if it was not during this turn."""
    end: NDArray[np.uint8] = _column(np.uint8)
    """`TurnEnd`."""

    def __len__(self) -> int:
        return len(self.request)


@dataclass(frozen=True, slots=True)
class PoolLevels:
    """What a pool was allowed and what its loop did from some instant on, by replication, pool and instant."""

    replication: NDArray[np.int32] = _column(np.int32)
    pool: NDArray[np.int16] = _column(np.int16)
    from_ns: NDArray[np.int64] = _column(np.int64)
    parallelism: NDArray[np.int64] = _column(np.int64)
    """Slots, as whole ones."""
    loop: NDArray[np.uint8] = _column(np.uint8)
    """`LoopState`."""

    def __len__(self) -> int:
        return len(self.pool)


TURN_COLUMNS: Final[dict[str, type[np.generic]]] = {one.name: one.metadata["dtype"] for one in fields(Turns)}
LEVEL_COLUMNS: Final[dict[str, type[np.generic]]] = {one.name: one.metadata["dtype"] for one in fields(PoolLevels)}


@dataclass(frozen=True, slots=True)
class Pools:
    """The pools of some replications."""

    turns: Turns
    levels: PoolLevels

    @classmethod
    def none(cls) -> Self:
        """Return those of a world without pools."""
        return cls(
            Turns(*(np.zeros(0, dtype) for dtype in TURN_COLUMNS.values())),
            PoolLevels(*(np.zeros(0, dtype) for dtype in LEVEL_COLUMNS.values())),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join those of several parts, in the given order; at least one is needed."""
        return cls(
            Turns(*(np.concatenate([getattr(part.turns, name) for part in parts]) for name in TURN_COLUMNS)),
            PoolLevels(*(np.concatenate([getattr(part.levels, name) for part in parts]) for name in LEVEL_COLUMNS)),
        )

    def __bool__(self) -> bool:
        """Tell whether there is any pool."""
        return bool(len(self.levels) or len(self.turns))


class _Turn:
    """The live record of one turn."""

    __slots__ = (
        "attempt",
        "due_ns",
        "end",
        "freed_ns",
        "order",
        "over_ns",
        "planned_ns",
        "reported_ns",
        "request",
        "started_ns",
    )

    def __init__(self, order: int, request: int, attempt: int, planned_ns: int, due_ns: int) -> None:
        self.order = order
        self.request = request
        self.attempt = attempt
        self.planned_ns = planned_ns
        self.due_ns = due_ns
        self.started_ns = self.reported_ns = self.freed_ns = self.over_ns = NEVER
        self.end = TurnEnd.open

    def row(self) -> tuple[int, ...]:
        return (
            self.order,
            self.request,
            self.attempt,
            self.planned_ns,
            self.due_ns,
            self.started_ns,
            self.reported_ns,
            self.freed_ns,
            self.over_ns,
            self.end,
        )


_IN_A_ROW: Final = tuple(name for name in TURN_COLUMNS if name not in ("replication", "pool"))
_WIDTH: Final = len(_IN_A_ROW) + 1


class PoolLog:
    """Gathers what happens in one pool of one world, as it commits; `now_ns` tells the time."""

    __slots__ = ("_levels", "_loop", "_now_ns", "_parallelism", "_planned", "_rows", "_turns", "pool")

    def __init__(self, pool: int, now_ns: Callable[[], int]) -> None:
        self.pool = pool
        self._now_ns = now_ns
        self._planned = 0
        self._turns: dict[str, _Turn] = {}
        self._rows = array("q")
        self._levels: list[tuple[int, int, int]] = []
        self._parallelism = 0
        self._loop = LoopState.idle

    def planned(self, work_id: str, request: int, attempt: int, due_ns: int) -> None:
        """Begin a turn of a work; that of a retry ends the one before."""
        now_ns = self._now_ns()
        before = self._turns.get(work_id)
        if before is not None:
            if before.started_ns != NEVER and before.freed_ns == NEVER:
                before.freed_ns = now_ns
            self._rows.extend(before.row())
        self._turns[work_id] = _Turn(self._planned, request, attempt, now_ns, max(due_ns, now_ns))
        self._planned += 1

    def started(self, work_ids: Iterable[str]) -> None:
        """Note that works got their slots."""
        now_ns = self._now_ns()
        for work_id in work_ids:
            turn = self._turns.get(work_id)
            if turn is not None:
                turn.started_ns = now_ns

    def retried(self, work_id: str) -> None:
        """Note that a failure was reported of a work that will be retried."""
        turn = self._turns.get(work_id)
        if turn is not None:
            turn.reported_ns, turn.end = self._now_ns(), TurnEnd.retried

    def over(self, work_id: str, kind: str) -> None:
        """Note that a work was deleted, and how it ended: `success`, `failed` or `canceled`."""
        turn = self._turns.get(work_id)
        if turn is None:
            return
        turn.over_ns, turn.end = self._now_ns(), TurnEnd[kind]
        if turn.started_ns != NEVER and turn.reported_ns == NEVER:
            turn.reported_ns = turn.over_ns
        self._close(work_id, turn)

    def freed(self, work_ids: Iterable[str]) -> None:
        """Note that works no longer hold slots."""
        now_ns = self._now_ns()
        for work_id in work_ids:
            turn = self._turns.get(work_id)
            if turn is not None and turn.started_ns != NEVER and turn.freed_ns == NEVER:
                turn.freed_ns = now_ns
                self._close(work_id, turn)

    def _close(self, work_id: str, turn: _Turn) -> None:
        """Keep a turn as numbers once its work is over and its slot is free."""
        if turn.over_ns != NEVER and (turn.started_ns == NEVER or turn.freed_ns != NEVER):
            self._rows.extend(turn.row())
            del self._turns[work_id]

    def allows(self, parallelism: float) -> None:
        """Note how many slots there are from now on."""
        self._parallelism = int(parallelism)
        self._level()

    def loop(self, state: LoopState) -> None:
        """Note what the loop does from now on."""
        if state is not self._loop:
            self._loop = state
            self._level()

    def _level(self) -> None:
        row = (self._now_ns(), self._parallelism, int(self._loop))
        if self._levels and self._levels[-1][0] == row[0]:
            self._levels[-1] = row
        elif not self._levels or self._levels[-1][1:] != row[1:]:
            self._levels.append(row)

    def clear(self) -> None:
        """Forget everything."""
        self._turns.clear()
        del self._rows[:]
        self._levels.clear()

    def pools(self, replication: int) -> Pools:
        """Return everything noted so far."""
        rows = array("q", self._rows)
        for turn in self._turns.values():
            rows.extend(turn.row())
        table = np.frombuffer(rows, np.int64).reshape(-1, _WIDTH) if rows else np.zeros((0, _WIDTH), np.int64)
        table = table[np.argsort(table[:, 0], kind="stable")]
        columns = {name: table[:, at].astype(TURN_COLUMNS[name]) for at, name in enumerate(_IN_A_ROW, start=1)}
        columns["replication"] = np.full(len(table), replication, np.int32)
        columns["pool"] = np.full(len(table), self.pool, np.int16)
        levels = np.array(self._levels, np.int64).reshape(-1, 3)
        return Pools(
            Turns(**columns),
            PoolLevels(
                np.full(len(levels), replication, np.int32),
                np.full(len(levels), self.pool, np.int16),
                levels[:, 0],
                levels[:, 1],
                levels[:, 2].astype(np.uint8),
            ),
        )
