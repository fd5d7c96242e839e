"""What a user pastes to get a retrier: TypeScript for Convex's ports, a library's configuration for its preset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sim.converters.catalogue import FORMATS
from sim.converters.writing import CannotWrite
from sim.scenario.parts.retrier import preset_of
from sim.tuning.typescript import code_lines, no_code, typescript

if TYPE_CHECKING:
    from sim.scenario.schema import Scenario

POLICY: Final = "policy"
_ALSO: Final = {"botocore": "aws"}
"""Formats by the beginnings of the names of presets that do not begin with the name of their format."""
ENDINGS: Final = (".ts", *(f"-{kind}.{ending}" for kind in FORMATS for ending in ("json", "yaml")))
"""What names of files of pasted texts can end with."""


@dataclass(frozen=True, slots=True)
class Pasted:
    """A text to paste."""

    title: str
    """What it is for, such as `TypeScript`."""
    ending: str
    """What the name of its file ends with: one of `ENDINGS`."""
    text: str
    lines: tuple[str, ...]
    """The lines that hold the parameters."""


def pasted(scenario: Scenario, about: str) -> Pasted | str:
    """Return the text for a scenario's retrier, headed by the comment `about` if it can have one; or why there is none.

    A policy has one if it comes from the preset of a library whose configurations are written (`sim.converters`), and
    if nothing in it is beyond that configuration.
    """
    if scenario.retrier.kind != POLICY:
        reason = no_code(scenario)
        if reason:
            return reason
        text = typescript(scenario, about)
        return Pasted("TypeScript", ".ts", text, tuple(code_lines(text)))
    kind = format_of(scenario)
    if kind is None:
        return (
            "a policy is data, and its points are scenarios; `retrysim convert point-1.yaml --to FORMAT` writes one as "
            "the configuration of a library, if that can say it"
        )
    try:
        text = FORMATS[kind].write(_policy(scenario))
    except CannotWrite as error:
        return f"no configuration of {FORMATS[kind].TITLE} to paste: {error}"
    return Pasted(FORMATS[kind].TITLE, f"-{kind}{_ending(text)}", text, tuple(text.splitlines()))


def format_of(scenario: Scenario) -> str | None:
    """Return the format of configurations of the library whose preset a scenario's policy comes from, if it has one."""
    preset = preset_of(scenario.written.get("retrier"))
    if preset is None:
        return None
    beginnings = {**{kind: kind for kind in FORMATS}, **_ALSO}
    return next((kind for name, kind in beginnings.items() if f"{preset.name}-".startswith(f"{name}-")), None)


def _policy(scenario: Scenario) -> dict[str, Any]:
    policy: dict[str, Any] = scenario.retrier.options.model_dump(mode="json", exclude_defaults=True)
    return policy


def _ending(text: str) -> str:
    return ".json" if text[:1] in {"{", "["} else ".yaml"
