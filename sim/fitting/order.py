"""Rows in the order of their starts, and what their order in the file says about the clock.

Rows are often written when a call ends, so starts stand a little out of order; that is no fault. But times that go back
by more than any call takes say that the clock was set back, or that logs were joined one after the other.

Many servers tell times in whole seconds. Calls of one second then stand in no order of their starts, but often in that
of their ends: quick failures first. That looks as if failures hung together, so tests mix the calls of one step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sim.kernel.durations import NS_PER_S, format_duration
from sim.tabular.durations import NOT_KNOWN
from sim.tabular.layouts import hashes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MOST_JUMPS: Final = 20
"""More jumps back are no clock: the rows are in no order."""
DESCENDING: Final = 0.9
STEPS_NS: Final = (60 * NS_PER_S, *(10**power for power in range(9, 0, -1)))
"""The steps in which logs tell times, the coarsest first."""
MIXED_AT_ONCE: Final = 1 << 18


def in_order(
    started_ns: NDArray[np.int64],
    latency_ns: NDArray[np.int64],
    line_of: Callable[[int], int],
    told: list[str],
    *,
    zoned: bool,
) -> NDArray[np.intp] | None:
    """Return the order of rows by start; None if they are in it. Adds sentences to `told`."""
    steps = np.diff(started_ns)
    back = int(np.count_nonzero(steps < 0))
    if not back:
        return None
    forth = int(np.count_nonzero(steps > 0))
    if back > DESCENDING * (back + forth) and back + forth > 2:
        told.append("The newest rows come first; they are turned around.")
        return np.lexsort((-np.arange(len(started_ns)), started_ns))
    at_end_ns = started_ns + np.where(latency_ns == NOT_KNOWN, 0, latency_ns)
    at_end_ns -= at_end_ns % step_of(started_ns)
    end_steps = np.diff(at_end_ns)
    by_ends = int(np.count_nonzero(end_steps < 0)) < back
    written_ns = at_end_ns if by_ends else started_ns
    allowed_ns = max(int(latency_ns.max()), NS_PER_S)
    jumps = np.flatnonzero((end_steps if by_ends else steps) < -allowed_ns) + 1
    rows = f"{back:,} row{'s start' if back != 1 else ' starts'}"
    told.append(
        f"{rows} before the row above"
        + (", since rows are written when calls end" if by_ends and not len(jumps) else "")
        + "; rows are sorted by their starts."
    )
    if len(jumps) > MOST_JUMPS:
        told.append(
            f"Times go back by more than any call takes in {len(jumps):,} places: the file is in no order of time."
        )
    elif len(jumps):
        told += [_jump(int(row), written_ns, line_of, zoned=zoned) for row in jumps[:3].tolist()]
        if len(jumps) > 3:
            told.append(f"{len(jumps) - 3} more jumps back are like these.")
    return np.argsort(started_ns, kind="stable")


def step_of(times_ns: NDArray[np.int64]) -> int:
    """Return the step in ns of which all times are multiples, one of `STEPS_NS`, else 1."""
    common = int(np.gcd.reduce(times_ns)) if len(times_ns) else 1
    return next((step for step in STEPS_NS if common and common % step == 0), 1)


def mixed_in_steps(marked: NDArray[np.bool_], started_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return marks of calls in order of their starts, shape (calls,), those of one start in an order by lot.

    The lot is the same for each log: it comes from the numbers of the rows.
    """
    if not bool((started_ns[1:] == started_ns[:-1]).any()):
        return marked
    mixed = np.empty_like(marked)
    for first in range(0, len(marked), MIXED_AT_ONCE):
        part = slice(first, first + MIXED_AT_ONCE)
        rows = np.arange(first, first + len(marked[part]), dtype="<u8")
        lots = hashes_of(rows.view(np.uint8).reshape(len(rows), 8))
        mixed[part] = marked[part][np.lexsort((lots, started_ns[part]))]
    return mixed


def _jump(row: int, written_ns: NDArray[np.int64], line_of: Callable[[int], int], *, zoned: bool) -> str:
    back_ns = int(written_ns[row - 1] - written_ns[row])
    why = "the clock was set back, or logs were joined one after the other"
    if not zoned and abs(back_ns - 3600 * NS_PER_S) < 600 * NS_PER_S:
        why = "the times have no zone, so it looks like the end of daylight saving time"
    text = format_duration(back_ns // 1_000_000 * 1_000_000)
    where = f"At line {line_of(row)} times go back by {text}, more than any call takes"
    return f"{where}: {why}. Calls of both stretches now mix."
