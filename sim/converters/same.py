"""Whether two policies are the same: the form of a policy in which each can be written in one way only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sim.clients.policy.answers import FAILURES
from sim.clients.policy.options import PolicyOptions
from sim.options.model import file_rules

_SETS: Final = ("retry_on", "on", "counts")
"""Keys whose lists have no order."""


@dataclass(frozen=True, slots=True)
class _FromFile:
    """Tells validators that values obey the rules of files."""

    from_file: bool = True


def canonical(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy without `kind` and without what holds anyhow, all else in one form. Raises ValidationError."""
    plain = {key: value for key, value in tree.items() if key != "kind"}
    options = PolicyOptions.model_validate(plain, **file_rules(_FromFile()))
    found: dict[str, Any] = _sorted(options.model_dump(mode="json", exclude_defaults=True))
    if set(found.get("retry_on", ())) == set(FAILURES):
        del found["retry_on"]
    for part, key, only in (
        (found, "timeout", "constant"),
        (found, "deadline", "after"),
        (found.get("breaker", {}), "open", "constant"),
    ):
        value = part.get(key)
        if isinstance(value, Mapping) and value.keys() == {only}:
            part[key] = value[only]
    return found


def _sorted(value: Any, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {name: _sorted(below, name) for name, below in value.items()}
    if isinstance(value, list | tuple):
        return sorted(value) if key in _SETS else [_sorted(below) for below in value]
    return value
