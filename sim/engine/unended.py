"""What still runs when a world ends: its time counts up to the end of the observation.

The observation ends at `until`, or where the world ran into its limit of steps. A hang that no time limit cuts off has
no end of its own. It counts for as long as its request waits for it: until the client gives up on the call, the request
settles, or the observation ends. If none of these comes, its time has no bound and nothing is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.history.vocabulary import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sim.clients.client import Client
    from sim.clients.policy.machine import Run
    from sim.convex.executor import Executor
    from sim.history.request import Request
    from sim.kernel.clock import Clock


def count_unended(executor: Executor, clients: Iterable[Client | Run], end_ns: int | None) -> None:
    """Add to each request the time of its executions and calls that have not ended, once its world has.

    `end_ns` is the end of the observation, see `end_of_observation`.
    """
    if executor.running or executor.unseen:
        for execution in executor.executions:
            hangs = execution.alive and not execution.goes_on
            _count(execution.request, execution.started_ns, [end_ns], hangs=hangs)
    for client in clients:
        for connection in client.connections:
            attempt = connection.attempt
            hangs = attempt is not None and attempt.callbacks is None
            ends_ns = [end_ns, connection.given_up_ns] if hangs else [end_ns]
            _count(client.request, connection.started_ns, ends_ns, hangs=hangs)


def end_of_observation(clock: Clock, until_ns: int | None) -> int | None:
    """Return the instant at which the observation ended; None if it went on until nothing more could happen."""
    if clock.drained or (until_ns is not None and clock.peek() > until_ns):
        return until_ns
    return clock.now_ns


def _count(request: Request, started_ns: int, ends_ns: list[int | None], *, hangs: bool) -> None:
    if hangs and request.settled_ns != NEVER:
        ends_ns.append(request.settled_ns)
    known = [end_ns for end_ns in ends_ns if end_ns is not None]
    if known:
        request.action_ns += max(0, min(known) - started_ns)
