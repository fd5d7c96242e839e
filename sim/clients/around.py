"""What all clients of a world stand on."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from sim.clients.cells import Cells
from sim.kernel.durations import RUNAWAY_NS

if TYPE_CHECKING:
    from sim.history.recorder import Recorder
    from sim.history.traffic import CallLog
    from sim.kernel.choices import Choices
    from sim.kernel.clock import Clock
    from sim.world.witness import Witness


class AtGate(Protocol):
    """One that waits at a gate of its client: the passage of a policy, or a loop."""

    def let_in(self) -> None:
        """Note that the gate lets it through; `go_on` comes after that."""
        ...

    def go_on(self) -> None:
        """Go on behind the gate."""
        ...


class Around:
    """What all clients of a world have in common."""

    __slots__ = (
        "_is_letting_in",
        "_let_in",
        "calls",
        "calls_at_most",
        "cells",
        "choices",
        "clock",
        "recorder",
        "stand_alone",
        "witness",
    )

    def __init__(
        self,
        clock: Clock,
        choices: Choices,
        *,
        cells: Cells | None = None,
        calls: CallLog | None = None,
        recorder: Recorder | None = None,
        witness: Witness | None = None,
        calls_at_most: int = RUNAWAY_NS,
        stand_alone: bool = False,
    ) -> None:
        self.clock = clock
        self.choices = choices
        self.cells = Cells() if cells is None else cells
        """The state that clients share."""
        self.calls = calls
        self.recorder = recorder
        self.witness = witness
        self.stand_alone = stand_alone
        """Whether the world is isolated, so that no two requests share state, even if several are simulated at once."""
        self._let_in: deque[AtGate] = deque()
        self._is_letting_in = False
        self.calls_at_most = calls_at_most
        """Calls, and sleeps, of a request after which it counts as running for ever."""

    def let_in(self, passage: AtGate) -> None:
        """Let one through that waited at a gate; those behind it follow one after the other, not one in another."""
        passage.let_in()
        self._let_in.append(passage)
        if self._is_letting_in:
            return
        self._is_letting_in = True
        try:
            while self._let_in:
                self._let_in.popleft().go_on()
        finally:
            self._is_letting_in = False
