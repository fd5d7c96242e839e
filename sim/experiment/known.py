"""What is known of a cell before it is simulated: what its scenario and its retrier's promises make possible.

Intervals rest on it (`sim.measure.possible`) where a sample alone says nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from sim.kernel.durations import NS_PER_S
from sim.laws.distributions import Constant, Pareto
from sim.measure.possible import ANY, SHARE, Bounds, Possible
from sim.measure.prices import PICO
from sim.measure.quantities import MONEY
from sim.retriers.base import promises_of
from sim.retriers.ports import PORTS
from sim.world.faults import Restart
from sim.world.services.options import VersionedRow
from sim.world.weather import OnOff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from fractions import Fraction

    from sim.laws.distributions import Law
    from sim.retriers.base import Retrier
    from sim.scenario.schema import Scenario
    from sim.world.actions import ActionOptions
    from sim.world.outcomes import Branch

LEAST_SHAPE: Final = 2.0
"""A Pareto law of this shape or a smaller one has no variance."""


def known_of(cell: Scenario, retrier: Callable[[], Retrier] | None = None) -> Possible:
    """Return what is known of a cell beforehand; `retrier` makes the one that replaces the scenario's own."""
    own, *of_classes = cell.retriers
    makers = [own.make if retrier is None else retrier, *(one.make for one in of_classes)]
    promised = [promises_of(make()).attempts_at_most for make in makers]
    submissions = 1 if cell.resubmit is None else 1 + cell.resubmit.at_most
    most = None if None in promised else max(filter(None, promised), default=0) * submissions
    return Possible(
        bounds_of=_bounds(cell, most),
        certain=retrier is None and _is_certain(cell),
        no_variance=next(map(_no_variance, _laws_without_variance(cell)), ""),
        money_is_of_time=cell.cost is not None and bool(cell.cost.prices.action_second),
        turn_ns=_turn_ns(cell),
    )


def _bounds(cell: Scenario, most: int | None) -> dict[str, Bounds]:
    # A request that is canceled, lost or cut off may have had no attempt yet.
    least = 0.0 if cell.cancel is not None or cell.faults or cell.until is not None else 1.0
    attempts = Bounds(least, math.inf if most is None else float(most))
    # An attempt has at most one effect, and the first of a request is no duplicate.
    found = {"attempts": attempts, "duplicates": Bounds(0.0, max(0.0, attempts.most - 1))}
    if cell.world == "shared" and (seconds := _window_s(cell)) > 0:
        # Of the whole cell only: a service may get several calls of an attempt.
        found["offered"] = found["goodput"] = Bounds(0.0, cell.requests.count / seconds)
    for name, service in cell.services.items():
        limit = None if isinstance(service, VersionedRow) else service.queue.limit
        if limit is not None:
            found |= {f"service.{name}.queue.{kind}": Bounds(0.0, float(limit)) for kind in ("mean", "peak")}
    if not cell.faults:
        found["actions"] = attempts  # an attempt starts one action, and only faults start one again
    if cell.cost is not None:
        found[MONEY] = _money(cell.cost.prices.known, found)
    return found


def _money(prices: Mapping[str, Fraction], known: Mapping[str, Bounds]) -> Bounds:
    """Return between which amounts a request's cost lies, by the prices and what is known of what they are of."""
    things = {
        "attempt": known["attempts"],
        "action": known.get("actions", ANY),
        "duplicate": known["duplicates"],
        "effect": Bounds(0.0, known["attempts"].most),
        "failure": SHARE,
    }
    paid = [(float(price * PICO), things.get(name, ANY)) for name, price in prices.items()]
    return Bounds(sum(price * one.least for price, one in paid), sum(price * one.most for price, one in paid))


def _window_s(cell: Scenario) -> float:
    """Return how many seconds of every replication are measured; 0 if it ends when nothing is left to do."""
    if cell.until is None:
        return 0.0
    from_ns, to_ns = (0, None) if cell.measure is None else (cell.measure.from_ns, cell.measure.to_ns)
    return (min(cell.until, cell.until if to_ns is None else to_ns) - from_ns) / NS_PER_S


def _is_certain(cell: Scenario) -> bool:
    """Tell whether a scenario leaves nothing to chance; whether its retrier does, only its requests show."""
    action = cell.action
    shares = [action.permanent_failure, *(share for way in _ways(action) for share in (way.share, way.says.final))]
    return (
        cell.retrier.kind in PORTS
        and cell.world == "isolated"
        and cell.cancel is None
        and cell.resubmit is None
        and not cell.faults
        and not any(isinstance(source, OnOff) for source in action.weather)
        and all(share in (0, 1) for share in shares)
        and all(isinstance(law, Constant) for law in _laws(cell))
    )


def _ways(action: ActionOptions) -> Iterator[Branch]:
    """Yield the ways in which attempts can go, in any weather, besides success."""
    for branches in (action.branches(), *action.bad_branches()):
        yield from (way for way in branches if way.share)


def _laws(cell: Scenario) -> Iterator[Law]:
    """Yield the laws that an attempt's time, or its platform's, may follow."""
    platform = cell.platform
    for action in _actions(cell):
        if not action.script:
            yield action.latency
            for way in _ways(action):
                yield way.latency
                if way.says.retry_after is not None:
                    yield way.says.retry_after
    if cell.resubmit is not None:
        yield cell.resubmit.after
    yield from filter(None, (platform.mutation_latency, platform.commit_window, platform.dispatch_latency))


def _actions(cell: Scenario) -> list[ActionOptions]:
    """Return the actions that requests have: the scenario's, or those of its classes of callers."""
    return [one.action for one in cell.callers if one.share > 0] or [cell.action]


def _laws_without_variance(cell: Scenario) -> Iterator[Pareto]:
    return (law for law in _laws(cell) if isinstance(law, Pareto) and law.shape <= LEAST_SHAPE)


def _no_variance(law: Pareto) -> str:
    what = "mean" if law.shape <= 1 else "variance"
    return f"a Pareto law of shape {law.shape:g} has no {what}, so no sample bounds the mean of times it is part of"


def _turn_ns(cell: Scenario) -> float:
    """Return the mean time between two turns of what all requests of a replication share, the rarest; inf if none."""
    if cell.world != "shared":
        return math.inf
    sources = [source for action in _actions(cell) for source in action.weather]
    turns = [source.up.mean_ns + source.down.mean_ns for source in sources if isinstance(source, OnOff)]
    rates = [fault.rate for fault in cell.faults if isinstance(fault, Restart) and fault.rate is not None]
    turns += [NS_PER_S / rate for rate in rates if rate]
    return max(turns, default=math.inf)
