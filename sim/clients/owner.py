"""What the parts of a loop's client ask of it: its calls, its context, and what it holds of shared state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sim.clients.around import Around
    from sim.clients.cells import Address
    from sim.clients.place import Place
    from sim.history.request import Request
    from sim.kernel.choices import Choices
    from sim.kernel.clock import Clock, Pending
    from sim.world.hosts import External


class Owner(Protocol):
    """One request of a loop; `sim.clients.client.Client` is one, and has the meaning of each field."""

    around: Around
    clock: Clock
    choices: Choices
    place: Place
    action: External
    request: Request
    connections: list[Any]
    asleep: bool
    sleeps: int
    slept_ns: int
    calls_at_most: int
    stopped: bool
    is_over: bool
    hedge: Any
    held: dict[Address, Any]
    own_cells: dict[Address, Any]
    budgets: tuple[Any, ...]

    def begin(self, connection: Any, timeout_ms: float | None) -> None:
        """Begin a call."""
        ...

    def fall_asleep(self) -> None:
        """Let what the loop holds know that it sleeps."""
        ...

    async def at_gate(self, answer: Pending) -> bool:
        """Wait at a gate of its own."""
        ...

    def refused(self, gate: str) -> None:
        """Note a try without a call."""
        ...

    def hold(self, address: Address, held: Any) -> None:
        """Note what the loop has until it ends."""
        ...

    def run_away(self, limit: str) -> None:
        """Note that the request ran into a limit."""
        ...

    def hear(self, what: str, value: Any) -> None:
        """Tell the witness what the loop learns."""
        ...

    async def end_await(self) -> None:
        """End what a loop that is stopped awaits."""
        ...

    def record(self, kind: str, name: str, detail: Any = None, *, subject: int = -1) -> None:
        """Add an event to the history, if there is one."""
        ...
