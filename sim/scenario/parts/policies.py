"""What is wrong with the policies of a scenario that only the rest of the scenario shows."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sim.clients.cells import REQUEST
from sim.clients.policy.options import SHARED, UNLIMITED, PolicyOptions
from sim.scenario.mistakes.problems import Path, Problem
from sim.scenario.parts.retrier import RetrierChoice
from sim.scenario.tree import Tree, written

ENDLESS: Final = (
    f"`attempts: {UNLIMITED}` needs an end: a `deadline` or a `budget` of the policy, or `until` of the scenario"
)


def endless_policies(retriers: Iterator[tuple[Path, RetrierChoice]], *, has_end: bool) -> Iterator[Problem]:
    """Find policies that try for ever in a scenario that has no end either, given retriers with their places."""
    if has_end:
        return
    for place, choice in retriers:
        options = choice.options
        if isinstance(options, PolicyOptions) and not options.ends:
            in_place = "attempts" in options.model_fields_set
            yield Problem((*place, "attempts") if in_place else place, ENDLESS)


def scopes_of_more(retrier: Any) -> Iterator[Path]:
    """Yield the places of the written scopes of a policy that reach beyond one request, below the retrier."""
    if not isinstance(retrier, Mapping):
        return
    places: list[Path] = [("scope",)]
    for block in SHARED:
        options = retrier.get(block)
        places.append((block, "scope"))
        if isinstance(options, Mapping):
            places += [(block, str(key), "scope") for key in options]
    for place in places:
        found = _at(retrier, place)
        if found not in (None, REQUEST) and isinstance(found, str):
            yield place


def _at(tree: Tree, place: Path) -> Any:
    return written(tree, *map(str, place))
