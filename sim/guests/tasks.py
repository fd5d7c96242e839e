"""How the code of a request runs: in a strand of its own, or as a task of its process' event loop.

Either is what a client has in place of a task of the kernel. It goes on when what it waits for is there, and tells the
client when the code is over.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from sim.guests.loop import MOST_CANCELS, goes_on
from sim.guests.strands import Raised, Strand, ToBegin

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context

    from sim.guests.loop import SimulatedLoop


class HasCode(Protocol):
    """The client whose code runs."""

    stopped: bool

    def code_over(self, value: Any, error: BaseException | None) -> None:
        """Take what the code returns, or the error with which it ends."""
        ...

    def fail(self, error: Exception) -> None:
        """Take an error of the simulation itself, or one that refuses what the code does."""
        ...


class StrandTask(Strand):
    """Synchronous code of a request, in a strand of its own."""

    __slots__ = ("_client", "stopped")

    def __init__(self, body: Callable[[], Any], context: Context, client: HasCode) -> None:
        super().__init__(body, context)
        self._client: HasCode | None = client
        """None once it is over or stopped: it owns this task, which would be a cycle."""
        self.stopped = False

    def go_on(self) -> None:
        """Let the code go on, until it waits for something that has not come."""
        if self.stopped:
            return
        try:
            asked = self._wanted()
        except BaseException as error:
            client = self._let_go()
            if client is None:
                raise
            client.stopped = True
            with suppress(Exception):  # the first error counts
                self.end()
            if not isinstance(error, Exception):
                raise
            client.fail(error)
            return
        if self.is_over:
            self._conclude(asked)
        elif self.stopped:  # by what it did itself
            self.end()
        else:
            asked.task = self

    def _wanted(self) -> Any:
        """Let the code go on, and return what it waits for, or what its body returns."""
        asked = self.enter()
        while not (self.is_over or self.stopped):
            if isinstance(asked, ToBegin):
                asked.begin()
            if self.stopped or not asked.done:  # what begins may also stop it
                break
            asked = self.enter()
        return asked

    def _conclude(self, asked: Any) -> None:
        client = self._let_go()
        if client is None:
            return
        if type(asked) is Raised:
            client.code_over(None, asked.error)
        else:
            client.code_over(asked, None)

    def stop(self) -> Exception | None:
        """Stop the code where it waits, or when it waits next. Returns the error that refuses how it answers that."""
        if self._let_go() is not None and not self.is_running:
            try:
                self.end()
            except Exception as error:  # noqa: BLE001  # the caller judges the error
                return error
        return None

    def _let_go(self) -> HasCode | None:
        self.stopped = True
        client, self._client = self._client, None
        return client


class LoopTask:
    """Asynchronous code of a request, as a task of an event loop."""

    __slots__ = ("_client", "_context", "_coroutine", "_loop", "_task", "stopped")

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], loop: SimulatedLoop, context: Context, client: HasCode
    ) -> None:
        self._coroutine: Coroutine[Any, Any, Any] | None = coroutine
        self._loop: SimulatedLoop | None = loop
        self._context: Context | None = context
        self._client: HasCode | None = client
        """None once it is over or stopped: it owns this task, which would be a cycle."""
        self._task: asyncio.Task[Any] | None = None
        self.stopped = False

    def go_on(self) -> None:
        """Let the code begin."""
        coroutine, self._coroutine = self._coroutine, None
        if self.stopped or coroutine is None:
            return
        loop, context = self._loop, self._context
        assert loop is not None and context is not None  # noqa: S101, PT018  # they are there until the code is over
        loop.timers.open_request()
        self._task = task = loop.start(coroutine, context)
        task.serves = self._client
        task.add_done_callback(self._done, context=context)
        try:
            loop.wake()
        except Exception as error:  # the client judges it
            client = self._let_go()
            if client is None:
                raise
            client.stopped = True
            client.fail(error)

    def _done(self, task: asyncio.Task[Any]) -> None:
        """Tell the client, outside of guest code: it may let others go on."""
        if self._loop is not None:
            self._loop.outside(partial(self._over, task))

    def _over(self, task: asyncio.Task[Any]) -> None:
        client = self._let_go()
        if client is None:
            return
        if task.cancelled():
            client.code_over(None, asyncio.CancelledError("the guest's task was canceled"))
        else:
            client.code_over(None, task.exception())

    def stop(self) -> Exception | None:
        """Cancel the code where it waits. Returns the error that refuses how it answers that."""
        coroutine, self._coroutine = self._coroutine, None
        if coroutine is not None:
            coroutine.close()
        task, loop, context = self._task, self._loop, self._context
        if self._let_go() is not None and task is not None and loop is not None:
            try:
                _cancel_again(loop, task, context, 0)
                loop.wake()
            except Exception as error:  # noqa: BLE001  # the caller judges the error
                return error
        return None

    def _let_go(self) -> HasCode | None:
        self.stopped = True
        if self._task is not None and self._loop is not None:
            self._loop.timers.close_request()
        self._task = self._loop = self._context = None
        client, self._client = self._client, None
        return client


def _cancel_again(loop: SimulatedLoop, task: asyncio.Task[Any], context: Context | None, times: int) -> None:
    """Cancel a task until it is over: `finally` can tidy up, but nothing that it awaits takes place any more."""
    if task.done():
        return
    if times > MOST_CANCELS:
        loop.strand.leave(goes_on(task, "its request is canceled"))
    task.cancel()
    loop.call_soon(_cancel_again, loop, task, context, times + 1, context=context)
