"""Where a server can die in the middle of a step: between two durable events of it.

What happens at one instant inside one step of the simulation (an attempt ends, a mutation commits, a job's end is
written) takes several durable events in a real deployment, and a death can come between any two of them. The platform
passes here; somebody who explores deaths listens. A death unwinds the step with `ServerDied`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class ServerDied(BaseException):
    """The server is gone; nothing of the step that was under way goes on. Not an error anybody may handle."""


class Gaps:
    """The gaps between the durable events of one step; `dies` is asked at each, with no gap before the first event."""

    def __init__(self, dies: Callable[[], bool]) -> None:
        self._dies = dies
        self._written = False

    def new_step(self) -> None:
        """Begin a step: nothing durable has happened in it."""
        self._written = False

    def written(self) -> None:
        """Note a durable event: a commit, a job's new state, an effect."""
        self._written = True

    def pass_by(self) -> None:
        """Come to the next durable event; raises ServerDied where the server does not live to see it."""
        if self._written and self._dies():
            raise ServerDied
