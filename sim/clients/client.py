"""A client outside the deployment: a `LoopRetrier` runs in it.

Its calls start the user's action directly and take no slot; restarts and the platform's time limit do not reach it. If
it gives up on a call after a timeout, the call goes on, and so does its effect.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from sim.clients.place import NO_PLACE, Place
from sim.history.vocabulary import CUT, FAILED, NEVER, RETURNED, THREW, TIMED_OUT, Cause, Outcome
from sim.kernel.clock import Pending, Sleep, Task
from sim.kernel.durations import NS_PER_MS, RUNAWAY_NS, format_duration, ms_of_ns, ns_of_ms
from sim.kernel.foreign import HOW_TO_WAIT, is_foreign

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.clients.around import Around
    from sim.history.request import Request
    from sim.history.vocabulary import End
    from sim.world.attempt import Attempt
    from sim.world.hosts import External


MOST_REFUSALS: Final = 100
"""Of awaits of a loop that is stopped; one that goes on even then would go on for ever."""


class Loop(Protocol):
    """What a client needs of a `sim.LoopRetrier`."""

    kind: ClassVar[str]

    async def retry(self, call: Call, ctx: ClientContext) -> Any:
        """Call until done."""
        ...


class CallFailed(Exception):
    """A call ended without success, as far as its caller knows."""

    kind: str = FAILED
    """The answer, such as `failed`, `failed.NAME` or `rejected.queue`."""
    final: bool = False
    """Whether the error is marked as not worth a retry."""
    retry_after_ms: float | None = None
    """How long the error asks to wait before a retry; None if it does not."""


class CallTimedOut(CallFailed):
    """The caller gave up on a call; its effect may still come."""

    kind = TIMED_OUT


class Call:
    """One request's way to call the action: `await call()` or `await call(timeout_ms=...)`.

    Returns the number of the attempt, 1 first. Raises `CallFailed`, `CallTimedOut` after `timeout_ms` (None or
    infinity: never), and ValueError if the timeout is negative or not a number.
    """

    __slots__ = ("_client",)

    def __init__(self, client: Client) -> None:
        self._client = client

    async def __call__(self, timeout_ms: float | None = None) -> int:
        """Make one attempt."""
        if timeout_ms is not None and not timeout_ms >= 0:
            raise ValueError(f"a timeout must not be negative, not {timeout_ms} ms")
        client = self._client
        if client.stopped:
            await client.refuse()
        request = client.request
        if request.attempts >= client.calls_at_most:
            client.run_away("calls")
            await Pending()
        connection = _Connection(client)
        request.actions += 1
        client.connections.append(connection)
        if timeout_ms is not None and timeout_ms < inf:
            connection.limit(timeout_ms)
        client.action.begin(connection, request)
        try:
            number: int = await connection.answer
        except CallFailed as error:
            client.hear("failed", (type(error).__name__, error.kind, error.final, error.retry_after_ms))
            raise
        except GeneratorExit:
            client.stopped = True
            raise
        client.hear("answered", number)
        return number


class ClientContext:
    """What a `LoopRetrier` can do besides calling: sleep, draw numbers, read the clock.

    Once the request is canceled, or the simulation over, nothing that the loop still asks for takes place.
    """

    __slots__ = ("_client",)

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def now_ms(self) -> float:
        """Simulated time in ms."""
        now_ms = ms_of_ns(self._client.clock.now_ns)
        self._client.hear("now", now_ms)
        return now_ms

    async def sleep(self, delay_ms: float) -> None:
        """Wait. Raises ValueError if the delay is negative or not finite."""
        if not 0 <= delay_ms < inf:
            raise ValueError(f"a delay must be finite and not negative, not {delay_ms} ms")
        client = self._client
        if client.stopped:
            await client.refuse()
        delay_ns, clock = ns_of_ms(delay_ms), client.clock
        client.record("sleep", "", delay_ns)
        client.sleeps += 1
        if client.sleeps > client.calls_at_most:
            client.run_away("sleeps")
            await Pending()
        if clock.now_ns + delay_ns > RUNAWAY_NS:
            client.run_away("time")
            await Pending()
        client.asleep = True
        client.slept_ns += delay_ns
        awake = Sleep()
        clock.set_timer(awake, delay_ns)
        try:
            await awake
        except GeneratorExit:
            client.stopped = True
            raise
        client.asleep = False
        client.hear("awake", None)

    def uniform(self, stream: str, index: int = 0) -> float:
        """Draw the number on [0, 1) of this address for this request: stream is a name, index counts draws."""
        client = self._client
        if client.stopped:
            raise GeneratorExit
        request = client.request
        value = client.choices.uniform(stream, request.number, index, request.first_rerun)
        client.record("draw", stream, value)
        client.hear("draw", value)
        return value


class _Connection:
    """Hosts one attempt for a client, and is the timer of its caller's timeout."""

    __slots__ = ("_client", "answer", "attempt", "callbacks", "given_up_ns", "slept_ns", "started_ns", "timeout_ms")
    _ok = True
    job_id = -1
    deadline_ns: int | None = None
    strike: float | None = None

    def __init__(self, client: Client) -> None:
        self._client = client
        self.started_ns = client.clock.now_ns
        self.slept_ns = client.slept_ns if client.request.attempts else NEVER
        client.slept_ns = 0
        self.attempt: Attempt | None = None
        """None once it is over: they refer to each other, and a cycle would be left to the garbage collector."""
        self.answer = Pending()
        self.timeout_ms: float | None = None
        self.given_up_ns: int | None = None
        """When its caller gave up on it."""
        self.callbacks: Any = None

    def limit(self, timeout_ms: float) -> None:
        """Let the caller give up after `timeout_ms`."""
        self.timeout_ms = timeout_ms
        self.callbacks = _TIME_OUT
        self._client.clock.set_timer(self, ns_of_ms(timeout_ms))

    def attempt_over(self, how: End) -> None:
        client, attempt = self._client, self.attempt
        assert attempt is not None  # noqa: S101  # it is over, so it began
        client.request.action_ns += client.clock.now_ns - self.started_ns
        client.connections.remove(self)
        attempt.over(reported=True)
        self.attempt = None
        if how == RETURNED:
            self.answer.succeed(attempt.number)
        else:
            self.answer.fail(_error(how, attempt))

    @property
    def ends(self) -> bool:
        """Whether an answer will come: the end of the call or the caller's timeout is still ahead."""
        attempt = self.attempt
        return (
            attempt is not None
            and not self.answer.done
            and (attempt.callbacks is not None or self.timeout_ms is not None)
        )

    def attempt_lost(self) -> None:
        self.answer.fail(CallFailed("contact with the call was lost"))

    def give_up(self) -> None:
        """Wait no longer; the call goes on."""
        attempt = self.attempt
        if attempt is not None and not attempt.ended:
            self.given_up_ns = self._client.clock.now_ns
            attempt.give_up(self.given_up_ns)
            attempt.blame = Cause.timeout

    def time_out(self) -> None:
        attempt = self.attempt
        if attempt is not None:
            client = self._client
            self.given_up_ns = client.clock.now_ns
            attempt.give_up(self.given_up_ns)
            attempt.blame = Cause.timeout
            client.record("timed_out", "", ns_of_ms(self.timeout_ms or 0), subject=attempt.number)
            self.answer.fail(CallTimedOut("the call timed out"))


