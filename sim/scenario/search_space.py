"""The space that a search goes through: one axis a key, and points of it as changes to a scenario.

Only what somebody can choose is searched: the retrier and its options, the platform's numbers, the idempotency window.
The action, its weather and the load are the world in which candidates are compared. Which kind of axis a range makes
(durations, whole numbers, numbers) follows from the model of what it sets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

from sim.kernel.draws import Draws
from sim.kernel.durations import format_duration, parse_duration
from sim.options.model import as_written
from sim.scenario.cells import with_whole_key
from sim.scenario.changes import Change, apply, follow
from sim.scenario.mistakes.without_effect import written
from sim.scenario.mistakes.problems import Path, Problem, ScenarioError
from sim.scenario.parts.tuning import Range, Values, searched_values
from sim.scenario.schema import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from sim.scenario.checks import Surroundings
    from sim.scenario.mistakes.without_effect import Tree

CHOSEN = ("retrier", "platform", "action.idempotency")
"""What somebody who runs a service can choose."""
PLACE = ("tune", "search")
DIGITS_LOG, DIGITS_LINEAR = 2, 3
"""Significant digits of the values tried: on a logarithmic scale neighbours differ by 1 to 10 %."""
MOST_TRIES = 64
"""Points of the sequence looked at for each candidate wanted, where many fall on the same rounded values."""

Kind = Literal["duration", "whole", "number", "listed"]


@dataclass(frozen=True)
class Axis:
    """One searched key."""

    key: str
    kind: Kind
    low: float = 0
    high: float = 0
    """The ends of a range, durations in ns."""
    log: bool = False
    values: tuple[Any, ...] = ()
    """The values of a list."""

    @property
    def size(self) -> int | None:
        """How many values there are; None where that is without end, or nearly so."""
        if self.kind == "listed":
            return len(self.values)
        return int(self.high - self.low) + 1 if self.kind == "whole" and not self.log else None

    def value(self, at: float) -> Any:
        """Return the value, as files write it, at a place on [0, 1) of the axis; of a range also beyond its ends."""
        if self.kind == "listed":
            return self.values[int(at * len(self.values))]
        if self.kind == "whole" and not self.log:
            return int(self.low) + int(at * (self.high - self.low + 1))
        if self.log:
            found = math.exp(math.log(self.low) + at * (math.log(self.high) - math.log(self.low)))
        else:
            found = self.low + at * (self.high - self.low)
        found = float(f"{found:.{(DIGITS_LOG if self.log else DIGITS_LINEAR) - 1}e}")
        if 0 <= at <= 1:
            found = min(max(found, self.low), self.high)
        if self.kind == "duration":
            return format_duration(round(found)) if found >= 0 else f"{found:g}"
        return round(found) if self.kind == "whole" or found == round(found) else found

    def place(self, value: Any) -> float | None:
        """Return where on [0, 1] a value of a range lies; None for one of a list."""
        if self.kind == "listed":
            return None
        number = float(parse_duration(value)) if self.kind == "duration" else float(value)
        if self.high == self.low:
            return None
        if self.log:
            return math.log(number / self.low) / math.log(self.high / self.low)
        return (number - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class SearchSpace:
    """All axes of a search."""

    axes: tuple[Axis, ...]

    @cached_property
    def size(self) -> int | None:
        """How many points there are; None where that is without end."""
        sizes = [axis.size for axis in self.axes]
        return None if None in sizes else math.prod(size for size in sizes if size is not None)

    def points(self, wanted: int, seed: int) -> list[dict[str, Any]]:
        """Return so many different points, or all where there are no more: by key the value as files write it.

        The additive recurrence of M. Roberts ("The unreasonable effectiveness of quasirandom sequences", 2018): the
        n-th point is frac(shift + n / phi^k) on axis k = 1, 2, ..., with phi the root of x^(d + 1) = x + 1; the shift
        is drawn for each axis (P. Shirley and others call that a Cranley-Patterson rotation).
        """
        if self.size is not None and self.size <= wanted:
            every = [
                [axis.value((number + 0.5) / int(axis.size or 1)) for number in range(int(axis.size or 1))]
                for axis in self.axes
            ]
            return [self._named(values) for values in product(*every)]
        draws, phi = Draws(seed), _golden(len(self.axes))
        shifts = [draws.uniform("tune.shift", entity) for entity in range(len(self.axes))]
        found: dict[str, dict[str, Any]] = {}
        for number in range(1, wanted * MOST_TRIES + 1):
            places = [math.modf(shift + number / phi ** (axis + 1))[0] for axis, shift in enumerate(shifts)]
            point = self._named([axis.value(place) for axis, place in zip(self.axes, places, strict=True)])
            found.setdefault(repr(point), point)
            if len(found) == wanted:
                break
        return list(found.values())

    def _named(self, values: Sequence[Any]) -> dict[str, Any]:
        return {axis.key: value for axis, value in zip(self.axes, values, strict=True)}


def _golden(axes: int) -> float:
    """Return the root above 1 of x^(axes + 1) = x + 1; for one axis the golden ratio."""
    root = 2.0
    for _ in range(64):
        root = (1 + root) ** (1 / (axes + 1))
    return root


def search_space(scenario: Scenario) -> SearchSpace:
    """Return the space that a scenario's `tune` block spans; raises ScenarioError where a key or a value is wrong."""
    if scenario.tune is None:
        reason = "is missing: `tune` says what to search, such as {search: {retrier.max_failures: {from: 0, to: 16}}}"
        raise ScenarioError([Problem(("tune",), reason)])
    axes, problems = _axes(scenario.written, scenario.surroundings, scenario.tune.search)
    if problems:
        raise ScenarioError(problems)
    return SearchSpace(tuple(axes))


