"""What all services of a world stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.history.recorder import Recorder
    from sim.history.traffic import CallLog
    from sim.kernel.choices import Choices
    from sim.kernel.clock import Clock
    from sim.world.services.callers import Callers
    from sim.world.witness import Witness


class Surroundings:
    """What all services of a world have in common."""

    __slots__ = ("callers", "calls", "choices", "clock", "heals_at_ns", "names", "recorder", "sent", "witness")

    def __init__(
        self,
        clock: Clock,
        choices: Choices,
        callers: Callers,
        *,
        calls: CallLog | None = None,
        recorder: Recorder | None = None,
        witness: Witness | None = None,
        heals_at_ns: int | None = None,
        names: Sequence[str] = (),
    ) -> None:
        self.clock = clock
        self.choices = choices
        self.callers = callers
        self.calls = calls
        self.recorder = recorder
        self.witness = witness
        self.heals_at_ns = heals_at_ns
        self.names = names
        """Of the services, in the order of the scenario."""
        self.sent = 0
        """How many calls have been sent to any of them."""
