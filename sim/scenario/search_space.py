"""From a scenario's `tune` block to the axes of its search, and from points of these to scenarios again.

A search goes over settings that a user can choose: the retrier and its options, the platform's numbers, the idempotency
window. The action, its weather and the load are the world in which candidates are compared. Which kind of axis a range
makes (durations, whole numbers, numbers) follows from the model of the setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sim.kernel.durations import parse_duration
from sim.scenario.axes import Axis, Kind, SearchSpace
from sim.scenario.changes import Change, apply, by_depth, follow, with_whole_key
from sim.scenario.mistakes.problems import Path, Problem, ScenarioError
from sim.scenario.mistakes.without_effect import settings_without_effect
from sim.scenario.parts.retrier import RetrierChoice
from sim.scenario.parts.tuning import Range, Values, searched_values
from sim.scenario.schema import Scenario, scenario_of
from sim.scenario.tree import steps_of, without, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from sim.scenario.checks import Surroundings
    from sim.scenario.tree import Tree

CHOSEN = ("retrier", "platform", "action.idempotency")
"""The settings that a user who runs a service can choose."""
PLACE = ("tune", "search")


def search_space(scenario: Scenario) -> SearchSpace:
    """Return the space that a scenario's `tune` block spans; raises ScenarioError if a key or a value is wrong."""
    if scenario.tune is None:
        reason = "is missing: write what to search, such as {search: {retrier.max_failures: {from: 0, to: 16}}}"
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
        with suppress(ValueError):  # a value that is neither a range nor a list is a known problem by now
            read[str(key)] = searched_values(value)
    told = {(problem.keys, problem.reason) for problem in known}
    return _axes(tree, surroundings, read, told)[1]


def several_cells(tree: Tree) -> str | None:
    """Return the key that makes several cells of a scenario; None if there is one cell."""
    return next((key for key in ("variants", "sweep") if tree.get(key)), None)


def changed(scenario: Scenario, values: Mapping[str, Any], **others: Any) -> Scenario:
    """Return a scenario with dotted keys set, and whole `others` replaced (None: left out), without its `tune` block.

    A value set that cannot matter beside the others, such as a backoff where nothing is retried, is left out.
    Raises ScenarioError, at `tune.search`, if the result is not a valid scenario.
    """
    tree = {key: value for key, value in scenario.written.items() if key != "tune"}
    changes = [Change(key, value, (*PLACE, key)) for key, value in values.items()]
    tree, problems = apply(tree, by_depth(changes))
    tree |= others
    tree = {key: value for key, value in tree.items() if value is not None or key not in others}
    if problems:
        raise ScenarioError(problems)
    tree = _without_idle_options(tree, scenario.surroundings)
    try:
        return scenario_of(tree, scenario.surroundings)
    except ScenarioError as error:
        with_values = ", ".join(f"{key} {value}" for key, value in values.items())
        raise ScenarioError(
            [Problem(PLACE, f"{problem.path}: {problem.reason} (with {with_values})") for problem in error.problems]
        ) from None


def _without_idle_options(tree: dict[str, Any], surroundings: Surroundings, but: Path = ()) -> dict[str, Any]:
    """Leave out the options of retriers that cannot matter, as a cell does, `but` for one that is to be judged."""
    for setting in list(settings_without_effect(tree, surroundings.trusted)):
        if "retrier" in setting.path and setting.path != but:
            tree = without(tree, setting.part)
    return tree


_Told = tuple[Path, str]


def written_value(scenario: Scenario, key: str) -> Any:
    """Return the value at a dotted key as files write it, defaults included; None if there is none.

    A bare duration stays one, although it is short for a law with options.
    """
    short = written(scenario.written, *steps_of(key))
    if isinstance(short, str):
        with suppress(ValueError):
            parse_duration(short)
            return short
    node: Any = scenario.model_dump(mode="json", exclude={"tune"})
    for step in steps_of(key):
        if isinstance(node, list):
            node = node[int(step)] if step.isdecimal() and int(step) < len(node) else None
        else:
            node = node.get(step) if isinstance(node, Mapping) else None
    return _factor_at(scenario, key) if node is None else node


def _factor_at(scenario: Scenario, key: str) -> float | None:
    """Return the number at a key of a retrier's delay that is not written since it is the default; None for others."""
    node: Any = scenario
    for step in steps_of(key):
        # The name of a law is a key in a file, but no attribute.
        node = getattr(node.options if isinstance(node, RetrierChoice) else node, step, node)
    return node if isinstance(node, float) else None


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
    if not _is_choice(key):
        reason = f"is part of the world, not a choice; a search goes over keys of {', '.join(CHOSEN)}"
        reason += ", and of classes.NAME.retrier" if trial.tree.get("classes") else ""
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
    return _range_axis(key, _number_at(low, key, searched.low), _number_at(high, key, searched.high), searched)


def _is_choice(key: str) -> bool:
    """Tell whether a dotted key is the user's to choose: of the scenario, or of the retrier of a class of callers."""
    steps = steps_of(key)
    if steps[0] == "classes":
        return steps[2:3] == ("retrier",)
    return any(key == chosen or key.startswith(f"{chosen}.") for chosen in CHOSEN)


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
        return None, [Problem(place, "only numbers and durations have ranges; list the values to try instead")]
    if low[1] >= high[1]:
        return None, [Problem((*place, "to"), "a range must end above its beginning")]
    log = searched.scale == "log" or (searched.scale is None and low[0] == "duration")
    if log and low[1] <= 0:
        reason = "a logarithmic scale must begin above 0; write `scale: linear`, or begin with a small value"
        return None, [Problem((*place, "from"), reason)]
    return Axis(key, low[0], low[1], high[1], log), []


@dataclass(frozen=True, slots=True)
class _Trial:
    """A scenario that changes are tried on, one at a time."""

    tree: Tree
    surroundings: Surroundings
    told: AbstractSet[_Told]

    def of(self, change: Change) -> tuple[Scenario | None, list[Problem]]:
        """Make the scenario with a change, or return the problems that come from the change."""
        tree, problems = apply({key: value for key, value in self.tree.items() if key != "tune"}, [change])
        if problems:
            return None, [replace(problem, keys=change.origin[:3]) for problem in problems]
        tree = _without_idle_options(tree, self.surroundings, but=steps_of(change.key))
        try:
            return scenario_of(tree, self.surroundings), []
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


def _number_at(scenario: Scenario, key: str, value: Any) -> tuple[Kind, float]:
    """Return the value at a dotted key as a number, durations in ns; kind `listed` if it is none.

    A short form, such as the bare duration of a delay, is what was written: `value`.
    """
    node = written_value(scenario, key)
    match value if isinstance(node, Mapping) else node:
        case bool():
            return "listed", 0
        case int() as number:
            return "whole", number
        case float() as number:
            return "number", number
        case str() as text:
            try:
                return "duration", parse_duration(text)
            except ValueError:
                pass
    return "listed", 0
