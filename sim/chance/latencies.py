"""Holds durations against the laws that the scenario states, and against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sim.chance.evidence import NARROW, Trial, scattered
from sim.history.vocabulary import ATTEMPT_OUTCOMES, FAIL, FAILED, HANG, SUCCESS
from sim.laws.shares import interval, is_fixed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.chance.evidence import Evidence
    from sim.chance.stated import Stated
    from sim.laws.law import Distribution

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.int64]
"""Attempts, shape (attempts, columns), or one of their columns."""

LATENCIES: Final = "latencies-as-stated"
APART: Final = "streams-apart"
DIFFER: Final = "replications-differ"
OUTCOMES: Final = "outcomes-as-stated"
CODES: Final = {name: code for code, name in enumerate(ATTEMPT_OUTCOMES)}
WORLD, REQUEST, NUMBER, OUTCOME, LATENCY, AT = range(6)
"""Columns of attempts: its history, its request, its number, its outcome, its latency and its start in ns;
a latency of -1 if it follows no law."""
Said = tuple[bool, int, str, int]
"""What an error says: (marked as final, ns it asks to wait, its kind, start of its attempt in ns)."""
Part = tuple[Rows, Floats, Floats]
"""Attempts with the uniforms (low, high) that their latencies come from."""


def is_known(stated: Stated, number: int) -> bool:
    """Tell whether attempts with this number meet everything with the share that is stated.

    What hangs together in time, weather in turns and requests that fail for good, has a share only in first attempts.
    """
    return (number == 1 and (stated.alone or not stated.turns)) or not (stated.turns or stated.permanent)


def is_good(stated: Stated, at_ns: Rows) -> Bools:
    """Tell which instants lie in no outage."""
    good = np.ones(len(at_ns), np.bool_)
    for from_ns, to_ns in stated.outages_ns:
        good &= (at_ns < from_ns) | (at_ns >= to_ns)
    return good


def by_outages(stated: Stated, at_ns: Rows) -> Iterator[tuple[tuple[bool, ...], Bools]]:
    """Yield which outages are down together, and at which instants they are."""
    outages = stated.outages_ns
    if not outages or not len(at_ns):
        yield (False,) * len(outages), np.ones(len(at_ns), np.bool_)
        return
    down = np.stack([(at_ns >= from_ns) & (at_ns < to_ns) for from_ns, to_ns in outages], axis=1)
    kinds, which = np.unique(down, axis=0, return_inverse=True)
    for number, kind in enumerate(kinds.tolist()):
        yield tuple(kind), which.reshape(-1) == number


def hold(evidence: Evidence, stated: Stated, rows: Rows, live: Rows) -> None:
    """Hold the latencies of attempts, in order of (world, request, number), against their laws and each other.

    `live` are those that start before the world heals; of the others only successes are left to chance. A latency below
    zero follows no law: that of an attempt that takes no time whatever the scenario states.
    """
    rows, live = rows[rows[:, LATENCY] >= 0], live[live[:, LATENCY] >= 0]
    parts = [_hold_law(evidence, SUCCESS, stated.latency, rows[rows[:, OUTCOME] == CODES[SUCCESS]])]
    for down, in_it in by_outages(stated, live[:, AT]):
        ways, here = stated.ways(down), live[in_it]
        for outcome, code in CODES.items():
            of_it = here[here[:, OUTCOME] == code]
            if outcome not in {SUCCESS, HANG} and len(of_it):
                laws = _laws([(share, way.latency) for share, way in ways if way.outcome == outcome])
                parts += _hold_laws(evidence, stated, outcome, laws, of_it)
    drawn = np.concatenate([rows for rows, _, _ in parts])
    low, high = (np.concatenate([part[column] for part in parts]) for column in (1, 2))
    order = np.lexsort((drawn[:, NUMBER], drawn[:, REQUEST], drawn[:, WORLD]))
    if len(drawn):
        _hold_apart(evidence, drawn[order], low[order], high[order], several=not stated.alone)


def _laws(ways: Sequence[tuple[float, Distribution]]) -> list[tuple[float, Distribution]]:
    """Return each law once, with the share of all attempts that it has."""
    shares: dict[Distribution, float] = {}
    for share, law in ways:
        shares[law] = shares.get(law, 0.0) + share
    return [(share, law) for law, share in shares.items()]


def _hold_laws(
    evidence: Evidence, stated: Stated, outcome: str, laws: Sequence[tuple[float, Distribution]], rows: Rows
) -> Iterator[Part]:
    """Hold latencies of one outcome against its laws; yields those that follow one law.

    If there are several, each attempt is the more likely to have one of them the larger its share is. Attempts whose
    shares are not known are left out.
    """
    if len(laws) == 1:
        yield _hold_law(evidence, outcome, laws[0][1], rows)
    elif laws:
        known = np.array([is_known(stated, number) for number in rows[:, NUMBER].tolist()], np.bool_)
        total, mixed = sum(share for share, _ in laws), rows[known]
        low, high = np.zeros(len(mixed)), np.zeros(len(mixed))
        for share, law in laws:
            below, up_to = interval(law, mixed[:, LATENCY])
            low += share / total * below
            high += share / total * up_to
        if len(mixed):
            evidence.follow((LATENCIES, _latencies_of(outcome)), low, np.minimum(high, 1.0))


def _hold_law(evidence: Evidence, outcome: str, law: Distribution, rows: Rows) -> Part:
    low, high = interval(law, rows[:, LATENCY])
    if len(rows):
        _follow(evidence, _latencies_of(outcome), law, low, high)
    return (rows[:0], low[:0], high[:0]) if is_fixed(law) else (rows, low, high)


def _latencies_of(outcome: str) -> str:
    return f"the latencies of attempts with '{outcome}' in store"


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


def hold_errors(evidence: Evidence, stated: Stated, errors: Sequence[Said]) -> None:
    """Hold what errors say against the scenario; those of a kind that may say different things are left out."""
    for kind in sorted({kind for _, _, kind, _ in errors}):
        of_kind = [error for error in errors if error[2] == kind]
        for down, in_it in by_outages(stated, np.array([at_ns for _, _, _, at_ns in of_kind], np.int64)):
            here = [error for error, inside in zip(of_kind, in_it.tolist(), strict=True) if inside]
            ways = [way for _, way in stated.ways(down) if way.outcome == FAIL and way.kind == kind and way.is_told]
            says = {(way.final, way.retry_after) for way in ways}
            if len(says) == 1:
                ((final, retry_after),) = says
                _hold_said(evidence, "" if kind == FAILED else f" of kind '{kind}'", final, retry_after, here)


def _hold_said(
    evidence: Evidence, of_kind: str, final: float, retry_after: Distribution | None, errors: Sequence[Said]
) -> None:
    hits = sum(is_final for is_final, _, _, _ in errors)
    if final or hits:
        evidence.count((OUTCOMES, f"failures{of_kind} marked as final"), hits, len(errors), final)
    if retry_after is not None and errors:
        waits = [wait_ns for _, wait_ns, _, _ in errors]
        what = f"the times that errors{of_kind} ask to wait"
        _follow(evidence, what, retry_after, *interval(retry_after, waits))


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
