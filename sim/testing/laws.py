"""Laws of chance over a whole property run: the draws of all examples together stand the tests of `sim.chance`.

    from sim.testing.laws import Laws

    laws = Laws()

    @given(scenarios("helpers"))
    def look(scenario):
        laws.look(scenario, MyRetrier)

    def test_waits_follow_their_law():
        look()
        assert laws.broken == {}

Each example is small, and so are the runs of `simulate`; together they have draws enough to tell a law from another.
What depends on the scenario, such as the share of an outcome, is still tested example by example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.chance.evidence import Evidence
from sim.chance.overall import gatherers, struck
from sim.contracts.catalogue import INVARIANTS
from sim.experiment.terms import stated_of
from sim.kernel.draws import Draws
from sim.promises.invariant import OVERALL
from sim.testing.histories import simulated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sim.promises.invariant import Invariant
    from sim.retriers.base import Retrier
    from sim.scenario.schema import Scenario

LAWS = tuple(one for one in INVARIANTS if one.kind == OVERALL)
"""All invariants of kind `overall`."""


class Laws:
    """Gathers draws over many scenarios. Raises ValueError for an invariant that is not of kind `overall`."""

    def __init__(self, invariants: Iterable[Invariant] = LAWS) -> None:
        self._held = tuple(invariants)
        if wrong := [one.name for one in self._held if one.kind != OVERALL]:
            raise ValueError(f"'{wrong[0]}' is not of kind overall: check it in every history")
        self._evidence = Evidence()
        self._looks = 0

    def look(self, scenario: Scenario, retrier: Callable[[], Retrier] | None = None) -> None:
        """Simulate a scenario and take its draws; `retrier` makes a retrier that replaces its own.

        The numbers come from a seed of this look's own: two examples with the same seed would draw the same.
        """
        self._looks += 1
        gathering = gatherers(self._held, stated_of(scenario))
        for one in simulated(scenario, retrier, Draws(self._looks)):
            for gatherer in gathering:
                gatherer.look(one.view)
        for gatherer in gathering:
            gatherer.close(self._evidence)

    @property
    def draws(self) -> int:
        """How many draws there are so far."""
        return self._evidence.draws

    @property
    def broken(self) -> dict[str, str]:
        """By the name of each invariant that is broken: the sentence that says how."""
        names = {one.name for one in self._held}
        trials = [trial for trial in self._evidence.trials() if trial.invariant in names]
        return {name: violation.text for name, violation in struck(trials, len(trials)).items()}
