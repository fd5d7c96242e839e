"""The identity of a scenario: its resolved form, and the digest of that.

The resolved form has every default, override and profile written out, and the digest and number of rows of every file;
settings without effect are left out. Its YAML is a scenario again, with the same digest.

The digest stands for the numbers that come out. It covers the id and the resolved form of each cell, but not `name`,
`why`, `expect`, `tune`, `check`, `timeline`, `recovery` and `cost`, which change what is said about the numbers, and
not the names of files, whose contents it covers. It covers `keep` only if that is `histogram`, which rounds
percentiles, and then `cost` too, since these histograms hold what each request cost. So expectations can be mended, and
prices changed, after a long run without making its results those of another scenario.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from sim.convex.platform import Platform, assumed
from sim.scenario.cells import cells
from sim.scenario.mistakes.without_effect import settings_without_effect
from sim.scenario.names import slug
from sim.scenario.schema import Scenario
from sim.scenario.tree import without
from sim.scenario.yaml.writer import yaml_lines

NOT_IDENTITY = ("name", "why", "expect", "check", "explore", "course", "tune", "timeline", "recovery", "cost")
OPTIONAL_PARTS = (
    *("measure", "timeline", "recovery", "cancel", "heals_at", "explore", "course", "precision", "tune"),
    *("clients", "classes", "resubmit", "cost"),
)


def resolved(scenario: Scenario) -> dict[str, Any]:
    """Return the scenario with all defaults, in the words of a file: text, numbers, lists and mappings.

    If there are several cells the first is written out, and all become variants with their differences from it.
    """
    made = cells(scenario)
    if made[0].scenario is scenario:
        return _resolved_alone(scenario)
    trees = [_resolved_alone(cell.scenario) for cell in made]
    base = dict(trees[0])
    for tree in trees[1:]:
        # Settings without effect in the first cell may have one in others.
        base |= {key: value for key, value in tree.items() if key not in base and key not in OPTIONAL_PARTS}
    names = [cell.name if slug(cell.name) == cell.id else cell.id for cell in made]
    return {
        **base,
        "variants": {name: dict(_differences(base, tree)) for name, tree in zip(names, trees, strict=True)},
    }


def _resolved_alone(scenario: Scenario) -> dict[str, Any]:
    tree = scenario.model_dump(mode="json", exclude={"sweep", "variants"})
    tree["keep"] = scenario.keeps if scenario.world == "isolated" else None
    for one in scenario.callers:
        of_class = tree["classes"][one.name]
        if of_class["action"] is not None:
            of_class["action"] = _without_what_a_service_says(one.action.model_dump(mode="json"))
    # In the platform's numbers None means something: no latency. If it were left out, a profile would fill the gap.
    tree = {**_without_none(tree), "platform": tree["platform"]}
    if not tree["services"]:
        del tree["services"]
    tree["action"] = _without_what_a_service_says(tree["action"])
    for setting in list(settings_without_effect(tree, scenario.surroundings.trusted)):
        tree = without(tree, setting.part)
    return tree


def _without_what_a_service_says(action: dict[str, Any]) -> dict[str, Any]:
    """Leave nothing but the name in an action that is a call of a service: no file may say more beside it."""
    service = action.get("service")
    return action if service is None else {"service": service}


def _differences(base: Mapping[str, Any], tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted keys in which a cell differs from the base, with the cell's values.

    Mappings with the same keys are compared key by key. If the base has a part that the cell lacks, the part has no
    effect in the cell and is no difference; but an optional part is taken away.
    """
    for key in dict.fromkeys([*base, *tree]):
        ours, theirs = base.get(key), tree.get(key)
        if ours == theirs or (key not in tree and key not in OPTIONAL_PARTS):
            continue
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping) and ours.keys() == theirs.keys():
            yield from _differences(ours, theirs, f"{above}{key}.")
        else:
            yield f"{above}{key}", theirs


def differing(one: Scenario, other: Scenario) -> dict[str, tuple[Any, Any]]:
    """Return the settings in which two cells differ: dotted keys, and both values in the words of a file, resolved.

    The retrier is one setting, `retrier`. Settings that change no number, or that only one of them has a use for, are
    left out. None stands for an optional part that one of them does not have.
    """
    trees = [_essence(_resolved_alone(cell)) for cell in (one, other)]
    found: dict[str, tuple[Any, Any]] = {}
    for key in dict.fromkeys([*trees[0], *trees[1]]):
        if key in OPTIONAL_PARTS or (key in trees[0] and key in trees[1]):
            ours, theirs = (tree.get(key) for tree in trees)
            found |= _unequal(key, ours, theirs) if key != "retrier" else {key: (ours, theirs)}
    return {key: values for key, values in found.items() if values[0] != values[1]}


def _unequal(key: str, ours: Any, theirs: Any) -> dict[str, tuple[Any, Any]]:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping) and ours.keys() == theirs.keys():
        return {
            name: pair
            for below in ours
            for name, pair in _unequal(f"{key}.{below}", ours[below], theirs[below]).items()
        }
    return {key: (ours, theirs)}


def digest(scenario: Scenario) -> str:
    """Return the identity of the scenario: SHA-256 of the canonical JSON of its cells, in hexadecimal."""
    parts = [{"id": cell.id, "scenario": _essence(_resolved_alone(cell.scenario))} for cell in cells(scenario)]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def resolved_yaml(scenario: Scenario) -> str:
    """Return the resolved form as a YAML file, its digest on top."""
    tree = resolved(scenario)
    platform = Platform.model_validate(tree.get("platform", {}))
    notes = dict.fromkeys(assumed(platform), "assumed")
    lines = [f"# digest {digest(scenario)}", *yaml_lines(tree, notes)]
    return "\n".join(lines) + "\n"


def _without_none(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _without_none(value) for key, value in node.items() if value is not None}
    if isinstance(node, list):
        return [_without_none(value) for value in node]
    return node


def _essence(node: Any, key: str = "") -> Any:
    """Leave out the settings that change no number."""
    if isinstance(node, Mapping):
        dropped: tuple[str, ...] = NOT_IDENTITY if not key else ("file",) if "sha256" in node else ()
        if not key and node.get("keep") == "histogram":
            dropped = tuple(name for name in dropped if name != "cost")  # histograms hold what each request cost
        if not key and node.get("keep") == "requests":
            # Histograms change percentiles, by less than 0.1 %; requests are the numbers themselves.
            dropped = (*dropped, "keep")
        return {name: _essence(value, f"{key}.{name}") for name, value in node.items() if name not in dropped}
    if isinstance(node, list):
        return [_essence(value, f"{key}[]") for value in node]
    return node
