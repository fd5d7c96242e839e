"""The terms of a simulated world: facts that a check needs but that the history does not contain."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from sim.chance.stated import BEHIND_A_CALL, BEHIND_A_CONFLICT, BEHIND_AN_END, BEHIND_AN_ERROR, Stated
from sim.contracts.catalogue import Terms
from sim.experiment.policy_terms import policy_terms
from sim.experiment.service_terms import service_terms
from sim.experiment.work_terms import (
    errors_of,
    latency_spans,
    source_of,
    span_of,
    stated_of_work,
    total_outages,
    way_of,
)
from sim.kernel.draws import Draws
from sim.kernel.durations import NS_PER_S
from sim.promises.terms import KeyRules
from sim.retriers.base import ScheduledRetrier
from sim.scenario.parts.services import ServiceOptions
from sim.world import faults
from sim.world.arrivals import Poisson, planned_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sim.engine.world import World
    from sim.history.recorder import History
    from sim.history.records import Requests
    from sim.history.request import Request
    from sim.promises.promises import Promises
    from sim.promises.services import ServiceTerms
    from sim.retriers.base import Retrier
    from sim.scenario.schema import Scenario
    from sim.world.actions import ActionOptions
    from sim.world.workload import RequestsOptions


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
    of_run = {
        "alone": alone,
        "drained": world.drained,
        "end_ns": _end_ns(world),
        "requests": world.planned,
        "records": records,
        "concluded": concluded,
        "stopped_ns": world.clock.now_ns,
        "polling": frozenset(world.deployment.server.polling),
    }
    classes = {name: replace(terms, **of_run) for name, terms in fixed["classes"].items()}
    return Terms(**{**fixed, **of_run, "classes": classes})


_FIXED: Final[WeakKeyDictionary[World, dict[str, Any]]] = WeakKeyDictionary()
"""A cache: the terms of a world that its histories do not change; a world of isolated requests has many."""


def _fixed(world: World) -> dict[str, Any]:
    cell = world.cell
    platform, drawn = cell.platform, isinstance(world.choices, Draws)
    services = service_terms(cell)
    fixed = {
        **_of_callers(cell.action, cell, world.retriers.promises_of_scenario, world.retrier, services),
        "endless": world.until_ns is None,
        "action_time_limit_ns": platform.action_time_limit,
        "retention_ns": platform.retention,
        "parallelism": platform.parallelism,
        "collection_batch": platform.collection_batch,
        "occ_reruns": platform.occ_reruns,
        "scheduled_occ_backoff_ns": (platform.scheduled_occ_backoff.initial, platform.scheduled_occ_backoff.max),
        "crash_detection_ns": platform.crash_detection,
        "in_order": platform.dispatch_latency is None and drawn,
        "replication": world.replication,
        "polls_per_request": cell.limits.polls_per_request,
        "cancels": cell.cancel is not None,
        "resubmits": cell.resubmit is not None,
        "dispatch_latency_ns": span_of(platform.dispatch_latency),
        "mutation_latency_ns": span_of(platform.mutation_latency),
        "commit_window_ns": span_of(platform.commit_window),
        "arrivals_ns": _arrivals_ns(cell.requests) if cell.world == "shared" else None,
        "cancel_after_ns": None if cell.cancel is None or not drawn else span_of(cell.cancel.after),
        "restarts_ns": _restarts_ns(cell.faults) if drawn else None,
        "heals_at_ns": cell.heals_at,
        "collection_pause_ns": platform.collection_pause,
        "draws_differ": drawn,
        "tells_backoffs": True,
        "services": services,
        "priorities": {one.name: one.priority for one in cell.callers},
    }
    return {**fixed, "classes": dict(_classes(world, fixed))}


def _of_callers(  # noqa: PLR0917  # two places ask
    action: ActionOptions,
    cell: Scenario,
    promises: Promises,
    retrier: Retrier,
    services: Mapping[str, ServiceTerms],
    namespace: str = "",
) -> dict[str, Any]:
    """Return what classes of callers can have of their own: what their action and their retrier say."""
    found = {
        "promises": promises,
        "policy": policy_terms(retrier, cell, namespace=namespace, service=action.service or ""),
        "watchers": retrier.watchers if isinstance(retrier, ScheduledRetrier) else None,
    }
    if action.service is not None:
        service = cell.services[action.service]
        memory = service.memory if isinstance(service, ServiceOptions) else None
        keys = None if memory is None else KeyRules(*memory)
        window_ns = services[action.service].window_ns
        return {**found, "idempotency_ns": window_ns, "keys": keys, "effect_at": None, "latencies_ns": (), "errors": ()}
    return {
        **found,
        "idempotency_ns": action.window_ns or 0,
        "keys": None if action.memory is None else KeyRules(*action.memory),
        "effect_at": action.effect_at,
        "outages_ns": tuple(total_outages(action, cell.heals_at)),
        "latencies_ns": latency_spans(action),
        "errors": errors_of(action),
        "script": tuple(one.outcome for one in action.script),
        "some_fail_permanently": action.permanent_failure > 0,
    }


def _classes(world: World, fixed: Mapping[str, Any]) -> Iterator[tuple[str, Terms]]:
    """Yield the terms of each class of callers by its name; what the run itself says is in those of all."""
    retriers, cell = world.retriers, world.cell
    for place, one in enumerate(cell.callers):
        promises, retrier = retriers.promises_of(place), retriers.first_of(place)
        own = _of_callers(one.action, cell, promises, retrier, fixed["services"], retriers.namespace_of(place))
        own |= {"own_action": one.action != cell.action, "own_retrier": one.retrier is not None}
        yield one.name, Terms(**{**fixed, **own})


def _end_ns(world: World) -> int | None:
    """Return the instant at which the world ends, if it has come to that: all that was due by then has happened."""
    until_ns, clock = world.until_ns, world.clock
    come = until_ns is not None and (world.drained or clock.next_timers()[0][0] > until_ns)
    return until_ns if come else None


@lru_cache(maxsize=64)
def _arrivals_ns(requests: RequestsOptions) -> tuple[int, ...] | None:
    """Return when requests are planned to arrive, None if that is random."""
    planned = planned_ns(requests.arrivals, requests.count)
    return None if planned is None else tuple(planned)


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
        outcomes=tuple(map(way_of, action.branches())),
        script=tuple(outcome for outcome, _ in action.scripted()),
        permanent=0.0 if action.script else action.permanent_failure,
        weather=() if action.script else tuple(map(source_of, action.weather, action.bad_branches())),
        repeats_answers=action.memory is not None and action.memory.first,
        heals_at_ns=cell.heals_at,
        resubmits=cell.resubmit is not None,
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
            if isinstance(options, ServiceOptions)
        ),
    )
