"""The policies of a small world between two steps, as nested tuples of plain values.

State that requests share is kept with its instants as they are: that is sound, but merges no states that differ by a
shift in time.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from sim.clients.loop_gates import Waiter
from sim.clients.policy.passage import Passage
from sim.explorer.plain_values import ATOMS, NotCanonical
from sim.explorer.request_state import attempt_values

if TYPE_CHECKING:
    from sim.clients.cells import Cells
    from sim.clients.policy.call import Call
    from sim.clients.policy.machine import Run
    from sim.clients.policy.spent import Spent
    from sim.explorer.look import Look

LEFT_OUT = frozenset({"_rules", "_open_ns", "_changed", "_costs", "_every", "_options", "_written"})
"""Fields of cells that never change."""


def run(look: Look, run: Run) -> Any:
    """Describe a request of a policy."""
    rules = run.rules
    timeout = () if rules.timeout is None else (rules.timeout,)
    asks_for_time = any("elapsed" in law.names for law in (*rules.laws, *timeout))
    own = [inside(look, getattr(run.shared, part)) for part in type(run.shared).__slots__] if rules.shares else []
    return (
        run.request.number,
        run.request.submission,
        int(run.state),
        run.tries,
        run.retries,
        run.copies,
        run.more,
        run.pauses,
        run.timeout,
        run.deliveries,
        tuple(run.counters),
        run.shift,
        tuple(map(tuple, run.states)),
        run.last_cost,
        None if run.said is None else tuple(run.said),
        run.ends,
        run.asleep,
        tuple(look.value(call) for call in run.connections),
        tuple(passage(look, one) for one in run.entering),
        None if run.entry is None else passage(look, run.entry),
        None if run.trial is None else passage(look, run.trial),
        look.now_ns - run.started_ns if asks_for_time else 0,
        look.now_ns - run.put_back_ns if rules.redeliver_from_end else 0,
        look.now_ns - run.tried_ns if rules.delay_from_start else 0,
        look.now_ns % rules.due_floor_ns,
        None if run.spent is None else spent(look, run.spent),
        # What a request has alone knows instants too, which count from now on.
        (look.now_ns, *own) if own else (),
    )


def call(look: Look, call: Call) -> Any:
    """Describe a call."""
    attempt = None if call.attempt is None else attempt_values(call.attempt)
    through = None if call.passage is None else passage(look, call.passage)
    return ("call", attempt, call.awaited, call.timeout_ns, call.is_retry, look.now_ns - call.started_ns, through)


def passage(look: Look, passage: Passage) -> Any:
    """Describe the way through the gates."""
    where = passage.place()
    return (
        "passage",
        passage.run.request.number,
        int(passage.level),
        passage.number,
        where,
        look.now_ns - passage.started_ns,
    )


def spent(look: Look, spent: Spent) -> Any:
    """Describe how much of a deadline is used."""
    del look
    return ("spent", spent.used_ns, spent.started)


def cells(look: Look, cells: Cells) -> Any:
    """Describe what requests share. Raises NotCanonical."""
    found = tuple((tuple(address), inside(look, cell)) for address, cell in cells)
    return (look.now_ns, found) if found else None


def inside(look: Look, value: Any) -> Any:
    """Describe a cell by its fields."""
    if value is None or type(value) in ATOMS or isinstance(value, int | str | float):
        return value
    if isinstance(value, dict):
        return tuple((inside(look, key), inside(look, one)) for key, one in value.items())
    if isinstance(value, list | tuple | deque):
        return tuple(inside(look, one) for one in value)
    names = [name for base in type(value).__mro__ for name in getattr(base, "__slots__", ())]
    if type(value).__module__.startswith("sim.clients."):
        names += vars(value) if hasattr(value, "__dict__") else ()
    if isinstance(value, Waiter):
        return ("waiter", value.name)
    if isinstance(value, Passage):
        return passage(look, value)
    if not names:
        raise NotCanonical(f"a {type(value).__name__} that requests share cannot be compared between runs")
    return tuple((name, inside(look, getattr(value, name))) for name in names if name not in LEFT_OUT)
