"""What an invariant is: a pure generator over an indexed history that yields what breaks it, with the events as proof.

    @invariant()
    def no_third_attempt(view):
        '''A request is attempted at most twice.'''
        for request in view.requests.values():
            if len(request.attempts) > 2:
                yield breach(request.number, f"{request} is attempted a third time", request.attempts[2].start)

Four kinds. `always`: nothing bad has happened so far; holds on a history cut anywhere. `eventually`: something good
has happened by the end; asked only of a history with nothing left to happen. `sometimes`: over many histories the
thing is seen at least once; its generator yields sightings, and one that is never seen has failed. `overall`: a law of
chance that a whole run follows (`sim.chance`).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.history.events import Event
    from sim.promises.view import View

ALWAYS: Final = "always"
EVENTUALLY: Final = "eventually"
SOMETIMES: Final = "sometimes"
OVERALL: Final = "overall"
Kind = Literal["always", "eventually", "sometimes", "overall"]
Party = Literal["retrier", "platform"]
"""Who owes an invariant."""


class Violation(NamedTuple):
    """One place where a history breaks an invariant; of a `sometimes`, one sighting."""

    invariant: str
    request: int
    """The request concerned, -1 for none."""
    text: str
    """One plain sentence."""
    events: tuple[Event, ...]
    """The events that prove it, in order."""


def breach(request: int, text: str, *events: Event | None) -> Violation:
    """Say what is broken; which invariant it breaks is filled in for it. Events that are None are left out."""
    return Violation("", request, text, tuple(event for event in events if event is not None))


@dataclass(frozen=True, slots=True)
class Invariant:
    """A claim about every history (or, of kind `sometimes`, about some), and how to look for what breaks it."""

    name: str
    kind: Kind
    owed_by: Party
    doc: str
    """The claim, in one sentence."""
    search: Callable[[View], Iterator[Violation]]

    def __repr__(self) -> str:
        return f"<invariant {self.name}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001  # as Hypothesis and IPython call it
        """Show its name: a course lists all invariants that it was held against."""
        del cycle
        printer.text(repr(self))

    def check(self, view: View) -> Iterator[Violation]:
        """Yield what breaks it."""
        for found in self.search(view):
            yield found._replace(invariant=self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        # Its function is found under the name that it has itself: pickle goes there, so that processes can share it.
        return find, (self.search.__module__, self.search.__qualname__)


def find(module: str, name: str) -> Any:
    """Return what has this name in a module."""
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def invariant(
    kind: Kind = "always", name: str | None = None, *, owed_by: Party = "retrier"
) -> Callable[[Callable[[View], Iterator[Violation]]], Invariant]:
    """Make an invariant of a generator over a `View`; its name is the function's, its claim the docstring's first line.

    Raises ValueError without a docstring: a violation has to say what was claimed.
    """

    def make(search: Callable[[View], Iterator[Violation]]) -> Invariant:
        claim = (search.__doc__ or "").strip().partition("\n")[0]
        if not claim:
            raise ValueError(f"the invariant {search.__name__} needs a docstring that says what it claims")
        return Invariant(search.__name__.replace("_", "-") if name is None else name, kind, owed_by, claim, search)

    return make
