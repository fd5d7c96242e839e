"""The rules of a scenario that need more than one model: checks around the models, defaults that depend on others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import PydanticUserError, TypeAdapter, ValidationInfo

from sim.convex.platform import Platform
from sim.kernel.durations import parse_duration
from sim.options.model import file_rules
from sim.options.own_code import Trusted
from sim.retriers.registry import KINDS
from sim.scenario.data_files import DataFiles
from sim.scenario.mistakes.known_keys import KnownKeys
from sim.scenario.mistakes.problems import Path as Keys
from sim.scenario.mistakes.problems import Problem
from sim.scenario.mistakes.without_effect import settings_without_effect
from sim.scenario.parts.classes import whole_retrier
from sim.scenario.parts.own_service import keys_of_own_service
from sim.scenario.parts.retrier import is_preset, options_schema
from sim.scenario.tree import Tree, written
from sim.world.arrivals import Arrivals, most_before
from sim.world.workload import RequestsOptions


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a scenario may use besides its own text: files of a folder, and retriers and services by `module:Class`.

    It is the context in which Pydantic validates a scenario.
    """

    files: DataFiles = field(default_factory=lambda: DataFiles(Path()))
    trusted: Trusted = field(default_factory=dict)
    """Code that is named outside of a file."""
    from_file: bool = False
    """Whether the values obey the rules of files, which allow less than Python does (`sim.options.model`)."""


def without_cells(tree: Tree) -> dict[str, Any]:
    """Return the settings that all cells have in common."""
    return {key: value for key, value in tree.items() if key not in {"sweep", "variants"}}


def problems_of_settings(tree: Tree, surroundings: Surroundings) -> list[Problem]:
    """Return the settings that cannot matter; if there are several cells, these are looked at one by one instead."""
    if tree.get("sweep") or tree.get("variants"):
        return []
    return [
        Problem(found.path, found.reason, at_key=True) for found in settings_without_effect(tree, surroundings.trusted)
    ]


def allowed_keys(tree: Tree, path: Keys, surroundings: Surroundings) -> list[str]:
    """Return the keys that may stand in the mapping at a path."""
    if path[:1] == ("classes",) and path[2:3] == ("retrier",):
        own = written(tree, "classes", str(path[1]), "retrier")
        if isinstance(own, Mapping):
            tree, path = {**tree, "retrier": whole_retrier(own, tree.get("retrier"))}, path[2:]
    if path[:1] == ("retrier",) and (keys := _keys_of_foreign_retrier(tree, surroundings)) is not None:
        return keys.at(tree["retrier"], path[1:])
    if len(path) == 2 and path[0] == "services" and (found := _keys_of_own_service(tree, path[1], surroundings)):
        return found
    return KnownKeys.of_scenarios().at(tree, path)


def _keys_of_own_service(tree: Tree, name: str | int, surroundings: Surroundings) -> list[str]:
    """Return the keys of a service that is a class of the user's own; none if it is not."""
    kind = written(tree, "services", str(name), "kind")
    return keys_of_own_service(kind) if isinstance(kind, str) and kind in surroundings.trusted else []


def _keys_of_foreign_retrier(tree: Tree, surroundings: Surroundings) -> KnownKeys | None:
    """Return the keys of the options of a retrier that the shipped schema does not know."""
    kind = written(tree, "retrier", "kind")
    if not isinstance(kind, str) or kind in KINDS or is_preset(kind):
        return None
    try:
        return KnownKeys(options_schema(kind, surroundings.trusted))
    except (LookupError, TypeError, ImportError, AttributeError, PydanticUserError):
        return None


def with_profile(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a scenario with the platform's profile that is the default of its world."""
    platform = values.get("platform", {})
    if isinstance(platform, Platform):
        platform = platform.model_dump(exclude_unset=True)
    if values.get("world") == "shared" and isinstance(platform, Mapping) and "profile" not in platform:
        return {**values, "platform": {**platform, "profile": "convex"}}
    return dict(values)


def with_count(values: Mapping[str, Any], info: ValidationInfo) -> dict[str, Any]:
    """Return the values of a scenario with room for all requests that its arrivals make, if it does not say how many.

    That is so for arrivals that have an end: a schedule or bursts up to `until`, a schedule whose last rate is 0.
    Anything that is wrong in them is left to the models.
    """
    requests, until = values.get("requests"), values.get("until")
    if isinstance(requests, RequestsOptions):
        given, arrivals = requests.model_fields_set, requests.arrivals
    elif isinstance(requests, Mapping):
        given, arrivals = set(requests), requests.get("arrivals")
    else:
        return dict(values)
    if values.get("world") != "shared" or "count" in given or arrivals is None:
        return dict(values)
    try:
        written_arrivals = _ARRIVALS.validate_python(arrivals, **file_rules(info.context))
        until_ns = None if until in (None, "drained") else parse_duration(until)
    except ValueError:
        return dict(values)
    count = most_before(written_arrivals, until_ns)
    if count is None:
        return dict(values)
    if isinstance(requests, RequestsOptions):
        return {**values, "requests": RequestsOptions(count=max(count, 1), arrivals=arrivals)}
    return {**values, "requests": {**requests, "count": max(count, 1)}}


_ARRIVALS: Final[TypeAdapter[Any]] = TypeAdapter(Arrivals)


def retrier_of_first_cell(tree: Tree) -> tuple[Keys, Any] | None:
    """Return where the first cell sets a whole retrier, and to what; None if it sets none, or one stands outside.

    If every cell sets a retrier of its own, none needs to stand outside of them.
    """
    variants, sweep = tree.get("variants"), tree.get("sweep")
    if "retrier" in tree:
        return None
    if isinstance(sweep, Mapping) and isinstance(values := sweep.get("retrier"), list | tuple) and values:
        return ("sweep", "retrier", 0), values[0]
    if not isinstance(variants, Mapping) or not variants:
        return None
    name, first = next(iter(variants.items()))
    found = written(first, "retrier")
    return None if found is None else (("variants", name, "retrier"), found)
