"""Puts the services of a world together: each with the calls that it makes itself, and the callers that make them.

A service calls another one as a client outside does, with a loop of its own: `none` or any other `LoopRetrier`. What
such a call is charged to is a record apart from the request's own (`Request.at_service`), so that attempts and effects
of a layer never count as the request's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.clients.around import Around
from sim.clients.place import Place
from sim.history.request import AtReceiver, Request
from sim.kernel.alarm import Alarm
from sim.kernel.choices import owned
from sim.retriers.base import ClientRetrier
from sim.scenario.parts.own_service import OwnServiceOptions
from sim.scenario.parts.services import ServiceOptions
from sim.world.effects import Key
from sim.world.services.options import VersionedRow
from sim.world.services.own import OwnQueueingService
from sim.world.services.versioned_row import VersionedRowService
from sim.world.services.work import QueueingService

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sim.clients.cells import Cells
    from sim.clients.client import Client
    from sim.clients.policy.machine import Run
    from sim.kernel.choices import Choices
    from sim.scenario.parts.services import LayerOptions
    from sim.world.services.service import Receiver
    from sim.world.services.surroundings import Surroundings
    from sim.world.services.visit import Visit


def compose(
    services: Mapping[str, ServiceOptions | VersionedRow | OwnServiceOptions], around: Surroundings, cells: Cells
) -> dict[str, Receiver]:
    """Make the services of a scenario, by their names. Their graph of calls has no cycle: the scenario is checked."""
    made: dict[str, Receiver] = {}
    for position, (name, options) in enumerate(services.items()):
        if isinstance(options, VersionedRow):
            made[name] = VersionedRowService(name, position, options, around)
        elif isinstance(options, OwnServiceOptions):
            made[name] = OwnQueueingService(name, position, options, around, options.kind, options.make())
        else:
            made[name] = QueueingService(name, position, options, around)
    for name, options in services.items():
        caller = made[name]
        if isinstance(caller, QueueingService) and isinstance(options, ServiceOptions):
            caller.layers = [
                CallOfService(f"{name}.{position}", caller, made[layer.service], layer, around, cells)
                for position, layer in enumerate(options.calls)
            ]
    return made


class CallOfService:
    """One of the calls that a service makes in the course of its work, by a retrier of its own."""

    def __init__(  # noqa: PLR0917  # one place makes it
        self,
        name: str,
        caller: Receiver,
        target: Receiver,
        options: LayerOptions,
        around: Surroundings,
        cells: Cells,
    ) -> None:
        self._name = name
        self._caller = caller.position
        self._target = target
        self._around = around
        self._timeout_ns = options.timeout
        self._cells = cells
        self._place = Place(name, caller.name, target.name, target.position)
        retrier = options.retrier.make()
        assert isinstance(retrier, ClientRetrier)  # noqa: S101  # a checked scenario has no other here
        self.retrier = retrier

    def call(self, visit: Visit, done: Callable[[bool], None]) -> _EndOfCall:
        """Call until the retrier knows the end, or the timeout of the whole call is over."""
        around, root = self._around, visit.request.root or visit.request
        runs = root.at(self._name)
        runs.calls += 1
        request = Request(root.number, around.clock.now_ns)
        request.root, request.caller, request.within = root, self._caller, visit.id
        request.key = _key_at(root.at(self._target.name))
        request.caller_class, request.client = root.caller_class, root.client
        choices = _Choices(around.choices, self._name, runs.calls)
        clients = Around(around.clock, choices, cells=self._cells, calls=around.calls)  # type: ignore[arg-type]  # clients of services draw uniforms alone
        end = _EndOfCall(done)
        end.client = client = self.retrier.client(clients, self._target, request, self._place, end.tell)
        if self._timeout_ns is not None:
            end.alarm = Alarm(around.clock, self._timeout_ns, end.time_out)
        client.start()
        return end


def _key_at(receiver: AtReceiver) -> Key:
    if receiver.key is None:
        receiver.key = Key()
    key: Key = receiver.key
    return key


class _Choices:
    """Random numbers for one run of a layer's retrier: its streams are its own, and every run has other numbers."""

    __slots__ = ("_choices", "_owner", "_run")

    def __init__(self, choices: Choices, owner: str, run: int) -> None:
        self._choices = choices
        self._owner = owner
        self._run = run

    def uniform(self, stream: str, entity: int, index: int = 0, rerun: int = 0) -> float:
        """Draw a number on [0, 1)."""
        return self._choices.uniform(owned(stream, self._owner), entity, index, rerun + self._run)


class _EndOfCall:
    """Tells a service once how its call has ended: by the client's conclusion, or by the timeout of the whole call."""

    __slots__ = ("_done", "alarm", "client")

    def __init__(self, done: Callable[[bool], None]) -> None:
        self._done: Callable[[bool], None] | None = done
        self.client: Client | Run | None = None
        self.alarm: Alarm | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._done is None

    def time_out(self) -> None:
        """Give the whole call up as its timeout is over."""
        self._leave()
        self.tell(succeeded=False)

    def give_up(self) -> None:
        """Give the whole call up: its service needs no answer."""
        self._done = None
        self._leave()
        self.tell(succeeded=False)

    def _leave(self) -> None:
        """Wait no longer: what it has sent goes on."""
        if self.client is not None:
            self.client.give_up_calls()
            self.client.stop()

    def tell(self, succeeded: bool) -> None:  # noqa: FBT001  # the one thing that it is told
        """End the call."""
        done, self._done = self._done, None
        self.client = None
        if self.alarm is not None:
            self.alarm.cancel()
            self.alarm = None
        if done is not None:
            done(succeeded)
