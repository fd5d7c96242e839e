"""The keys that may stand at a place of a file, for the suggestion beside an unknown one: read off the JSON Schema.

That a key is unknown the models find; which ones they know instead they do not say.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from sim.scenario.mistakes.problems import Path

SCHEMA_FILE = "scenario.schema.json"
Schema = Mapping[str, Any]

_ALTERNATIVES = ("anyOf", "oneOf", "allOf")


class KnownKey(NamedTuple):
    """A key that may stand somewhere."""

    name: str
    about: str
    """Its description."""
    has_keys: bool
    """Whether it can have keys of its own."""


class KnownKeys:
    """A JSON Schema, or the part of the language that ours uses, that is asked about places in a tree of values."""

    def __init__(self, schema: Schema) -> None:
        self._root = schema
        self._definitions: Mapping[str, Schema] = schema.get("$defs", {})

    @staticmethod
    @lru_cache(maxsize=1)
    def of_scenarios() -> "KnownKeys":
        """Return the keys of scenario files, by the schema that is shipped."""
        return KnownKeys(json.loads(files("sim.scenario").joinpath(SCHEMA_FILE).read_text("utf-8")))

    def at(self, tree: Any, path: Path) -> list[str]:
        """Return the keys that may stand in the mapping at a path of the tree, those included that are written."""
        schemas = self._expand([self._root], tree)
        for step in path:
            below = list(self._below(schemas, step))
            tree = tree[step]
            schemas = self._expand(below, tree)
        return list(dict.fromkeys(key for schema in schemas for key in schema.get("properties", {})))

    def below(self, steps: Sequence[str]) -> list["KnownKey"]:
        """Return the keys that may stand below a dotted key of some scenario, of all forms and kinds."""
        schemas = self._expand([self._root], None)
        for step in steps:
            found = self._below(schemas, int(step) if step.isdecimal() else step)
            schemas = self._expand(list(found), None)
        keys = {name: schema for one in schemas for name, schema in one.get("properties", {}).items()}
        return [
            KnownKey(
                name, schema.get("description", ""), any("properties" in one for one in self._expand([schema], None))
            )
            for name, schema in keys.items()
        ]

    def _below(self, schemas: Sequence[Schema], step: str | int) -> Iterator[Schema]:
        for schema in schemas:
            if isinstance(step, int):
                if "items" in schema:
                    yield schema["items"]
            elif step in schema.get("properties", {}):
                yield schema["properties"][step]
            elif isinstance(others := schema.get("additionalProperties"), Mapping):
                yield others
            else:
                yield from schema.get("patternProperties", {}).values()  # names that users choose

    def _expand(self, schemas: Sequence[Schema], value: Any) -> list[Schema]:
        """Follow references and alternatives; of the forms of a retrier, keep the one of the kind that is written."""
        expanded: list[Schema] = []
        pending = list(schemas)
        while pending:
            schema = pending.pop(0)
            if "$ref" in schema:
                pending.insert(0, self._definitions[schema["$ref"].rpartition("/")[2]])
            for word in _ALTERNATIVES:
                pending[:0] = schema.get(word, ())
            if not schema.keys() & {"$ref", *_ALTERNATIVES} and not _is_another_kind(schema, value):
                expanded.append(schema)
        return expanded


def _is_another_kind(schema: Schema, value: Any) -> bool:
    kind = schema.get("properties", {}).get("kind", {})
    if not isinstance(value, Mapping) or "kind" not in value:
        return False
    if "const" in kind:
        return bool(value["kind"] != kind["const"])
    if "enum" in kind:
        return value["kind"] not in kind["enum"]
    return value["kind"] in kind.get("not", {}).get("enum", ())
