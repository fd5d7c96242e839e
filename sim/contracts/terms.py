"""What a history cannot say of itself: promises, limits, and how it came to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.contracts.promises import Promises

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.history.recorder import History


NO_PROMISES: Final = Promises()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a history cannot say of itself: promises, limits, and how it came to its end."""

    promises: Promises = NO_PROMISES
    drained: bool = True
    """Whether nothing was left to happen; otherwise the history was cut somewhere."""
    end_ns: int | None = None
    """The instant at which it was cut, if at one: what was due then has still happened."""
    alone: Callable[[int], History] | None = None
    """Simulates a request alone in the same world, so that its history can be compared with that."""
    idempotency_ns: int | None = None
    """For how long the receiver recognizes a repeated effect, 0 for never; None: not said, so not checked."""
    action_time_limit_ns: int | None = None
    """After which time in the deployment an attempt is cut off; None: not said, so not checked."""
    retention_ns: int | None = None
    """For how long the row of a job is kept after its end; None: not said, so not checked."""
    parallelism: int | None = None
    """How many jobs run at the same time; None: not said, so not checked."""
    collection_batch: int | None = None
    """How many rows are collected at once; None: not said, so not checked."""
    occ_reruns: int | None = None
    """How often a mutation that is called runs again when it is refused; None: not said, so not checked."""
    scheduled_occ_backoff_ns: tuple[int, int] | None = None
    """(initial, max) of the waits between the runs of a scheduled mutation; None: not said, so not checked."""
    crash_detection_ns: int | None = None
    """From the death of an execution to the end of its job; None: not said, so not checked."""
    effect_at: float | None = None
    """The share of an attempt's latency after which its effect comes; None: not said, so not checked."""
    outages_ns: tuple[tuple[int, int], ...] = ()
    """Intervals [from, to) in which every attempt fails that starts there."""
    in_order: bool = False
    """Whether jobs start in the order in which they are due: only the lack of a slot delays a start."""
    tells_backoffs: bool = False
    """Whether the history says when the platform backs off."""
    draws_differ: bool = False
    """Whether numbers drawn at different addresses differ: not if a script or a search gives them."""
