"""A client outside the deployment: a `LoopRetrier` runs in it.

Its calls start the user's action directly and take no slot; restarts and the platform's time limit do not reach it. If
it gives up on a call after a timeout, the call goes on, and so does its effect.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from sim.clients.calling import Call
from sim.clients.context import ClientContext
from sim.clients.failures import CallFailed, CallRefused, CallTimedOut
from sim.clients.place import NO_PLACE, Place
from sim.history.traffic import CallEnd
from sim.history.vocabulary import Outcome
from sim.kernel.clock import Pending, Task
from sim.kernel.durations import format_duration
from sim.kernel.foreign import HOW_TO_WAIT, is_foreign

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.clients.around import Around
    from sim.clients.cells import Address
    from sim.clients.connection import Connection
    from sim.clients.hedged import Hedge
    from sim.clients.loop_budget import LoopBudget
    from sim.clients.loop_cells import Held
    from sim.history.request import Request
    from sim.world.hosts import External

__all__ = ["Call", "CallFailed", "CallRefused", "CallTimedOut", "Client", "ClientContext", "Loop"]

MOST_REFUSALS: Final = 100
"""Of awaits of a loop that is stopped; one that goes on even then would go on for ever."""


class Loop(Protocol):
    """What a client needs of a `sim.LoopRetrier`."""

    kind: ClassVar[str]

    async def retry(self, call: Call, ctx: ClientContext) -> Any:
        """Call until done."""
        ...


class RunsLoop(Protocol):
    """What runs a loop, for the client to which it belongs: a task."""

    stopped: bool

    def go_on(self) -> None:
        """Run it until it waits."""
        ...

    def stop(self) -> Exception | None:
        """Never run it again. Returns the error with which it answers that, if it does."""
        ...


class Client:
    """One request of a `LoopRetrier`, from its submission to the loop's conclusion."""

    __slots__ = (
        "_concluded_to",
        "_kind",
        "_recorder",
        "_refusals",
        "_task",
        "_witness",
        "action",
        "around",
        "asleep",
        "budgets",
        "calls_at_most",
        "choices",
        "clock",
        "connections",
        "hedge",
        "held",
        "is_over",
        "is_recorded",
        "listens",
        "loop",
        "own_cells",
        "place",
        "request",
        "sleeps",
        "slept_ns",
        "stopped",
        "timers",
    )
    process: Any = None
    """The client process of a guest, in which all its requests learn together; None of other loops."""

    def __init__(  # noqa: PLR0917  # the one signature of all clients
        self,
        around: Around,
        action: External,
        loop: Loop,
        request: Request,
        place: Place = NO_PLACE,
        concluded: Callable[[bool], None] | None = None,
    ) -> None:
        """Take a request; `concluded` is told whether it succeeded, in place of the request itself."""
        self.around = around
        self.clock = around.clock
        self.place = place
        self._concluded_to = concluded
        self.choices = around.choices
        self.action = action
        self.request = request
        self.connections: list[Connection] = []
        self.asleep = False
        self.sleeps = 0
        self.slept_ns = 0
        """How long it slept since its last call."""
        self.timers = 0
        """How many timers it waits for; only a guest has several."""
        self.calls_at_most = around.calls_at_most
        self.stopped = False
        """Whether the loop is over although it has not concluded: it was canceled, or the simulation is over."""
        self.is_over = False
        """Whether its loop has concluded or was stopped, so that it holds nothing any more."""
        self.hedge: Hedge | None = None
        """The try of several copies for which the loop waits."""
        self.held: dict[Address, Held] = {}
        """What the loop has of state that it shares, in the order in which it asked."""
        self.own_cells: dict[Address, Any] = {}
        """State whose scope is the request."""
        self.budgets: tuple[LoopBudget, ...] = ()
        self._refusals = 0
        self.is_recorded = around.recorder is not None
        """Whether the history is kept."""
        self.listens = around.witness is not None
        """Whether a witness wants to know what the loop learns."""
        self._recorder = around.recorder
        self._witness = around.witness
        self.loop = loop if around.witness is not None else None
        """Kept only for a witness: else it may be freed before the client is."""
        self._kind = loop.kind or type(loop).__name__
        self._task: RunsLoop = self._task_of(loop)

    def _task_of(self, loop: Any) -> RunsLoop:
        """Return what runs the loop."""
        return Task(loop.retry(Call(self), ClientContext(self)), self._concluded)

    def start(self) -> None:
        """Begin the loop."""
        self._task.go_on()

    @property
    def busy(self) -> bool:
        """Whether the loop sleeps or waits for a call that will end."""
        return self.asleep or any(connection.ends for connection in self.connections)

    def run_away(self, limit: str) -> None:
        """Note that the request ran into a limit; the loop never goes on."""
        self.request.runaway = limit
        self.record("runaway", limit)
        self._let_go()

    def begin(self, connection: Connection, timeout_ms: float | None) -> None:
        """Begin a call."""
        request = self.request
        request.actions += 1
        self.connections.append(connection)
        if timeout_ms is not None and timeout_ms < inf:
            connection.limit(timeout_ms)
        for budget in self.budgets:
            budget.begin_call(connection)
        self.action.begin(connection, request)

    def fall_asleep(self) -> None:
        """Let what the loop holds know that it sleeps."""
        for held in self.held.values():
            held.begin_sleep()

    async def at_gate(self, answer: Pending) -> bool:
        """Wait at a gate of its own; returns whether it lets the loop through, if it says so."""
        self.asleep = True
        try:
            passes: bool = await answer
        except GeneratorExit:
            self.stopped = True
            raise
        self.asleep = False
        return passes

    def refused(self, gate: str) -> None:
        """Note a try without a call, in the history and in the traffic."""
        self.record("refused", gate, (1, 0))
        calls, request, now_ns = self.around.calls, self.request, self.clock.now_ns
        if calls is not None:
            call = calls.send(request.number, 0, now_ns, self.place.receiver, request.caller)
            calls.over(call, CallEnd.refused, now_ns)

    def hold(self, address: Address, held: Held) -> None:
        """Note what the loop has until it ends."""
        self.held[address] = held

    def _let_go(self) -> None:
        """Give back all that the loop holds, the last first."""
        if self.is_over:
            return
        self.is_over = True
        if self.hedge is not None:
            self.hedge.stop()
        for held in reversed(self.held.values()):
            held.let_go()
        self.budgets = ()

    def hear(self, what: str, value: Any) -> None:
        """Tell the witness what the loop learns."""
        if self._witness is not None:
            self._witness.learned(self, what, value)

    def cancel(self) -> None:
        """Stop the loop; a call in flight goes on."""
        if self.request.settle(Outcome.canceled, self.clock.now_ns):
            self.stop()
            self.record("settled", Outcome.canceled.name, self.clock.now_ns)

    def stop(self) -> None:
        """Stop the loop where it waits: GeneratorExit is raised there, and again by whatever it awaits then.

        So `finally` can tidy up, but not wait: as in a canceled scope of trio, no await takes place any more.
        """
        self.stopped = True
        error = self._task.stop()
        self._let_go()
        if error is None or isinstance(error, CallFailed):
            return
        if self._refusals > MOST_REFUSALS or "ignored GeneratorExit" in str(error):
            error = RuntimeError(
                "the loop goes on although it is canceled: what it awaits now never takes place. Let GeneratorExit "
                "through, as `except Exception` and `finally` do, and await nothing but `call` and `ctx`"
            )
        raise self._noted(error)

    def give_up_calls(self) -> None:
        """Wait no longer for any call; they go on."""
        for connection in self.connections:
            connection.give_up()

    def end(self) -> None:
        """Stop the loop, and forget the calls in flight, which refer to this: the world is over.

        What the loop holds is not given back: no other loop may go on.
        """
        self.is_over = True
        if not self._task.stopped:
            self.stop()
        self.held.clear()
        self.own_cells.clear()
        self.budgets, self.hedge = (), None
        for connection in self.connections:
            connection.attempt = None
        self.connections.clear()

    async def end_await(self) -> None:
        """End what a loop that is stopped awaits; a loop that catches even that is left waiting."""
        self._refusals += 1
        if self._refusals > MOST_REFUSALS:
            await Pending()
        raise GeneratorExit

    def _noted(self, error: Exception) -> Exception:
        """Add to a mistake in a loop where in the model it was raised, and how to do better."""
        if getattr(error, "says_all", False):
            return error
        what = (
            f"{HOW_TO_WAIT}; to limit a call, `await call(timeout_ms=ms)` in place of asyncio.wait_for."
            if is_foreign(error)
            else "A loop gives up by letting CallFailed through, or by raising an error derived from it; any other "
            "error counts as a mistake."
        )
        error.add_note(
            f"raised by the loop of retrier '{self._kind}' for request {self.request.number} at "
            f"{format_duration(self.clock.now_ns)}. {what}"
        )
        return error

    def _concluded(self, value: Any, error: Exception | None) -> None:
        if error is not None and not isinstance(error, CallFailed):
            raise self._noted(error)
        if self.is_over:
            return  # its world is over, and another request of its process has woken it as that ended
        self._let_go()
        concluded, self._concluded_to = self._concluded_to, None
        if concluded is not None:
            concluded(error is None)
            return
        outcome = Outcome.success if error is None else Outcome.gave_up
        counts = self.request.settle(outcome, self.clock.now_ns)
        if self._recorder is None:
            return
        answer = value if isinstance(value, int) and not isinstance(value, bool) else -1
        if counts:
            self.record("settled", outcome.name, self.clock.now_ns, subject=answer)
        else:
            self.record("resettled", outcome.name)

    def record(self, kind: str, name: str, detail: Any = None, *, subject: int = -1) -> None:
        """Add an event to the history, if there is one."""
        if self._recorder is not None:
            self._recorder.add((self.clock.now_ns, kind, self.request.number, subject, name, detail))
