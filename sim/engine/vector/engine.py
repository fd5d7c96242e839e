"""The entrance to the vector engine: which cells it can simulate, and the records of requests of a cell."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.engine import event
from sim.engine.vector import article, component, helpers, none, policy, workpool
from sim.engine.vector.block import Block
from sim.engine.vector.weather import MOST_SOURCES
from sim.history.records import Requests
from sim.retriers.base import ClientRetrier
from sim.retriers.policy import Policy
from sim.retriers.ports.article import Article
from sim.retriers.ports.component import Component
from sim.retriers.ports.helpers import Helpers
from sim.retriers.ports.none import NoRetry
from sim.retriers.ports.workpool.pool import Workpool
from sim.world.effects import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.scenario.schema import Scenario
    from sim.world.actions import ActionOptions

BLOCK = 1 << 15
"""Requests simulated at once: their columns stay in a processor's cache."""
LARGE_PIECE = 30 << 20
"""Bytes, just below the size from which on the C library would not adapt its threshold."""
RETRIERS = (NoRetry, Article, Helpers, Component, Policy, Workpool)


def refusal(cell: Scenario) -> str | None:
    """Return in one line why the vector engine cannot simulate a cell; None if it can."""
    return next(_reasons(cell), None)


def _reasons(cell: Scenario) -> Iterator[str]:  # noqa: C901  # one question after the other
    retrier = cell.retrier.make()
    if type(retrier) not in RETRIERS:
        yield f"it has no port of {cell.retrier.kind}"
    if cell.world != "isolated":
        yield "in a shared world requests wait for each other"
    if cell.until is not None:
        yield "it follows each request to its end, but `until` cuts requests off"
    if cell.resubmit is not None:
        yield "callers submit requests again (`resubmit`), while the submission before may still go on"
    yield from _reasons_of_action(cell.action)
    if isinstance(retrier, Policy):
        yield from policy.refusals(retrier.rules)
    if isinstance(retrier, ClientRetrier):
        return
    for name in ("mutation_latency", "commit_window", "dispatch_latency"):
        if getattr(cell.platform, name) is not None:
            yield f"platform.{name} lets steps overlap that otherwise share one instant"
    if isinstance(retrier, Workpool):
        yield from workpool.refusals(retrier)
    if isinstance(retrier, Component):
        for name, on in (
            ("clean_up_after", retrier.clean_up_after_ns is not None),
            ("daily_cleanup", retrier.daily_cleanup),
        ):
            if on:
                yield f"retrier.{name} deletes runs that may be under way"


def _reasons_of_action(action: ActionOptions) -> Iterator[str]:
    if len(action.weather) > MOST_SOURCES:
        yield f"it follows at most {MOST_SOURCES} sources of weather"
    memory = action.memory
    if memory is not None and memory != Memory(memory.window_ns):
        yield "it remembers idempotency keys as by default only, but the action sets `from`, `answers` or `in_use`"


def simulate(
    cell: Scenario, numbers: range | None = None, *, progress: Callable[[int], None] | None = None
) -> Requests:
    """Simulate consecutive requests of a cell (all by default); returns the records that the event engine returns.

    `refusal` of the cell must be None. `progress` is called now and then with the number of requests that are done.
    """
    chosen = range(cell.requests.count) if numbers is None else numbers
    _keep_freed_memory()
    records = Requests.blank(chosen)
    for start in range(0, len(chosen), BLOCK):
        _simulate_block(cell, records.select(slice(start, start + BLOCK)))
        if progress is not None:
            progress(min(start + BLOCK, len(chosen)))
    return records


@cache
def _keep_freed_memory() -> None:
    """Let the allocator keep the memory that blocks free.

    The GNU C library returns freed memory to the system above a threshold, which follows the largest piece that was
    ever freed, up to 32 MiB. Blocks ask for the same memory again and again, but until a large piece has been freed
    the system clears it each time.
    """
    np.empty(LARGE_PIECE, dtype=np.uint8)


def _simulate_block(cell: Scenario, records: Requests) -> None:
    """Simulate the requests of blank records and fill the records."""
    block = Block(cell, records)
    retrier: Any = cell.retrier.make()
    if isinstance(retrier, NoRetry):
        none.simulate(cell, block)
    elif isinstance(retrier, Policy):
        policy.simulate(cell, block, retrier.rules)
    elif isinstance(retrier, Article):
        article.simulate(cell, block, retrier)
    elif isinstance(retrier, Helpers):
        helpers.simulate(cell, block, retrier)
    elif isinstance(retrier, Workpool):
        workpool.simulate(cell, block, retrier)
    else:
        component.simulate(cell, block, retrier)
    block.finish(cell.limits.polls_per_request, cell.action.window_ns)
    (left,) = np.nonzero(block.left)
    if left.size:
        records.put(left, event.simulate(cell, numbers=records.number[left].tolist()))
