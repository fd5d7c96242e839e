"""What is checked and filled in around the models: the part of a scenario's rules that needs more than one model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import PydanticUserError

from sim.convex.platform import Platform
from sim.retriers.ports import PORTS
from sim.scenario.data_files import DataFiles
from sim.scenario.mistakes.idle import Tree, idle_settings, written
from sim.scenario.mistakes.problems import Path as Keys
from sim.scenario.mistakes.problems import Problem
from sim.scenario.mistakes.shape import Shape
from sim.scenario.parts.retrier import options_schema


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a scenario may use besides its own text: the files of a folder, and retriers by `module:Class`."""

    files: DataFiles = field(default_factory=lambda: DataFiles(Path()))
    trusted: tuple[str, ...] = ()
    from_file: bool = False
    """Whether the values obey the JSON Schema to the letter, as those of a file must."""


def without_cells(tree: Tree) -> dict[str, Any]:
    """Return what is common to all cells."""
    return {key: value for key, value in tree.items() if key not in {"sweep", "variants"}}


def first_each(problems: Sequence[Problem]) -> list[Problem]:
    """Keep the first problem of each place: what else is said about it says the same in other words."""
    kept: dict[Any, Problem] = {}
    for problem in problems:
        kept.setdefault(problem.keys, problem)
    return list(kept.values())


def problems_of_settings(tree: Tree, surroundings: Surroundings) -> list[Problem]:
    """Return what the models do not see: values no file may have, and settings that cannot matter."""
    problems = []
    if surroundings.from_file:
        problems += Shape.shipped().misfits(tree)
        if (retrier := _shape_of_foreign_retrier(tree, surroundings)) is not None:
            found = retrier.misfits(tree["retrier"])
            problems += [replace(problem, keys=("retrier", *problem.keys)) for problem in found]
    if not (tree.get("sweep") or tree.get("variants")):
        problems += [Problem(idle.path, idle.reason, at_key=True) for idle in idle_settings(tree, surroundings.trusted)]
    return problems


def allowed_keys(tree: Tree, path: Keys, surroundings: Surroundings) -> list[str]:
    """Return the keys that may stand in the mapping at a path."""
    if path[:1] == ("retrier",) and (retrier := _shape_of_foreign_retrier(tree, surroundings)) is not None:
        return retrier.allowed_keys(tree["retrier"], path[1:])
    return Shape.shipped().allowed_keys(tree, path)


def _shape_of_foreign_retrier(tree: Tree, surroundings: Surroundings) -> Shape | None:
    """Return the shape of the options of a retrier that the shipped schema does not know."""
    kind = written(tree, "retrier", "kind")
    if not isinstance(kind, str) or kind in PORTS:
        return None
    try:
        return Shape(options_schema(kind, surroundings.trusted))
    except (LookupError, TypeError, ImportError, AttributeError, PydanticUserError):
        return None


def with_defaults(filled: Mapping[str, Any], tree: Tree) -> dict[str, Any]:
    """Fill what defaults depend on other settings: the platform's profile, and the retrier of a scenario of cells."""
    values = dict(filled)
    platform = values.get("platform", {})
    if isinstance(platform, Platform):
        platform = platform.model_dump(exclude_unset=True)
    if tree.get("world") == "shared" and isinstance(platform, Mapping) and "profile" not in platform:
        values["platform"] = {**platform, "profile": "convex"}
    if "retrier" not in values and (retrier := _retrier_of_first_cell(tree)) is not None:
        values["retrier"] = retrier
    return values


def _retrier_of_first_cell(tree: Tree) -> Any:
    """Return the retrier that the first cell sets: where every cell sets its own, none needs to stand outside."""
    variants, sweep = tree.get("variants"), tree.get("sweep")
    if isinstance(sweep, Mapping) and isinstance(values := sweep.get("retrier"), list | tuple) and values:
        return values[0]
    first = next(iter(variants.values()), None) if isinstance(variants, Mapping) else None
    return written(first, "retrier")
