"""A scenario as a tree of plain values, the way a file writes it: reading a value, leaving one out."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sim.options.model import Options
from sim.scenario.mistakes.problems import Path

_ENTRY = re.compile(r"(?<=[^.\[\]])\[([0-9]+)\](?=$|[.\[])")
Tree = Mapping[str, Any]


def written(tree: Any, *keys: str) -> Any:
    """Return the value written below these keys, None if there is none; the key of an entry of a list is its number."""
    for key in keys:
        if isinstance(tree, Options):
            tree = getattr(tree, key, None) if key in tree.model_fields_set else None
        elif isinstance(tree, list | tuple):
            tree = tree[int(key)] if key.isdecimal() and int(key) < len(tree) else None
        else:
            tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def without(tree: Tree, path: Path) -> dict[str, Any]:
    """Return a tree without the value at a path, also of an entry of a list; the original stays as it is."""
    key, *rest = path
    if rest:
        below = tree[str(key)]
        if isinstance(below, list | tuple):
            place, *inside = rest
            entries = [without(one, tuple(inside)) if at == place else one for at, one in enumerate(below)]
            return {**tree, str(key): entries}
        return {**tree, str(key): without(below, tuple(rest))} if isinstance(below, Mapping) else dict(tree)
    return {name: value for name, value in tree.items() if name != key}


def texts_in(node: Any) -> Iterator[str]:
    """Yield every text among the values of a tree."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from texts_in(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from texts_in(value)


def steps_of(key: str) -> tuple[str, ...]:
    """Return the parts of a dotted key; an entry of a list is written `weather.0` or `weather[0]`."""
    return tuple(_ENTRY.sub(r".\1", key).split("."))
