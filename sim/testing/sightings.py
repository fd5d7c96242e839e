"""Claims about many histories: something must be seen at least once, so no single history can break them.

    from sim.testing.sightings import Sightings

    seen = Sightings()

    @given(scenarios("helpers"))
    def look(scenario):
        seen.look(scenario, MyRetrier)

    def test_jitter_goes_all_the_way():
        look()
        assert seen.unseen == ()

Jitter that is narrower than its law keeps the law in every history. Only a whole property run shows that it never
comes near an end of the law. Waits cut short by a cap do not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.contracts.catalogue import STRICTER
from sim.promises.invariant import SOMETIMES
from sim.testing.histories import simulated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sim.promises.invariant import Invariant
    from sim.retriers.base import Retrier
    from sim.scenario.schema import Scenario

REACHED = tuple(one for one in STRICTER if one.kind == SOMETIMES)
"""Waits before retries and between polls come near both ends of their laws."""


class Sightings:
    """Looks for sightings of invariants of kind `sometimes`. Raises ValueError for an invariant of another kind."""

    def __init__(self, invariants: Iterable[Invariant] = REACHED) -> None:
        self._unseen = {one.name: one for one in invariants}
        if wrong := [one.name for one in self._unseen.values() if one.kind != SOMETIMES]:
            raise ValueError(f"'{wrong[0]}' is not of kind sometimes: check it in every history")

    @property
    def unseen(self) -> tuple[str, ...]:
        """The names of the invariants that no history has shown so far."""
        return tuple(self._unseen)

    def look(self, scenario: Scenario, retrier: Callable[[], Retrier] | None = None) -> None:
        """Simulate a scenario and look for what is unseen; `retrier` makes a retrier that replaces its own."""
        if not self._unseen:
            return
        for one in simulated(scenario, retrier):
            for name in [name for name, claim in self._unseen.items() if any(True for _ in claim.check(one.view))]:
                del self._unseen[name]
