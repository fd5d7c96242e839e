"""`none` for arrays: `sim.retriers.ports.none` as a client outside runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.engine.vector.arrays import FOREVER
from sim.engine.vector.attempts import RETURNED_CODE, Attempts
from sim.history.vocabulary import NEVER, Outcome

if TYPE_CHECKING:
    from sim.engine.vector.block import Block
    from sim.scenario.schema import Scenario

ALL = slice(None)


def simulate(cell: Scenario, block: Block) -> None:
    """Call once; the answer decides the outcome."""
    ends = Attempts(cell, block, hosted=False).start(ALL, 1, np.zeros(block.count, dtype=np.int64))
    success = ends.how == RETURNED_CODE
    answered_ns = ends.visible_ns
    known_end_ns = ends.end_ns
    if ends.lost is not None:
        success &= ~ends.lost
        known_end_ns = np.where(ends.lost, NEVER, ends.end_ns)
    if block.cancel_ns is not None:
        # A call without latency is over before a cancel can come; else a cancel comes before all of its instant.
        at_once = np.zeros(block.count, dtype=np.bool_) if ends.instant is None else ends.instant
        canceled = (block.cancel_ns < FOREVER) & (block.cancel_ns <= answered_ns) & ~at_once
        block.settle(np.flatnonzero(canceled), Outcome.canceled, block.cancel_ns[canceled], NEVER)
        open_ones = ~canceled
    else:
        open_ones = np.ones(block.count, dtype=np.bool_)
    open_ones &= answered_ns < FOREVER
    for outcome, those in ((Outcome.success, success & open_ones), (Outcome.gave_up, ~success & open_ones)):
        block.settle(np.flatnonzero(those), outcome, answered_ns[those], known_end_ns[those])
