"""Which retrier serves a request: that of its class, kept by its client.

A class without a retrier of its own is served as the scenario says, together with all such classes. A retrier of the
deployment is one for all clients; a retrier outside is one for each client, made when that client first needs it.
Retriers of the deployment do not know of each other: each has tables of its own, as the components of a deployment.
But retriers that name the same pool have the same tables: each gives its works options of its own, and the pool's slots
and its loop are those of all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sim.retriers.base import Retrier, ScheduledRetrier, promises_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sim.convex.functions import Function
    from sim.convex.store import Store
    from sim.history.request import Request
    from sim.promises.promises import Promises
    from sim.scenario.schema import Scenario

    Make = Callable[[], Retrier]

SCENARIOS: Final = ""
"""The namespace of the scenario's own retrier."""


class Retriers:
    """The retriers of one world."""

    def __init__(self, cell: Scenario, action: Function, store: Store, given: Make | Retrier | None = None) -> None:
        """Make the retriers of a cell; `given` takes the place of the scenario's own, see `sim.engine.world.World`."""
        self._action = action
        self._store = store
        self._make: dict[str, Make | Retrier] = {SCENARIOS: cell.retrier.maker() if given is None else given}
        """By the name of a retrier: that of its class with a stroke, `SCENARIOS` for that of the others."""
        self._names: list[str] = []
        """By class."""
        for one in cell.callers:
            own = one.retrier is not None and one.share > 0
            self._names.append(f"{one.name}/" if own else SCENARIOS)
            if own and one.retrier is not None:
                self._make[f"{one.name}/"] = one.retrier.maker()
        made = {space: make if isinstance(make, Retrier) else make() for space, make in self._make.items()}
        self._first = made
        """The first of each, by namespace; of a retrier of the deployment the only one."""
        self._namespaces = {name: _namespace(name, made) for name in made}
        """What stands before the names of the tables of each retrier."""
        self._of_client: dict[tuple[str, int], Retrier] = {(name, 0): retrier for name, retrier in made.items()}
        self.promises: dict[str, Promises] = {name: promises_of(retrier) for name, retrier in made.items()}
        """Asked for before anything happens: what a retrier does to its own fields later does not change them."""
        for name, retrier in made.items():
            self._bind(self._namespaces[name], retrier)
        self._renews = cell.world == "isolated" and not (
            isinstance(self._make[SCENARIOS], Retrier) or made[SCENARIOS].stateless
        )
        self._is_used = False
        """Whether a request has met the present retrier."""

    @property
    def scenarios(self) -> Retrier:
        """The scenario's own: of the request at hand, if each has one."""
        return self._first[SCENARIOS]

    @property
    def promises_of_scenario(self) -> Promises:
        """What the scenario's own retrier promises."""
        return self.promises[SCENARIOS]

    def namespace_of(self, caller_class: int) -> str:
        """Return what stands before the names of the tables of a class' retrier."""
        return self._namespaces[self._name_of(caller_class)]

    def _name_of(self, caller_class: int) -> str:
        return self._names[caller_class] if self._names else SCENARIOS

    def promises_of(self, caller_class: int) -> Promises:
        """Return what the retrier of a class promises."""
        return self.promises[self._name_of(caller_class)]

    def first_of(self, caller_class: int) -> Retrier:
        """Return the first retrier of a class that was made."""
        return self._first[self._name_of(caller_class)]

    def serving(self, request: Request) -> Retrier:
        """Return the retrier of a request."""
        name = self._name_of(request.caller_class)
        first = self._first[name]
        if request.client == 0 or isinstance(first, ScheduledRetrier):
            return first
        place = name, request.client
        retrier = self._of_client.get(place)
        if retrier is None:
            make = self._make[name]
            retrier = self._of_client[place] = make if isinstance(make, Retrier) else make()
        return retrier

    def all(self) -> Iterator[Retrier]:
        """Yield every retrier made so far, in the order in which they were made."""
        yield from self._of_client.values()

    def deployed(self) -> Iterator[tuple[str, ScheduledRetrier]]:
        """Yield the retriers of the deployment, each with its namespace."""
        for name, retrier in self._first.items():
            if isinstance(retrier, ScheduledRetrier):
                yield self._namespaces[name], retrier

    def operated(self, pool: str | None, doing: str) -> tuple[str, Function]:
        """Return the namespace of a pool, and the mutation by which an operator acts on it.

        `pool`: its name, None for the only one. Raises LookupError if there is none.
        """
        for namespace, retrier in self.deployed():
            function = retrier.of_operator(doing) if pool in (None, retrier.pool_of(retrier.options)) else None
            if function is not None:
                return namespace, function
        raise LookupError(f"there is no pool '{pool}'")

    def renew(self) -> None:
        """Make the retrier of the next isolated request, unless the present one is new or keeps nothing of requests."""
        if self._renews and self._is_used:
            make = self._make[SCENARIOS]
            assert not isinstance(make, Retrier)  # noqa: S101  # such a one is never renewed
            retrier = make()
            self._first[SCENARIOS] = self._of_client[SCENARIOS, 0] = retrier
            if isinstance(retrier, ScheduledRetrier):
                retrier.bind(self._action)
        self._is_used = True

    def _bind(self, namespace: str, retrier: Retrier) -> None:
        if isinstance(retrier, ScheduledRetrier):
            retrier.bind(self._action)
            for table, indexes in retrier.tables.items():
                self._store.define(namespace + table, indexes)


def _namespace(name: str, made: Mapping[str, Retrier]) -> str:
    """Return what stands before the names of a retrier's tables: its own name, or that of the first of its pool."""
    pools = {other: (one.kind, one.pool_of(one.options)) for other, one in made.items()}
    return next(other for other in pools if pools[other] == pools[name]) if pools[name][1] else name
