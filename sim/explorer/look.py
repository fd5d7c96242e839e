"""One look at a world between two steps, as those see it that describe its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.convex.deployment import Deployment
    from sim.explorer.distinctions import Distinctions
    from sim.kernel.clock import Clock


class Look(Protocol):
    """What a description may ask for, besides the part that it describes."""

    now_ns: int
    distinct: Distinctions
    clock: Clock
    deployment: Deployment
    settled_ns: Mapping[int, int]
    """The instant at which each request settled."""

    def job(self, number: int, /) -> int:
        """Return the number of a job within the state."""
        ...

    def plain(self, value: Any, /) -> Any:
        """Describe arguments and documents. Raises NotCanonical."""
        ...

    def value(self, value: Any, /) -> Any:
        """Describe what a timer holds. Raises NotCanonical."""
        ...

    def learned_by(self, learner: object, /) -> Any:
        """Describe all that code has learned, which says how it goes on."""
        ...

    def owner(self, task: Any, /) -> Any:
        """Say to whom the task of a coroutine belongs; None if that is not known."""
        ...
