"""The terms of a simulated world: facts that a check needs but that the history does not contain."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from sim.chance.stated import BEHIND_A_CALL, BEHIND_A_CONFLICT, BEHIND_AN_END, BEHIND_AN_ERROR, Stated
from sim.contracts.catalogue import Terms
from sim.experiment.service_terms import latency_spans, service_terms, span_of, stated_of_work, total_outages
from sim.kernel.draws import Draws
from sim.kernel.durations import NS_PER_S
from sim.retriers.base import ScheduledRetrier
from sim.world import faults
from sim.world.services.callers import Callers
from sim.world.services.options import VersionedRow
from sim.world.weather import OnOff, Outage
from sim.world.workload import Poisson, Recorded, RequestsOptions, Steady

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.engine.world import World
    from sim.history.recorder import History
    from sim.history.records import Requests
    from sim.history.request import Request
    from sim.scenario.schema import Scenario


def terms_of(
    world: World,
    alone: Callable[[int], History] | None = None,
    *,
    records: Requests | Sequence[Request] | None = None,
    concluded: bool = True,
) -> Terms:
    """Return the terms of a world that has been simulated; see `Terms` for the others."""
    fixed = _FIXED.get(world)
    if fixed is None:
        fixed = _FIXED[world] = _fixed(world)
    return Terms(
        alone=alone,
        drained=world.drained,
        end_ns=_end_ns(world),
        requests=world.planned,
        records=records,
        concluded=concluded,
        stopped_ns=world.clock.now_ns,
        polling=frozenset(world.deployment.server.polling),
        **fixed,
    )


_FIXED: Final[WeakKeyDictionary[World, dict[str, Any]]] = WeakKeyDictionary()
"""A cache: the terms of a world that its histories do not change; a world of isolated requests has many."""


def _fixed(world: World) -> dict[str, Any]:
    cell = world.cell
    action, platform, drawn = cell.action, cell.platform, isinstance(world.choices, Draws)
    service, callers = action.service, _callers(world)
    services = service_terms(cell, callers.names)
    window_ns = services[service].window_ns if service else action.window_ns or 0
    fails = bool(action.weather or action.permanent_failure)
    latencies = () if service else latency_spans(action, fails=fails)
    return {
        "promises": world.promises,
        "endless": world.until_ns is None,
        "idempotency_ns": window_ns,
        "action_time_limit_ns": platform.action_time_limit,
        "retention_ns": platform.retention,
        "parallelism": platform.parallelism,
        "collection_batch": platform.collection_batch,
        "occ_reruns": platform.occ_reruns,
        "scheduled_occ_backoff_ns": (platform.scheduled_occ_backoff.initial, platform.scheduled_occ_backoff.max),
        "crash_detection_ns": platform.crash_detection,
        "effect_at": None if service else action.effect_at,
        "outages_ns": tuple(total_outages(action, cell.heals_at)),
        "in_order": platform.dispatch_latency is None and drawn,
        "replication": world.replication,
        "polls_per_request": cell.limits.polls_per_request,
        "watchers": world.retrier.watchers if isinstance(world.retrier, ScheduledRetrier) else None,
        "cancels": cell.cancel is not None,
        "dispatch_latency_ns": span_of(platform.dispatch_latency),
        "mutation_latency_ns": span_of(platform.mutation_latency),
        "commit_window_ns": span_of(platform.commit_window),
        "latencies_ns": latencies,
        "script": tuple(one.outcome for one in action.script),
        "arrivals_ns": _arrivals_ns(cell.requests) if cell.world == "shared" else None,
        "cancel_after_ns": None if cell.cancel is None or not drawn else span_of(cell.cancel.after),
        "restarts_ns": _restarts_ns(cell.faults) if drawn else None,
        "heals_at_ns": cell.heals_at,
        "some_fail_permanently": action.permanent_failure > 0,
        "collection_pause_ns": platform.collection_pause,
        "draws_differ": drawn,
        "tells_backoffs": True,
        "services": services,
        "priorities": callers.priorities,
    }


def _callers(world: World) -> Callers:
    """Return the classes of requests, as the services of a world know them."""
    return next((service.around.callers for service in world.services.values()), Callers())


def _end_ns(world: World) -> int | None:
    """Return the instant at which the world ends, if it has come to that: all that was due by then has happened."""
    until_ns, clock = world.until_ns, world.clock
    come = until_ns is not None and (world.drained or clock.next_timers()[0][0] > until_ns)
    return until_ns if come else None


@lru_cache(maxsize=64)
def _arrivals_ns(requests: RequestsOptions) -> tuple[int, ...] | None:
    """Return when requests are planned to arrive, None if that is random."""
    match requests.arrivals:
        case Poisson():
            return None
        case Steady(rate=rate):
            return tuple(round(number * NS_PER_S / rate) for number in range(requests.count))
        case Recorded(values_ns=values_ns):
            return tuple(sorted(values_ns)[: requests.count])
        case _:
            return (0,) * requests.count


def _restarts_ns(planned: Sequence[Any]) -> frozenset[int] | None:
    """Return when the server is planned to die, None if that is random."""
    restarts = [fault for fault in planned if isinstance(fault, faults.Restart)]
    if any(fault.rate is not None for fault in restarts):
        return None
    return frozenset(at_ns for fault in restarts for at_ns in fault.at or ())


def stated_of(cell: Scenario) -> Stated:
    """Return what a cell states of chance."""
    action, platform = cell.action, cell.platform
    arrivals = cell.requests.arrivals
    return Stated(
        alone=cell.world == "isolated",
        latency=action.latency,
        outcomes=tuple(action.branches()),
        script=tuple(outcome for outcome, _ in action.scripted()),
        permanent=0.0 if action.script else action.permanent_failure,
        final=0.0 if action.script else action.outcomes.fail.final,
        retry_after=None if action.script else action.outcomes.fail.retry_after,
        outages=tuple((one.from_ns, one.to_ns, one.fail) for one in action.weather if isinstance(one, Outage)),
        turns=tuple((one.up, one.down, one.fail) for one in action.weather if isinstance(one, OnOff)),
        heals_at_ns=cell.heals_at,
        mean_gap_ns=NS_PER_S / arrivals.rate if isinstance(arrivals, Poisson) else None,
        backoffs_ns=tuple(
            (what, (backoff.initial, backoff.max))
            for what, backoff in (
                (BEHIND_A_CALL, platform.occ_backoff),
                (BEHIND_A_CONFLICT, platform.scheduled_occ_backoff),
                (BEHIND_AN_ERROR, platform.system_error_backoff),
                (BEHIND_AN_END, platform.completion_backoff),
            )
        ),
        services=tuple(
            (name, stated_of_work(options, cell.heals_at))
            for name, options in cell.services.items()
            if not isinstance(options, VersionedRow)
        ),
    )
