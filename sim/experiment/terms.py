"""The terms of a simulated world: facts that a check needs but that the history does not contain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.contracts.catalogue import Terms
from sim.contracts.run.stated import BEHIND_A_CALL, BEHIND_A_CONFLICT, BEHIND_AN_END, BEHIND_AN_ERROR, Stated
from sim.kernel.draws import Draws
from sim.kernel.durations import NS_PER_S
from sim.world.weather import OnOff, Outage
from sim.world.workload import Poisson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.engine.world import World
    from sim.history.recorder import History
    from sim.scenario.schema import Scenario


def terms_of(world: World, alone: Callable[[int], History] | None = None) -> Terms:
    """Return the terms of a world that has been simulated; see `Terms` for `alone`."""
    cell = world.cell
    drawn = isinstance(world.choices, Draws)
    return Terms(
        alone=alone,
        promises=world.promises,
        drained=world.drained,
        end_ns=world.until_ns,
        idempotency_ns=cell.action.window_ns or 0,
        action_time_limit_ns=cell.platform.action_time_limit,
        retention_ns=cell.platform.retention,
        parallelism=cell.platform.parallelism,
        collection_batch=cell.platform.collection_batch,
        occ_reruns=cell.platform.occ_reruns,
        scheduled_occ_backoff_ns=(cell.platform.scheduled_occ_backoff.initial, cell.platform.scheduled_occ_backoff.max),
        crash_detection_ns=cell.platform.crash_detection,
        effect_at=cell.action.effect_at,
        outages_ns=tuple(_total_outages(cell)),
        in_order=cell.platform.dispatch_latency is None and drawn,
        tells_backoffs=True,
        draws_differ=drawn,
    )


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
    )


def _total_outages(cell: Scenario) -> Iterator[tuple[int, int]]:
    """Yield the intervals in which the weather fails every attempt, up to the instant at which the world heals."""
    for source in () if cell.action.script else cell.action.weather:
        if isinstance(source, Outage) and source.fail == 1.0:
            to_ns = source.to_ns if cell.heals_at is None else min(source.to_ns, cell.heals_at)
            yield source.from_ns, to_ns
