"""The terms of a simulated world: facts that a check needs but that the history does not contain."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import numpy as np

from sim.chance.stated import BEHIND_A_CALL, BEHIND_A_CONFLICT, BEHIND_AN_END, BEHIND_AN_ERROR, Source, Stated, Way
from sim.contracts.catalogue import Terms
from sim.history.vocabulary import FAIL, SUCCESS
from sim.kernel.draws import Draws
from sim.kernel.durations import NS_PER_S
from sim.promises.terms import KeyRules, Said
from sim.retriers.base import ScheduledRetrier
from sim.world import faults
from sim.world.arrivals import Poisson, planned_ns
from sim.world.weather import OnOff, Outage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sim.engine.world import World
    from sim.history.events import Failure
    from sim.history.recorder import History
    from sim.history.records import Requests
    from sim.history.request import Request
    from sim.laws.distributions import Law
    from sim.promises.promises import Promises
    from sim.retriers.base import Retrier
    from sim.scenario.schema import Scenario
    from sim.world.actions import ActionOptions
    from sim.world.outcomes import Branch
    from sim.world.weather import Weather
    from sim.world.workload import RequestsOptions

LAST_UNIFORM: Final = 1.0 - 2.0**-53
"""The largest of the numbers that are drawn."""


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
    fixed = {
        **_of_callers(cell.action, cell, world.retriers.promises_of_scenario, world.retrier),
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
        "dispatch_latency_ns": _ends_ns(platform.dispatch_latency),
        "mutation_latency_ns": _ends_ns(platform.mutation_latency),
        "commit_window_ns": _ends_ns(platform.commit_window),
        "arrivals_ns": _arrivals_ns(cell.requests) if cell.world == "shared" else None,
        "cancel_after_ns": None if cell.cancel is None or not drawn else _ends_ns(cell.cancel.after),
        "restarts_ns": _restarts_ns(cell.faults) if drawn else None,
        "heals_at_ns": cell.heals_at,
        "collection_pause_ns": platform.collection_pause,
        "draws_differ": drawn,
        "tells_backoffs": True,
    }
    return {**fixed, "classes": dict(_classes(world, fixed))}


def _of_callers(action: ActionOptions, cell: Scenario, promises: Promises, retrier: Retrier) -> dict[str, Any]:
    """Return what classes of callers can have of their own: what their action and their retrier say."""
    return {
        "promises": promises,
        "watchers": retrier.watchers if isinstance(retrier, ScheduledRetrier) else None,
        "idempotency_ns": action.window_ns or 0,
        "keys": None if action.memory is None else KeyRules(*action.memory),
        "effect_at": action.effect_at,
        "outages_ns": tuple(_total_outages(action, cell.heals_at)),
        "latencies_ns": _latencies(action),
        "errors": _errors(action),
        "script": tuple(one.outcome for one in action.script),
        "some_fail_permanently": action.permanent_failure > 0,
    }


def _classes(world: World, fixed: Mapping[str, Any]) -> Iterator[tuple[str, Terms]]:
    """Yield the terms of each class of callers by its name; what the run itself says is in those of all."""
    retriers, cell = world.retriers, world.cell
    for place, one in enumerate(cell.callers):
        own = _of_callers(one.action, cell, retriers.promises_of(place), retriers.first_of(place))
        own |= {"own_action": one.action != cell.action, "own_retrier": one.retrier is not None}
        yield one.name, Terms(**{**fixed, **own})


def _end_ns(world: World) -> int | None:
    """Return the instant at which the world ends, if it has come to that: all that was due by then has happened."""
    until_ns, clock = world.until_ns, world.clock
    come = until_ns is not None and (world.drained or clock.next_timers()[0][0] > until_ns)
    return until_ns if come else None


@lru_cache(maxsize=256)
def _ends_ns(law: Law | None) -> tuple[int, int]:
    """Return the least and the most of a law, its values at the ends of [0, 1); the last bits may lie beyond."""
    if law is None:
        return 0, 0
    low_ns, high_ns = sorted(law.sample_ns(np.array([0.0, LAST_UNIFORM])).tolist())
    return max(low_ns - 1, 0), high_ns + 1


@lru_cache(maxsize=256)
def _latencies(action: ActionOptions) -> tuple[Mapping[str, tuple[int, int]], ...]:
    """Return what attempts may take, by their outcomes: those of all attempts, or of each attempt of a script."""
    if action.script:
        return tuple({SUCCESS: ends, outcome: ends} for outcome, law in action.scripted() for ends in [_ends_ns(law)])
    spans = {SUCCESS: _ends_ns(action.latency)}
    for outcome, law in _latency_laws(action):
        low_ns, high_ns = _ends_ns(law)
        least_ns, most_ns = spans.get(outcome, (low_ns, high_ns))
        spans[outcome] = min(low_ns, least_ns), max(high_ns, most_ns)
    return (spans,)


def _latency_laws(action: ActionOptions) -> Iterator[tuple[str, Law]]:
    """Yield the outcomes that attempts can have besides success, and the laws of their latencies."""
    if action.permanent_failure:
        yield FAIL, action.latency
    for branches in (action.branches(), *action.bad_branches()):
        yield from ((way.outcome, way.latency) for way in branches if way.share)


@lru_cache(maxsize=256)
def _errors(action: ActionOptions) -> tuple[tuple[Said, ...], ...]:
    """Return what the errors of failures may say: those of all attempts, or of each attempt of a script."""
    if action.script:
        return tuple((_said_by(failure),) for failure in action.script_errors())
    found = {Said()} if action.permanent_failure else set()
    for branches in (action.branches(), *action.bad_branches()):
        for way in branches:
            if way.share and way.outcome == FAIL:
                kind, final, retry_after = way.says
                finals = frozenset(word for word, share in ((True, final), (False, 1.0 - final)) if share)
                found.add(Said(kind, finals, None if retry_after is None else _ends_ns(retry_after)))
    return (tuple(sorted(found, key=repr)),)


def _said_by(failure: Failure | None) -> Said:
    if failure is None:
        return Said()
    wait_ns = failure.retry_after_ns
    return Said(failure.kind, frozenset({failure.final}), None if wait_ns < 0 else (wait_ns, wait_ns))


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
        outcomes=tuple(map(_way, action.branches())),
        script=tuple(outcome for outcome, _ in action.scripted()),
        permanent=0.0 if action.script else action.permanent_failure,
        weather=() if action.script else tuple(map(_source, action.weather, action.bad_branches())),
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
    )


def _way(branch: Branch) -> Way:
    return Way(branch.outcome, branch.share, branch.latency, *branch.says)


def _source(source: Weather, branches: Sequence[Branch]) -> Source:
    ways = tuple(map(_way, branches))
    if isinstance(source, OnOff):
        return Source(ways, turns=(source.up, source.down))
    return Source(ways, outage_ns=(source.from_ns, source.to_ns))


def _total_outages(action: ActionOptions, heals_at_ns: int | None) -> Iterator[tuple[int, int, frozenset[str]]]:
    """Yield the intervals in which the weather spoils every attempt, up to the instant at which the world heals.

    Behind the interval are the outcomes that attempts can have in it: its own, and those of the sources before it.
    """
    outcomes = {FAIL} if action.permanent_failure else set()
    for source, branches in () if action.script else zip(action.weather, action.bad_branches(), strict=True):
        outcomes |= {way.outcome for way in branches if way.share}
        if isinstance(source, Outage) and source.share == 1.0:
            to_ns = source.to_ns if heals_at_ns is None else min(source.to_ns, heals_at_ns)
            yield source.from_ns, to_ns, frozenset(outcomes)
