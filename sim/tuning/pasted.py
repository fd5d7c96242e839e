"""What a user pastes to get a retrier: TypeScript for Convex's ports, a library's configuration for its preset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sim.converters.catalogue import FORMATS
from sim.converters.configurations import ENDINGS as FILE_ENDINGS
from sim.converters.configurations import configuration_of
from sim.converters.configurations import format_of as format_of_preset
from sim.converters.writing import CannotWrite
from sim.scenario.mistakes.problems import format_path
from sim.scenario.parts.retrier import preset_of
from sim.tuning.typescript import code_lines, no_code, typescript

if TYPE_CHECKING:
    from sim.scenario.schema import Scenario

POLICY: Final = "policy"
ENDINGS: Final = (".ts", *(f"-{kind}{ending}" for kind in FORMATS for ending in FILE_ENDINGS))
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
    chosen: tuple[str, ...] = ()
    """Sentences: what the text says and the retrier does not."""


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
        found = configuration_of(kind, _policy(scenario))
    except CannotWrite as error:
        return f"no configuration of {FORMATS[kind].TITLE} to paste: {error}"
    chosen = tuple(f"chosen for {format_path(choice.keys)}: {choice.why}" for choice in found.choices)
    return Pasted(found.title, f"-{kind}{found.ending}", found.text, tuple(found.text.splitlines()), chosen)


def format_of(scenario: Scenario) -> str | None:
    """Return the format of configurations of the library whose preset a scenario's policy comes from, if it has one."""
    preset = preset_of(scenario.written.get("retrier"))
    return None if preset is None else format_of_preset(preset)


def _policy(scenario: Scenario) -> dict[str, Any]:
    policy: dict[str, Any] = scenario.retrier.options.model_dump(mode="json", exclude_defaults=True)
    return policy
