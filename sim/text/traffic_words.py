"""What the metrics of the traffic are called: within a sentence, and along an axis."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sim.history.vocabulary import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.measure.quantities import Scope

NUMBERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "offered.rate": "offered load",
        "goodput.rate": "goodput",
        "attempts.rate": "rate of attempts",
        "in_flight.mean": "mean number of calls in flight",
        "in_flight.peak": "peak of calls in flight",
        "queue.mean": "mean queue length",
        "queue.peak": "longest queue",
        "utilization.mean": "utilization",
        "rejected.rate": "share of calls rejected",
        "refused.rate": "share of tries refused by their callers",
        "dropped.rate": "share of calls dropped",
        "wasted.share": "share of server time wasted",
        "false_failures.rate": "share of requests that failed falsely",
        "deadline_missed.rate": "share of requests that missed their deadline",
        "recovered.rate": "share of replications that recover",
        **{
            f"{prefix}{path}": words
            for prefix in ("pool.", "")
            for path, words in {
                "backlog.mean": "mean backlog of the pool",
                "backlog.peak": "peak of the pool's backlog",
                "backlog.max": "largest backlog of the pool",
                "pending.mean": "mean number of pending works",
                "pending.peak": "peak of pending works",
                "pending.max": "most pending works",
                "running.mean": "mean number of running works",
                "running.peak": "peak of running works",
                "running.max": "most running works",
                "finished.mean": "mean number of finished works",
                "finished.peak": "peak of finished works",
                "finished.max": "most finished works",
                "slots.mean": "mean number of slots held",
                "slots.peak": "peak of slots held",
                "slots.max": "most slots held",
                "awake.share": "share of the time that the pool's loop is awake",
            }.items()
        },
        "pool.utilization.mean": "share of the pool's slots held",
    }
)
"""By path, without a service or a class before it."""
TIMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "queue_wait": "wait in the queue",
        "waits": "sleep between two calls",
        "pool.wait": "wait of a due work for its start",
        "pool.held": "time that a slot is held after the end of its attempt",
    }
)
"""By quantity."""


def of_scope(scope: Scope) -> str:
    """Say whose metric it is, behind its name: ` at payments`, ` of class web`; empty for the whole world."""
    parts = [
        f" at {scope.service}" if scope.service else "",
        f" of class {scope.of_class}" if scope.of_class else "",
        f" of client {scope.client}" if scope.client != NEVER else "",
        f" of pool {scope.pool}" if scope.pool else "",
    ]
    return "".join(parts)
