"""The keys of scenario files, from the JSON Schema that editors get and from the shipped scenarios that use them."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reference.markdown import block, code, one_line, prose, terms
from sim.kernel.durations import DURATION_PATTERN, RATE_PATTERN
from sim.measure import money
from sim.options.share import SHARE_SCHEMAS
from sim.scenario.json_schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

Node = dict[str, Any]

SCENARIOS: Final = Path(__file__).parents[3] / "scenarios"
WORDS_SHOWN: Final = 12
"""Of an enumeration; the names of all presets are on a page of their own."""
LONGEST_EXAMPLE: Final = 14
"""Lines."""
PATTERNS: Final = {
    DURATION_PATTERN: "duration",
    RATE_PATTERN: "rate",
    f"^{money.PATTERN}$": "price",
    SHARE_SCHEMAS[1]["pattern"]: "percentage",
}
PLAIN: Final = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true or false"}
UNITS: Final = {
    "duration": (
        "`250ms`, `1m30s`, `2 min`",
        "one or several numbers, each with `ns`, `us`, `ms`, `s`, `m`, `h`, `d`, or a word such as `min` or `hours`",
    ),
    "rate": ("`50/s`, `200000/day`", "a number for each `s`, `m`, `h`, `d`, or a word such as `min` or `day`"),
    "percentage": ("`2%`", "a share, as a number and `%`"),
    "price": ("`0.0002 USD`", "a number and a currency"),
    "number from 0 to 1": ("`0.05`", "a share"),
    "text": ("`payments`", "with quotes if YAML would read something else"),
}


@cache
def _schema() -> Node:
    return json_schema()


def _anchor(name: str) -> str:
    return f"part-{name.lower()}"


def units() -> str:
    """Return how values are written."""
    return terms((f"*{name}*", f"{how}, such as {example}.") for name, (example, how) in UNITS.items())


def top_keys() -> str:
    """Return a section for each key of a scenario, with an example of the shipped scenarios."""
    return "\n".join(_top_key(name, node) for name, node in _schema()["properties"].items())


def _top_key(name: str, node: Node) -> str:
    written = f"### `{name}`\n\n{prose(node.get('description', ''))}\n\n"
    if name == "retrier":
        return f"{written}A name, or `kind` with options: [each kind has its own](retriers.md).\n\n{_example(name)}"
    if name == "check":
        written += "`all`, or a list of names of [invariants](invariants.md).\n\n"
    else:
        written += f"{_kind(node)}{_default(node)}.\n\n"
    return written + _example(name)


def _example(key: str) -> str:
    """Return the shortest use of a key in the shipped scenarios, but rather one of several words than a bare one."""
    found: list[tuple[int, int, str, str]] = []
    for path in sorted(SCENARIOS.rglob("*.yaml")):
        for match in re.finditer(rf"^{key}:.*\n(?:[ #-].*\n)*", path.read_text("utf-8"), re.MULTILINE):
            lines = match[0].rstrip().splitlines()
            if len(lines) <= LONGEST_EXAMPLE and max(map(len, lines)) <= 110:
                where = f"scenarios/{path.relative_to(SCENARIOS).as_posix()}"
                found.append((abs(len(lines) - 3), len(match[0]), match[0], where))
    if not found:
        return ""
    _, _, text, where = min(found)
    return f"As in `{where}`:\n\n{block('yaml', text)}\n"


def parts() -> str:
    """Return a section for each part that keys refer to, in order of name."""
    defs = _schema()["$defs"]
    return "\n".join(_part(name, node) for name, node in sorted(defs.items()) if _shown(node))


def of_schema(schema: Node, anchor: str) -> str:
    """Return the keys of a JSON Schema that has a page of its own, its parts below them."""
    written = [_listed(schema)]
    for name, node in schema.get("$defs", {}).items():
        told = prose(node.get("description", ""))
        written.append(f"({anchor}-{name.lower()})=\n#### {_title(name)}\n\n{told}\n\n{_listed(node)}")
    return "\n".join(written).replace(f"parts.md#{_anchor('')}", f"#{anchor}-")


def _shown(node: Node) -> bool:
    return "properties" in node or "enum" in node or "anyOf" in node or "oneOf" in node


def _part(name: str, node: Node) -> str:
    head = f"({_anchor(name)})=\n## {_title(name)}\n\n{prose(node.get('description', ''))}\n\n"
    if node.get("maxProperties") == 1:
        head += "Exactly one of these keys:\n\n"
    elif "properties" not in node:
        return f"{head}{_kind(node)}.\n"
    return head + _listed(node)


def _title(name: str) -> str:
    """Write the name of a model as words: `RetryAfter` as retry after."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Options") or name).lower()
    return words[0].upper() + words[1:]


