"""A service of the user's own: one class whose coroutine does the work on each call.

Write a class derived from `OwnService` with `async def handle(self, call, ctx)`. Servers, queue, network, rate limit,
load shedding and capacity stay what the scenario says; `handle` runs as the work of a call begins, holds its server,
and says with its end how the call went:

| `handle` | the call | effect |
| --- | --- | --- |
| returns | succeeds | at `ctx.effect()`, or else as it returns |
| raises `ServiceFailed` | fails | at `ctx.effect()`, if it was asked for before |
| raises anything else | a mistake: the simulation stops and tells it | |
| never ends | hangs, and holds its server | at `ctx.effect()` |

If the caller cancels the call, `handle` is stopped: GeneratorExit is raised where it waits.

A world has one instance of the class, made as the world begins: what it keeps in `self` lives as long as that world.
Nothing may outlive it, and nothing may come from outside: the rules of retriers hold (`sim.retriers.base`), and `run`
looks whether they are kept.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sim.history.failure import Failure
from sim.history.traffic import CallEnd
from sim.history.vocabulary import ACK_LOST, FAIL, NEVER, OWN, RETURNED, SUCCESS, THREW
from sim.kernel.alarm import Alarm
from sim.kernel.choices import owned
from sim.kernel.clock import Pending, Task
from sim.kernel.durations import RUNAWAY_NS, format_duration, ms_of_ns, ns_of_ms
from sim.kernel.foreign import HOW_TO_WAIT, is_foreign
from sim.options import own_code
from sim.options.model import Options
from sim.options.part_name import NAME
from sim.world.attempt import BLAME
from sim.world.services.service import Service

if TYPE_CHECKING:
    from sim.world.services.options import FrontOptions
    from sim.world.services.surroundings import Surroundings
    from sim.world.services.visit import Visit

HOW_TO_FAIL: Final = "A call fails by `raise ServiceFailed()`; any other error counts as a mistake."


class ServiceFailed(Exception):
    """Raised by `handle` to let a call fail; its caller hears what the arguments say.

    `kind` is a name for it, told as `failed.KIND`; `final` marks it as not worth a retry; `retry_after_ms` asks the
    caller to wait so long. Raises ValueError for another kind than a name, and a wait that is negative or not finite.
    """

    def __init__(self, kind: str = "", *, final: bool = False, retry_after_ms: float | None = None) -> None:
        if kind and not NAME.fullmatch(kind):
            raise ValueError(f"a kind of failure has up to 64 letters, digits, '_' and '-', not {kind!r}")
        if retry_after_ms is not None and not 0 <= retry_after_ms < inf:
            raise ValueError(f"retry_after_ms must be finite and not negative, not {retry_after_ms}")
        super().__init__(kind or "the call failed")
        self.failure = Failure(
            final=final,
            retry_after_ns=NEVER if retry_after_ms is None else ns_of_ms(retry_after_ms),
            kind=f"failed.{kind}" if kind else "",
        )


class HandledCall:
    """One call at a service, as the service knows it."""

    __slots__ = ("_service", "_visit")

    def __init__(self, service: OwnQueueingService, visit: Visit) -> None:
        self._service = service
        self._visit = visit

    @property
    def request(self) -> int:
        """The number of the request for which it is made."""
        return self._visit.request.number

    @property
    def number(self) -> int:
        """Counts the calls of that request at this service, from 1."""
        return self._visit.number

    @property
    def caller_class(self) -> str:
        """The name of the request's class; empty if there are no classes."""
        return self._service.around.callers.class_name(self._visit.request)

    @property
    def client(self) -> int:
        """The number of the client that asks."""
        return self._visit.request.client

    @property
    def given_up(self) -> bool:
        """Whether its caller has stopped waiting. A real service rarely knows; it is here to be measured."""
        return self._visit.attempt.given_up


class ServiceContext:
    """What a service can do in the course of one call: wait, draw numbers, have its effect, look at itself."""

    __slots__ = ("_service", "_visit")

    def __init__(self, service: OwnQueueingService, visit: Visit) -> None:
        self._service = service
        self._visit = visit

    @property
    def now_ms(self) -> float:
        """Simulated time in ms."""
        return ms_of_ns(self._service.clock.now_ns)

    @property
    def in_queue(self) -> int:
        """How many calls wait for a server."""
        return len(self._service.waiting)

    @property
    def in_progress(self) -> int:
        """How many calls are worked on, this one included."""
        return self._service.in_progress

    async def sleep(self, delay_ms: float) -> None:
        """Work, or wait, for so long. Raises ValueError if that is negative or not finite."""
        if not 0 <= delay_ms < inf:
            raise ValueError(f"a delay must be finite and not negative, not {delay_ms} ms")
        if self._service.is_stopped:
            raise GeneratorExit
        clock, awake = self._service.clock, Pending()
        delay_ns = ns_of_ms(delay_ms)
        if clock.now_ns + delay_ns <= RUNAWAY_NS:
            self._visit.alarm = Alarm(clock, delay_ns, awake.succeed)
        await awake

    def uniform(self, stream: str, index: int = 0) -> float:
        """Draw the number on [0, 1) of this address for this call: stream is a name, index counts draws."""
        return self._service.uniform(self._visit, stream, index)

    def effect(self) -> None:
        """Have the effect of the call now, instead of at its end. Raises ValueError at a second time."""
        if self._visit.writes:
            raise ValueError("a call has one effect, but `ctx.effect()` was called twice")
        self._service.effect(self._visit)


