"""A client process of a guest: its guest object, its event loop, and the requests that it serves.

In an isolated world each request has a process of its own; in a shared one each client has one.
"""

from __future__ import annotations

from contextvars import Context
from inspect import isawaitable, iscoroutine
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sim.clients.failures import CallFailed
from sim.guests.arguments import generator_mistake, line_of_code, signature_mistake
from sim.guests.calls import GuestCall
from sim.guests.declared import checked
from sim.guests.idle_loops import end_loop_of, loop_on
from sim.guests.inside import INSIDE, Inside
from sim.guests.lasting_waits import note_waits_of
from sim.guests.refused import GuestRefused
from sim.guests.strands import GuestStopped
from sim.guests.tasks import LoopTask, StrandTask
from sim.guests.verdicts import GaveUp, gate_of, mistake_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from sim.clients.client import Client, RunsLoop
    from sim.guests.anew import Taken
    from sim.guests.fresh import Supplied, Supply
    from sim.guests.imports import Copied
    from sim.guests.loop import SimulatedLoop


class Process:
    """One process of a client, in which guest code runs."""

    __slots__ = (
        *("_code", "_guest", "_supply", "_taken", "clients", "errors", "has_one_thread"),
        *("is_async", "is_over", "kind", "loop"),
    )

    def __init__(
        self,
        kind: str,
        supply: Supply,
        code: Callable[[Any], tuple[Any, Mapping[str, Any]]],
        *,
        is_async: bool,
        is_alone: bool,
    ) -> None:
        """Prepare a process; `code` makes, of what `supply` has, what is called for each request and its errors.

        It runs inside the simulation.
        """
        self.kind = kind
        self._supply = supply
        self._code = code
        self._taken: Supplied | None = None
        self._guest: Any = None
        self.errors: Mapping[str, Any] = {}
        self.is_async = is_async
        self.has_one_thread = is_async or is_alone
        """Whether all of its code runs in one thread: a request that is alone, or the tasks of an event loop."""
        self.loop: SimulatedLoop | None = None
        self.is_over = False
        """Whether the world is over, so that nothing of it may go on."""
        self.clients: dict[GuestClient, None] = {}
        """Its open requests."""

    @property
    def has_guest(self) -> bool:
        """Whether what is called has been made, so that its constructor is not to blame."""
        return self._guest is not None

    @property
    def guest(self) -> Any:
        """What is called for each request; made when the first one needs it."""
        if self._guest is None:
            self._taken = self._supply.take()
            self._guest, errors = self._code(self._taken.guest)
            self.errors = errors if type(errors) is MappingProxyType and not errors else checked(errors)
        return self._guest

    @property
    def modules(self) -> Taken | Copied | None:
        """What its code gets if it imports modules of the user's own as it runs; None if these are the host's."""
        return None if self._taken is None else self._taken.modules

    def loop_for(self, client: Client) -> SimulatedLoop:
        """Return its event loop."""
        if self.loop is None:
            self.loop = loop_on(client.clock, client.calls_at_most)
        return self.loop

    @property
    def busy(self) -> bool:
        """Whether something that is still ahead may let its code go on, and so any of its requests."""
        return (self.loop is not None and self.loop.timers.pending > 0) or any(client.waits for client in self.clients)

    def end(self) -> None:
        """Let nothing of it go on: the world is over. Raises GuestRefused if a task goes on all the same."""
        self.is_over = True
        if self.loop is not None:
            end_loop_of(self)
        self._guest = None
        if self._taken is not None:
            self._supply.give_back(self._taken)
            self._taken = None


