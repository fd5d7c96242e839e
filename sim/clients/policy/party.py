"""What the parts of the machine ask of the request that they serve: `sim.clients.policy.machine.Run` is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sim.history.vocabulary import NEVER

if TYPE_CHECKING:
    from sim.clients.around import Around
    from sim.clients.place import Place
    from sim.clients.policy.rules import Rules
    from sim.clients.policy.shared import Shared
    from sim.history.request import Request
    from sim.kernel.clock import Clock


class Party(Protocol):
    """One request of a policy."""

    around: Around
    clock: Clock
    rules: Rules
    request: Request
    place: Place
    shared: Shared
    connections: list[Any]
    tries: int
    deliveries: int
    retries: int
    counters: list[int]
    shift: int
    states: list[list[float]]
    started_ns: int
    tried_ns: int
    last_cost: int

    def draw(self, stream: str, index: int) -> float:
        """Draw the number on [0, 1) of an address."""
        ...

    def record(self, kind: str, name: str, detail: Any, *, subject: int = NEVER) -> None:
        """Add an event to the history, if there is one."""
        ...

    def timeout_ns(self) -> int:
        """Return the timeout of the present try."""
        ...

    def start_deadline(self, moment: str) -> None:
        """Let the deadline begin to count if this is its moment."""
        ...

    def level_timed_out(self, passage: Any) -> None:
        """Give up what is behind the gates of a request, a try or a copy."""
        ...

    def succeeded(self, call: Any, attempt: int) -> None:
        """Take the success of a call."""
        ...

    def failed(self, call: Any, attempt: int, kind: str, *, final: bool = False, hint_ns: int = NEVER) -> None:
        """Take the failure of a call."""
        ...
