"""Waits by what they are waits for, as uniforms of their laws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sim.chance.evidence import scattered
from sim.kernel.durations import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.chance.evidence import Evidence
    from sim.promises.waits import Wait

Floats = NDArray[np.float64]
Who = tuple[int, int]
"""(history, request)."""
Slot = tuple[str, int, int]
"""(what is waited for, waits before, failure)."""

MOST_NUMBERS: Final = 10
"""Failures, and waits between looks, that have tests of their own; later ones are tested together with all others."""
_FORMULA: Final = 2.0**-36
"""By how much two formulas of a delay may differ, relative to it."""
LAW: Final = "waits-follow-law"
FRESH: Final = "waits-drawn-anew"


def interval(law: Wait, waits_ns: Sequence[int]) -> tuple[Floats, Floats]:
    """Return the uniforms that waits can come from, as intervals: a wait is rounded to whole nanoseconds."""
    waits = np.array(waits_ns, np.float64)
    slack = 1.0 + _FORMULA * waits
    return law.below((waits - slack) / NS_PER_MS), law.up_to((waits + slack) / NS_PER_MS)


class Slots:
    """The uniforms of waits: at most one for each slot and request."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._uniforms: dict[Slot, dict[Who, float]] = {}

    def hold(self, slot: Slot, what: str, rows: Sequence[tuple[Who, int, Wait]]) -> None:
        """Hold waits in ns, each with its law, against the laws; `what` names them."""
        rows = [row for row in rows if row[2].is_told and row[2][0] < row[2][1]]
        if not rows:
            return
        if all(law is rows[0][2] for _, _, law in rows):
            low, high = interval(rows[0][2], [wait for _, wait, _ in rows])
        else:
            parts = [interval(law, [wait]) for _, wait, law in rows]
            low, high = (np.concatenate(column) for column in zip(*parts, strict=True))
        kind, waits, failure = slot
        evidence = self._evidence
        evidence.draws += len(rows)
        if max(waits, failure) <= MOST_NUMBERS:
            evidence.follow((LAW, what), low, high)
        evidence.follow((LAW, f"the waits before {kind}"), low, high)
        uniforms = scattered(low, high, repr(slot)).tolist()
        self._uniforms[slot] = {who: one for (who, _, _), one in zip(rows, uniforms, strict=True)}

    def pair(self) -> None:
        """Pair what should be drawn apart: two waits of one request, and a wait of one request and of the next."""
        for (kind, waits, failure), here in self._uniforms.items():
            if kind == "retries":
                self._pair("the waits after one failure and the next", here, (kind, 0, failure + 1))
            elif failure:
                self._pair("the waits before a retry and before the look at it", here, ("retries", 0, failure))
            else:
                self._pair("the waits before one look and the next", here, (kind, waits + 1, 0))
            in_order = np.array([here[who] for who in sorted(here)])
            if len(in_order) > 1:
                self._evidence.differ((FRESH, "the waits of one request and of the next"), in_order[:-1], in_order[1:])

    def _pair(self, what: str, here: dict[Who, float], other: Slot) -> None:
        there = self._uniforms.get(other, {})
        both = [who for who in here if who in there]
        if both:
            one, another = (np.array([uniforms[who] for who in both]) for uniforms in (here, there))
            self._evidence.differ((FRESH, what), one, another)
