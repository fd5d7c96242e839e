"""The cells of a scenario: `variants` times `sweep`, each a scenario of its own."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

from sim.scenario.changes import Change, apply, follow
from sim.scenario.checks import Surroundings, without_cells
from sim.scenario.problems import Path, Problem, ScenarioError
from sim.scenario.rules import Idle, Tree, idle_settings, without, written
from sim.scenario.schema import Scenario
from sim.scenario.words import IS_MISSING

MOST_CELLS = 1000
LONGEST_ID = 80
ONLY_CELL = "all"
"""The id of the one cell of a scenario without sweep and variants."""

FIXED_KEYS = ("schema", "name", "why", "sweep", "variants")
_UNSAFE = re.compile(r"[^A-Za-z0-9._=,-]+")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: a scenario without sweep and variants, whose results depend on nothing but it."""

    id: str
    """Stable, unique within the scenario, and fit for a file's name."""
    name: str
    """For legends and tables."""
    params: dict[str, Any]
    """What sets the cell apart: dotted keys and their values as written."""
    scenario: Scenario


def cells(scenario: Scenario) -> list[Cell]:
    """Return the cells in the order of the file: variants first, then the sweep with its last key fastest.

    Raises ScenarioError where one of them is not a valid scenario; a scenario that was loaded has only valid ones.
    """
    if not (scenario.written.get("sweep") or scenario.written.get("variants")):
        return [Cell(ONLY_CELL, scenario.name, {}, scenario)]
    if not scenario.cells_found:
        found, problems = check_cells(scenario.written, scenario.surroundings)
        if problems:
            raise ScenarioError(problems)
        scenario.cells_found.extend(found)
    return list(scenario.cells_found)


def check_cells(
    tree: Tree, surroundings: Surroundings, known: Sequence[Problem] = ()
) -> tuple[list[Cell], list[Problem]]:
    """Make the cells of what is written, as far as they can be made, and find the mistakes in them.

    `known` are the mistakes of the scenario outside of its cells, which are not told again.
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
    idle = [list(idle_settings(changed, surroundings.trusted)) for changed in trees]
    problems += _idle_everywhere(plans, trees, idle)
    made = []
    told = {(problem.keys, problem.reason) for problem in known}
    for plan, changed, parts in zip(plans, trees, idle, strict=True):
        pruned = changed
        for setting in parts:
            pruned = without(pruned, setting.part)
        try:
            scenario = Scenario.model_validate(pruned, context=surroundings)
        except ScenarioError as error:
            problems += [
                _at_its_origin(problem, plan)
                for problem in error.problems
                if (problem.keys, problem.reason) not in told
            ]
        else:
            made.append(Cell(plan.id, plan.name, plan.params, scenario))
    return made, list(dict.fromkeys(problems))


@dataclass(frozen=True, slots=True)
class _Plan:
    """The changes that make a cell, and what it is called."""

    id: str
    name: str
    changes: tuple[Change, ...]
    origin: Path
    """Where the cell itself is written: its variant, or else the sweep."""

    @property
    def params(self) -> dict[str, Any]:
        return {change.key: change.value for change in self.changes}

    def by_depth(self) -> list[Change]:
        """Put a change of a whole before one of its parts, whichever was written first."""
        return sorted(self.changes, key=lambda change: len(change.steps))


def _plans(tree: Tree) -> tuple[list[_Plan], list[Problem]]:
    """List the cells' changes; what is not even a list of values or a mapping of changes is left to the models."""
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
    labels = _labels([key for key, _ in sweep])
    plans = []
    unnamed: list[tuple[str | None, tuple[Change, ...]]] = [(None, ())]
    for name, changes in variants or unnamed:
        for values in product(*(values for _, values in sweep)):
            names = [name] if name is not None else []
            names += [_label(labels[change.key], change.value) for change in values]
            origin = ("sweep",) if name is None else ("variants", name)
            cell_id = slug(",".join(map(slug, names)))
            plans.append(_Plan(cell_id, ", ".join(names), (*changes, *values), origin))
    return _with_unique_ids(plans), problems


def _variants(variants: Any) -> tuple[list[tuple[str, tuple[Change, ...]]], list[Problem]]:
    found: list[tuple[str, tuple[Change, ...]]] = []
    problems: list[Problem] = []
    for name, values in variants.items() if isinstance(variants, Mapping) else ():
        if not name.strip() or len(name) > LONGEST_ID:
            reason = f"the name of a variant has 1 to {LONGEST_ID} characters"
            problems.append(Problem(("variants", name), reason, at_key=True))
        changes = values if isinstance(values, Mapping) else {}
        made = tuple(Change(key, value, ("variants", name, key)) for key, value in changes.items())
        problems += [problem for change in made for problem in _fixed(change.key, change.origin)]
        found.append((name, made))
    return found, problems


