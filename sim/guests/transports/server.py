"""A server that is played by the `call` of a guest: how a call ends is what the server says.

A transport asks it where its library would write to a socket and read from it, so that everything above that place,
the retries of the library before all, runs unmodified.

Unless a guest says otherwise by `answers`, a failed call is a status 500, a rejected one 429, a conflict 409, and a
call that ended by its timeout is the library's own error of reading. If a failure asks to wait, its reply has a header
that says so. The `errors` of a guest do not matter here.
"""

from __future__ import annotations

from inspect import isawaitable, iscoroutine
from math import ceil, isfinite
from socket import gaierror
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from sim.clients.failures import CallFailed
from sim.clients.policy.answers import check_answer_name, name_that_fits
from sim.guests.calls import GuestCall
from sim.guests.inside import INSIDE
from sim.guests.transports.replies import Reply
from sim.history.vocabulary import CONFLICT, FAILED, REFUSED, REJECTED, TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.guests.transports.replies import Answer, Answers, Body

    Make = Callable[[type[BaseException], str], BaseException]
    """Makes an error of a class and a message."""

_STATUSES: Final[Answers] = {FAILED: 500, REJECTED: 429, CONFLICT: 409, REFUSED: 503}


class Sockets(NamedTuple):
    """What a library makes of the errors of sockets; None: its code above the transport does that itself.

    `own` is the base of the library's errors, which stay as they are.
    """

    own: type[BaseException]
    refused: type[BaseException]
    """There is no connection, so that nothing can have been sent."""
    timed_out: type[BaseException] | None = None
    broken: type[BaseException] | None = None
    """The connection ends while a response is awaited."""

    def error_for(self, error: type[BaseException]) -> type[BaseException]:
        """Return the library's error for one of a socket, and any other as it is."""
        if not issubclass(error, OSError) or issubclass(error, self.own):
            return error
        if issubclass(error, ConnectionRefusedError | gaierror):
            return self.refused
        return (self.timed_out if issubclass(error, TimeoutError) else self.broken) or error


class Server:
    """One server: the call that it is played by, and what its answers are to the library.

    `timed_out` is the library's error of reading. Raises ValueError if `answers` has a name that no answer has, and
    TypeError if a value is neither a status, a reply, an error nor a function, or if the body is none.
    """

    __slots__ = ("_answers", "_body", "_call", "_sockets", "_success", "_wait")

    def __init__(
        self,
        call: Callable[..., Any] | None,
        answers: Answers | None,
        body: Body,
        *,
        timed_out: Answer,
        wait: Callable[[float], dict[str, str]] | None = None,
        sockets: Sockets | None = None,
    ) -> None:
        given = {} if answers is None else dict(answers)
        for name, answer in given.items():
            check_answer_name(name)
            if isinstance(answer, bool) or not (isinstance(answer, int | Reply) or callable(answer)):
                raise TypeError(
                    f"the answer to '{name}' is a status, a Reply, an exception class or a function, not {answer!r}"
                )
            if isinstance(answer, int):
                Reply(answer)  # else what is wrong would end a guest when a call fails
        self._answers: Answers = {**_STATUSES, TIMED_OUT: timed_out, **given}
        self._call = of_the_request if call is None else call
        if not isinstance(body, bytes) and not callable(body):
            raise TypeError(f"a body is bytes, or a function of the method and the URL that returns them, not {body!r}")
        self._body = body
        self._success = Reply(body=body) if isinstance(body, bytes) else None
        self._wait = retry_after if wait is None else wait
        self._sockets = sockets

    def ask(self, seconds: float | None, make: Make, method: str, url: str) -> Reply:
        """Make one call, with a timeout in seconds, and return what the server says. Raises the library's errors."""
        try:
            answered = self._call(timeout=seconds)
        except Exception as error:  # noqa: BLE001  # the errors of a guest are of any class
            return self._reply_to(error, make)
        if isawaitable(answered):
            if iscoroutine(answered):
                answered.close()
            raise _refused(
                "has a synchronous client, which would block the event loop of `async def`: use an asynchronous client,"
                " or write the guest with `def`"
            )
        return self._said(method, url)

    async def ask_later(self, seconds: float | None, make: Make, method: str, url: str) -> Reply:
        """Do as `ask` does, in an asynchronous guest."""
        try:
            answered = self._call(timeout=seconds)
            if isawaitable(answered):
                await answered
        except Exception as error:  # noqa: BLE001  # the errors of a guest are of any class
            return self._reply_to(error, make)
        if isawaitable(answered):
            return self._said(method, url)
        raise _refused("has an asynchronous client, but is not asynchronous itself: write it with `async def`")

    def _said(self, method: str, url: str) -> Reply:
        """Return what a server says whose call succeeded."""
        if self._success is not None:
            return self._success
        said = cast("Callable[[str, str], bytes | Reply]", self._body)(method, url)
        return said if isinstance(said, Reply) else Reply(body=said)

    def _reply_to(self, error: Exception, make: Make) -> Reply:
        """Return what a server says whose call failed."""
        failed = error if isinstance(error, CallFailed) else getattr(error, "call_failed", None)
        if failed is None:
            raise error
        name = name_that_fits(failed.kind, self._answers)
        answer: Any = self._answers[FAILED if name is None else name]
        message = str(failed) or f"the call ended as {failed.kind}"
        if callable(answer) and not isinstance(answer, type):
            answer = answer(failed)
        if isinstance(answer, type):
            raise make(self._error_for(answer), message) from failed
        if isinstance(answer, BaseException):
            kind = self._error_for(type(answer))
            raise (answer if kind is type(answer) else make(kind, str(answer))) from failed
        reply = answer if isinstance(answer, Reply) else _reply(answer, failed.kind)
        if failed.retry_after_ms is None or not isfinite(failed.retry_after_ms):
            return reply
        return Reply(reply.status, reply.body, {**self._wait(failed.retry_after_ms), **reply.headers})

    def _error_for(self, error: type[BaseException]) -> type[BaseException]:
        return error if self._sockets is None else self._sockets.error_for(error)


def _refused(what: str) -> RuntimeError:
    """Return the error of a guest and a client that do not fit; in a simulation it is raised there."""
    inside = INSIDE.get()
    if inside is not None:
        inside.refuse(what)
    return RuntimeError(f"the guest {what}")


def _reply(status: int, kind: str) -> Reply:
    """Return a reply with a status, which a function of the guest may have chosen."""
    try:
        return Reply(status)
    except ValueError as error:
        raise _refused(f"answers '{kind}' by {status!r}: {error}") from None


def of_the_request(*, timeout: float | None) -> Any:
    """Make a call of the request whose guest runs: for clients that several requests share."""
    inside = INSIDE.get()
    if inside is None:
        raise RuntimeError(
            "no guest runs, so there is no call to make; use the transport in a guest, or give it a `call`"
        )
    return GuestCall(inside, {})(timeout)


def retry_after(wait_ms: float) -> dict[str, str]:
    """Return the header that asks to wait: whole seconds, rounded up (RFC 9110, 10.2.3)."""
    return {"Retry-After": str(max(ceil(wait_ms / 1000), 0))}
