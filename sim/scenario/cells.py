"""The cells of a scenario: `variants` times `sweep`, each a scenario of its own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import Any

from sim.options.near_words import did_you_mean
from sim.scenario.changes import Change, apply, by_depth, follow, with_whole_key
from sim.scenario.checks import Surroundings, without_cells
from sim.scenario.mistakes.problems import Path, Problem, ScenarioError
from sim.scenario.mistakes.pydantic_words import IS_MISSING
from sim.scenario.mistakes.without_effect import NoEffect, settings_without_effect
from sim.scenario.names import LONGEST_ID, canonical, key_labels, label, slug, unique
from sim.scenario.parts.costs import other_currencies
from sim.scenario.schema import Scenario, scenario_of
from sim.scenario.tree import Tree, steps_of, without, written

MOST_CELLS = 1000
ONLY_CELL = "all"
"""The id of the one cell of a scenario without sweep and variants."""

FIXED_KEYS = ("schema", "name", "why", "sweep", "variants", "tune")
MOST_NAMED = 20
"""Cells that a message about an unknown one names."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: a scenario without sweep and variants, whose results depend on nothing but it."""

    id: str
    """Stable, unique within the scenario, and fit for a file's name."""
    name: str
    """For legends and tables."""
    params: dict[str, Any]
    """What sets the cell apart, `levels` included: dotted keys and their values as written."""
    scenario: Scenario
    variant: str = ""
    """The name of its variant; empty without variants."""
    levels: Mapping[str, Any] = field(default_factory=dict)
    """By key of the sweep, in the order of the sweep: the value that the cell has, as written; empty without sweep."""


def cells(scenario: Scenario) -> list[Cell]:
    """Return the cells in the order of the file: variants first, then the sweep with its last key fastest.

    Raises ScenarioError if one of them is not a valid scenario; a scenario that was loaded has only valid ones.
    """
    if not (scenario.written.get("sweep") or scenario.written.get("variants")):
        return [Cell(ONLY_CELL, scenario.name, {}, scenario)]
    return list(scenario.once(_several_cells))


class NotInScenario(LookupError):  # a wrong question, not a failure
    """The scenario does not have the request or the cell that was asked for."""


def chosen_cell(scenario: Scenario, cell: str | None) -> Cell:
    """Return the cell with this id or name; without one, the only cell. Raises NotInScenario."""
    found = cells(scenario)
    if cell is None and len(found) == 1:
        return found[0]
    for one in found:
        if cell in (one.id, one.name):
            return one
    ids = [one.id for one in found]
    named = ", ".join(ids[:MOST_NAMED])
    more = f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""
    if cell is None:
        raise NotInScenario(f"which cell? There are {named}{more}")
    known = f"there is only one, '{ids[0]}'" if len(ids) == 1 else f"there are {named}{more}"
    raise NotInScenario(f"there is no cell '{cell}'; {known}{did_you_mean(cell, ids)}")


def _several_cells(scenario: Scenario) -> tuple[Cell, ...]:
    found, problems = check_cells(scenario.written, scenario.surroundings)
    if problems:
        raise ScenarioError(problems)
    return tuple(found)


def check_cells(
    tree: Tree, surroundings: Surroundings, known: Sequence[Problem] = ()
) -> tuple[list[Cell], list[Problem]]:
    """Make the cells that values write, as far as they can be made, and find the mistakes in them.

    `known` are the mistakes of the scenario outside of its cells, which are not reported again.
    """
    if not (written(tree, "variants") or written(tree, "sweep")):
        return [], []
    plans, problems = _plans(tree)
    base = without_cells(tree)
    trees = []
    for plan in plans:
        changed, impossible = apply(base, plan.by_depth())
        problems += [replace(problem, keys=_key_of(problem.keys)) for problem in impossible]
        trees.append(changed)
    unneeded = [list(settings_without_effect(changed, surroundings.trusted)) for changed in trees]
    problems += _without_effect_everywhere(plans, trees, unneeded)
    made = []
    told = {(problem.keys, problem.reason) for problem in known}
    for plan, changed, parts in zip(plans, trees, unneeded, strict=True):
        pruned = changed
        for setting in parts:
            pruned = without(pruned, setting.part)
        try:
            scenario = scenario_of(pruned, surroundings)
        except ScenarioError as error:
            problems += [
                _at_its_origin(problem, plan)
                for problem in error.problems
                if (problem.keys, problem.reason) not in told
            ]
        else:
            made.append(Cell(plan.id, plan.name, plan.params, scenario, plan.variant or "", plan.levels))
    origins = {plan.name: plan.origin for plan in plans}
    problems += [
        Problem(origins[name], reason, at_key=True)
        for name, reason in other_currencies((cell.name, cell.scenario.cost) for cell in made)
    ]
    return made, list(dict.fromkeys(problems))


@dataclass(frozen=True, slots=True)
class _Plan:
    """The changes that make a cell, and what it is called."""

    id: str
    name: str
    variant: str | None
    varied: tuple[Change, ...]
    """The changes of its variant."""
    swept: tuple[Change, ...]
    """The changes of the sweep."""

    @property
    def origin(self) -> Path:
        """Where the cell itself is written: its variant, or else the sweep."""
        return ("sweep",) if self.variant is None else ("variants", self.variant)

    @property
    def params(self) -> dict[str, Any]:
        return {change.key: change.value for change in (*self.varied, *self.swept)}

    @property
    def levels(self) -> dict[str, Any]:
        return {change.key: change.value for change in self.swept}

    def by_depth(self) -> list[Change]:
        return by_depth((*self.varied, *self.swept))


