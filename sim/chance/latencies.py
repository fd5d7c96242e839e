"""Holds durations against the laws that the scenario states, and against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sim.chance.evidence import NARROW, Trial, scattered
from sim.history.vocabulary import ATTEMPT_OUTCOMES, HANG, SUCCESS
from sim.laws.shares import interval, is_fixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.chance.evidence import Evidence
    from sim.chance.stated import Stated
    from sim.laws.law import Distribution

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

LATENCIES: Final = "latencies-as-stated"
APART: Final = "streams-apart"
DIFFER: Final = "replications-differ"
WORLD, REQUEST, NUMBER, OUTCOME, LATENCY = range(5)


def hold(evidence: Evidence, stated: Stated, rows: Rows) -> None:
    """Hold the latencies of attempts, in order of (world, request, number), against their laws and each other."""
    laws: dict[str, Distribution] = {name: law for name, _, law in stated.outcomes}
    laws[SUCCESS] = stated.latency
    low, high = np.zeros(len(rows)), np.ones(len(rows))
    drawn = np.zeros(len(rows), np.bool_)
    for code, outcome in enumerate(ATTEMPT_OUTCOMES):
        of_it = rows[:, OUTCOME] == code
        law = laws.get(outcome)
        if law is None or outcome == HANG or not np.any(of_it):
            continue
        low[of_it], high[of_it] = interval(law, rows[of_it, LATENCY])
        what = f"the latencies of attempts with '{outcome}' in store"
        _follow(evidence, what, law, low[of_it], high[of_it])
        drawn |= of_it & (not is_fixed(law))
    rows, low, high = rows[drawn], low[drawn], high[drawn]
    if len(rows):
        _hold_apart(evidence, rows, low, high, several=not stated.alone)


def _hold_apart(evidence: Evidence, rows: Rows, low: Floats, high: Floats, *, several: bool) -> None:
    uniforms = scattered(low, high, "latency")
    one, other = rows[:-1], rows[1:]
    follows = (one[:, WORLD] == other[:, WORLD]) & (one[:, REQUEST] == other[:, REQUEST])
    follows &= one[:, NUMBER] + 1 == other[:, NUMBER]
    evidence.differ((APART, "the latencies of one attempt and the next"), uniforms[:-1][follows], uniforms[1:][follows])
    first = uniforms[rows[:, NUMBER] == 1]
    evidence.differ((APART, "the latencies of one request and the next"), first[:-1], first[1:])
    cells = high - low
    narrow = cells < NARROW
    values, cells, worlds = rows[narrow, LATENCY], cells[narrow], rows[narrow, WORLD]
    if not several:
        evidence.alike((APART, "the latencies of attempts"), values, cells)
        return
    for world in np.unique(worlds):
        evidence.alike((APART, "the latencies of attempts"), values[worlds == world], cells[worlds == world])
    _, kept = np.unique(np.stack([worlds, values]), axis=1, return_index=True)
    evidence.alike((DIFFER, "the latencies of attempts in several replications"), values[kept], cells[kept])


def hold_errors(evidence: Evidence, stated: Stated, errors: Sequence[tuple[bool, int]]) -> None:
    """Hold what errors say, (marked as final, ns it asks to wait), against the scenario."""
    if stated.final:
        hits = sum(final for final, _ in errors)
        evidence.count(("outcomes-as-stated", "failures marked as final"), hits, len(errors), stated.final)
    if stated.retry_after is not None and errors:
        waits = [wait for _, wait in errors]
        _follow(evidence, "the times that errors ask to wait", stated.retry_after, *interval(stated.retry_after, waits))


def hold_gaps(evidence: Evidence, stated: Stated, gaps_ns: Sequence[int]) -> None:
    """Hold the gaps between submissions against their law."""
    if stated.mean_gap_ns is None or not gaps_ns:
        return
    gaps, mean_ns = np.array(gaps_ns, np.float64), stated.mean_gap_ns
    evidence.draws += len(gaps)
    low, high = (-np.expm1(np.maximum(at, 0.0) / -mean_ns) for at in (gaps - 1.0, gaps + 1.0))
    evidence.follow((LATENCIES, "the gaps between submissions"), low, high)


def _follow(evidence: Evidence, what: str, law: Distribution, low: Floats, high: Floats) -> None:
    if not is_fixed(law):
        evidence.follow((LATENCIES, what), low, high)
    elif np.any((low >= 1.0) | (high <= 0.0)):
        evidence.others.append(Trial(LATENCIES, what, "are not the one that is stated", len(low), 0.0))
