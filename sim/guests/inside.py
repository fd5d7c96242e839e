"""The request whose guest code runs at the moment, and what that code meets: time, chance, and a way to wait.

`INSIDE` is a context variable. Every greenlet of a guest and every task of its event loop has a context of its own, and
so has every thread of the host. So whatever asks for the time finds its own request there, or None if it belongs to the
host; nothing has to be switched on and off.
"""

from __future__ import annotations

from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, Final, NoReturn

from sim.clients.client import Client
from sim.guests.arguments import line_of_code
from sim.guests.refused import GuestRefused, line_of_guest
from sim.guests.strands import GuestStopped, ToBegin
from sim.history.vocabulary import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.clients.around import Around
    from sim.clients.place import Place
    from sim.guests.strands import Strand
    from sim.history.request import Request
    from sim.kernel.clock import Clock, Pending
    from sim.world.hosts import External

STREAM: Final = "guest"
"""The name of the stream from which guest code draws."""
MOST_READS: Final = 100_000
"""How often guest code may read the clock at one instant; one that reads it more often waits for time to pass."""
MOST_REFUSALS: Final = 100
"""How often guest code that is stopped may ask for more."""
EPOCH_NS: Final = 1_767_225_600 * 10**9
"""What `time.time_ns()` says at the start of the simulation: 2026-01-01T00:00:00Z."""

INSIDE: Final[ContextVar[Inside | None]] = ContextVar("retrysim.guest", default=None)


class Inside(Client):
    """One request of a guest: its client, and what its code meets."""

    __slots__ = (
        "_read_ns",
        "_reads",
        "answered",
        "calls",
        "draws",
        "outer",
        "process",
        "seeded",
        "strand",
        "successes",
        "times_stopped",
    )

    def __init__(  # noqa: PLR0917  # the one signature of all clients
        self,
        around: Around,
        action: External,
        process: Any,
        request: Request,
        place: Place,
        concluded: Callable[[bool], None] | None = None,
    ) -> None:
        super().__init__(around, action, process, request, place, concluded)
        self.outer = copy_context()
        """The context of the simulation, in which no code of a guest runs."""
        self.process = process
        """The client process that it belongs to: state that outlives a request is the process's."""
        self.strand: Strand
        """Where its code runs."""
        self.calls = 0
        self.answered = -1
        """The attempt of which it has heard last that it succeeded, or -1."""
        self.successes = 0
        """How often it has heard that one succeeded."""
        self.draws = 0
        self.seeded: dict[Any, Any] = {}
        """Generators of the host that its code has seeded, each with the one that stands for it."""
        self._read_ns = NEVER
        self._reads = 0
        self.times_stopped = 0
        """How often its code has asked for more although it is stopped."""

    def now_ns(self) -> int:
        """Return the simulated instant. Refuses to be asked for it again and again without waiting."""
        now_ns = self.clock.now_ns
        if now_ns != self._read_ns:
            self._read_ns = now_ns
            self._reads = 1
        elif self._reads < MOST_READS:
            self._reads += 1
        else:
            self.refuse(
                f"reads the clock {MOST_READS:,} times without waiting. Simulated time passes only while it waits: "
                "sleep, in place of looking again and again"
            )
        if self.listens:
            self.hear("now", now_ns)
        return now_ns

    @property
    def asked(self) -> tuple[int, int, int]:
        """How often its code has drawn a number, and read the clock: another value if it has done so since."""
        return self.draws, self._read_ns, self._reads

    def uniform(self) -> float:
        """Draw the next number on [0, 1) of this request."""
        request = self.request
        try:
            value = self.choices.uniform(STREAM, request.number, self.draws, request.first_rerun)
        except BaseException as error:  # noqa: BLE001  # a search of a small world goes another way: no concern of the guest
            self.strand.leave(error)
        self.draws += 1
        if not self.is_over:
            if self.is_recorded:
                self.record("draw", STREAM, value)
            if self.listens:
                self.hear("draw", value)
        return value

    def wait(self, pending: Pending) -> Any:
        """Wait, in the code that runs now, and return what comes of it, or raise it."""
        self.look_whether_stopped()
        self.let_pass(pending)
        return pending.result()

    def let_pass(self, pending: Pending) -> None:
        """Let time pass until something has come.

        A request that is alone in its world runs the world itself, where it waits. No other code may go on meanwhile,
        and it takes less than to switch to the simulation and back.
        """
        clock, strand = self.clock, self.strand
        if clock.is_lent:
            strand.host.turn = 0
            try:
                self.outer.run(_let_pass, clock, pending)
            except BaseException as error:  # noqa: BLE001  # it is the simulation's, and no concern of the guest
                strand.leave(error)
            strand.host.turn = next(strand.host.turns)
        if not pending.done:
            strand.ask(pending)

    def look_whether_stopped(self) -> None:
        """Raise GuestStopped in code that is to wait, but is stopped."""
        if self.stopped or self.process.is_over:
            self.stop_again(GuestStopped)

    @property
    def is_stopped(self) -> bool:
        """Whether the request was canceled, or its world is over: nothing that its code waits for takes place."""
        return self.stopped or bool(self.process.is_over)

    def stop_again(self, error: type[BaseException]) -> NoReturn:
        """Raise an error in code that asks for more although it is stopped."""
        self.times_stopped += 1
        if self.times_stopped > MOST_REFUSALS:
            self.strand.leave(
                GuestRefused(
                    "the guest goes on although its request is canceled or the simulation is over: it catches "
                    "the error that ends it, which it should let through, as `except Exception` and `finally` do",
                    line_of_guest(),
                )
            )
        raise error

    def refuse(self, what: str) -> NoReturn:
        """End the run with GuestRefused, naming the guest's line; the guest never goes on, so it cannot catch it.

        Without a line of its own, as in a task that runs `call` alone, it is the one where the guest begins.
        """
        self.strand.leave(GuestRefused(f"the guest {what}", line_of_guest() or line_of_code(self.process.guest)))


def _let_pass(clock: Clock, pending: Pending) -> None:
    if isinstance(pending, ToBegin):
        pending.begin()
    while not pending.done and clock.fire_next():
        pass
