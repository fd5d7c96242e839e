"""Knobs: the numbers of a scenario that can be changed, each with the key that `--set` takes and its stops.

A number gets a knob if it passes a trial through the same code as `--set`: set to the value that it has, it must leave
the scenario the same; set to its next value, it must make another scenario. So no knob does nothing, and every line
that is copied works.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import yaml

from sim.report.live.numbers import Number, numbers_of
from sim.report.live.stops import Kind, stops_around, text_of
from sim.scenario.cells import cells
from sim.scenario.changes import Change, apply, by_depth
from sim.scenario.checks import without_cells
from sim.scenario.identity import digest
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.mistakes.without_effect import settings_without_effect
from sim.scenario.schema import Scenario, scenario_of
from sim.scenario.tree import without, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.scenario.cells import Cell

MOST_KNOBS: Final = 300
ALWAYS: Final = ("retrier", "action", "services", "classes", "resubmit", "clients")
"""Parts of which also the numbers that nobody wrote are worth a knob."""
IF_WRITTEN: Final = ("requests", "platform", "faults", "cancel", "heals_at")
"""Parts with many numbers that matter to few: only those in the file get a knob."""
NEVER: Final = (("requests", "count"),)
"""How large the sample is changes no answer; `--requests` says it."""
GROUPS: Final = {
    ("action", "outcomes"): "How attempts end",
    ("action", "latency"): "Latency",
    ("action", "weather"): "Weather",
    ("action",): "How attempts end",
    ("requests",): "Load",
    ("clients",): "Load",
    ("resubmit",): "Load",
    ("retrier",): "Retrier",
    ("platform",): "Platform",
    ("faults",): "Faults",
}
"""Names of groups by the keys that their numbers begin with; the first that fits counts."""


@dataclass(frozen=True, slots=True)
class Knob:
    """A number that can be changed."""

    key: str
    """As `--set` takes it."""
    group: str
    label: str
    kind: Kind
    stops: tuple[str, ...]
    """The values of its slider, in order."""
    at: int
    """Which of them is the value in the scenario."""
    about: str
    """One sentence on what it does; empty if there is none."""
    variant: str = ""
    """The variant that it belongs to; empty for what all cells have in common."""

    @property
    def value(self) -> str:
        """The value in the scenario."""
        return self.stops[self.at]


@dataclass(frozen=True)
class Knobs:
    """All knobs of a scenario, by group."""

    found: tuple[Knob, ...]
    unnamed: tuple[str, ...] = ()
    """Variants whose names no key can hold, so that they have no knobs of their own."""
    cut: int = 0
    """How many numbers have no knob since there are too many."""

    def __getitem__(self, key: str) -> Knob:
        """Return the knob of a key; raises KeyError."""
        return self._by_key[key]

    def __contains__(self, key: object) -> bool:
        """Whether a key has a knob."""
        return key in self._by_key

    @cached_property
    def _by_key(self) -> dict[str, Knob]:
        return {knob.key: knob for knob in self.found}

    @property
    def groups(self) -> dict[str, list[Knob]]:
        """The knobs by the names of their groups, those of all cells first."""
        groups: dict[str, list[Knob]] = {}
        for knob in sorted(self.found, key=lambda knob: bool(knob.variant)):
            groups.setdefault(knob.group, []).append(knob)
        return groups


def knobs_of(scenario: Scenario) -> Knobs:
    """Find the knobs of a scenario: of all cells together, and of each variant what it sets itself."""
    found: dict[str, Knob] = {}
    unnamed: dict[str, None] = {}
    cut = 0
    for trial in _trials(scenario):
        for number in trial.numbers():
            keys = list(trial.keys(number))
            if not keys or any(key in found for key in keys):
                continue
            if len(found) == MOST_KNOBS:
                cut += 1
                continue
            if trial.own(number) and not _fits_a_key(trial.variant):
                unnamed[trial.variant] = None
                continue
            knob = trial.knob(number, keys)
            if knob is not None:
                found[knob.key] = knob
    return Knobs(tuple(_confirmed(scenario, list(found.values()))), tuple(unnamed), cut)


def _confirmed(scenario: Scenario, knobs: Sequence[Knob]) -> list[Knob]:
    """Return the knobs that can be set in the scenario with all of its cells, each to the value that it has."""
    tree, problems = apply(scenario.written, [Change(knob.key, yaml.safe_load(knob.value), ()) for knob in knobs])
    with suppress(ScenarioError):
        if not problems and digest(scenario_of(tree, scenario.surroundings)) == digest(scenario):
            return list(knobs)
    if len(knobs) <= 1:
        return []
    middle = len(knobs) // 2
    return [*_confirmed(scenario, knobs[:middle]), *_confirmed(scenario, knobs[middle:])]


def _fits_a_key(name: str) -> bool:
    """Whether `--set variants.NAME.KEY=VALUE` can name a variant."""
    return not set(name) & {".", "="}


def _trials(scenario: Scenario) -> Iterator[_Trial]:
    """Yield a trial for the first cell of each variant."""
    seen: set[str] = set()
    for cell in cells(scenario):
        if cell.variant not in seen:
            seen.add(cell.variant)
            yield _Trial(scenario, cell)


class _Trial:
    """One cell of a scenario, on which changes are tried."""

    def __init__(self, scenario: Scenario, cell: Cell) -> None:
        self.variant = cell.variant
        self._scenario = scenario
        self._cell = cell
        self._varied = list(written(scenario.written, "variants", cell.variant) or {}) if cell.variant else []
        self._params = [Change(key, value, ()) for key, value in cell.params.items()]

    def numbers(self) -> Iterator[Number]:
        """Yield the numbers that may get a knob: not those that the sweep sets, which the cells show side by side."""
        for number in numbers_of(self._cell.scenario):
            part = number.path[0]
            if number.path[:2] in NEVER or self._overlaps(number.path, self._cell.levels):
                continue
            if part in ALWAYS or (part in IF_WRITTEN and self._is_written(number.path)):
                yield number

    def keys(self, number: Number) -> Iterator[str]:
        """Yield the keys that may set a number: its path, or the part for which a short form stands."""
        prefix = f"variants.{self.variant}." if self.own(number) else ""
        # `latency: 100ms` is short for `latency: {constant: 100ms}`, and `0.03` for `{share: 0.03}`.
        for length in range(len(number.path), max(len(number.path) - 2, 1), -1):
            yield prefix + ".".join(number.path[:length])

    def own(self, number: Number) -> bool:
        """Whether the variant sets a number itself, so that a change for all cells would not reach it."""
        return self._overlaps(number.path, self._varied)

    def knob(self, number: Number, keys: Sequence[str]) -> Knob | None:
        """Return the knob of a number; None if no key sets it, or if its value does not matter."""
        stops, at = stops_around(number.kind, number.value, number.bounds)
        for key in keys:
            if self._digest(key, stops[at]) == self._own_digest:
                near = [stops[place] for place in (at + 1, at - 1) if 0 <= place < len(stops)]
                others = [self._digest(key, text) for text in near]
                if not any(other not in {None, self._own_digest} for other in others):
                    return None
                zero = stops[0]
                if at and zero == text_of(number.kind, 0) and self._digest(key, zero) is None:  # no law has a mean of 0
                    stops, at = stops[1:], at - 1
                return self._made(number, key, stops, at)
        return None

    def _made(self, number: Number, key: str, stops: tuple[str, ...], at: int) -> Knob:
        own = self.variant if self.own(number) else ""
        group, behind = _group(number.path)
        label = " ".join(word for word in number.words[behind:] if word).replace("_", " ")
        return Knob(key, own or group, label, number.kind, stops, at, number.about, own)

    @cached_property
    def _own_digest(self) -> str:
        return digest(self._cell.scenario)

    def _digest(self, key: str, text: str) -> str | None:
        """Return the digest of the cell with a key set to a value; None if there is no such cell."""
        change = Change(key.removeprefix(f"variants.{self.variant}."), yaml.safe_load(text), ())
        of_variant = change.key != key
        tree, problems = apply(without_cells(self._scenario.written), [] if of_variant else [change])
        changes = [*self._params, change] if of_variant else self._params
        tree, more = apply(tree, by_depth(changes))
        if problems or more:
            return None
        surroundings = self._scenario.surroundings
        for setting in list(settings_without_effect(tree, surroundings.trusted)):
            tree = without(tree, setting.part)
        tree.pop("tune", None)
        try:
            return digest(scenario_of(tree, surroundings))
        except ScenarioError:
            return None

    def _is_written(self, path: tuple[str, ...]) -> bool:
        tree = self._cell.scenario.written
        return any(written(tree, *path[:length]) is not None for length in (len(path), len(path) - 1) if length > 1)

    @staticmethod
    def _overlaps(path: tuple[str, ...], keys: Any) -> bool:
        """Whether one of the dotted keys is that of a number or of a part around it."""
        return any(path[: len(steps)] == steps for key in keys for steps in [tuple(key.split("."))])


def _group(path: tuple[str, ...]) -> tuple[str, int]:
    """Return the name of the group of a number, and how many of its keys that name stands for."""
    if path[0] in {"services", "classes"} and len(path) > 2:
        return f"{'Service' if path[0] == 'services' else 'Class'} {path[1]}", 2
    for keys, name in GROUPS.items():
        if path[: len(keys)] == keys:
            return name, len(keys) if len(keys) < len(path) and name != "Load" else 0
    return "Others", 0
