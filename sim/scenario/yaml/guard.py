"""Reads one YAML document into plain values and the places of its keys, and refuses what a scenario never needs.

PyYAML only splits the text into events here; nothing of it composes or constructs. The guards look at each event before
the next is asked for: size, depth and number of nodes are bounded, and aliases, anchors, tags, merge keys and duplicate
keys are refused, so a file can neither grow in memory nor mean two things. Its parser works from a stack of its own and
looks at most 1024 characters ahead, so stopping at the 64th level also bounds its time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from sim.scenario.mistakes.problems import Path, Place, Places, Problem, ScenarioError, shorten, whole_file
from sim.scenario.yaml.scalars import resolve
from sim.scenario.yaml.syntax import in_words

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 100_000

_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]",
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Document:
    """A file's plain values (mappings with text keys, lists, scalars), their places, and the problems found by guards.

    None stands for a refused value; any other problem of that value would be pointless.
    """

    values: Any
    places: Places
    problems: tuple[Problem, ...]


def read_yaml(data: bytes, source: str) -> Document:
    """Read one document from UTF-8 bytes; `source` names them in problems.

    Raises ScenarioError if the reading must stop: not UTF-8, control characters, too large, broken syntax, more than
    one document, none at all.
    """
    text = decode(data, source)
    composer = _Composer(source)
    try:
        for event in _events(text, source):
            composer.take(event)
    except _Stop as stop:
        raise ScenarioError([*composer.problems, stop.problem]) from None
    if not composer.documents:
        raise ScenarioError([whole_file(source, "the file is empty; the smallest scenario is `retrier: helpers`")])
    return Document(composer.root, composer.places, tuple(composer.problems))


def decode(data: bytes, source: str) -> str:
    """Return the text of a file, without byte order mark. Raises ScenarioError with the place of the first bad byte."""
    if len(data) > MAX_BYTES:
        raise ScenarioError([whole_file(source, "the file is larger than 1 MiB")])
    if b"\0" in data:
        line, column = _line_and_column(data[: data.index(b"\0")].decode("utf-8", "replace"))
        raise ScenarioError([whole_file(source, "not a text file: it has NUL bytes", line, column)])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _line_and_column(data[: error.start].decode("utf-8", "replace"))
        raise ScenarioError([whole_file(source, "not a text file in UTF-8", line, column)]) from None
    if bad := _UNPRINTABLE.search(text):
        line, column = _line_and_column(text[: bad.start()])
        reason = f"the control character U+{ord(bad[0]):04X} is not allowed"
        raise ScenarioError([whole_file(source, reason, line, column)])
    return text


def _line_and_column(before: str) -> tuple[int, int]:
    lines = _LINE.split(before)
    return len(lines), len(lines[-1]) + 1


class _Stop(Exception):  # ends the reading; never leaves this file
    def __init__(self, problem: Problem) -> None:
        self.problem = problem


def _events(text: str, source: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _Stop(whole_file(source, in_words(error), line, column)) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # Version numbers and character codes that Python's int and chr do not take.
        raise _Stop(whole_file(source, f"not valid YAML: {shorten(str(error))}")) from None


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet."""

    container: dict[str, Any] | list[Any]
    path: Path
    key: str | None = None
    skipping: bool = False
    """Whether the value to come belongs to a key that was refused."""


