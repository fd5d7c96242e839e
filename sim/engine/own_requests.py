"""The requests that stand for retriers themselves: they are charged with what serves many requests at once.

Each set of tables of the deployment has one, with a negative number. At the end its counts are dealt out among the
requests that it served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.history.dealing import FIRST_OWN, deal_out
from sim.history.pools import PoolLog
from sim.history.request import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.engine.retriers import Retriers
    from sim.history.traffic import CallLog
    from sim.kernel.clock import Clock


class OwnRequests:
    """Those of one deployment that serves several requests."""

    def __init__(self, retriers: Retriers, *, keep_jobs: bool) -> None:
        """Make one for the tables of each retrier; `keep_jobs`: the scenario may cancel one."""
        self._by_namespace: dict[str, Request] = {}
        for namespace, retrier in retriers.deployed():
            if namespace not in self._by_namespace:
                own = self._by_namespace[namespace] = Request(FIRST_OWN - len(self._by_namespace))
                own.namespace = namespace
                own.jobs = [] if keep_jobs else None
            retrier.serve_many(self._by_namespace[namespace])

    def of(self, namespace: str) -> Request:
        """Return that of some tables."""
        return self._by_namespace[namespace]

    def looked_at(self, numbers: set[int]) -> set[str]:
        """Return the namespaces whose own request is among these numbers."""
        return {namespace for namespace, own in self._by_namespace.items() if own.number in numbers}

    def ran_away(self) -> set[str]:
        """Return the namespaces whose own request ran into a limit."""
        return {namespace for namespace, own in self._by_namespace.items() if own.runaway}

    def deal_out(self, requests: Sequence[Request]) -> None:
        """Deal out among requests what was done for several at once so far."""
        for namespace, own in self._by_namespace.items():
            deal_out(own, [request for request in requests if request.namespace == namespace])

    def let_go(self) -> None:
        """Forget the jobs."""
        for own in self._by_namespace.values():
            own.let_go()


def keep_logs(retriers: Retriers, names: Sequence[str], calls: CallLog, clock: Clock) -> None:
    """Let the pools of these names tell what happens in them; retriers of one pool tell it to one log."""
    logs: dict[str, PoolLog] = {}
    for _, retrier in retriers.deployed():
        name = retrier.pool_of(retrier.options)
        if name not in names:
            continue
        if name not in logs:
            logs[name] = calls.pool(PoolLog(names.index(name), lambda: clock.now_ns))
        retrier.keep_log(logs[name])