def check_search(tree: Tree, surroundings: Surroundings, known: Sequence[Problem]) -> list[Problem]:
    """Find the mistakes in the search of a scenario with one cell (see `several_cells`), but for its `known` ones."""
    search = written(tree, "tune", "search")
    if not isinstance(search, Mapping) or several_cells(tree) is not None:
        return []
    read: dict[str, Range | Values] = {}
    for key, value in search.items():
        with suppress(ValueError):  # what is no range and no list is known by now
            read[str(key)] = searched_values(value)
    told = {(problem.keys, problem.reason) for problem in known}
    return _axes(tree, surroundings, read, told)[1]


def several_cells(tree: Tree) -> str | None:
    """Return the key that makes several cells of a scenario, None where there is one cell."""
    return next((key for key in ("variants", "sweep") if tree.get(key)), None)


def changed(scenario: Scenario, values: Mapping[str, Any], **others: Any) -> Scenario:
    """Return a scenario with dotted keys set, and whole `others` replaced (None: left out), without its `tune` block.

    Raises ScenarioError where that is none, at `tune.search`.
    """
    tree = {key: value for key, value in scenario.written.items() if key != "tune"}
    changes = [Change(key, value, (*PLACE, key)) for key, value in values.items()]
    tree, problems = apply(tree, sorted(changes, key=lambda change: len(change.steps)))
    tree |= others
    tree = {key: value for key, value in tree.items() if value is not None or key not in others}
    if problems:
        raise ScenarioError(problems)
    try:
        return Scenario.model_validate(tree, **as_written(scenario.surroundings))
    except ScenarioError as error:
        with_values = ", ".join(f"{key} {value}" for key, value in values.items())
        raise ScenarioError(
            [Problem(PLACE, f"{problem.path}: {problem.reason} (with {with_values})") for problem in error.problems]
        ) from None


_Told = tuple[Path, str]


def written_value(scenario: Scenario, key: str) -> Any:
    """Return the value at a dotted key as files write it, defaults included; None where there is none."""
    node: Any = scenario.model_dump(mode="json", by_alias=True, exclude={"tune"})
    for step in key.split("."):
        if isinstance(node, list):
            node = node[int(step)] if step.isdecimal() and int(step) < len(node) else None
        else:
            node = node.get(step) if isinstance(node, Mapping) else None
    return node


# -- checks ------------------------------------------------------------------------------------------------------------