class GuestClient(Inside):
    """The client in which a guest runs."""

    __slots__ = ()
    process: Process

    @property
    def waits(self) -> bool:
        """Whether it sleeps or waits for a call that will end."""
        return super().busy

    def cancel(self) -> None:
        """Stop its code; what it holds may let other requests of its process go on."""
        self.hear("canceled", None)
        super().cancel()

    def stop(self) -> None:
        """Stop its code where it waits."""
        try:
            super().stop()
        finally:
            self.process.clients.pop(self, None)

    def end(self) -> None:
        """Stop its code, since the world is over; the other requests of its process cannot go on by that."""
        process = self.process
        if not process.is_over:
            note_waits_of(process)
            process.is_over = True
            for client in process.clients:
                client.stopped = client.is_over = True
        super().end()

    @property
    def busy(self) -> bool:
        """Whether it may go on: for what it waits may also come from another request of its process."""
        return self.waits or self.process.busy

    # Its code.

    def _task_of(self, loop: Any) -> RunsLoop:
        """Return what runs the code."""
        process: Process = loop
        context = Context()  # kept no longer than the code runs: it refers to this
        context.run(INSIDE.set, self)
        if process.is_async:
            return self._in_loop(process, self._main(process), context)
        strand = self.strand = StrandTask(self._body, context, self)
        return strand

    def start(self) -> None:
        """Begin the code."""
        if self.listens:
            self.hear("begins", None)
        self.process.clients[self] = None
        super().start()

    def _body(self) -> Any:
        process = self.process
        guest = process.guest
        return guest(GuestCall(self, process.errors))

    async def _main(self, process: Process) -> Any:
        guest = process.guest
        return await guest(GuestCall(self, process.errors).call)

    def _in_loop(self, process: Process, coroutine: Coroutine[Any, Any, Any], context: Context) -> LoopTask:
        loop = process.loop_for(self)
        self.strand = loop.strand
        return LoopTask(coroutine, loop, context, self)

    def code_over(self, value: Any, error: BaseException | None) -> None:
        """Conclude, since the code returns or raises; what it returns may be something to await."""
        if error is None and type(value) is not int and isawaitable(value):
            context = Context()
            context.run(INSIDE.set, self)
            self._task = self._in_loop(self.process, value if iscoroutine(value) else _awaiting(value), context)
            self._task.go_on()
            return
        if isinstance(error, KeyboardInterrupt):
            raise error
        self.process.clients.pop(self, None)
        if error is not None:
            self._concluded(None, self._verdict(error))
        elif not self.calls:
            self._concluded(None, self._never_called(value))
        elif self.answered < 0:
            self._concluded(None, GaveUp("the guest returns, but none of its calls has succeeded"))
        else:
            self._concluded(self.answered, None)

    def _never_called(self, returned: Any) -> GuestRefused:
        guest = self.process.guest
        return generator_mistake(guest, returned) or GuestRefused(
            "the guest returns without having called; `call` makes an attempt, and `await call()` in asynchronous code",
            line_of_code(guest),
        )

    def fail(self, error: Exception) -> None:
        """End with an error that is none of the code's."""
        self.process.clients.pop(self, None)
        self._concluded(None, error)

    @property
    def _has_met(self) -> bool:
        """Whether its code has seen anything that may differ from one request to the next."""
        draws, _, reads = self.asked
        return not self.around.stand_alone or self.calls > 0 or draws > 0 or reads > 0 or self.sleeps > 0

    def _verdict(self, error: BaseException) -> Exception:
        """Return what the end of the guest's code by an error means: giving up, or a mistake."""
        if isinstance(error, (CallFailed, GuestRefused)):
            return error
        verdict: Exception | None
        if isinstance(error, GuestStopped):
            verdict = GuestRefused("the guest is stopped, but its request goes on")
        elif type(error) is TypeError and not self.calls and self.process.has_guest:
            verdict = signature_mistake(self.process.guest)
        else:
            verdict = None
        if verdict is None:
            verdict = mistake_of(error, called=self.calls > 0, errors=self.process.errors, met=self._has_met)
        if verdict is None:
            gate = gate_of(error) if self.is_recorded else ""
            if gate:
                self.record("refused", gate, (1, 0))
            verdict = GaveUp(error)
        verdict.__cause__ = error
        return verdict


async def _awaiting(awaited: Awaitable[Any]) -> Any:
    return await awaited