def _plans(tree: Tree) -> tuple[list[_Plan], list[Problem]]:
    """List the cells' changes; the models find anything that is not even a list of values or a mapping of changes."""
    variants, problems = _variants(tree.get("variants"))
    sweep, more = _sweep(tree.get("sweep"))
    problems += more
    swept = {key for key, _ in sweep}
    problems += [
        Problem(change.origin, f"the sweep sets {change.key} as well", at_key=True)
        for _, changes in variants
        for change in changes
        if change.key in swept
    ]
    count = prod(len(values) for _, values in sweep) * max(1, len(variants))
    if count > MOST_CELLS:
        place = "sweep" if sweep else "variants"
        return [], [*problems, Problem((place,), f"makes {count} cells, more than {MOST_CELLS}", at_key=True)]
    labels = key_labels([key for key, _ in sweep])
    plans = []
    unnamed: list[tuple[str | None, tuple[Change, ...]]] = [(None, ())]
    for name, changes in variants or unnamed:
        for values in product(*(values for _, values in sweep)):
            names = [name] if name is not None else []
            names += [label(labels[change.key], change.value) for change in values]
            cell_id = slug(",".join(map(slug, names)))
            plans.append(_Plan(cell_id, ", ".join(names), name, changes, values))
    ids = unique([(plan.id, plan.name + canonical(plan.params)) for plan in plans])
    return [replace(plan, id=cell_id) for plan, cell_id in zip(plans, ids, strict=True)], problems


def _variants(variants: Any) -> tuple[list[tuple[str, tuple[Change, ...]]], list[Problem]]:
    found: list[tuple[str, tuple[Change, ...]]] = []
    problems: list[Problem] = []
    for name, values in _entries(variants):
        if not name.strip() or len(name) > LONGEST_ID:
            reason = f"the name of a variant must have 1 to {LONGEST_ID} characters"
            problems.append(Problem(("variants", name), reason, at_key=True))
        made = tuple(Change(key, value, ("variants", name, key)) for key, value in _entries(values))
        problems += [problem for change in made for problem in _fixed(change.key, change.origin)]
        found.append((name, made))
    return found, problems


def _sweep(sweep: Any) -> tuple[list[tuple[str, list[Change]]], list[Problem]]:
    found: list[tuple[str, list[Change]]] = []
    problems: list[Problem] = []
    for key, values in _entries(sweep):
        if not isinstance(values, list | tuple) or not values:
            continue
        problems += _fixed(key, ("sweep", key))
        texts = [canonical(value) for value in values]
        problems += [
            Problem(("sweep", key, position), "the same value again")
            for position, text in enumerate(texts)
            if text in texts[:position]
        ]
        found.append((key, [Change(key, value, ("sweep", key, at)) for at, value in enumerate(values)]))
    return found, problems


def _entries(node: Any) -> list[tuple[str, Any]]:
    """List the entries of a mapping whose keys are texts; the models find the rest."""
    return [(key, value) for key, value in node.items() if isinstance(key, str)] if isinstance(node, Mapping) else []


def _fixed(key: str, origin: Path) -> Iterator[Problem]:
    first = steps_of(key)[0]
    if first in FIXED_KEYS:
        yield Problem(origin, f"{first} is the same in all cells, so a cell cannot set it", at_key=True)


def _without_effect_everywhere(
    plans: Sequence[_Plan], trees: Sequence[Tree], unneeded: Sequence[Sequence[NoEffect]]
) -> list[Problem]:
    """Find settings that cannot matter in any of the cells in which the same text sets them."""

    def origin(path: Path, plan: _Plan) -> Path:
        followed = follow(path, plan.by_depth())
        return path if followed is None else followed[0]

    used: set[Path] = set()
    unused: dict[Path, Problem] = {}
    paths = dict.fromkeys(setting.path for settings in unneeded for setting in settings)
    for plan, tree, settings in zip(plans, trees, unneeded, strict=True):
        reasons = {setting.path: setting.reason for setting in settings}
        for path in paths:
            if written(tree, *map(str, path)) is None:
                continue
            place = origin(path, plan)
            # The values of a sweep are judged together: each is written for the cells that have a use for it.
            place = _key_of(place)
            if path in reasons:
                suffix = "" if place[:1] == ("variants",) else " (in every cell)"
                unused.setdefault(place, Problem(place, f"{reasons[path]}{suffix}", at_key=True))
            else:
                used.add(place)
    return [problem for place, problem in unused.items() if place not in used]


def _at_its_origin(problem: Problem, plan: _Plan) -> Problem:
    followed = follow(problem.keys, plan.by_depth())
    if followed is None and problem.reason == IS_MISSING:
        return replace(problem, keys=plan.origin, reason=f"{problem.path} {IS_MISSING}", at_key=True)
    if followed is None:
        return replace(problem, reason=f"{problem.reason} (in cell '{plan.name}')")
    place, whole = followed
    if not (problem.at_key and whole):
        return replace(problem, keys=place, at_key=problem.at_key and not whole)
    place = _key_of(place)
    return replace(problem, keys=place, reason=with_whole_key(problem, str(place[-1])))


def _key_of(origin: Path) -> Path:
    """Return the path of the dotted key whose value is written at `origin`."""
    return origin[:2] if origin[:1] == ("sweep",) else origin
