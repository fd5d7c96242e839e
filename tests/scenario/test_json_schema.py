"""The JSON Schema that ships is the one the models have, and it knows what files may say."""

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from editor import marked

from sim.scenario.json_schema import json_schema
from sim.scenario.mistakes.known_keys import SCHEMA_FILE, KnownKeys
from sim.scenario.yaml.guard import read_yaml

GOOD = Path(__file__).parent / "good"
SHIPPED = Path(str(files("sim.scenario").joinpath(SCHEMA_FILE)))


def test_the_shipped_schema_is_current() -> None:
    text = json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("RETRYSIM_UPDATE_GOLDEN") == "1":
        SHIPPED.write_text(text, encoding="utf-8")
    assert text == SHIPPED.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(GOOD.glob("*.yaml")), ids=lambda path: path.stem)
def test_good_files_fit_the_schema(path: Path) -> None:
    assert marked(read_yaml(path.read_bytes(), path.name).values) == []


def test_every_key_of_the_format_has_a_description() -> None:
    keys = json_schema()["properties"]
    assert [key for key, schema in keys.items() if "description" not in schema] == []


def undescribed(node: Any, path: str = "") -> list[str]:
    """Find keys without a description, anywhere."""
    if isinstance(node, list):
        return [place for part in node for place in undescribed(part, path)]
    if not isinstance(node, dict):
        return []
    properties = node.get("properties", {})
    keys = {key: schema for key, schema in properties.items() if isinstance(schema, dict)}
    found = [f"{path}/{key}" for key, schema in keys.items() if not schema.get("description")]
    return found + [place for key, part in node.items() for place in undescribed(part, f"{path}/{key}")]


def test_every_key_anywhere_has_a_description() -> None:
    assert undescribed(json_schema()) == []


@pytest.mark.parametrize(
    ("tree", "place", "offered"),
    [
        ({"action": {"latency": {}}}, ("action", "latency"), "lognormal"),
        ({"action": {"outcomes": {"fail": {"latency": {}}}}}, ("action", "outcomes", "fail", "latency"), "empirical"),
        ({"requests": {"arrivals": {}}}, ("requests", "arrivals"), "poisson"),
        ({"services": {"api": {"latency": {}}}}, ("services", "api", "latency"), "gamma"),
        ({"retrier": {"kind": "policy", "delay": {}}}, ("retrier", "delay"), "exponential"),
    ],
)
def test_an_editor_can_complete_the_kinds_below(tree: dict[str, Any], place: tuple[str, ...], offered: str) -> None:
    assert offered in KnownKeys(json_schema()).at(tree, place)


def test_the_schema_has_a_name_of_its_own() -> None:
    assert json_schema()["$id"] == "urn:retrysim:scenario:1"


def test_every_number_of_the_platform_names_its_source() -> None:
    numbers = json_schema()["$defs"]["Platform"]["properties"]
    sources = {key: schema.get("x-source") for key, schema in numbers.items() if key != "profile"}
    assert [key for key, source in sources.items() if not source] == []
    assumed = [key for key, source in sources.items() if source == "assumed"]
    assert assumed == ["mutation_latency", "commit_window", "dispatch_latency"]


def unbounded(schema: Any, path: str = "") -> list[str]:
    """Find numbers, texts and lists without an upper bound, a pattern or a choice."""
    if isinstance(schema, list):
        return [place for part in schema for place in unbounded(part, path)]
    if not isinstance(schema, dict):
        return []
    bounds = {"number": {"maximum"}, "integer": {"maximum"}, "array": {"maxItems"}}
    bounds["string"] = {"maxLength", "pattern", "enum", "const", "not"}
    kind = schema["type"] if isinstance(schema.get("type"), str) else None  # a key may have that name
    found = [path] if kind in bounds and not bounds[kind] & (schema.keys() | {"const"} & schema.keys()) else []
    if "const" in schema or "enum" in schema:
        found = []
    return found + [place for key, part in schema.items() for place in unbounded(part, f"{path}/{key}")]


def test_every_option_has_a_bound() -> None:
    # A retrier's kind is looked up; the rows of a file are counted, and the file is bounded.
    free = {
        "/properties/retrier/anyOf",
        "/$defs/LayerOptions/properties/retrier/anyOf",
        "/$defs/ClassOptions/properties/retrier/anyOf",
        "/$defs/Empirical/properties/rows/anyOf",
        "/$defs/Recorded/properties/rows/anyOf",
        "/$defs/OutcomesOptions/properties/rows/anyOf",
    }
    assert set(unbounded(json_schema())) == free
