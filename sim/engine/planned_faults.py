"""What befalls a deployment: restarts, and what operators do at their instants."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sim.kernel.choices import WORLD
from sim.kernel.durations import NS_PER_S
from sim.laws.distributions import Exponential
from sim.world import faults

if TYPE_CHECKING:
    from sim.convex.deployment import Deployment
    from sim.engine.own_requests import OwnRequests
    from sim.engine.retriers import Retriers
    from sim.kernel.choices import Choices, DelayOf
    from sim.kernel.clock import Clock
    from sim.scenario.schema import Scenario


class PlannedFaults:
    """The faults of one replication."""

    def __init__(
        self, cell: Scenario, clock: Clock, choices: Choices, deployment: Deployment, retriers: Retriers
    ) -> None:
        self._cell = cell
        self._clock = clock
        self._choices = choices
        self._deployment = deployment
        self._retriers = retriers
        self._acts_to_come: list[faults.OfPool] = []

    def plan(self, owns: OwnRequests) -> None:
        """Plan all faults; what operators do to a pool is charged to its own request."""
        for position, fault in enumerate(self._cell.faults):
            if isinstance(fault, faults.Restart):
                self._plan_restarts(fault, position)
            elif isinstance(fault, faults.Operator):
                for at_ns in fault.at:
                    self._plan_act(fault, at_ns, owns)

    def pools_to_come(self) -> set[str]:
        """Return the namespaces of the pools on which an operator is still going to act."""
        return {self._retriers.operated(act.pool, faults.name_of(act))[0] for act in self._acts_to_come}

    # Restarts.

    def _plan_restarts(self, fault: faults.Restart, position: int) -> None:
        for at_ns in fault.at or ():
            self._clock.call_in_background(at_ns, partial(self._restart, fault))
        if fault.rate is not None:
            gap = self._choices.delays(Exponential(mean_ns=round(NS_PER_S / fault.rate)), f"restart.{position}")
            self._plan_next_restart(fault, gap, 0)

    def _plan_next_restart(self, fault: faults.Restart, gap: DelayOf, count: int) -> None:
        restart = partial(self._restart_again, fault, gap, count + 1)
        self._clock.call_in_background(gap(WORLD, count, 0), restart)

    def _restart_again(self, fault: faults.Restart, gap: DelayOf, count: int) -> None:
        self._restart(fault)
        self._plan_next_restart(fault, gap, count)

    def _restart(self, fault: faults.Restart) -> None:
        heals_at_ns = self._cell.heals_at
        if not self._deployment.server.down and (heals_at_ns is None or self._clock.now_ns < heals_at_ns):
            self._deployment.restart(fault.down, fault.inflight)

    # Operators.

    def _plan_act(self, fault: faults.Operator, at_ns: int, owns: OwnRequests) -> None:
        """Let an operator act at an instant. An act on a pool can set works going again, so the world waits for it."""
        act = partial(self._operate, fault, owns)
        if isinstance(fault, faults.OfPool):
            self._acts_to_come.append(fault)
            self._clock.call_after(at_ns, act, urgent=True)
        elif self._cell.heals_at is None or at_ns < self._cell.heals_at:
            self._clock.call_in_background(at_ns, act)

    def _operate(self, fault: faults.Operator, owns: OwnRequests) -> None:
        """Let an operator act, who waits for a server that is down."""
        server = self._deployment.server
        if server.down:
            server.when_up(partial(self._operate, fault, owns))
            return
        doing = faults.name_of(fault)
        server.record("operator", -1, -1, doing, fault.model_dump(exclude={"at"}))
        if isinstance(fault, faults.CancelJobs):
            self._deployment.cancel_jobs(fault.functions)
        elif isinstance(fault, faults.OfPool):
            self._acts_to_come.remove(fault)
            namespace, function = self._retriers.operated(fault.pool, doing)
            self._deployment.call(function, fault, owns.of(namespace))
