"""A client process of a guest: its guest object, its event loop, and the requests that it serves.

In an isolated world each request has a process of its own; in a shared one each client has one.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from inspect import isawaitable, iscoroutine
from typing import TYPE_CHECKING, Any, ClassVar

from sim.clients.failures import CallFailed
from sim.guests.calls import GuestCall
from sim.guests.inside import INSIDE, Inside
from sim.guests.loop import SimulatedLoop
from sim.guests.refused import GuestRefused
from sim.guests.strands import GuestStopped, Strand
from sim.guests.verdicts import GaveUp, mistake_of
from sim.kernel.clock import Pending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sim.clients.calling import Call
    from sim.clients.client import Client
    from sim.clients.context import ClientContext
    from sim.guests.fresh import Supply


class Process:
    """One process of a client, in which guest code runs."""

    __slots__ = ("_code", "_guest", "_supply", "_taken", "errors", "has_one_thread", "is_async", "kind", "loop")

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

    @property
    def guest(self) -> Any:
        """What is called for each request; made when the first one needs it."""
        if self._guest is None:
            self._taken = self._supply.take()
            self._guest, self.errors = self._code(self._taken[0])
        return self._guest

    def loop_for(self, client: Client) -> SimulatedLoop:
        """Return its event loop."""
        if self.loop is None:
            self.loop = SimulatedLoop(client.clock, client.calls_at_most)
        return self.loop

    def end(self) -> None:
        """Let nothing of it go on: the world is over."""
        loop, self.loop = self.loop, None
        if loop is not None:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.wake()
            loop.end()
        self._guest = None
        if self._taken is not None:
            self._supply.give_back(self._taken)
            self._taken = None


class GuestRun(Inside):
    """One request of a guest: the loop that its client runs."""

    __slots__ = ("_task",)
    kind: ClassVar[str] = "guest"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self._task: asyncio.Task[Any] | None = None

    async def retry(self, call: Call, ctx: ClientContext) -> Any:
        """Run the guest's code until it is over."""
        del call, ctx
        context = Context()
        context.run(INSIDE.set, self)
        if self.process.is_async:
            await self._in_loop(self._main(), context)
        else:
            await self._as_thread(context)
        if not self.calls:
            raise GuestRefused(
                "the guest returns without having called; `call` makes an attempt, and `await call()` in asynchronous code"
            )
        if self.answered < 0:
            raise GaveUp("the guest returns, but none of its calls has succeeded")
        return self.answered

    async def _as_thread(self, context: Context) -> None:
        """Run synchronous code; if it returns something to await, that is awaited in the event loop."""
        strand = self.strand = Strand(self._body, context)
        value: Any = None
        try:
            while True:
                try:
                    asked = strand.go_on(value)
                except BaseException as error:  # noqa: BLE001  # the verdict says what becomes of it
                    if error is strand.left:
                        raise
                    raise self._verdict(error) from error
                if strand.is_over:
                    break
                value = await asked
        finally:
            if not strand.is_over:
                self.stopped = True
                strand.stop()
        if type(asked) is not int and isawaitable(asked):
            await self._in_loop(asked, context)

    def _body(self, _: Any = None) -> Any:
        guest = self.process.guest
        return guest(GuestCall(self, self.process.errors))

    async def _main(self) -> Any:
        guest = self.process.guest
        return await guest(GuestCall(self, self.process.errors))

    async def _in_loop(self, awaited: Awaitable[Any], context: Context) -> None:
        """Run asynchronous code as a task of the process' event loop."""
        loop = self.process.loop_for(self.client)
        self.strand = loop.strand
        over = Pending()
        coroutine = awaited if iscoroutine(awaited) else _awaiting(awaited)
        task = self._task = loop.create_task(coroutine, context=context)
        task.add_done_callback(lambda _: loop.outside(over.succeed), context=context)
        try:
            loop.wake()
            await over
        except GeneratorExit:
            self.stopped = True
            task.cancel()
            loop.wake()
            raise
        if task.cancelled():
            raise self._verdict(asyncio.CancelledError("the guest's task was canceled"))
        error = task.exception()
        if error is not None:
            raise self._verdict(error) from error

    def _verdict(self, error: BaseException) -> BaseException:
        """Return what the end of the guest's code by an error means: giving up, or a mistake."""
        if isinstance(error, CallFailed):
            return error
        if isinstance(error, GuestStopped):
            return GuestRefused("the guest is stopped, but its request goes on")
        return mistake_of(error, called=self.calls > 0, errors=self.process.errors) or GaveUp(
            f"{type(error).__name__}: {error}"
        )


async def _awaiting(awaited: Awaitable[Any]) -> Any:
    return await awaited
