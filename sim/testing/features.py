"""The features of generated scenarios, by the names that strategies take; each can be on or off.

Generated worlds vary in swarm style: each example first draws which features are on, and only these vary in it. A
feature that is always on hides bugs that need it off (Groce, Zhang, Eide, Chen, Regehr: "Swarm Testing", ISSTA 2012).
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

OUTCOMES: Final = ("fail", "ack_lost", "crash_before_effect", "crash_after_effect", "lost_contact", "hang")
"""How attempts can end besides success."""
ERRORS: Final = ("final", "retry_after")
"""What the errors of `fail` can say: that a retry is pointless, and how long to wait before a retry."""
WEATHER: Final = ("outage", "on_off")
ACTION: Final = (
    *OUTCOMES,
    *ERRORS,
    "script",  # the outcomes that are on come in a written order instead of by shares
    "latency",  # not always 100 ms
    "own_latencies",  # outcomes have a latency of their own
    "own_outcomes",  # weather does more than let attempts fail
    "kinds",  # failures are of several kinds
    "effect_at",  # the effect comes before the end
    "permanent_failure",
    *WEATHER,
    "idempotency",
)
PLATFORM: Final = (
    "convex_profile",  # the latencies and limits of the `convex` profile; the ideal platform takes no time
    "parallelism",
    "mutation_latency",
    "commit_window",
    "dispatch_latency",
    "action_time_limit",
    "crash_detection",
    "retention",
    "occ_reruns",
)
FAULTS: Final = ("restart", "lost_effects", "system_error")
"""`lost_effects`: effects in flight at a restart never happen."""
CANCELS: Final = ("cancel_request", "cancel_action", "cancel_poll")
REQUESTS: Final = ("arrivals",)
RETRIER: Final = ("options",)
ALL: Final = (*RETRIER, *ACTION, *CANCELS, *REQUESTS, *PLATFORM, *FAULTS)
"""Every feature."""

OF_DEPLOYMENTS: Final = (*PLATFORM, *FAULTS, "cancel_action", "cancel_poll")
"""Features without an effect on a retrier outside of the deployment."""
OF_SHARED_WORLDS: Final = ("parallelism", *FAULTS, *REQUESTS)
"""Features that no isolated world has."""


def known(features: Iterable[str]) -> tuple[str, ...]:
    """Return the features in the order of `ALL`, each once. Raises ValueError for an unknown name."""
    wanted = [features] if isinstance(features, str) else list(features)
    for name in wanted:
        if name not in ALL:
            near = get_close_matches(name, ALL, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"the features are: {', '.join(ALL)}"
            raise ValueError(f"no feature is called '{name}'; {hint}")
    return tuple(name for name in ALL if name in wanted)


def possible(features: Iterable[str], *, shared: bool, outside: bool) -> tuple[str, ...]:
    """Return the features that can matter in a world, `shared` or not, with its retrier `outside` or not."""
    idle = {*(OF_DEPLOYMENTS if outside else ()), *(() if shared else OF_SHARED_WORLDS)}
    return tuple(name for name in known(features) if name not in idle)
