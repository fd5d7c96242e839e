"""A scenario as a tree of plain values, the way a file writes it: reading a value, leaving one out."""

from collections.abc import Mapping
from typing import Any

from sim.options.model import Options
from sim.scenario.mistakes.problems import Path

Tree = Mapping[str, Any]


def written(tree: Any, *keys: str) -> Any:
    """Return the value written below these keys; None if there is none."""
    for key in keys:
        if isinstance(tree, Options):
            tree = getattr(tree, key, None) if key in tree.model_fields_set else None
        else:
            tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def without(tree: Tree, path: Path) -> dict[str, Any]:
    """Return a tree without the value at a path; the original stays as it is."""
    key, *rest = path
    if rest:
        below = tree[str(key)]
        return {**tree, str(key): without(below, tuple(rest))} if isinstance(below, Mapping) else dict(tree)
    return {name: value for name, value in tree.items() if name != key}
