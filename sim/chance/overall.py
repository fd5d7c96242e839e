"""Invariants of a whole run, and the ruling over all their tests together.

The histories of a run are shown to gatherers, one after the other. What they have gathered is put to the test in the
end. A test strikes if what was seen is less likely than the level, divided by the number of all tests of the run
(Bonferroni): a run in which all is right is blamed once in a million.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from sim.promises.invariant import OVERALL, Invariant, Party, Violation, breach, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sim.chance.evidence import Evidence, Trial
    from sim.chance.stated import Stated
    from sim.promises.promises import Promises
    from sim.promises.view import View

LEVEL: Final = 1e-6
"""How likely all tests of a run together are to blame one in which all is right."""
LEVEL_TEXT: Final = "1e-6"


class Gatherer(Protocol):
    """Gathers what the histories of one cell say of some laws."""

    def look(self, view: View) -> None:
        """Take a history."""
        ...

    def state(self) -> Any:
        """Return all that was gathered, as plain values that JSON can hold."""
        ...

    def add(self, state: Any, promises: Promises) -> None:
        """Take what another gatherer of this kind has gathered from the histories behind these.

        `promises` are those of the scenario's retrier, which are code and no part of a state.
        """
        ...

    def close(self, evidence: Evidence) -> None:
        """Add all that was gathered."""
        ...


@dataclass(frozen=True, slots=True)
class Overall(Invariant):
    """A claim about all histories of a run together."""

    gather: Callable[[Stated], Gatherer] = field(kw_only=True)
    """Makes what gathers for it; invariants that gather alike share one."""

    def __reduce__(self) -> tuple[Any, ...]:
        # It stands under its own name beside what gathers for it.
        return find, (self.gather.__module__, self.name.replace("-", "_"))


def overall(name: str, owed_by: Party, doc: str, gather: Callable[[Stated], Gatherer]) -> Overall:
    """Make an invariant of a whole run; no single history breaks it."""
    return Overall(name, OVERALL, owed_by, doc, _nothing, gather=gather)


def _nothing(view: View) -> Iterator[Violation]:
    del view
    yield from ()


def gatherers(invariants: Iterable[Invariant], stated: Stated) -> list[Gatherer]:
    """Return what gathers for these invariants, each once."""
    made = dict.fromkeys(one.gather for one in invariants if isinstance(one, Overall))
    return [make(stated) for make in made]


def struck(trials: Sequence[Trial], tests: int) -> dict[str, Violation]:
    """Return by the name of each invariant the test that strikes it hardest, of so many tests in the whole run."""
    found: dict[str, Violation] = {}
    for trial in sorted(trials, key=lambda one: one.chance):
        if trial.chance < LEVEL / max(tests, 1):
            found.setdefault(trial.invariant, breach(-1, trial.text)._replace(invariant=trial.invariant))
    return found
