"""Presets: policies that people run, by name, one row of data each.

A scenario names one as `retrier: NAME`, or as `{kind: policy, preset: NAME, ...what differs}`. A row is a `Preset` in
the module of its family; a new one needs no more than that. Tests hold every row to its library.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from sim.options.near_words import did_you_mean
from sim.retriers.presets import aws, dotnet_jvm, javascript, python, queues, rpc
from sim.retriers.presets.preset import Preset

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PRESETS", "Preset", "expanded", "find", "names"]

PRESETS: Final[tuple[Preset, ...]] = (
    *rpc.PRESETS,
    *aws.PRESETS,
    *dotnet_jvm.PRESETS,
    *queues.PRESETS,
    *python.PRESETS,
    *javascript.PRESETS,
)
"""All rows, family by family."""
_BY_NAME: Final = {preset.name: preset for preset in PRESETS}


def names() -> list[str]:
    """Return the names of all presets, in the order of the alphabet."""
    return sorted(_BY_NAME)


def find(name: str) -> Preset:
    """Return the preset of this name. Raises LookupError, which suggests the nearest name."""
    if name not in _BY_NAME:
        hint = did_you_mean(name, _BY_NAME)
        raise LookupError(f"there is no preset '{name}'{hint or '; retrysim presets lists them'}")
    return _BY_NAME[name]


def expanded(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy that `{preset: NAME, ...what differs}` means, without the key `preset`.

    A key that is given takes the place of the preset's, with all that is below it; null takes the preset's key away.
    A tree without `preset` stays as it is. Raises LookupError for an unknown name, and TypeError if it is no text.
    """
    given = {key: value for key, value in tree.items() if key != "preset"}
    if "preset" not in tree:
        return given
    name = tree["preset"]
    if not isinstance(name, str):
        raise TypeError("a preset is a name, such as stamina; retrysim presets lists them")
    policy = find(name).policy
    kept = {key: deepcopy(value) for key, value in policy.items() if key not in given}
    return {**kept, **{key: value for key, value in given.items() if value is not None or key not in policy}}
