"""The shipped JSON Schema as a guide through a file: which keys may stand at a place, which kinds of values.

The models take more than a file may say: in Python a duration is also a whole number of nanoseconds, and a field goes
by its own name. What an editor with the schema marks as wrong is wrong here too.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from sim.options.model import DURATION_PATTERN, RATE_PATTERN
from sim.scenario.mistakes.problems import Path, Problem
from sim.scenario.mistakes.pydantic_words import MOST_LISTED, expected, unknown_key

SCHEMA_FILE = "scenario.schema.json"
Schema = Mapping[str, Any]

_NEEDS_UNIT = "a duration needs a unit, such as 250ms, 1.5s or 1m30s"
_NEEDS_PERIOD = "not a rate; write NUMBER/s, NUMBER/m or NUMBER/h, such as 50/s"
_TYPES = {"number": "a number", "integer": "a whole number", "string": "a text", "boolean": "true or false"}
_CONTAINERS = {"object": "a mapping of keys", "array": "a list"}


class Shape:
    """A JSON Schema (the part of it that ours uses) that is asked about places in a tree of plain values."""

    def __init__(self, schema: Schema) -> None:
        self._root = schema
        self._definitions: Mapping[str, Schema] = schema.get("$defs", {})

    @staticmethod
    @lru_cache(maxsize=1)
    def shipped() -> "Shape":
        """Return the shape of scenario files."""
        return Shape(json.loads(files("sim.scenario").joinpath(SCHEMA_FILE).read_text("utf-8")))

    def allowed_keys(self, tree: Any, path: Path) -> list[str]:
        """Return the keys that may stand in the mapping at a path; those written already included."""
        schemas = self._expand([self._root], tree)
        for step in path:
            schemas = list(self._below(schemas, step))
            tree = tree[step]
            schemas = self._expand(schemas, tree)
        return list(dict.fromkeys(key for schema in schemas for key in schema.get("properties", {})))

    def misfits(self, tree: Any) -> list[Problem]:
        """Return keys that may not stand where they do, and scalars of a kind that may not."""
        return list(self._misfits(self._expand([self._root], tree), tree, ()))

    def _misfits(self, schemas: Sequence[Schema], value: Any, path: Path) -> Iterator[Problem]:
        if any(_explains_itself(schema, value) for schema in schemas):
            return
        if isinstance(value, Mapping):
            open_ended = any(schema.get("additionalProperties", True) is not False for schema in schemas)
            for key, below in value.items():
                candidates = list(self._below(schemas, key))
                if candidates:
                    yield from self._misfits(self._expand(candidates, below), below, (*path, key))
                elif not open_ended and any(schema.get("type") == "object" for schema in schemas):
                    known = [known for schema in schemas for known in schema.get("properties", {})]
                    yield unknown_key((*path, key), list(dict.fromkeys(known)))
        elif isinstance(value, list | tuple):
            items = [schema["items"] for schema in schemas if "items" in schema]
            for position, below in enumerate(value if items else ()):
                yield from self._misfits(self._expand(items, below), below, (*path, position))
        elif schemas and not any(_accepts(schema, value) for schema in schemas):
            yield Problem(path, _complaint(schemas, value))

    def _below(self, schemas: Sequence[Schema], step: str | int) -> Iterator[Schema]:
        for schema in schemas:
            if isinstance(step, int):
                if "items" in schema:
                    yield schema["items"]
            elif step in schema.get("properties", {}):
                yield schema["properties"][step]
            elif isinstance(others := schema.get("additionalProperties"), Mapping):
                yield others

    def _expand(self, schemas: Sequence[Schema], value: Any) -> list[Schema]:
        """Follow references and alternatives; of the forms of a retrier, keep the one of the kind that is written."""
        expanded: list[Schema] = []
        pending = list(schemas)
        while pending:
            schema = pending.pop(0)
            if "$ref" in schema:
                pending.insert(0, self._definitions[schema["$ref"].rpartition("/")[2]])
            for word in ("anyOf", "oneOf", "allOf"):
                pending[:0] = schema.get(word, ())
            if not schema.keys() & {"$ref", "anyOf", "oneOf", "allOf"} and not _is_another_kind(schema, value):
                expanded.append(schema)
        return expanded


def _is_another_kind(schema: Schema, value: Any) -> bool:
    kind = schema.get("properties", {}).get("kind", {})
    if not isinstance(value, Mapping) or "kind" not in value:
        return False
    if "const" in kind:
        return bool(value["kind"] != kind["const"])
    return value["kind"] in kind.get("not", {}).get("enum", ())


def _explains_itself(schema: Schema, value: Any) -> bool:
    """Whether the models say better what is wrong: where one key names the kind, and what the kinds are."""
    if not isinstance(value, Mapping):
        return bool(schema.get("maxProperties") == 1 or "kind" in schema.get("properties", {}))
    return schema.get("maxProperties") == 1 and not value.keys() <= schema["properties"].keys()


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
        case str():
            return "string"
    return "object"


def _accepts(schema: Schema, value: Any) -> bool:
    """Whether a scalar is of a kind that the schema knows; whether it is a good one is for the models to say."""
    kind = _type_of(value)
    if kind == "object":  # an option model made in Python
        return True
    words = [schema["const"]] if "const" in schema else schema.get("enum")
    if words is not None:
        return any(_type_of(word) == kind for word in words)
    wanted = schema.get("type")
    return wanted is None or wanted == kind or (wanted == "number" and kind == "integer")


def _complaint(schemas: Sequence[Schema], value: Any) -> str:
    patterns = [schema.get("pattern") for schema in schemas]
    if DURATION_PATTERN in patterns:
        return _NEEDS_UNIT
    if RATE_PATTERN in patterns:
        return _NEEDS_PERIOD
    kinds = []
    for schema in schemas:
        words = [schema["const"]] if "const" in schema else schema.get("enum", ())
        kinds += [f"'{word}'" for word in words] if len(words) <= MOST_LISTED else ["one of the words known here"]
        if not words and schema.get("type") in {**_TYPES, **_CONTAINERS}:
            kinds.append({**_TYPES, **_CONTAINERS}[schema["type"]])
    return expected(" or ".join(dict.fromkeys(kinds)), value)
