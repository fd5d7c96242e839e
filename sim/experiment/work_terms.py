"""What a scenario states of attempts, and of the work of a service, as plain values: both are the same kind of work."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.chance.stated import Source, Stated, Way
from sim.history.vocabulary import FAIL, SUCCESS
from sim.promises.services import AT_ONCE, Span
from sim.promises.terms import Said
from sim.world.weather import OnOff, Outage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sim.history.failure import Failure
    from sim.laws.distributions import Law
    from sim.world.actions import WorkOptions
    from sim.world.outcomes import Branch
    from sim.world.weather import Weather

LAST_UNIFORM: Final = 1.0 - 2.0**-53
"""The largest of the numbers that are drawn."""


@lru_cache(maxsize=256)
def span_of(law: Law | None) -> Span:
    """Return the least and the most of a law, its values at the ends of [0, 1); the last bits may lie beyond."""
    if law is None:
        return AT_ONCE
    low_ns, high_ns = sorted(law.sample_ns(np.array([0.0, LAST_UNIFORM])).tolist())
    return max(low_ns - 1, 0), high_ns + 1


def _permanent(options: WorkOptions) -> float:
    """Return the share of requests that fail for good; only an action has any."""
    share: float = getattr(options, "permanent_failure", 0.0)
    return share


@lru_cache(maxsize=256)
def latency_spans(options: WorkOptions) -> tuple[Mapping[str, Span], ...]:
    """Return what attempts may take, by their outcomes: those of all attempts, or of each attempt of a script."""
    if options.script:
        return tuple({SUCCESS: span, outcome: span} for outcome, law in options.scripted() for span in [span_of(law)])
    spans = {SUCCESS: span_of(options.latency)}
    for outcome, law in _latency_laws(options):
        low_ns, high_ns = span_of(law)
        least_ns, most_ns = spans.get(outcome, (low_ns, high_ns))
        spans[outcome] = min(low_ns, least_ns), max(high_ns, most_ns)
    return (spans,)


def _latency_laws(options: WorkOptions) -> Iterator[tuple[str, Law]]:
    """Yield the outcomes that attempts can have besides success, and the laws of their latencies."""
    if _permanent(options):
        yield FAIL, options.latency
    for branches in (options.branches(), *options.bad_branches()):
        yield from ((way.outcome, way.latency) for way in branches if way.share)


@lru_cache(maxsize=256)
def errors_of(options: WorkOptions) -> tuple[tuple[Said, ...], ...]:
    """Return what the errors of failures may say: those of all attempts, or of each attempt of a script."""
    if options.script:
        return tuple((_said_by(failure),) for failure in options.script_errors())
    found = {Said()} if _permanent(options) else set()
    for branches in (options.branches(), *options.bad_branches()):
        for way in branches:
            if way.share and way.outcome == FAIL:
                kind, final, retry_after = way.says
                finals = frozenset(word for word, share in ((True, final), (False, 1.0 - final)) if share)
                found.add(Said(kind, finals, None if retry_after is None else span_of(retry_after)))
    return (tuple(sorted(found, key=repr)),)


def _said_by(failure: Failure | None) -> Said:
    if failure is None:
        return Said()
    wait_ns = failure.retry_after_ns
    return Said(failure.kind, frozenset({failure.final}), None if wait_ns < 0 else (wait_ns, wait_ns))


def way_of(branch: Branch) -> Way:
    """Return one way that an attempt can go."""
    return Way(branch.outcome, branch.share, branch.latency, *branch.says)


def source_of(source: Weather, branches: Sequence[Branch]) -> Source:
    """Return a source of weather with the ways that attempts go while it is down."""
    ways = tuple(map(way_of, branches))
    if isinstance(source, OnOff):
        return Source(ways, turns=(source.up, source.down))
    return Source(ways, outage_ns=(source.from_ns, source.to_ns))


def total_outages(options: WorkOptions, heals_at_ns: int | None) -> Iterator[tuple[int, int, frozenset[str]]]:
    """Yield the intervals in which the weather spoils every attempt, up to the instant at which the world heals.

    Behind the interval are the outcomes that attempts can have in it: its own, and those of the sources before it.
    """
    outcomes: set[str] = {FAIL} if _permanent(options) else set()
    for source, branches in () if options.script else zip(options.weather, options.bad_branches(), strict=True):
        outcomes |= {way.outcome for way in branches if way.share}
        if isinstance(source, Outage) and source.share == 1.0:
            to_ns = source.to_ns if heals_at_ns is None else min(source.to_ns, heals_at_ns)
            yield source.from_ns, to_ns, frozenset(outcomes)


def stated_of_work(options: WorkOptions, heals_at_ns: int | None) -> Stated:
    """Return what is stated of the chance of a service's work."""
    return Stated(
        alone=False,
        latency=options.latency,
        outcomes=tuple(map(way_of, options.branches())),
        script=tuple(outcome for outcome, _ in options.scripted()),
        weather=() if options.script else tuple(map(source_of, options.weather, options.bad_branches())),
        repeats_answers=options.memory is not None and options.memory.first,
        heals_at_ns=heals_at_ns,
    )