_TIME_OUT = (lambda connection: connection.time_out(),)


def _error(how: End, attempt: Attempt) -> CallFailed:
    """Make the error with which a call ends."""
    error = CallFailed("the call was cut off" if how == CUT else "the call failed")
    failure = attempt.failure
    if failure is not None and how == THREW:
        error.kind = failure.kind
        error.final = failure.final
        error.retry_after_ms = None if failure.retry_after_ns < 0 else failure.retry_after_ns / NS_PER_MS
    return error


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
        "calls_at_most",
        "choices",
        "clock",
        "connections",
        "loop",
        "place",
        "request",
        "sleeps",
        "slept_ns",
        "stopped",
    )

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
        self.connections: list[_Connection] = []
        self.asleep = False
        self.sleeps = 0
        self.slept_ns = 0
        """How long it slept since its last call."""
        self.calls_at_most = around.calls_at_most
        self.stopped = False
        """Whether the loop is over although it has not concluded: it was canceled, or the simulation is over."""
        self._refusals = 0
        self._recorder = around.recorder
        self._witness = around.witness
        self.loop = loop if around.witness is not None else None
        """Kept only for a witness: else it may be freed before the client is."""
        self._kind = loop.kind or type(loop).__name__
        self._task = Task(loop.retry(Call(self), ClientContext(self)), self._concluded)

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
        """Stop the loop, and forget the calls in flight, which refer to this: the world is over."""
        self.stop()
        for connection in self.connections:
            connection.attempt = None
        self.connections.clear()

    async def refuse(self) -> None:
        """End what a loop that is stopped awaits; a loop that catches even that is left waiting."""
        self._refusals += 1
        if self._refusals > MOST_REFUSALS:
            await Pending()
        raise GeneratorExit

    def _noted(self, error: Exception) -> Exception:
        """Add to a mistake in a loop where in the model it was raised, and how to do better."""
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
