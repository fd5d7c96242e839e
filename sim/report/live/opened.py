"""The scenario that a live page shows: read once, and made again with other numbers for every change.

A change goes the way of `--set`: the same texts, the same checks, the same messages. What is wrong with a number is
told beside its slider, what is wrong between several beside those that were changed last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.report.live.knobs import knobs_of
from sim.scenario.cells import cells
from sim.scenario.changes import Change, apply
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.schema import scenario_of
from sim.scenario.yaml.guard import MAX_BYTES, read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sim.report.live.knobs import Knobs
    from sim.scenario.mistakes.problems import Problem
    from sim.scenario.schema import Scenario

    Values = Mapping[str, str]
    """By key of a knob the text of its value, as `--set` takes it; values that are not changed may be left out."""

LONGEST_VALUE: Final = 64


class Refused(ValueError):
    """A change, a value or a name that is not taken; the text says why."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with the numbers that were chosen."""

    key: str
    """The knob beside which it is told; empty if it belongs to none of them."""
    reason: str


class WrongNumbers(Exception):  # named for what the user sees
    """The numbers make no scenario."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("; ".join(mistake.reason for mistake in mistakes))
        self.mistakes = tuple(mistakes)


class Opened:
    """A scenario with knobs: makes scenarios of other numbers, and the command that runs one.

    `load` reads the scenario with changes more than those of the command line, and raises ScenarioError; `command`
    writes the command that runs it with them.
    """

    def __init__(
        self,
        path: Path,
        load: Callable[[Sequence[tuple[str, str]]], Scenario],
        command: Callable[[Sequence[tuple[str, str]]], str],
    ) -> None:
        self.path = path
        self._load = load
        self._command = command
        self._text = _text_of(path)
        self.scenario = load(())
        """As written."""
        self.knobs: Knobs = knobs_of(self.scenario)

    def scenario_with(self, values: Values) -> Scenario:
        """Return the scenario with other numbers. Raises Refused for an unknown key, and WrongNumbers."""
        changes = self.changes(values)
        if not changes:
            return self.scenario
        quickly = self._quickly(changes)
        if quickly is not None:
            return quickly
        # What is wrong is told by the file, which has to be the same for that.
        if news := self.news():
            raise Refused(f"these numbers make no scenario; {news}")
        try:
            return self._load(changes)
        except ScenarioError as error:
            raise WrongNumbers(_mistakes(error.problems, [key for key, _ in changes])) from None

    def _quickly(self, changes: Sequence[tuple[str, str]]) -> Scenario | None:
        """Return the scenario with changes, its data files as they were read; None if anything is wrong."""
        made = []
        for key, text in changes:
            try:
                document = read_yaml(text.encode("utf-8", "surrogatepass"), key)
            except ScenarioError:
                return None
            if document.problems:
                return None
            made.append(Change(key, document.values, ()))
        tree, problems = apply(self.scenario.written, made)
        if problems:
            return None
        try:
            scenario = scenario_of(tree, self.scenario.surroundings)
            cells(scenario)
        except ScenarioError:
            return None
        return scenario

    def changes(self, values: Values) -> list[tuple[str, str]]:
        """Return the values that differ from those of the file. Raises Refused for a key or a value that is no knob's.

        The order is that of the values given, so that the last is the one that was changed last.
        """
        for key, text in values.items():
            if key not in self.knobs:
                raise Refused(f"no number of the scenario is called '{key[:80]}'")
            if len(text) > LONGEST_VALUE:
                raise Refused(f"a value has at most {LONGEST_VALUE} characters")
        return [(key, text.strip()) for key, text in values.items() if text.strip() != self.knobs[key].value]

    def news(self) -> str:
        """Return in a sentence what has become of the file since it was opened; empty if it is the same."""
        now = _text_of(self.path)
        if now == self._text:
            return ""
        what = "is gone" if now is None else "has changed"
        here = "and the page shows it as it was: start `retrysim live` again"
        return f"{self.path.name} {what} since it was opened, {here}"

    def command(self, values: Values) -> str:
        """Return the command line that runs the scenario with these numbers."""
        return self._command(self.changes(values))


def _text_of(path: Path) -> bytes | None:
    """Return what a file holds; None if it cannot be read, or is a pipe, which can be read once."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError:
        return None


def _mistakes(problems: Sequence[Problem], keys: Sequence[str]) -> list[Mistake]:
    """Say beside which of the changed knobs each problem is told."""
    found = []
    for problem in problems:
        source = problem.file.removeprefix("--set ")
        path = problem.path.replace("[", ".").replace("]", "")
        near = [key for key in keys if key == source] or [key for key in keys if key == path or path in key]
        own = bool(near) and (near[-1] == source or near[-1] == path)
        reason = problem.reason if own or not problem.path else f"{problem.path}: {problem.reason}"
        found.append(Mistake(near[-1] if near else keys[-1] if keys else "", reason))
    return list(dict.fromkeys(found))
