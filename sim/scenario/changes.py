"""Changes to a scenario by dotted keys: what `--set`, `sweep` and `variants` have in common."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sim.scenario.mistakes.problems import Path, Problem
from sim.scenario.parts.retrier import preset_of
from sim.scenario.tree import Tree, steps_of

MAX_STEPS = 16


@dataclass(frozen=True, slots=True)
class Change:
    """A dotted key, its new value, and the path at which the change itself is written."""

    key: str
    value: Any
    origin: Path

    @property
    def steps(self) -> tuple[str, ...]:
        """The key's parts; below `sweep` the rest is one key, below `variants` the name and then one key."""
        if self.key.startswith("sweep."):
            return tuple(self.key.split(".", 1))
        if self.key.startswith("variants."):
            return tuple(self.key.split(".", 2))
        return steps_of(self.key)


class ImpossibleChange(ValueError):
    """A dotted key leads nowhere."""


def apply(tree: Tree, changes: Iterable[Change]) -> tuple[dict[str, Any], list[Problem]]:
    """Return a tree with the changes made in their order, and a problem for each that is impossible."""
    changed = dict(tree)
    problems = []
    for change in changes:
        try:
            changed = _set(changed, change.steps, change.value, ())
        except ImpossibleChange as error:
            problems.append(Problem(change.origin, str(error), at_key=True))
    return changed, problems


def _set(node: Any, steps: tuple[str, ...], value: Any, above: tuple[str, ...]) -> Any:
    if not steps:
        return value
    if len(above) > MAX_STEPS or not all(steps):
        raise ImpossibleChange("not a dotted key such as action.outcomes.fail")
    step, rest = steps[0], steps[1:]
    here = (*above, step)
    if isinstance(node, list | tuple):
        if not step.isdecimal() or len(step) > 6 or int(step) >= len(node):
            raise ImpossibleChange(_no_entry(above, step, len(node)))
        position = int(step)
        return [*node[:position], _set(node[position], rest, value, here), *node[position + 1 :]]
    if node is None and step.isdecimal():
        raise ImpossibleChange(_no_entry(above, step, 0))
    mapping = _written_out(node, above)
    if isinstance(mapping, str) and step == "constant":  # a bare duration stands for that law
        mapping = {}
    if rest and isinstance(mapping, Mapping):
        mapping = _with_block_of_preset(mapping, here)
    if not isinstance(mapping, Mapping):
        raise ImpossibleChange(f"{'.'.join(above)} has no keys below it")
    return {**mapping, step: _set(mapping.get(step), rest, value, here)}


def _no_entry(path: tuple[str, ...], step: str, entries: int) -> str:
    if not entries:
        return f"{'.'.join(path)} has no entry {step}"
    there = "only the entry 0" if entries == 1 else f"the entries 0 to {entries - 1}"
    return f"{'.'.join(path)} has {there}, not {step}"


def _written_out(node: Any, path: tuple[str, ...]) -> Any:
    """Return the long form of a short one: of a retrier's name, of the share of an outcome."""
    if node is None:
        return {}
    if path[:1] == ("classes",):
        path = path[2:]
    if path == ("retrier",) and isinstance(node, str):
        return {"kind": node}
    if _is_share_of_outcome(path) and isinstance(node, int | float | str):
        return {"share": node}
    return node


def _is_share_of_outcome(path: tuple[str, ...]) -> bool:
    """Whether a share can stand at a path for the whole outcome: in `outcomes`, or as the `fail` of weather."""
    return path[-2:-1] == ("outcomes",) or (path[-1:] == ("fail",) and "weather" in path)


def _with_block_of_preset(node: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    """Return a retrier with the block that a change goes into, if its preset has it: the rest of the block stays."""
    below = path[2:] if path[:1] == ("classes",) else path
    if below[:1] != ("retrier",) or len(below) != 2 or below[1] in node:
        return node
    preset = preset_of(node)
    return node if preset is None or below[1] not in preset.policy else {**node, below[1]: preset.policy[below[1]]}


def follow(path: Path, changes: Iterable[Change]) -> tuple[Path, bool] | None:
    """Return where the value at a path of a changed tree is written, and whether the change's own key is meant.

    None if none of the changes touches it.
    """
    for change in reversed(list(changes)):
        steps = _typed(change.steps)
        if _typed(path[: len(steps)]) == steps:
            return (*change.origin, *path[len(steps) :]), len(path) == len(steps)
    for change in changes:
        if _typed(change.steps)[: len(path)] == _typed(path):
            return change.origin, True
    return None


def by_depth(changes: Iterable[Change]) -> list[Change]:
    """Put a change of a whole before one of its parts, whichever was written first."""
    return sorted(changes, key=lambda change: len(change.steps))


def with_whole_key(problem: Problem, key: str) -> str:
    """Return the reason; if one part of a dotted key was wrong it suggests the whole key."""
    head, found, near = problem.reason.rpartition("; did you mean '")
    if not found or not problem.keys:
        return problem.reason
    steps = list(steps_of(key))
    steps[len(problem.keys) - 1] = near.removesuffix("'?")
    return f"{head}{found}{'.'.join(steps)}'?"


def _typed(path: Iterable[str | int]) -> tuple[str, ...]:
    return tuple(map(str, path))
