"""The entrance to the tables engine: which cells it can simulate, and one replication of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from sim.clients.policy.options import PolicyOptions
from sim.clients.policy.rules import Gate, rules_of
from sim.engine import event
from sim.engine.collector import OF_PORTS, keep_as_old, rare_collections
from sim.engine.tables.arrivals import asks_of
from sim.engine.tables.clients import Clients, is_plain
from sim.engine.tables.front import Levels
from sim.engine.tables.judged import JudgedClients
from sim.engine.tables.rows import calls_of, capacities_of
from sim.engine.tables.server import Server
from sim.engine.tables.timeline import OutOfBounds, Timeline
from sim.history.request import Request, table
from sim.history.traffic import NO_SERVICE, Traffic
from sim.history.vocabulary import ACK_LOST, FAIL, HANG
from sim.kernel.draws import Draws
from sim.retriers.policy import Policy
from sim.retriers.ports.none import NoRetry
from sim.scenario.parts.services import ServiceOptions
from sim.world.effects import Memory
from sim.world.services.capacity import Capacity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.clients.policy.rules import Rules
    from sim.engine.tables.arrivals import Asks
    from sim.history.records import Requests
    from sim.kernel.choices import Choices
    from sim.retriers.base import Retrier
    from sim.scenario.schema import Scenario
    from sim.world.actions import WorkOptions

OUTCOMES = (FAIL, ACK_LOST, HANG)
"""What can become of a call, besides a success."""


def refusal(cell: Scenario) -> str | None:
    """Return in one line why the tables engine cannot simulate a cell; None if it can."""
    return next(_reasons(cell), None)


def _reasons(cell: Scenario) -> Iterator[str]:
    if cell.world != "shared":
        yield "in an isolated world no request meets another"
    rules = _rules(cell.retriers[0].make())
    if rules is None:
        yield f"retrier {cell.retrier.kind} is code, not data"
    else:
        yield from _reasons_of_policy(rules)
    if cell.callers:
        yield "it has one class of callers, but the scenario has `classes`"
    for key in ("cancel", "resubmit"):
        if getattr(cell, key) is not None:
            yield f"it does not play `{key}`"
    if cell.faults:
        yield "it has no deployment, but the scenario has `faults` of it"
    yield from _reasons_of_services(cell)


def _rules(retrier: Retrier) -> Rules | None:
    """Return the rules of a retrier that is data; None if it is none."""
    if type(retrier) is NoRetry:
        return rules_of(PolicyOptions())
    return retrier.rules if type(retrier) is Policy else None


def _reasons_of_policy(rules: Rules) -> Iterator[str]:
    if rules.hedge is not None:
        yield "a hedge makes several calls of one try"
    if rules.redeliver_ns >= 0:
        yield "redelivery makes several calls of one try"
    if rules.breaker is not None or rules.bulkhead is not None or rules.rate_limit is not None:
        yield "it has no gates: no breaker, bulkhead or rate limit of a policy"
    if rules.try_gates or rules.copy_gates or Gate.timeout in rules.request_gates:
        yield "the timeout is not that of a try"


def _reasons_of_services(cell: Scenario) -> Iterator[str]:
    for name, options in cell.services.items():
        if not isinstance(options, ServiceOptions):
            yield f"service {name} is of a kind of its own"
    called = cell.action.service
    work = _work(cell)
    if isinstance(work, ServiceOptions) and work.calls:
        yield f"service {called} calls others"
    memory = work.memory
    if memory is not None and memory != Memory(memory.window_ns):
        yield "it remembers idempotency keys as by default only, but `from`, `answers` or `in_use` is set"
    yield from _reasons_of_outcomes(work)


def _reasons_of_outcomes(work: WorkOptions) -> Iterator[str]:
    ways = [way for branches in (work.branches(), *work.bad_branches()) for way in branches if way.share]
    outcomes = {way.outcome for way in ways} | {step.outcome for step in work.script}
    for outcome in sorted(outcomes.difference(("success", *OUTCOMES))):
        yield f"it does not play the outcome {outcome}"


def _work(cell: Scenario) -> WorkOptions:
    """Return the work of what is called: of the service that the action names, or of the action itself."""
    service = cell.action.service
    return cell.action if service is None else cast("ServiceOptions", cell.services[service])


def simulate_replication(
    cell: Scenario,
    replication: int = 0,
    *,
    at_most: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Requests, Traffic]:
    """Simulate one replication of a cell; returns what the event engine returns. `refusal` of the cell must be None.

    `at_most`: only the first few requests. `progress` is called now and then with how many requests there are. A
    replication that comes to a limit of the scenario is simulated by the event engine, which says how that ends.
    """
    try:
        with rare_collections(OF_PORTS):
            found = simulate_within_limits(cell, replication, at_most, progress)
            keep_as_old()
            return found
    except OutOfBounds:
        return event.simulate_replication(cell, replication, at_most=at_most, progress=progress)


def simulate_within_limits(
    cell: Scenario,
    replication: int,
    at_most: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Requests, Traffic]:
    """Do as `simulate_replication`; raises OutOfBounds if the replication comes to a limit."""
    until_ns = cell.until if isinstance(cell.until, int) else None
    timeline, choices = Timeline(), Draws(cell.seed, replication)
    clients = _composed(cell, timeline, choices, asks_of(cell, timeline, choices, at_most))
    levels = _open_services(cell, clients.server, timeline, choices)
    clients.open(progress)
    timeline.drain(until_ns, cell.limits.events)
    clients.conclude(cut=not timeline.is_drained, end_ns=until_ns)
    traffic = Traffic(
        np.array([replication], np.int32),
        np.array([timeline.now_ns if until_ns is None else until_ns], np.int64),
        calls_of(clients.calls, clients.server.position, replication),
        capacities_of(levels.rows, replication),
    )
    # A request under way has all attributes that a finished record asks for.
    requests = table(cast("list[Request]", clients.asked), replication)
    timeline.clear()
    clients.clear()
    choices.clear()
    return requests, traffic


def _composed(cell: Scenario, timeline: Timeline, choices: Choices, asks: Asks) -> Clients:
    """Put server and clients of a cell together."""
    name = cell.action.service
    server = Server(
        _work(cell),
        timeline,
        choices,
        name=name or "",
        position=NO_SERVICE if name is None else list(cell.services).index(name),
        heals_at_ns=cell.heals_at,
        permanent=cell.action.permanent_failure > 0,
    )
    rules = _rules(cell.retrier.make())
    assert rules is not None  # noqa: S101  # the cell is not refused
    if is_plain(rules):
        return Clients(rules, server, timeline, choices, asks)
    return JudgedClients(rules, server, timeline, choices, asks, name or "")


def _open_services(cell: Scenario, server: Server, timeline: Timeline, choices: Choices) -> Levels:
    """Let the servers of all services change as planned; returns what notes how many there are."""
    levels = Levels()
    services: list[Capacity] = []
    for position, (name, options) in enumerate(cell.services.items()):
        assert isinstance(options, ServiceOptions)  # noqa: S101  # the cell is not refused
        is_called = position == server.position
        changed = levels.noting(timeline, position, server.has_servers if is_called else None)
        capacity = Capacity(name, options, timeline.as_clock, choices, changed)
        services.append(capacity)
        if is_called:
            server.serve(options, capacity)
    for capacity in services:
        capacity.start()
    return levels