def _axes(
    tree: Tree, surroundings: Surroundings, search: Mapping[str, Range | Values], told: AbstractSet[_Told] = frozenset()
) -> tuple[list[Axis], list[Problem]]:
    """Make the axes; a problem that is `told` is one of the scenario without the search."""
    axes: list[Axis] = []
    problems: list[Problem] = []
    trial = _Trial(tree, surroundings, told)
    for key, searched in search.items():
        made, wrong = _axis(trial, key, searched)
        problems += wrong
        axes += [made] if made is not None else []
    return axes, problems


def _axis(trial: _Trial, key: str, searched: Range | Values) -> tuple[Axis | None, list[Problem]]:
    place: Path = (*PLACE, key)
    if not any(key == chosen or key.startswith(f"{chosen}.") for chosen in CHOSEN):
        reason = f"is not yours to choose; a search goes over keys of {', '.join(CHOSEN)}"
        return None, [Problem(place, reason, at_key=True)]
    if isinstance(searched, Values):
        return _list_axis(trial, key, searched.values)
    scenarios, problems = [], []
    for end, value in (("from", searched.low), ("to", searched.high)):
        made, wrong = trial.of(Change(key, value, (*place, end)))
        scenarios.append(made)
        problems += wrong
    low, high = scenarios
    if low is None or high is None:
        return None, list(dict.fromkeys(problems))
    return _range_axis(key, _number_at(low, key), _number_at(high, key), searched)


def _list_axis(trial: _Trial, key: str, values: Sequence[Any]) -> tuple[Axis | None, list[Problem]]:
    place: Path = (*PLACE, key)
    problems: list[Problem] = []
    for position, value in enumerate(values):
        if value in values[:position]:
            problems.append(Problem((*place, position), "the same value again"))
        problems += trial.of(Change(key, value, (*place, position)))[1]
    return Axis(key, "listed", values=tuple(values)), list(dict.fromkeys(problems))


def _range_axis(
    key: str, low: tuple[Kind, float], high: tuple[Kind, float], searched: Range
) -> tuple[Axis | None, list[Problem]]:
    place: Path = (*PLACE, key)
    kinds = {low[0], high[0]}
    if "listed" in kinds or len(kinds) > 1:
        return None, [Problem(place, "a range goes between numbers or durations; list the values to try instead")]
    if low[1] >= high[1]:
        return None, [Problem((*place, "to"), "a range must end above where it begins")]
    log = searched.scale == "log" or (searched.scale is None and low[0] == "duration")
    if log and low[1] <= 0:
        reason = "a logarithmic scale begins above 0; write scale: linear, or begin with a small value"
        return None, [Problem((*place, "from"), reason)]
    return Axis(key, low[0], low[1], high[1], log), []


@dataclass(frozen=True, slots=True)
class _Trial:
    """A scenario that changes are tried on, one at a time."""

    tree: Tree
    surroundings: Surroundings
    told: AbstractSet[_Told]

    def of(self, change: Change) -> tuple[Scenario | None, list[Problem]]:
        """Make the scenario with a change; of what is wrong with it, return what the change has brought about."""
        tree, problems = apply({key: value for key, value in self.tree.items() if key != "tune"}, [change])
        if problems:
            return None, [replace(problem, keys=change.origin[:3]) for problem in problems]
        try:
            return Scenario.model_validate(tree, **as_written(self.surroundings)), []
        except ScenarioError as error:
            new = [problem for problem in error.problems if (problem.keys, problem.reason) not in self.told]
            return None, list(_at_the_search(new, change))


def _at_the_search(problems: Sequence[Problem], change: Change) -> Iterator[Problem]:
    for problem in problems:
        followed = follow(problem.keys, [change])
        if followed is None:
            yield Problem(change.origin, f"{problem.path}: {problem.reason}")
        elif problem.at_key and followed[1]:
            yield Problem(change.origin[:3], with_whole_key(problem, change.key), at_key=True)
        else:
            yield replace(problem, keys=followed[0])


def _number_at(scenario: Scenario, key: str) -> tuple[Kind, float]:
    """Return the value at a dotted key as a number, durations in ns; kind `listed` where it is none."""
    match node := written_value(scenario, key):
        case bool():
            return "listed", 0
        case int():
            return "whole", node
        case float():
            return "number", node
        case str():
            try:
                return "duration", parse_duration(node)
            except ValueError:
                pass
    return "listed", 0
