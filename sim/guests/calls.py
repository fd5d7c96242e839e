"""The `call` that a guest gets: it makes an attempt, and raises what the guest says that its client raises."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sim.clients.connection import Connection
from sim.clients.failures import CallFailed, CallTimedOut
from sim.guests.arguments import is_timeout, wrong_arguments
from sim.guests.declared import made_of
from sim.guests.endless import MOST_SUCCESSES, look_at_successes
from sim.guests.inside import INSIDE
from sim.guests.strands import GuestStopped, ToBegin
from sim.world.action_model import ActionModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.clients.client import Client
    from sim.guests.inside import Inside
    from sim.guests.loop import SimulatedLoop

S_TO_MS: Final = 1000.0


class GuestCall:
    """One request's way to call the action: `call(timeout=...)`, or `await call(timeout=...)` in asynchronous code.

    The timeout is in seconds; None or infinity: none. Returns the number of the attempt, 1 first. Raises what `errors`
    of the guest says, or else `CallFailed` and `CallTimedOut`.
    """

    __slots__ = ("_client", "_errors")
    __name__ = "call"
    """Decorators of libraries ask functions for their names."""

    def __init__(self, client: Inside, errors: Mapping[str, Any]) -> None:
        self._client = client
        self._errors = errors

    def __call__(self, timeout: float | None = None, *args: Any, **more: Any) -> Any:
        """Make one attempt."""
        client = self._client
        loop = client.process.loop
        if loop is not None and asyncio._get_running_loop() is loop:  # noqa: SLF001  # as asyncio's own functions ask
            return self.call(timeout, *args, **more)
        here = INSIDE.get()
        timeout_ms = None if timeout is None and not (args or more) else _ms(here, timeout, args, more)
        if here is not client or client.stopped or client.is_over or client.successes >= MOST_SUCCESSES:
            here = self._checked(here, GuestStopped)
        client.calls += 1
        answer = Answer()
        answer.client, answer.timeout_ms = client, timeout_ms
        here.let_pass(answer)
        try:
            number: int = answer.result()
        except CallFailed as error:
            if client.listens:
                hear_failure(client, error)
            made = error_of(error, self._errors)
        else:
            if client.listens:
                client.hear("answered", number)
            client.answered = number
            client.successes += 1
            return number
        try:
            raise made
        finally:
            del made  # its traceback refers to this frame

    async def call(self, timeout: float | None = None, *args: Any, **more: Any) -> int:  # noqa: ASYNC109  # as users write it
        """Make one attempt, in asynchronous code; a coroutine function, since libraries look for these."""
        client, here = self._client, INSIDE.get()
        loop: SimulatedLoop = client.process.loop
        timeout_ms = None if timeout is None and not (args or more) else _ms(here, timeout, args, more)
        if here is not client or client.stopped or client.is_over or client.successes >= MOST_SUCCESSES:
            self._checked(here, asyncio.CancelledError)
        if client.request.runaway:
            await loop.create_future()  # it never goes on
        client.calls += 1
        answer = InLoop(loop)
        if client.listens:
            answer.heard_by, answer.number = client, client.request.attempts + 1
        connection = _begin_in_loop(loop, client, timeout_ms, answer)
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
            if connection is not None and not client.is_stopped:
                loop.outside(partial(leave, client, connection))
            raise
        if client.listens:
            client.hear("answered", number)
        client.answered = number
        client.successes += 1
        return number

    def _checked(self, here: Inside | None, error: type[BaseException]) -> Inside:
        """Return the request whose code runs. Ends code that is stopped, or calls for a request that is over."""
        client = self._client
        if here is None:
            raise RuntimeError("a guest's `call` was called outside of the simulation")
        if here is not client and (client.stopped or client.is_over):
            here.refuse(
                f"calls by the `call` of request {client.request.number}, which is over: each request has a "
                "`call` of its own"
            )
        if here.clock is not client.clock:
            here.refuse("calls by the `call` of another simulation, whose time stands still while this one runs")
        if client.is_stopped:
            here.stop_again(error)
        if client.is_over and not client.request.runaway:
            here.refuse(f"calls although its request {client.request.number} is over")
        if client.successes >= MOST_SUCCESSES:
            look_at_successes(client, here)
        return here


def _ms(here: Inside | None, timeout: float | None, args: tuple[Any, ...], more: Mapping[str, Any]) -> float | None:
    """Return a timeout in ms; what is no timeout, or more than that, is refused."""
    if here is None:
        return None  # it is no guest that calls, which is told then
    if args or more:
        here.refuse(wrong_arguments(timeout, args, more))
    if timeout is not None and not is_timeout(timeout):
        here.refuse(f"calls with a timeout of {timeout!r}: it is a number of seconds, not negative, or None")
    return None if timeout is None else timeout * S_TO_MS


class Answer(ToBegin):
    """What synchronous code waits for when it calls."""

    __slots__ = ("client", "timeout_ms")
    client: Inside | None
    timeout_ms: float | None

    def begin(self) -> None:
        """Begin the call, unless it has begun."""
        client, self.client = self.client, None
        if client is not None:
            begin(client, self.timeout_ms, self)


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


def _begin_in_loop(loop: SimulatedLoop, client: Inside, timeout_ms: float | None, answer: InLoop) -> Connection | None:
    """Begin an attempt for asynchronous code."""
    if type(client.action) is not ActionModel:  # what begins at a service may let others go on
        return loop.outside(partial(begin, client, timeout_ms, answer))  # type: ignore[no-any-return]  # what it returns
    try:
        return client.outer.run(begin, client, timeout_ms, answer)
    except BaseException as error:  # noqa: BLE001  # a search of a small world goes another way: no concern of the guest
        client.strand.leave(error)


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
