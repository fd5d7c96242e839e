"""The vector engine's door: what it can do, and the records of some requests of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sim.engine import event
from sim.engine.vector import article, component, helpers, none
from sim.engine.vector.block import Block
from sim.kernel.records import Requests
from sim.retriers.article import Article
from sim.retriers.component import Component
from sim.retriers.helpers import Helpers
from sim.retriers.none import NoRetry

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.scenario.schema import Scenario

BLOCK = 1 << 14
"""Requests simulated at once: their columns stay in a processor's cache."""
PORTS = (NoRetry, Article, Helpers, Component)


def refusal(cell: Scenario) -> str | None:
    """Return why the vector engine cannot simulate a cell, in one line; None where it can."""
    retrier = cell.retrier.make()
    if type(retrier) not in PORTS:
        return f"it has no port of {cell.retrier.kind}"
    if cell.world != "isolated":
        return "in a shared world requests wait for each other"
    if cell.until is not None:
        return "it follows each request to its end, and `until` cuts it off"
    if isinstance(retrier, NoRetry):
        return None
    for name in ("mutation_latency", "commit_window", "dispatch_latency"):
        if getattr(cell.platform, name) is not None:
            return f"platform.{name} makes transactions overlap"
    if isinstance(retrier, Component):
        if retrier.clean_up_after_ns is not None:
            return "retrier.clean_up_after deletes runs under way"
        if retrier.daily_cleanup:
            return "retrier.daily_cleanup deletes runs under way"
    return None


def simulate(
    cell: Scenario, numbers: range | None = None, *, progress: Callable[[int], None] | None = None
) -> Requests:
    """Simulate consecutive requests of a cell (all by default); the same records as those of the event engine.

    The cell must be one that is not refused. `progress` is told now and then how many requests are done.
    """
    chosen = range(cell.requests.count) if numbers is None else numbers
    blocks = []
    for start in range(chosen.start, chosen.stop, BLOCK):
        blocks.append(_block(cell, range(start, min(start + BLOCK, chosen.stop))))
        if progress is not None:
            progress(start + len(blocks[-1]) - chosen.start)
    return Requests.concatenate(blocks) if blocks else _nothing(cell)


def _block(cell: Scenario, numbers: range) -> Requests:
    block = Block(cell, numbers)
    retrier: Any = cell.retrier.make()
    if isinstance(retrier, NoRetry):
        none.simulate(cell, block)
    elif isinstance(retrier, Article):
        article.simulate(cell, block, retrier)
    elif isinstance(retrier, Helpers):
        helpers.simulate(cell, block, retrier)
    else:
        component.simulate(cell, block, retrier)
    requests = block.requests(cell.action.window_ns)
    (left,) = np.nonzero(block.left)
    if left.size:
        requests.put(left, event.simulate(cell, numbers=block.numbers[left].tolist()))
    return requests


def _nothing(cell: Scenario) -> Requests:
    return Block(cell, range(0)).requests(cell.action.window_ns)