class NoOptions(Options):
    """The options of a service that has none."""


class OwnService:
    """The base of services of one's own: write `handle`.

    `Options` is the model of what a scenario says beside servers, queue and the like; `self.options` is an instance.
    """

    Options: ClassVar[type[Options]] = NoOptions

    def __init__(self, options: Any = None) -> None:
        self.options = self.Options() if options is None else options

    async def handle(self, call: HandledCall, ctx: ServiceContext) -> Any:
        """Work on one call: return for success, raise `ServiceFailed` for failure.

        `await ctx.sleep(ms)` takes time. Nothing else can be awaited: time is simulated, without asyncio.
        """
        raise NotImplementedError


def load(path: str) -> type[OwnService]:
    """Import a service named `module:Class`; LookupError if there is no such name, TypeError if it is none."""
    found = own_code.find(path, "service")
    if not (isinstance(found, type) and issubclass(found, OwnService)):
        raise TypeError(f"'{path}' is not derived from OwnService")
    return found


def load_anew(path: str) -> type[OwnService] | None:
    """Run the module of a service once more, and return the class of that name; None if that cannot be done."""
    found = own_code.anew(path)
    return found if isinstance(found, type) and issubclass(found, OwnService) else None


class OwnQueueingService(Service):
    """Plays a service of the user's own: its front is that of any service, its work a task for each call."""

    def __init__(  # noqa: PLR0917  # as other services, with what does the work
        self, name: str, position: int, options: FrontOptions, around: Surroundings, kind: str, made: OwnService
    ) -> None:
        super().__init__(name, position, options, around)
        self._kind = kind
        self._made = made
        self._tasks: dict[int, Task] = {}
        """Of the calls that are worked on."""
        self.is_stopped = False

    def work(self, visit: Visit, others: int) -> None:
        """Let the user's coroutine work on a call."""
        del others
        if visit.attempt.is_to_blame:
            visit.attempt.blame = BLAME[FAIL]
        self.record("work", visit, (OWN, NEVER, NEVER, NEVER))
        coroutine = self._made.handle(HandledCall(self, visit), ServiceContext(self, visit))

        def finished(value: Any, error: Exception | None) -> None:
            del value
            self._tasks.pop(visit.id, None)
            self._finished(visit, error)

        self._tasks[visit.id] = task = Task(coroutine, finished)
        task.go_on()

    def stop_work(self, visit: Visit) -> None:
        """Stop the coroutine of a call where it waits: GeneratorExit is raised there, so that `finally` can tidy up."""
        super().stop_work(visit)
        self._end(self._tasks.pop(visit.id))

    def uniform(self, visit: Visit, stream: str, index: int) -> float:
        """Draw for one call of one request."""
        address = owned(f"own.{stream}", self.name)
        return self.around.choices.uniform(address, visit.request.number, index, visit.number)

    def effect(self, visit: Visit) -> None:
        """Let the effect of a call happen."""
        visit.writes = True
        if visit.attempt.is_to_blame:
            visit.attempt.blame = BLAME[SUCCESS]
        self.apply(visit, None)

    def _finished(self, visit: Visit, error: Exception | None) -> None:
        if error is None:
            if not visit.writes:
                self.effect(visit)
            self.finish(visit, RETURNED, CallEnd.success)
        elif isinstance(error, ServiceFailed):
            if visit.attempt.is_to_blame:
                visit.attempt.blame = BLAME[ACK_LOST if visit.writes else FAIL]
            self.finish(visit, THREW, CallEnd.failed, error.failure)
        else:
            self._stop_with(self._noted(error, visit))

    def _stop_with(self, error: Exception) -> None:
        """Raise a mistake out of the clock: raised here it would reach the caller's code, which may catch it."""

        def tell() -> None:
            raise error

        self.clock.call_after(0, tell, urgent=True)

    def _noted(self, error: Exception, visit: Visit) -> Exception:
        """Add to a mistake in the user's class where in the model it was raised, and how to do better."""
        helps = f"{HOW_TO_WAIT}." if is_foreign(error) else HOW_TO_FAIL
        error.add_note(
            f"raised by service '{self.name}' ({self._kind}) at call {visit.number} for request "
            f"{visit.request.number} at {format_duration(self.clock.now_ns)}. {helps}"
        )
        return error

    def stop(self) -> None:
        """End the work on all calls where it waits: GeneratorExit is raised there, so that `finally` can tidy up."""
        super().stop()
        self.is_stopped = True
        for task in self._tasks.values():
            self._end(task)
        self._tasks.clear()

    def _end(self, task: Task) -> None:
        error = task.stop()
        if error is not None and not isinstance(error, ServiceFailed):
            error.add_note(
                f"raised by service '{self.name}' ({self._kind}) as its work was stopped: let GeneratorExit "
                "through, as `except Exception` and `finally` do, and await nothing then"
            )
            raise error
