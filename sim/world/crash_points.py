"""Where a server can die inside a step: between two durable events of it.

What happens at one instant inside one step of the simulation (an attempt ends, a mutation commits, a job's end is
written) takes several durable events in a real deployment. A death can come between any two of them; it unwinds the
step with `ServerDied`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.world.witness import ServerDied

if TYPE_CHECKING:
    from collections.abc import Callable


class CrashPoints:
    """The moments between the durable events of one step; `dies` is asked at each, but not before the first event."""

    def __init__(self, dies: Callable[[], bool]) -> None:
        self._dies = dies
        self._has_durable = False

    def new_step(self) -> None:
        """Begin a step: nothing durable has happened in it."""
        self._has_durable = False

    def durable(self) -> None:
        """Note a durable event."""
        self._has_durable = True

    def before_durable(self) -> None:
        """Come to the next durable event. Raises ServerDied if the server dies before it."""
        if self._has_durable and self._dies():
            raise ServerDied