def _listed(node: Node) -> str:
    required = set(node.get("required", ()))
    keys = node.get("properties", {})
    if not keys:
        return "It has no keys.\n"
    return terms((code(key), _line(child, is_required=key in required)) for key, child in keys.items())


def _line(node: Node, *, is_required: bool) -> str:
    text = f"*{_kind(node)}*{_default(node)}{', required' if is_required else ''}."
    described = one_line(node.get("description", ""))
    source = node.get("x-source")
    return f"{text} {described}{f' Source: {source}.' if source else ''}".rstrip()


def retriers() -> str:
    """Return a section for each kind of retrier."""
    written = []
    for node in _schema()["properties"]["retrier"]["anyOf"]:
        kind = node.get("properties", {}).get("kind", {})
        name = kind.get("const") or (kind["enum"][0] if "enum" in kind else None)
        if name is None:
            continue
        own = {**node, "properties": {key: child for key, child in node["properties"].items() if key != "kind"}}
        described = prose(node.get("description", ""))
        written.append(f"(retrier-{name})=\n## `{name}`\n\n{described}\n\n{_listed({**own, 'required': []})}")
    return "\n".join(written)


def _default(node: Node) -> str:
    if "default" not in node or node["default"] in ([], ""):
        return ""
    return f", by default {code(_yaml(node['default']))}"


def _yaml(value: object) -> str:
    if isinstance(value, str):
        return value
    return re.sub(r'"([^"]*)"', r"\1", json.dumps(value))


def _kind(node: Node) -> str:
    """Say what a value may be."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return f"[{_title(name).lower()}](parts.md#{_anchor(name)})"
    choices = node.get("anyOf") or node.get("oneOf")
    if choices:
        return " or ".join(dict.fromkeys(_kind(one) for one in choices if one.get("type") != "null"))
    if "const" in node:
        return code(_yaml(node["const"]))
    if "enum" in node:
        return _words(node["enum"])
    return _of_type(node)


def _words(names: list[Any]) -> str:
    if len(names) > WORDS_SHOWN:
        return f"one of {len(names)} names"
    return " or ".join(code(_yaml(name)) for name in names)


def _of_type(node: Node) -> str:  # noqa: PLR0911  # a case a type
    match node.get("type"):
        case "array" if node.get("items"):
            return f"list: {_kind(node['items'])}"
        case "array":
            return "list"
        case "object" if "patternProperties" in node:
            return f"by name: {' or '.join(map(_kind, node['patternProperties'].values()))}"
        case "object" if isinstance(node.get("additionalProperties"), dict):
            return f"by name: {_kind(node['additionalProperties'])}"
        case "object" if node.get("properties"):
            return f"{{{', '.join(f'{key}: {_kind(child)}' for key, child in node['properties'].items())}}}"
        case "object":
            return "keys and values"
        case str(name):
            return PATTERNS.get(node.get("pattern", ""), PLAIN.get(name, name)) + _bounds(node)
        case list(names):
            return " or ".join(PLAIN.get(str(name), str(name)) for name in names if name not in {None, "null"})
    return "any value"


def _bounds(node: Node) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    if low is not None and high is not None:
        return f" from {low:,} to {high:,}"
    return "".join(_limits(node))


def _limits(node: Node) -> Iterator[str]:
    for key, words in (
        ("minimum", "at least"),
        ("exclusiveMinimum", "above"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "below"),
    ):
        if key in node:
            yield f" {words} {node[key]:,}"
