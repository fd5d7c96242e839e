"""`GuestRetrier`: the retry code that people ship, unmodified, as a retrier."""

from __future__ import annotations

import copyreg
from inspect import iscoroutinefunction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from sim.guests.arguments import constructor_mistake
from sim.guests.fresh import Supply
from sim.guests.processes import GuestClient, Process
from sim.guests.refused import GuestRefused
from sim.guests.settings import put_back_streams, streams
from sim.guests.standard_library import simulated
from sim.retriers.base import ClientRetrier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from sim.clients.around import Around
    from sim.clients.client import Client
    from sim.clients.place import Place
    from sim.guests.calls import GuestCall
    from sim.history.request import Request
    from sim.world.hosts import External


class _Deferred(type):
    """Lets a guest be constructed inside the simulation, and not where the simulation is put together."""

    def __call__(cls, *args: Any, **more: Any) -> Any:
        """Return an object that has not been constructed yet; `made` constructs one like it."""
        self: Any = cls.__new__(cls)  # type: ignore[call-overload]  # of a retrier
        self.given = args, more
        options = args[0] if args else more.get("options")
        self.options = cls.Options() if options is None else options  # type: ignore[attr-defined]  # as above
        return self


class GuestRetrier(ClientRetrier, metaclass=_Deferred):
    """Ordinary retry code, of any library, that runs as it is in simulated time: write `retry`.

    `__init__`, if there is one, takes the options. It runs inside the simulation too: once for each request of an
    isolated world, and once for each client of a shared one. So a breaker or a quota in `self` is a client's.
    """

    errors: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """What `call` raises: by the kind of an answer (`failed`, `timed_out`, `rejected.queue`) a class of exceptions, or
    a function that makes one of a `CallFailed`. The longest kind that matches counts; without one it is `CallFailed`.
    """
    concurrent: ClassVar[bool] = True
    needs_around: ClassVar[bool] = True
    given: tuple[tuple[Any, ...], dict[str, Any]]
    """What its constructor gets."""
    supply: ClassVar[Supply | None] = None
    """Gives out the class as it is when its module has just been run; None before it is asked for."""
    _processes: dict[tuple[str, int | str], Process] | None = None
    """By policy and client."""
    _streams: tuple[Any, ...] = ()
    """The standard streams as they were when the first request of its world came."""

    def retry(self, call: GuestCall) -> Any:
        """Call until done: `call(timeout=seconds)`, or `await call(timeout=seconds)` in an `async def`.

        It has succeeded if it returns, and one of its calls has succeeded. It has given up if it raises, or returns
        although no call has succeeded.
        """
        del call
        raise GuestRefused(f"the guest {type(self).__name__} has no `retry`: write `def retry(self, call)`")

    is_async: ClassVar[bool] = False
    """Whether `retry` is a coroutine function."""
    keeps_nothing: ClassVar[bool] = False
    """Whether the class says, by `stateless`, that its code keeps nothing, so that no request needs a fresh one."""

    def __init_subclass__(cls, **more: Any) -> None:
        """Look what kind of function `retry` is."""
        super().__init_subclass__(**more)
        cls.keeps_nothing = bool(vars(cls).get("stateless", False))
        cls.stateless = True  # the object itself keeps nothing: a process has what the guest keeps
        if "supply" not in vars(cls):
            cls.supply = None  # a class has its own
        if "retry" in vars(cls):
            cls.is_async = iscoroutinefunction(cls.retry)

    def code(self, found: Any) -> tuple[Callable[[Any], Any], Mapping[str, Any]]:
        """Return what is called for each request, and what its calls raise, given the class or function as new."""
        args, more = self.given
        guest = found.__new__(found)
        try:
            guest.__init__(*args, **more)
        except TypeError:
            mistake = constructor_mistake(found, args, more)
            if mistake is not None:
                raise mistake from None
            raise
        return guest.retry, guest.errors

    @classmethod
    def around_world(cls) -> AbstractContextManager[None]:
        """Let the standard library be simulated for guest code."""
        return simulated()

    def client(
        self,
        around: Around,
        action: External,
        request: Request,
        place: Place,
        concluded: Callable[[bool], None] | None = None,
    ) -> Client:
        """Return the client in which the guest runs."""
        if self._processes is None:
            self._processes = {}
            self._streams = streams()
        of_client = place.policy, place.client
        process = self._processes.get(of_client)
        if process is None:
            kind = self.kind or type(self).__name__
            supply = self.supply
            if supply is None:
                supply = type(self).supply = Supply(type(self))
            process = self._processes[of_client] = Process(
                kind, supply, self.code, is_async=self.is_async, is_alone=around.stand_alone
            )
        return GuestClient(around, action, process, request, place, concluded)

    def end(self) -> None:
        """Let nothing of the guest go on: the world is over. Raises GuestRefused if it goes on all the same."""
        processes, self._processes = self._processes, None
        try:
            for process in (processes or {}).values():
                process.end()
        finally:
            if self._streams != streams() and self._streams:
                put_back_streams(self._streams)
            self._streams = ()


def guest_of(function: Callable[[Any], Any], *, kind: str | None = None, path: str | None = None) -> type[GuestRetrier]:
    """Return the class of guests that run a plain function, which takes `call`; its attribute `errors` counts.

    `path` is the `module:name` of the function: with it, each guest gets the function of its module run anew.
    """
    name = getattr(function, "__name__", type(function).__name__)
    made: type[GuestRetrier] = _Deferred(  # type: ignore[assignment]  # a class of guests
        name,
        (_GuestFunction,),
        {
            "kind": kind or name,
            "errors": getattr(function, "errors", MappingProxyType({})),
            "function": staticmethod(function),
            "made_of": (function, kind, path),
            "supply": Supply(function, path),
            "is_async": iscoroutinefunction(function),
            "__module__": getattr(function, "__module__", __name__),
            "__doc__": getattr(function, "__doc__", None),
        },
    )
    return made


class _GuestFunction(GuestRetrier):
    """A guest that is a plain function."""

    function: ClassVar[Callable[[Any], Any]]
    made_of: ClassVar[tuple[Callable[[Any], Any], str | None, str | None]]
    """What `guest_of` was given."""

    def code(self, found: Any) -> tuple[Callable[[Any], Any], Mapping[str, Any]]:
        """Return the function and its `errors`."""
        return found, getattr(found, "errors", self.errors)


def _pickled(kind: type) -> str | tuple[Any, ...]:
    """Return how other processes get a class of guests: by its name, or made of its function again."""
    if "made_of" not in vars(kind):
        return kind.__qualname__
    return _guest_again, vars(kind)["made_of"]


def _guest_again(function: Callable[[Any], Any], kind: str | None, path: str | None) -> type[GuestRetrier]:
    return guest_of(function, kind=kind, path=path)


copyreg.pickle(_Deferred, _pickled)  # of a class of classes, `type` alone is known to it
