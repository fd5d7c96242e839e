"""`ScenarioError`, the one error that users of scenarios meet: problems, each with its place."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

Path = tuple[str | int, ...]
"""The keys and indexes that lead from the root of a scenario to one of its values."""

MOST_PROBLEMS = 100
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column, counted from 1, of a file or of an option of the command line."""

    source: str
    line: int = 1
    column: int = 1
    text_column: int | None = None
    """Where the first character of a text on one line stands, behind its quote if it has one."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake; its text is `file:line:column: path: reason`, without a file `path: reason`."""

    keys: Path
    reason: str
    file: str = ""
    line: int = 1
    column: int = 1
    at_key: bool = False
    """Whether the key is wrong, not its value."""
    offset: int = 0
    """How far into the text of the value the mistake lies, in characters."""

    @property
    def path(self) -> str:
        """The path as users write it: `action.script[2].latency`; empty for the file as a whole."""
        return format_path(self.keys)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.file else ""
        return f"{place}{self.path}: {self.reason}" if self.keys else f"{place}{self.reason}"


class ScenarioError(Exception):
    """A scenario is wrong: `problems` holds every mistake that was found, in the order of their places."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def whole_file(source: str, reason: str, line: int = 1, column: int = 1) -> Problem:
    """Return a problem that belongs to no key."""
    return Problem((), reason, source, line, column)


@dataclass(slots=True)
class Places:
    """Where the keys and values of a scenario are written; `sources` are in the order in which to read them."""

    sources: list[str]
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)

    def replace_below(self, path: Path, key: Place, values: dict[Path, Place], keys: dict[Path, Place]) -> None:
        """Put other places below a path, those of a value given elsewhere; their paths are relative to `path`."""
        for places in (self.keys, self.values):
            for old in [old for old in places if old[: len(path)] == path]:
                del places[old]
        self.keys[path] = key
        self.keys |= {path + below: place for below, place in keys.items()}
        self.values |= {path + below: place for below, place in values.items()}

    def locate(self, problem: Problem) -> Problem:
        """Give a problem the place of its key or value, or of the nearest one around it; 1:1 if there is none."""
        if problem.file:
            return problem
        place = self._place(problem)
        column = place.column
        if problem.offset and place.text_column is not None:
            column = place.text_column + problem.offset
        return replace(problem, file=place.source, line=place.line, column=column)

    def _place(self, problem: Problem) -> Place:
        path = problem.keys
        if problem.at_key and path in self.keys:
            return self.keys[path]
        while path:
            if path in self.values:
                return self.values[path]
            if path in self.keys:
                return self.keys[path]
            path = path[:-1]
        return Place(self.sources[0])

    def in_order(self, problems: Iterable[Problem]) -> list[Problem]:
        """Locate problems, drop repeated ones, and sort by place; after `MOST_PROBLEMS` give only the number."""
        order = {source: position for position, source in enumerate(self.sources)}
        located = sorted(
            dict.fromkeys(map(self.locate, problems)),
            key=lambda problem: (order.get(problem.file, len(order)), problem.line, problem.column, str(problem)),
        )
        told = {str(problem): problem for problem in located}
        ordered = list(told.values())
        if len(ordered) > MOST_PROBLEMS:
            last = ordered[MOST_PROBLEMS]
            more = f"and {len(ordered) - MOST_PROBLEMS} more mistakes from here on"
            ordered = [*ordered[:MOST_PROBLEMS], whole_file(last.file, more, last.line, last.column)]
        return ordered


def format_path(path: Sequence[str | int]) -> str:
    """Write a path as users do: `faults[0].restart`, `sweep['retrier.base']`."""
    return "".join(_steps(path))


def _steps(path: Sequence[str | int]) -> Iterator[str]:
    for position, step in enumerate(path):
        if isinstance(step, int):
            yield f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            yield f".{step}" if position else step
        else:
            yield f"[{shorten(step)!r}]"


def shorten(text: str, longest: int = 60) -> str:
    """Cut a text that is too long for a message."""
    return text if len(text) <= longest else text[: longest - 3] + "..."
