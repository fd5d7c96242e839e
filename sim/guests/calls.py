"""The `call` that a guest gets: it makes an attempt, and raises what the guest says that its client raises."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from sim.clients.connection import Connection
from sim.clients.failures import CallFailed, CallTimedOut
from sim.guests.arguments import is_timeout, wrong_arguments
from sim.guests.declared import made_of
from sim.guests.endless import MOST_SUCCESSES, look_at_successes
from sim.guests.inside import INSIDE
from sim.guests.strands import GuestStopped, Raises
from sim.kernel.clock import Pending

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from sim.clients.client import Client
    from sim.guests.inside import Inside
    from sim.guests.loop import SimulatedLoop

S_TO_MS: Final = 1000.0


class GuestCall:
    """One request's way to call the action: `call(timeout=...)`, or `await call(timeout=...)` in asynchronous code.

    The timeout is in seconds; None or infinity: none. Returns the number of the attempt, 1 first. Raises what `errors`
    of the guest says, or else `CallFailed` and `CallTimedOut`.
    """

    __slots__ = ("_errors", "_inside")
    __name__ = "call"
    """Decorators of libraries ask functions for their names."""

    def __init__(self, inside: Inside, errors: Mapping[str, Any]) -> None:
        self._inside = inside
        self._errors = errors

    def __call__(self, timeout: float | None = None, *args: Any, **more: Any) -> Any:
        """Make one attempt."""
        inside, here = self._inside, INSIDE.get()
        if here is None:
            raise RuntimeError("a guest's `call` was called outside of the simulation")
        if args or more:
            here.refuse(wrong_arguments(timeout, args, more))
        if timeout is not None and not is_timeout(timeout):
            here.refuse(f"calls with a timeout of {timeout!r}: it is a number of seconds, not negative, or None")
        timeout_ms = None if timeout is None else timeout * S_TO_MS
        loop: SimulatedLoop | None = inside.process.loop
        running: object = asyncio._get_running_loop()  # noqa: SLF001  # as asyncio's own functions ask
        if loop is not None and running is loop:
            return self._in_loop(loop, timeout_ms)
        self._check(here, GuestStopped)
        inside.calls += 1
        return here.wait(self._heard(timeout_ms))

    def awaited(self) -> Callable[..., Coroutine[Any, Any, int]]:
        """Return the same as a coroutine function, since libraries look whether what they decorate is one."""

        async def call(timeout: float | None = None, *args: Any, **more: Any) -> int:  # noqa: ASYNC109  # as users write it
            number: int = await self(timeout, *args, **more)
            return number

        return call

    def _check(self, here: Inside, error: type[BaseException]) -> None:
        """End code that asks for a call although it is stopped, or its request is over."""
        inside = self._inside
        if here is not inside and (inside.stopped or inside.client.is_over):
            here.refuse(
                f"calls by the `call` of request {inside.client.request.number}, which is over: each request has a "
                "`call` of its own"
            )
        if inside.stopped or inside.process.is_over:
            here.stop_again(error)
        client = inside.client
        if client.is_over and not client.request.runaway:
            here.refuse(f"calls although its request {client.request.number} is over")
        if inside.successes >= MOST_SUCCESSES:
            look_at_successes(inside, here)

    async def _heard(self, timeout_ms: float | None) -> int | Raises:
        """Make an attempt for synchronous code; awaited by the simulation."""
        inside = self._inside
        answer = Pending()
        if begin(inside.client, timeout_ms, answer) is None:
            await Pending()
        try:
            number: int = await answer
        except CallFailed as error:
            if inside.client.listens:
                hear_failure(inside.client, error)
            return Raises(error_of(error, self._errors))
        if inside.client.listens:
            inside.client.hear("answered", number)
        inside.answered = number
        inside.successes += 1
        return number

    async def _in_loop(self, loop: SimulatedLoop, timeout_ms: float | None) -> int:
        """Make an attempt for asynchronous code; awaited by the guest."""
        inside = self._inside
        client = inside.client
        self._check(INSIDE.get() or inside, asyncio.CancelledError)
        if client.request.runaway:
            await loop.create_future()  # it never goes on
        inside.calls += 1
        answer = InLoop(loop)
        if client.listens:
            answer.heard_by, answer.number = client, client.request.attempts + 1
        connection = loop.outside(lambda: begin(client, timeout_ms, answer))
        try:
            number: int = await answer.future
        except CallFailed as error:
            if client.listens:
                hear_failure(client, error)
            made = error_of(error, self._errors)
            try:
                if made is error:
                    raise
                raise made from error
            finally:
                del made  # its traceback refers to this frame, and so does that of the future
                answer.future = None
        except asyncio.CancelledError:
            answer.done = True
            if connection is not None and not inside.is_stopped:
                loop.outside(lambda: leave(client, connection))
            raise
        if client.listens:
            client.hear("answered", number)
        inside.answered = number
        inside.successes += 1
        return number


class InLoop:
    """What hears the end of a call of asynchronous code."""

    __slots__ = ("_loop", "done", "future", "heard_by", "number")

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self.heard_by: Client | None = None
        """Whose witness is told when the answer comes; which of several calls ends first decides how code goes on."""
        self.number = 0
        self.future: Any = asyncio.Future(loop=loop)
        """None once what comes of it is known."""
        self.done = False

    def succeed(self, value: object = None) -> None:
        """Take the number of the attempt that succeeded."""
        if not self.done:
            self.done = True
            self._tell()
            if not self.future.done():
                self.future.set_result(value)
                self._loop.wake()

    def fail(self, error: Exception) -> None:
        """Take a failure."""
        if not self.done:
            self.done = True
            self._tell()
            if not self.future.done():
                self.future.set_exception(error)
                del error
                self._loop.wake()

    def _tell(self) -> None:
        if self.heard_by is not None:
            self.heard_by.hear("arrived", self.number)


def begin(client: Client, timeout_ms: float | None, answer: Any) -> Connection | None:
    """Begin an attempt; None if the request has run into a limit, so that no answer ever comes."""
    if client.request.attempts >= client.calls_at_most:
        client.run_away("calls")
        return None
    connection = Connection(client, answer)
    client.begin(connection, timeout_ms)
    return connection


def leave(client: Client, connection: Connection) -> None:
    """Wait no longer for a call that asynchronous code has canceled; it goes on."""
    attempt = connection.attempt
    if attempt is not None and not attempt.ended and not connection.left:
        client.record("timed_out", "", None, subject=attempt.number)
        connection.leave()


def hear_failure(client: Client, error: CallFailed) -> None:
    """Let the witness know what the guest hears."""
    client.hear("failed", (type(error).__name__, error.kind, error.final, error.retry_after_ms))


def error_of(failure: CallFailed, errors: Mapping[str, Any]) -> BaseException:
    """Return the error that the guest's client raises for a failure: that of the longest kind which matches."""
    kind = failure.kind
    make = errors.get(kind)
    while make is None and "." in kind:
        kind = kind.rpartition(".")[0]
        make = errors.get(kind)
    if make is None:
        return failure
    text = f"the call ended: {failure.kind}" if not isinstance(failure, CallTimedOut) else "the call timed out"
    error = made_of(make, text, failure)
    _tell(error, "call_failed", failure)
    if failure.retry_after_ms is not None and isinstance(make, type):
        seconds = failure.retry_after_ms / S_TO_MS
        headers = {"Retry-After": f"{seconds:g}"}
        _tell(error, "retry_after", seconds)
        _tell(error, "headers", headers)
        _tell(error, "response", Response(headers, 503 if failure.kind.startswith("failed") else 429))
    return error


def _tell(error: BaseException, name: str, value: Any) -> None:
    """Set an attribute of an error, if it has place for it and does not say something else."""
    try:
        if getattr(error, name, None) is None:
            setattr(error, name, value)
    except (AttributeError, TypeError):
        return


class Response:
    """The little of an HTTP response that libraries look at to find how long to wait."""

    def __init__(self, headers: dict[str, str], status: int) -> None:
        self.headers = headers
        self.status = self.status_code = status
