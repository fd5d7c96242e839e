"""What a scenario states of its services, as plain values: the part of the terms that calls are checked with."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.chance.stated import Stated
from sim.history.vocabulary import FAIL, SUCCESS
from sim.promises.services import (
    AT_ONCE,
    NO_LIMIT,
    ChangeTerms,
    LayerTerms,
    RateTerms,
    ServiceTerms,
    ShedTerms,
    SlowdownTerms,
    Span,
)
from sim.retriers.ports.none import NoRetry
from sim.world.services.options import PlannedChange, VersionedRow
from sim.world.weather import OnOff, Outage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sim.laws.distributions import Law
    from sim.scenario.parts.services import ServiceOptions
    from sim.scenario.schema import Scenario
    from sim.world.actions import WorkOptions
    from sim.world.services.options import Change, RateLimit, Shed, Slowdown

LAST_UNIFORM: Final = 1.0 - 2.0**-53
"""The largest of the numbers that are drawn."""
FINEST_RATE: Final = 10**12
"""The largest denominator of a rate in tokens a second, as `sim.world.services.tokens` has it."""


def service_terms(cell: Scenario, classes: Sequence[str] = ()) -> dict[str, ServiceTerms]:
    """Return what a cell states of each service; `classes` are the names of the classes, in their order."""
    found: dict[str, ServiceTerms] = {}
    for name, options in cell.services.items():
        if isinstance(options, VersionedRow):
            request_ns, reply_ns = span_of(options.network.request), span_of(options.network.reply)
            found[name] = ServiceTerms(is_row=True, request_ns=request_ns, reply_ns=reply_ns)
        else:
            found[name] = _queueing(options, classes, cell.heals_at)
    return found


def stated_of_work(options: WorkOptions, heals_at_ns: int | None) -> Stated:
    """Return what is stated of the chance of a service's work."""
    fail = options.outcomes.fail
    script = options.script
    return Stated(
        alone=False,
        latency=options.latency,
        outcomes=tuple(options.branches()),
        script=tuple(outcome for outcome, _ in options.scripted()),
        final=0.0 if script else fail.final,
        retry_after=None if script else fail.retry_after,
        outages=tuple((one.from_ns, one.to_ns, one.fail) for one in options.weather if isinstance(one, Outage)),
        turns=tuple((one.up, one.down, one.fail) for one in options.weather if isinstance(one, OnOff)),
        heals_at_ns=heals_at_ns,
    )


@lru_cache(maxsize=256)
def span_of(law: Law | None) -> Span:
    """Return the least and the most of a law, its values at the ends of [0, 1); the last bits may lie beyond."""
    if law is None:
        return AT_ONCE
    low_ns, high_ns = sorted(law.sample_ns(np.array([0.0, LAST_UNIFORM])).tolist())
    return max(low_ns - 1, 0), high_ns + 1


def latency_spans(options: WorkOptions, *, fails: bool) -> tuple[Mapping[str, Span], ...]:
    """Return what work may take by its outcome: of all, or of each line of a script.

    `fails`: failures come from elsewhere than their share.
    """
    if options.script:
        return tuple({SUCCESS: span_of(law), outcome: span_of(law)} for outcome, law in options.scripted())
    spans: dict[str, Span] = {
        outcome: span_of(law) for outcome, share, law in options.branches() if share or (outcome == FAIL and fails)
    }
    return ({**spans, SUCCESS: span_of(options.latency)},)


def total_outages(options: WorkOptions, heals_at_ns: int | None) -> Iterator[Span]:
    """Yield the intervals in which the weather fails everything, up to the instant at which the world heals."""
    for source in () if options.script else options.weather:
        if isinstance(source, Outage) and source.fail == 1.0:
            yield source.from_ns, source.to_ns if heals_at_ns is None else min(source.to_ns, heals_at_ns)


def _queueing(options: ServiceOptions, classes: Sequence[str], heals_at_ns: int | None) -> ServiceTerms:
    queue = options.queue
    return ServiceTerms(
        request_ns=span_of(options.network.request),
        reply_ns=span_of(options.network.reply),
        servers=NO_LIMIT if options.servers is None else options.servers,
        limit=NO_LIMIT if queue.limit is None else queue.limit,
        order=queue.order,
        max_wait_ns=queue.max_wait,
        drops=queue.abandoned == "dropped",
        slowdown=_slowdown(options.slowdown) or SlowdownTerms(),
        changes=tuple(map(_change, options.capacity)),
        rate=None if options.rate_limit is None else _rate(options.rate_limit),
        shed=None if options.shed is None else _shed(options.shed, classes),
        effect_at=options.effect_at,
        window_ns=options.window_ns or 0,
        latencies_ns=latency_spans(options, fails=bool(options.weather)),
        script=tuple(one.outcome for one in options.script),
        outages_ns=tuple(total_outages(options, heals_at_ns)),
        layers=tuple(
            LayerTerms(layer.service, layer.timeout, once=issubclass(layer.retrier.found, NoRetry))
            for layer in options.calls
        ),
    )


def _slowdown(options: Slowdown | None) -> SlowdownTerms | None:
    return None if options is None else SlowdownTerms(options.per_call or 0, tuple(options.curve or ()))


def _change(change: Change) -> ChangeTerms:
    if isinstance(change, PlannedChange):
        return ChangeTerms(change.servers, _slowdown(change.slowdown), planned_ns=(change.from_ns, change.to_ns))
    turns = change.on_off
    spans = {"up_ns": span_of(turns.up), "down_ns": span_of(turns.down)}
    return ChangeTerms(turns.servers, _slowdown(turns.slowdown), **spans)


def _rate(limit: RateLimit) -> RateTerms:
    asked = limit.retry_after
    retry_after = asked if asked is None or isinstance(asked, str) else span_of(asked)
    return RateTerms(Fraction(limit.rate).limit_denominator(FINEST_RATE), limit.burst, retry_after)


def _shed(shed: Shed, classes: Sequence[str]) -> ShedTerms:
    places = None if shed.classes is None else tuple(n for n, name in enumerate(classes) if name in shed.classes)
    return ShedTerms(shed.when.quantity, shed.when.at_least, places, always=shed.share == 1.0)
