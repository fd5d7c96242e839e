"""Gathers the platform's own backoffs, after conflicts and system errors, and holds them against their law.

Each is full jitter: even between 0 and min(initial * 2^k, max), with k failures before it. The failures are counted
here, from the conflicts and system errors of the history.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.chance.evidence import scattered
from sim.chance.overall import overall
from sim.chance.slots import interval
from sim.chance.stated import BEHIND_A_CALL, BEHIND_A_CONFLICT, BEHIND_AN_END, BEHIND_AN_ERROR
from sim.history.deployment_events import CommitRefused
from sim.history.vocabulary import COMPLETION_BACKOFF, OCC_BACKOFF
from sim.kernel.durations import NS_PER_MS
from sim.promises.waits import Uniform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.chance.evidence import Evidence
    from sim.chance.stated import Stated
    from sim.promises.promises import Promises
    from sim.promises.view import View

LAW: Final = "backoffs-follow-law"
MOST_NUMBERS: Final = 6
"""Failures that have tests of their own; later ones are tested together with all others."""
LARGEST_EXPONENT: Final = 62
Whose = tuple[int, str]
"""(history, what backs off)."""
_place = itemgetter(0)


class Backoffs:
    """The backoffs of the platform, by their kind and the number of failures before."""

    def __init__(self, stated: Stated) -> None:
        self._laws = dict(stated.backoffs_ns)
        self._found: dict[tuple[str, int], list[tuple[Whose, int]]] = {}
        """By kind and failures before: (whose, ns)."""
        self._worlds = 0

    def look(self, view: View) -> None:
        """Take the backoffs of a history."""
        self._worlds += 1
        if view.backoffs:
            for kind, failures, subject, wait_ns in _numbered(view):
                self._found.setdefault((kind, failures), []).append(((self._worlds, subject), wait_ns))

    def state(self) -> Any:
        """Return all that was gathered; see `Gatherer`."""
        return [self._worlds, [[*key, rows] for key, rows in self._found.items()]]

    def add(self, state: Any, promises: Promises) -> None:
        """Take what was gathered from the histories behind these; see `Gatherer`."""
        del promises
        worlds, found = state
        before = self._worlds
        for kind, failures, rows in found:
            ours = self._found.setdefault((kind, failures), [])
            ours += [((before + world, subject), wait_ns) for (world, subject), wait_ns in rows]
        self._worlds += worlds

    def close(self, evidence: Evidence) -> None:
        """Hold all backoffs against their laws, and one against the next."""
        before: dict[tuple[str, Whose], float] = {}
        for (kind, failures), rows in sorted(self._found.items()):
            initial_ns, max_ns = self._laws[kind]
            most_ns = min(initial_ns << min(failures, LARGEST_EXPONENT), max_ns)
            low, high = interval(Uniform(0.0, most_ns / NS_PER_MS), [wait_ns for _, wait_ns in rows])
            evidence.draws += len(rows)
            if failures < MOST_NUMBERS:
                evidence.follow((LAW, f"the backoffs behind failure {failures + 1} {kind}"), low, high)
            evidence.follow((LAW, f"the backoffs {kind}"), low, high)
            uniforms = scattered(low, high, f"{kind} {failures}")
            here = {(kind, whose): one for (whose, _), one in zip(rows, uniforms.tolist(), strict=True)}
            if failures:
                both = [key for key in here if key in before]
                one, other = (np.array([part[key] for key in both], np.float64) for part in (before, here))
                evidence.differ((LAW, f"the backoffs {kind}, one and the next,"), one, other)
            evidence.differ((LAW, f"the backoffs {kind}, of one and of another,"), uniforms[:-1], uniforms[1:])
            before = here


def _numbered(view: View) -> Iterator[tuple[str, int, str, int]]:
    """Yield each backoff: its kind, the failures of that kind before it, whose it is, and how long in ns."""
    counts: Counter[tuple[str, int, int]] = Counter()
    for at, event in view.backoffs:
        job, stream = event.job, event.stream
        epoch = bisect(view.restarts, at, key=_place)
        if stream != OCC_BACKOFF:
            # A mutation that was put back begins anew, with no conflict so far.
            counts[OCC_BACKOFF, job, epoch] = 0
            key, kind = (stream, job, 0), BEHIND_AN_END if stream == COMPLETION_BACKOFF else BEHIND_AN_ERROR
        elif job >= 0:
            key, kind = (stream, job, epoch), BEHIND_A_CONFLICT
        else:
            # Calls of one name are not told apart: the conflict itself says which it is.
            conflict = view.events[at - 1]
            if isinstance(conflict, CommitRefused):
                yield BEHIND_A_CALL, conflict.rerun - 1, f"{event.function} of {event.request}", event.wait_ns
            continue
        yield kind, counts[key], f"job {job}", event.wait_ns
        counts[key] += 1


backoffs_follow_law = overall(
    LAW,
    "platform",
    "The platform waits after conflicts and system errors with full jitter that doubles up to its cap.",
    Backoffs,
)
