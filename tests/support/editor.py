"""What an editor with the shipped JSON Schema marks as wrong: keys that may not stand where they do, wrong types."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from sim.scenario.json_schema import json_schema
from sim.scenario.mistakes.known_keys import KnownKeys, Schema
from sim.scenario.mistakes.problems import Path


def marked(tree: Any) -> list[Path]:
    """Return the places in a tree of plain values that the schema does not allow; not those out of range."""
    return list(_editor().marks(tree))


@cache
def _editor() -> "_Editor":
    return _Editor(json_schema())


class _Editor(KnownKeys):
    def marks(self, tree: Any) -> Iterator[Path]:
        yield from self._marks(self._expand([self._root], tree), tree, ())

    def _marks(self, schemas: Sequence[Schema], value: Any, path: Path) -> Iterator[Path]:
        if isinstance(value, Mapping):
            open_ended = any(schema.get("additionalProperties", True) is not False for schema in schemas)
            for key, below in value.items():
                candidates = list(self._below(schemas, key))
                if candidates:
                    yield from self._marks(self._expand(candidates, below), below, (*path, key))
                elif not open_ended:
                    yield (*path, key)
        elif isinstance(value, list | tuple):
            items = [schema["items"] for schema in schemas if "items" in schema]
            for position, below in enumerate(value if items else ()):
                yield from self._marks(self._expand(items, below), below, (*path, position))
        elif schemas and not any(_accepts(schema, value) for schema in schemas):
            yield path


def _accepts(schema: Schema, value: Any) -> bool:
    kind = _type_of(value)
    words = [schema["const"]] if "const" in schema else schema.get("enum")
    if words is not None:
        return any(_type_of(word) == kind for word in words)
    wanted = schema.get("type")
    return wanted is None or wanted == kind or (wanted == "number" and kind == "integer")


def _type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
    return "string"