class _Composer:
    """Builds values from events, one at a time, on a stack of its own."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.places = Places([source])
        self.problems: list[Problem] = []
        self.root: Any = None
        self.documents = 0
        self._stack: list[_Open] = []
        self._nodes = 0

    def take(self, event: yaml.Event) -> None:
        place = self._place(event)
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise _Stop(self._whole(place, "a second document begins here; a file holds one scenario"))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._stack.pop()
        elif isinstance(event, yaml.NodeEvent):
            self._take_node(event, place)

    def _take_node(self, event: yaml.NodeEvent, place: Place) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _Stop(self._whole(place, f"more than {MAX_NODES} values and keys"))
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.container, dict) and top.key is None:
            self._take_key(event, place, top)
            return
        path = self._path(top)
        refused = self._refuse(event, place, path)
        if isinstance(event, yaml.ScalarEvent):
            value: Any = self._scalar(event, place, path)
        elif isinstance(event, yaml.MappingStartEvent):
            value = {}
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
        else:
            value = None
        self._put(top, path, None if refused else value, place)
        if isinstance(event, yaml.CollectionStartEvent):
            if len(self._stack) >= MAX_DEPTH:
                raise _Stop(self._whole(place, f"nested more than {MAX_DEPTH} levels deep"))
            self._stack.append(_Open(value, path))

    def _take_key(self, event: yaml.NodeEvent, place: Place, top: _Open) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            reason = "an alias cannot be a key" if isinstance(event, yaml.AliasEvent) else "a key is plain text"
            raise _Stop(self._whole(place, reason))
        key = event.value
        path = (*top.path, key)
        self._refuse(event, place, path, at_key=True)
        top.key = key
        top.skipping = True
        if not event.style and key == "<<":
            self._problem(place, path, "merge keys ('<<') are not allowed; write the keys out", at_key=True)
        elif not key:
            self._problem(place, path, "a key cannot be empty", at_key=True)
        elif _SURROGATE.search(key):
            self._problem(place, path, "half of a surrogate pair is not a character", at_key=True)
        elif key in top.container:
            first = self.places.keys[path]
            self._problem(place, path, f"the key '{shorten(key)}' was given already, in line {first.line}", at_key=True)
        else:
            top.skipping = False
            self.places.keys[path] = place

    def _path(self, top: _Open | None) -> Path:
        if top is None:
            return ()
        if isinstance(top.container, list):
            return (*top.path, len(top.container))
        if top.skipping:
            # The value of a refused key is read, for its syntax and size, but kept nowhere.
            return (*top.path, str(top.key), -1)
        return (*top.path, str(top.key))

    def _put(self, top: _Open | None, path: Path, value: Any, place: Place) -> None:
        if top is None:
            self.root = value
        elif isinstance(top.container, list):
            top.container.append(value)
        else:
            if not top.skipping:
                top.container[str(top.key)] = value
            top.key, top.skipping = None, False
        self.places.values[path] = place

    def _refuse(self, event: yaml.NodeEvent, place: Place, path: Path, *, at_key: bool = False) -> bool:
        if isinstance(event, yaml.AliasEvent):
            self._problem(
                place, path, f"aliases ('*{shorten(str(event.anchor))}') are not allowed; write the value out"
            )
            return True
        if event.anchor is not None:
            self._problem(place, path, f"anchors ('&{shorten(event.anchor)}') are not allowed", at_key=at_key)
            return True
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._problem(place, path, f"tags ('{shorten(tag)}') are not allowed", at_key=at_key)
            return True
        return False

    def _scalar(self, event: yaml.ScalarEvent, place: Place, path: Path) -> Any:
        if _SURROGATE.search(event.value):
            self._problem(place, path, "half of a surrogate pair is not a character")
            return None
        if event.style:
            return event.value
        try:
            return resolve(event.value)
        except ValueError as error:
            self._problem(place, path, str(error))
            return None

    def _place(self, event: yaml.Event) -> Place:
        mark, end = event.start_mark, event.end_mark
        if mark is None or end is None:  # never, but the types allow it
            return Place(self.source)
        line, column = mark.line + 1, mark.column + 1
        text_column = None
        if isinstance(event, yaml.ScalarEvent) and end.line == mark.line:
            text_column = column + 1 if event.style in {"'", '"'} else column
        return Place(self.source, line, column, text_column)

    def _problem(self, place: Place, path: Path, reason: str, *, at_key: bool = False) -> None:
        keys = tuple(step for step in path if step != -1)
        self.problems.append(Problem(keys, reason, self.source, place.line, place.column, at_key))

    def _whole(self, place: Place, reason: str) -> Problem:
        return whole_file(self.source, reason, place.line, place.column)
