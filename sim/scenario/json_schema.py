"""The JSON Schema of scenario files, for editors and for `sim.scenario.mistakes.known_keys`.

It is shipped as `scenario.schema.json` beside this module; a test compares the file with the models.
"""

from typing import Any

from sim.kernel.durations import DURATION_PATTERN, format_duration
from sim.scenario.schema import Scenario

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "urn:retrysim:scenario:1"
"""Of the schema of scenarios of version 1: a name, since there is no address to fetch it from."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of scenario files."""
    schema = Scenario.model_json_schema(mode="validation")
    # If there are cells, each may bring its own retrier.
    del schema["required"]
    celled = {"anyOf": [{"required": ["variants"]}, {"required": ["sweep"]}]}
    return {
        "$schema": DIALECT,
        "$id": ID,
        **_for_people(schema),
        "title": "A retrysim scenario",
        "description": "One experiment: a world, an action, a retrier, and expectations.",
        "if": {"not": celled},
        "then": {"required": ["retrier"]},
    }


def _for_people(node: Any) -> Any:
    """Write defaults as files do; leave out a default that means the absence of a part or repeats those of its keys."""
    if isinstance(node, list):
        return [_for_people(value) for value in node]
    if not isinstance(node, dict):
        return node
    written = {key: _for_people(value) for key, value in node.items()}
    default = node.get("default")
    if node.get("pattern") == DURATION_PATTERN and isinstance(default, int):
        written["default"] = format_duration(default)
    elif "default" in node and (default is None or (isinstance(default, dict) and len(default) != 1)):
        del written["default"]
    return written
