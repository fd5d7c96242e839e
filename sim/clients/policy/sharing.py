"""Finds the parts of a policy that have state for one request, and makes those that nothing has asked for before.

Each lies in a cell (`sim.clients.cells`) that its scope says; one whose scope is the request is made for it alone.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sim.clients.cells import CLIENT, REQUEST, SERVICE, Address
from sim.clients.cells import WORLD as WHOLE_WORLD
from sim.clients.policy.breakers import Breaker
from sim.clients.policy.budgets import budget_cell
from sim.clients.policy.gates import Bulkhead, CallerRateLimit
from sim.clients.policy.hedges import AfterPercentile
from sim.clients.policy.rules import NO_LIMIT
from sim.clients.policy.shared import Latencies, Looks, Shared
from sim.kernel.choices import WORLD, owned

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.clients.around import Around
    from sim.clients.cells import Scope
    from sim.clients.policy.breaker_options import BreakerOptions
    from sim.clients.policy.budgets import Budget
    from sim.clients.policy.party import Party
    from sim.clients.policy.rules import Rules


def shared_parts(run: Party) -> Shared:
    """Return the parts that a request of a policy has or shares."""
    found, rules = Shared(), run.rules
    for part, scope in rules.scopes:
        make = _MAKERS.get(part)
        if make is None or not _has(rules, part):
            continue
        address = _address(run, part, scope)
        if scope == REQUEST:
            cell = make(rules, run, address)
        else:
            cell = run.around.cells.at(address, partial(make, rules, run))
        setattr(found, _SLOTS.get(part, part), cell.for_request() if part == "budget" else cell)
    return found


def state_of_delays(run: Party, law: int) -> list[float]:
    """Return what a delay law remembers for this request: its own, or what its client's requests share."""
    found = run.rules.laws[law]
    if found.state == REQUEST:
        return found.start()
    scope: Scope = next(scope for part, scope in run.rules.scopes if part == "delay")
    if scope == REQUEST:
        return found.start()
    return run.around.cells.at(_address(run, f"delay.{law}", CLIENT), lambda _: found.start())


def _address(run: Party, part: str, scope: Scope) -> Address:
    place = run.place
    owner: int | str = {CLIENT: place.client, SERVICE: place.service}.get(scope, "")
    # All policies of one name share; without a name a policy shares with itself.
    policy = f"={run.rules.name}" if run.rules.name else place.policy
    return Address(policy, part, scope, owner)


def _entity(request: int, address: Address) -> int:
    """Return whose numbers a cell draws."""
    if address.scope == REQUEST:
        return request
    return address.owner if address.scope == CLIENT and isinstance(address.owner, int) else WORLD


def _owned(stream: str, address: Address) -> str:
    """Return the name of the stream of a cell: its policy's name stands behind it, and its owner's if that has one."""
    owner = address.owner if isinstance(address.owner, str) and address.scope != WHOLE_WORLD else ""
    return owned(owned(stream, address.policy.removesuffix("/")), owner)


def _budget(rules: Rules, run: Party, address: Address) -> Budget:
    del run, address
    assert rules.budget is not None  # noqa: S101  # asked only if there is one, as below
    return budget_cell(rules.budget)


def _breaker(rules: Rules, run: Party, address: Address) -> Breaker:
    assert rules.breaker is not None  # noqa: S101  # as above
    return breaker_at(address, rules.breaker, run.around, run.request.number, "open")


def breaker_at(address: Address, options: BreakerOptions, around: Around, request: int, stream: str) -> Breaker:
    """Return a breaker for an address: its open times are draws of the stream, its changes are in the history.

    `request` is the number of the request that asks for it.
    """
    law = options.open_law()
    entity, owned_stream = _entity(request, address), _owned(stream, address)
    state, openings = law.start(), [0]

    def open_ns(in_a_row: int) -> int:
        openings[0] += 1
        draws = [around.choices.uniform(owned_stream + suffix, entity, openings[0]) for suffix in law.streams]
        return law.delay_ns(in_a_row, around.clock.now_ns, state, draws)

    recorder, clock = around.recorder, around.clock
    number = request if address.scope == REQUEST else WORLD

    def changed(to: str, since_ns: int) -> None:
        if recorder is not None:
            recorder.add((clock.now_ns, "breaker", number, WORLD, to, (*address, since_ns)))

    return Breaker(options.encoded(), open_ns, changed)


def _bulkhead(rules: Rules, run: Party, address: Address) -> Bulkhead:
    del run, address
    assert rules.bulkhead is not None  # noqa: S101  # as above
    return Bulkhead(rules.bulkhead.encoded())


def _rate_limit(rules: Rules, run: Party, address: Address) -> CallerRateLimit:
    del run, address
    assert rules.rate_limit is not None  # noqa: S101  # as above
    return CallerRateLimit(rules.rate_limit.encoded())


def _latencies(rules: Rules, run: Party, address: Address) -> Latencies:
    del run, address
    assert rules.hedge is not None  # noqa: S101  # as above
    return Latencies(rules.hedge.after.remembers)


def _looks(rules: Rules, run: Party, address: Address) -> Looks:
    assert rules.pickup_every is not None  # noqa: S101  # as above
    entity, stream = _entity(run.request.number, address), _owned("pickup", address)
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


_MAKERS: Final[dict[str, Callable[[Rules, Party, Address], Any]]] = {
    "budget": _budget,
    "breaker": _breaker,
    "bulkhead": _bulkhead,
    "rate_limit": _rate_limit,
    "hedge": _latencies,
    "pickup": _looks,
}
_SLOTS: Final = {"hedge": "latencies", "pickup": "looks"}
