"""What a scenario states of its services, as plain values: the part of the terms that calls are checked with."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from sim.experiment.work_terms import latency_spans, span_of, total_outages
from sim.promises.services import (
    NO_LIMIT,
    ChangeTerms,
    LayerTerms,
    RateTerms,
    ServiceTerms,
    ShedTerms,
    SlowdownTerms,
)
from sim.retriers.ports.none import NoRetry
from sim.scenario.parts.services import ServiceOptions
from sim.world.services.options import PlannedChange, VersionedRow

if TYPE_CHECKING:
    from sim.scenario.schema import Scenario
    from sim.world.services.options import Change, FrontOptions, RateLimit, Shed, Slowdown

FINEST_RATE: Final = 10**12
"""The largest denominator of a rate in tokens a second, as `sim.world.services.tokens` has it."""


def service_terms(cell: Scenario) -> dict[str, ServiceTerms]:
    """Return what a cell states of each service."""
    found: dict[str, ServiceTerms] = {}
    for name, options in cell.services.items():
        if isinstance(options, VersionedRow):
            request_ns, reply_ns = span_of(options.network.request), span_of(options.network.reply)
            found[name] = ServiceTerms(is_row=True, request_ns=request_ns, reply_ns=reply_ns)
        elif isinstance(options, ServiceOptions):
            found[name] = _queueing(options, cell.heals_at)
        else:
            found[name] = ServiceTerms(**_front(options))
    return found


def _front(options: FrontOptions) -> dict[str, Any]:
    """Return the terms of what stands in front of the work."""
    queue = options.queue
    return {
        "request_ns": span_of(options.network.request),
        "reply_ns": span_of(options.network.reply),
        "servers": NO_LIMIT if options.servers is None else options.servers,
        "limit": NO_LIMIT if queue.limit is None else queue.limit,
        "order": queue.order,
        "max_wait_ns": queue.max_wait,
        "drops": queue.abandoned == "dropped",
        "changes": tuple(map(_change, options.capacity)),
        "rate": None if options.rate_limit is None else _rate(options.rate_limit),
        "shed": None if options.shed is None else _shed(options.shed),
    }


def _queueing(options: ServiceOptions, heals_at_ns: int | None) -> ServiceTerms:
    return ServiceTerms(
        **_front(options),
        slowdown=_slowdown(options.slowdown) or SlowdownTerms(),
        effect_at=options.effect_at,
        window_ns=options.window_ns or 0,
        latencies_ns=latency_spans(options),
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


def _shed(shed: Shed) -> ShedTerms:
    return ShedTerms(shed.when.quantity, shed.when.at_least, shed.classes, always=shed.share == 1.0)