def _sweep(sweep: Any) -> tuple[list[tuple[str, list[Change]]], list[Problem]]:
    found: list[tuple[str, list[Change]]] = []
    problems: list[Problem] = []
    for key, values in sweep.items() if isinstance(sweep, Mapping) else ():
        if not isinstance(values, list | tuple) or not values:
            continue
        problems += _fixed(key, ("sweep", key))
        texts = [_canonical(value) for value in values]
        problems += [
            Problem(("sweep", key, position), "the same value again")
            for position, text in enumerate(texts)
            if text in texts[:position]
        ]
        found.append((key, [Change(key, value, ("sweep", key, at)) for at, value in enumerate(values)]))
    return found, problems


def _fixed(key: str, origin: Path) -> Iterator[Problem]:
    first = key.partition(".")[0]
    if first in FIXED_KEYS:
        yield Problem(origin, f"{first} is the same in all cells", at_key=True)


def _idle_everywhere(plans: Sequence[_Plan], trees: Sequence[Tree], idle: Sequence[Sequence[Idle]]) -> list[Problem]:
    """Find settings that cannot matter in any of the cells in which the same text sets them."""

    def origin(path: Path, plan: _Plan) -> Path:
        followed = follow(path, plan.by_depth())
        return path if followed is None else followed[0]

    used: set[Path] = set()
    unused: dict[Path, Problem] = {}
    paths = dict.fromkeys(setting.path for settings in idle for setting in settings)
    for plan, tree, settings in zip(plans, trees, idle, strict=True):
        reasons = {setting.path: setting.reason for setting in settings}
        for path in paths:
            if written(tree, *map(str, path)) is None:
                continue
            place = origin(path, plan)
            # Values of a sweep stand and fall together: each is written for the cells that have a use for it.
            place = _key_of(place)
            if path in reasons:
                unused.setdefault(place, Problem(place, f"{reasons[path]} (in every cell)", at_key=True))
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
    key = str(place[-1])
    return replace(problem, keys=place, reason=_with_whole_key(problem, key))


def _key_of(origin: Path) -> Path:
    """Return the path of the dotted key whose value is written at `origin`."""
    return origin[:2] if origin[:1] == ("sweep",) else origin


def _with_whole_key(problem: Problem, key: str) -> str:
    """Suggest the whole dotted key where one of its parts was wrong."""
    head, found, near = problem.reason.rpartition("; did you mean '")
    if not found or not problem.keys:
        return problem.reason
    steps = key.split(".")
    steps[len(problem.keys) - 1] = near.removesuffix("'?")
    return f"{head}{found}{'.'.join(steps)}'?"


def _labels(keys: Sequence[str]) -> dict[str, str]:
    """Shorten dotted keys to their last parts where those differ; a retrier needs none."""
    lasts = Counter(key.rpartition(".")[2] for key in keys)
    labels = {}
    for key in keys:
        last = key.rpartition(".")[2]
        labels[key] = key if lasts[last] > 1 else last
    return labels


def _label(key: str, value: Any) -> str:
    return _text(value) if key == "retrier" else f"{key}={_text(value)}"


def _text(value: Any) -> str:
    """Write a value short: words and numbers as they are, a retrier by its kind and options, a law by its numbers."""
    if isinstance(value, Mapping):
        if "file" in value and "column" in value:
            return f"{value['file']} {value['column']}"
        if len(value) == 1 and "kind" not in value:
            ((key, below),) = value.items()
            return (
                f"{key} {_text(below)}" if isinstance(below, Mapping) or key == "constant" else f"{key}={_text(below)}"
            )
        parts = [_text(below) if key == "kind" else f"{key}={_text(below)}" for key, below in value.items()]
        return " ".join(parts)
    if isinstance(value, list | tuple):
        return " ".join(map(_text, value))
    if isinstance(value, str):
        return value
    return json.dumps(value, default=str)


def slug(text: str) -> str:
    """Make a text fit for a file's name; one that is too long ends in a digest of all of it."""
    slug = _UNSAFE.sub("-", text).strip("-.") or "cell"
    if len(slug) <= LONGEST_ID:
        return slug
    return f"{slug[: LONGEST_ID - 9].rstrip('-.,=')}-{_short_digest(text)}"


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:8]


def _with_unique_ids(plans: Sequence[_Plan]) -> list[_Plan]:
    """Tell apart ids that some file system would take for the same, by a digest of the cell's own changes."""
    counts = Counter(plan.id.lower() for plan in plans)
    return [
        plan
        if counts[plan.id.lower()] == 1
        else replace(plan, id=f"{plan.id[: LONGEST_ID - 9]}-{_short_digest(plan.name + _canonical(plan.params))}")
        for plan in plans
    ]


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
