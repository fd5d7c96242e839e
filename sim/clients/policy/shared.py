"""The parts of a policy that have state of their own, as one request finds them.

Each lies in a cell (`sim.clients.cells`) that its scope says; one whose scope is the request is made for it alone.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sim.clients.cells import CLIENT, REQUEST, SERVICE, Address
from sim.clients.cells import WORLD as WHOLE_WORLD
from sim.clients.policy.breakers import Breaker
from sim.clients.policy.budgets import budget_cell
from sim.clients.policy.delays import ConstantDelay, delay_law
from sim.clients.policy.gates import Bulkhead, CallerRateLimit
from sim.clients.policy.hedges import NEVER_AFTER, AfterPercentile
from sim.clients.policy.rules import NO_LIMIT
from sim.kernel.choices import WORLD, owned
from sim.options.percentage import exact

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.clients.cells import Scope
    from sim.clients.policy.breakers import BreakerOptions
    from sim.clients.policy.budgets import Budget
    from sim.clients.policy.delays import DelayOptions
    from sim.clients.policy.machine import Run
    from sim.clients.policy.rules import Rules
    from sim.kernel.choices import DelayOf


class Latencies:
    """How long the last successes took, in order."""

    __slots__ = ("_last", "_most", "_sorted")

    def __init__(self, most: int) -> None:
        self._most = most
        self._last: deque[int] = deque()
        self._sorted: list[int] = []

    def add(self, latency_ns: int) -> None:
        """Add one; the oldest is forgotten."""
        self._last.append(latency_ns)
        insort(self._sorted, latency_ns)
        if len(self._last) > self._most:
            del self._sorted[bisect_left(self._sorted, self._last.popleft())]

    def percentile_ns(self, percentile: float) -> int | None:
        """Return the least latency that so many percent of them do not exceed; None if there are too few."""
        count, share = len(self._sorted), exact(percentile) / 100
        if count * (1 - share) < 1:
            return None
        return self._sorted[max(math.ceil(count * share) - 1, 0)]


class Looks:
    """When a worker looks whether there is something to do: from a first look on, each a random time after the last."""

    __slots__ = ("_every", "_looks_ns", "_number", "_owner")

    def __init__(self, every: DelayOf, owner: int, first_ns: int) -> None:
        """Take the law of the times between looks, bound to its stream (entity `owner`, index the look's number)."""
        self._every = every
        self._owner = owner
        self._number = 0
        self._looks_ns = [first_ns]

    def next_ns(self, from_ns: int) -> int:
        """Return the instant of the first look at or after an instant."""
        looks_ns = self._looks_ns
        while looks_ns[-1] < from_ns:
            self._number += 1
            looks_ns.append(looks_ns[-1] + max(self._every(self._owner, self._number, 0), 1))
        return looks_ns[bisect_left(looks_ns, from_ns)]


class Shared:
    """The stateful parts of a policy for one request; None for those that it does not have."""

    __slots__ = ("breaker", "budget", "bulkhead", "latencies", "looks", "rate_limit")

    def __init__(self, run: Run | None = None) -> None:
        self.budget: Budget | None = None
        # Gates ask only for what their policy has.
        self.breaker: Breaker = None  # type: ignore[assignment]  # as above
        self.bulkhead: Bulkhead = None  # type: ignore[assignment]  # as above
        self.rate_limit: CallerRateLimit = None  # type: ignore[assignment]  # as above
        self.latencies: Latencies | None = None
        self.looks: Looks | None = None
        if run is not None:
            self._find(run)

    def _find(self, run: Run) -> None:
        rules = run.rules
        for part, scope in rules.scopes:
            make = _MAKERS.get(part)
            if make is None or not _has(rules, part):
                continue
            address = _address(run, part, scope)
            if scope == REQUEST:
                cell = make(rules, run, address)
            else:
                cell = run.around.cells.at(address, partial(make, rules, run))
            setattr(self, _SLOTS.get(part, part), cell)

    def copy_after_ns(self, rules: Rules) -> int | None:
        """Return how long after a copy the next one goes; None if it does not go by itself."""
        assert rules.hedge is not None  # noqa: S101  # asked only with a hedge
        after = rules.hedge.after
        if isinstance(after, AfterPercentile):
            assert self.latencies is not None  # noqa: S101  # it has them if its hedge has a percentile
            return self.latencies.percentile_ns(after.percentile)
        return None if after == NEVER_AFTER else after


NOTHING_SHARED: Final = Shared()
"""Of a policy without such parts."""


def state_of_delays(run: Run, law: int) -> list[float]:
    """Return what a delay law remembers for this request: its own, or what its client's requests share."""
    found = run.rules.laws[law]
    if found.state == REQUEST:
        return found.start()
    scope: Scope = next(scope for part, scope in run.rules.scopes if part == "delay")
    if scope == REQUEST:
        return found.start()
    return run.around.cells.at(_address(run, f"delay.{law}", CLIENT), lambda _: found.start())


def _address(run: Run, part: str, scope: Scope) -> Address:
    place = run.place
    owner: int | str = {CLIENT: place.client, SERVICE: place.service}.get(scope, "")
    # All policies of one name share; without a name a policy shares with itself.
    policy = f"={run.rules.name}" if run.rules.name else place.policy
    return Address(policy, part, scope, owner)


def _entity(run: Run, address: Address) -> int:
    """Return whose numbers a cell draws."""
    if address.scope == REQUEST:
        return run.request.number
    return address.owner if address.scope == CLIENT and isinstance(address.owner, int) else WORLD


def _owned(stream: str, address: Address) -> str:
    """Return the name of the stream of a cell: its policy's name stands behind it, and its owner's if that has one."""
    owner = address.owner if isinstance(address.owner, str) and address.scope != WHOLE_WORLD else ""
    return owned(owned(stream, address.policy.removesuffix("/")), owner)


def _budget(rules: Rules, run: Run, address: Address) -> Budget:
    del run, address
    assert rules.budget is not None  # noqa: S101  # asked only if there is one, as below
    return budget_cell(rules.budget)


def _breaker(rules: Rules, run: Run, address: Address) -> Breaker:
    options = rules.breaker
    assert options is not None  # noqa: S101  # as above
    law, around = delay_law(_open_time(options), "breaker.open"), run.around
    entity, stream = _entity(run, address), _owned("open", address)
    state, openings = law.start(), [0]

    def open_ns(in_a_row: int) -> int:
        openings[0] += 1
        draws = [around.choices.uniform(stream + suffix, entity, openings[0]) for suffix in law.streams]
        return law.delay_ns(in_a_row, around.clock.now_ns, state, draws)

    recorder, clock = around.recorder, around.clock
    number = run.request.number if address.scope == REQUEST else WORLD

    def changed(to: str, since_ns: int) -> None:
        if recorder is not None:
            recorder.add((clock.now_ns, "breaker", number, WORLD, to, (*address, since_ns)))

    return Breaker(options.encoded(), open_ns, changed)


def _open_time(options: BreakerOptions) -> DelayOptions:
    return ConstantDelay(delay=options.open) if isinstance(options.open, int) else options.open


def _bulkhead(rules: Rules, run: Run, address: Address) -> Bulkhead:
    del run, address
    assert rules.bulkhead is not None  # noqa: S101  # as above
    return Bulkhead(rules.bulkhead.encoded())


def _rate_limit(rules: Rules, run: Run, address: Address) -> CallerRateLimit:
    del run, address
    assert rules.rate_limit is not None  # noqa: S101  # as above
    return CallerRateLimit(rules.rate_limit.encoded())


def _latencies(rules: Rules, run: Run, address: Address) -> Latencies:
    del run, address
    assert rules.hedge is not None  # noqa: S101  # as above
    return Latencies(rules.hedge.after.remembers)


def _looks(rules: Rules, run: Run, address: Address) -> Looks:
    assert rules.pickup_every is not None  # noqa: S101  # as above
    entity, stream = _entity(run, address), _owned("pickup", address)
    every = run.around.choices.delays(rules.pickup_every, stream)
    first_ns = rules.pickup_phase_ns
    if first_ns == NO_LIMIT:
        first_ns = round(run.around.choices.uniform(f"{stream}.phase", entity) * every(entity, 0, 0))
    if address.scope == REQUEST:
        first_ns += run.started_ns
    return Looks(every, entity, first_ns)


def _has(rules: Rules, part: str) -> bool:
    if part == "hedge":
        return rules.hedge is not None and isinstance(rules.hedge.after, AfterPercentile)
    if part == "pickup":
        return rules.pickup_every is not None
    return getattr(rules, part) is not None


_MAKERS: Final[dict[str, Callable[[Rules, Run, Address], Any]]] = {
    "budget": _budget,
    "breaker": _breaker,
    "bulkhead": _bulkhead,
    "rate_limit": _rate_limit,
    "hedge": _latencies,
    "pickup": _looks,
}
_SLOTS: Final = {"hedge": "latencies", "pickup": "looks"}
