"""A client process of a guest: its guest object, its event loop, and the requests that it serves.

In an isolated world each request has a process of its own; in a shared one each client has one.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context
from inspect import isawaitable, iscoroutine
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from sim.clients.client import Client
from sim.clients.failures import CallFailed
from sim.guests.arguments import generator_mistake, line_of_code, signature_mistake
from sim.guests.calls import GuestCall
from sim.guests.declared import checked
from sim.guests.idle_loops import end_loop_of, loop_on
from sim.guests.inside import INSIDE, Inside
from sim.guests.lasting_waits import note_waits_of
from sim.guests.loop import MOST_CANCELS, goes_on
from sim.guests.refused import GuestRefused
from sim.guests.strands import GuestStopped, Strand
from sim.guests.verdicts import GaveUp, gate_of, mistake_of
from sim.kernel.clock import Pending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sim.clients.calling import Call
    from sim.clients.context import ClientContext
    from sim.guests.fresh import Supply
    from sim.guests.loop import SimulatedLoop


class Process:
    """One process of a client, in which guest code runs."""

    __slots__ = (
        *("_code", "_guest", "_supply", "_taken", "errors", "has_one_thread"),
        *("is_async", "is_over", "kind", "loop", "runs"),
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
        self._taken: tuple[Any, Any] | None = None
        self._guest: Any = None
        self.errors: Mapping[str, Any] = {}
        self.is_async = is_async
        self.has_one_thread = is_async or is_alone
        """Whether all of its code runs in one thread: a request that is alone, or the tasks of an event loop."""
        self.loop: SimulatedLoop | None = None
        self.is_over = False
        """Whether the world is over, so that nothing of it may go on."""
        self.runs: dict[GuestRun, None] = {}
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
            self._guest, errors = self._code(self._taken[0])
            self.errors = checked(errors)
        return self._guest

    def loop_for(self, client: Client) -> SimulatedLoop:
        """Return its event loop."""
        if self.loop is None:
            self.loop = loop_on(client.clock, client.calls_at_most)
        return self.loop

    @property
    def busy(self) -> bool:
        """Whether something that is still ahead may let its code go on, and so any of its requests."""
        return (self.loop is not None and self.loop.timers.pending > 0) or any(run.client.waits for run in self.runs)

    def end(self) -> None:
        """Let nothing of it go on: the world is over. Raises GuestRefused if a task goes on all the same."""
        self.is_over = True
        if self.loop is not None:
            end_loop_of(self)
        self._guest = None
        if self._taken is not None:
            self._supply.give_back(self._taken)
            self._taken = None


class GuestClient(Client):
    """The client in which a guest runs."""

    __slots__ = ("process",)
    process: Process

    @property
    def waits(self) -> bool:
        """Whether it sleeps or waits for a call that will end."""
        return super().busy

    def cancel(self) -> None:
        """Stop its code; what it holds may let other requests of its process go on."""
        self.hear("canceled", None)
        super().cancel()

    def end(self) -> None:
        """Stop its code, since the world is over; the other requests of its process cannot go on by that."""
        process = self.process
        if not process.is_over:
            note_waits_of(process)
            process.is_over = True
            for run in process.runs:
                run.stopped = run.client.is_over = True
        super().end()

    @property
    def busy(self) -> bool:
        """Whether it may go on: for what it waits may also come from another request of its process."""
        return self.waits or self.process.busy


class GuestRun(Inside):
    """One request of a guest: the loop that its client runs."""

    __slots__ = ()
    client: GuestClient
    kind: ClassVar[str] = "guest"

    async def retry(self, call: Call, ctx: ClientContext) -> Any:
        """Run the guest's code until it is over."""
        del call, ctx
        context = Context()  # in no attribute: it refers to this
        context.run(INSIDE.set, self)
        if self.client.listens:
            self.client.hear("begins", None)
        process = self.process
        runs = process.runs
        runs[self] = None
        try:
            asked = self._main() if process.is_async else await self._as_thread(context)
            if type(asked) is not int and isawaitable(asked):
                await self._in_loop(asked, context)
        finally:
            del runs[self]
        if not self.calls:
            raise generator_mistake(process.guest, asked) or GuestRefused(
                "the guest returns without having called; `call` makes an attempt, and `await call()` in asynchronous "
                "code",
                line_of_code(process.guest),
            )
        if self.answered < 0:
            raise GaveUp("the guest returns, but none of its calls has succeeded")
        return self.answered

    async def _as_thread(self, context: Context) -> Any:
        """Run synchronous code; returns what it returns, which may be something to await."""
        strand = self.strand = Strand(self._body, context)
        value: Any = None
        try:
            while True:
                try:
                    asked = strand.go_on(value)
                except BaseException as error:  # the verdict says what becomes of it
                    if error is strand.left or isinstance(error, KeyboardInterrupt):
                        raise
                    self._end_by(error)
                if strand.is_over:
                    return asked
                value = await asked
        except GeneratorExit:
            self.stopped = True
            strand.stop()
            raise
        except BaseException:
            self.stopped = True
            with suppress(Exception):  # the first error counts
                strand.stop()
            raise

    def _body(self) -> Any:
        guest = self.process.guest
        return guest(GuestCall(self, self.process.errors))

    async def _main(self) -> Any:
        guest = self.process.guest
        return await guest(GuestCall(self, self.process.errors).awaited())

    async def _in_loop(self, awaited: Awaitable[Any], context: Context) -> None:
        """Run asynchronous code as a task of the process' event loop."""
        loop = self.process.loop_for(self.client)
        self.strand = loop.strand
        over = Pending()
        coroutine = awaited if iscoroutine(awaited) else _awaiting(awaited)
        loop.timers.open_request()
        task = loop.start(coroutine, context)
        task.serves = self
        task.add_done_callback(lambda _: loop.outside(over.succeed), context=context)
        try:
            loop.wake()
            await over
        except GeneratorExit:
            self.stopped = True
            self._cancel_again(task, 0, context)
            loop.wake()
            raise
        finally:
            loop.timers.close_request()
        error = asyncio.CancelledError("the guest's task was canceled") if task.cancelled() else task.exception()
        if error is not None:
            try:
                self._end_by(error)
            finally:
                del task, loop, error, coroutine, awaited  # the error's traceback refers to this frame

    def _cancel_again(self, task: asyncio.Task[Any], times: int, context: Context) -> None:
        """Cancel a task until it is over: `finally` can tidy up, but nothing that it awaits takes place any more."""
        if task.done():
            return
        if times > MOST_CANCELS:
            self.strand.leave(goes_on(task, "its request is canceled"))
        task.cancel()
        task.get_loop().call_soon(self._cancel_again, task, times + 1, context, context=context)

    def _end_by(self, error: BaseException) -> NoReturn:
        """Raise what it means that the guest's code has ended by an error."""
        verdict = self._verdict(error)
        try:
            if verdict is error:
                raise error
            raise verdict from error
        finally:
            del verdict, error  # their tracebacks refer to this frame

    def _verdict(self, error: BaseException) -> BaseException:
        """Return what the end of the guest's code by an error means: giving up, or a mistake."""
        if isinstance(error, (CallFailed, GuestRefused)):
            return error
        if isinstance(error, GuestStopped):
            return GuestRefused("the guest is stopped, but its request goes on")
        if type(error) is TypeError and not self.calls and self.process.has_guest:
            mistake = signature_mistake(self.process.guest)
            if mistake is not None:
                return mistake
        mistake = mistake_of(error, called=self.calls > 0, errors=self.process.errors)
        if mistake is not None:
            return mistake
        gate = gate_of(error) if self.client.is_recorded else ""
        if gate:
            self.client.record("refused", gate, (1, 0))
        return GaveUp(error)


async def _awaiting(awaited: Awaitable[Any]) -> Any:
    return await awaited
