"""Writes policies as configurations, and says of one that does not fit which of its keys is the first that does not.

A format's `write` looks for the numbers that a configuration of its kind needs, wherever they would stand in a policy
that fits, and makes the text. `confirmed` then reads the text back. If that gives the policy again the text is right,
whatever `write` looked at; if not, the first key in which the two differ is what the format cannot say. So nothing is
ever written that means another policy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import yaml
from pydantic import ValidationError

from sim.converters.answers import EVERY
from sim.converters.documents import read_document
from sim.converters.same import canonical
from sim.kernel.durations import format_duration, parse_duration
from sim.scenario.mistakes.problems import ScenarioError, format_path
from sim.scenario.yaml.writer import flow_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sim.converters.converted import Converted
    from sim.converters.documents import Document
    from sim.converters.units import Unit
    from sim.scenario.mistakes.problems import Path

SHOWN: Final = 60


class CannotWrite(Exception):  # what comes out of a request, not a mistake
    """A policy does not fit a format: `keys` leads to the first key that does not, `reason` says why."""

    def __init__(self, keys: Path, reason: str) -> None:
        super().__init__(keys, reason)
        self.keys = keys
        self.reason = reason

    def __str__(self) -> str:
        return f"{format_path(self.keys)}: {self.reason}" if self.keys else self.reason


class Wanted:
    """A policy that is to be written; its getters find what a fitting policy would have, and None for all else.

    Raises CannotWrite if it is no policy.
    """

    def __init__(self, policy: Mapping[str, Any]) -> None:
        try:
            self.tree = canonical(policy)
        except ValidationError as error:
            (mistake, *_) = error.errors(include_url=False)
            raise CannotWrite(mistake["loc"], f"not a policy: {mistake['msg']}") from None

    def get(self, *path: str) -> Any:
        """Return the value at a path, None if there is none."""
        value: Any = self.tree
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        return value

    def ns(self, *path: str) -> int | None:
        """Return a duration in ns, None if there is none."""
        value = self.get(*path)
        try:
            return parse_duration(value) if isinstance(value, str) else None
        except ValueError:
            return None

    def law(self, kind: str) -> dict[str, Any]:
        """Return the options of the delay if it is of this kind, of a formula with its names; otherwise nothing."""
        delay = self.get("delay")
        if kind == "formula":
            return dict(delay) if isinstance(delay, Mapping) and "formula" in delay else {}
        options = delay.get(kind) if isinstance(delay, Mapping) else None
        if kind == "constant" and not isinstance(options, Mapping):
            return {"delay": options} if options is not None else {}
        return dict(options) if isinstance(options, Mapping) else {}

    @property
    def attempts(self) -> int | None:
        """The tries, 1 unless stated; None if they are not limited."""
        value = self.tree.get("attempts", 1)
        return value if isinstance(value, int) else None

    @property
    def retry_on(self) -> list[str]:
        """The answers that are retried, all unless stated."""
        answers = self.tree.get("retry_on", EVERY)
        return [answers] if isinstance(answers, str) else list(answers)

    @property
    def retries_all(self) -> bool:
        """Whether every answer of a call that was made is retried."""
        return set(self.retry_on) == set(EVERY)

    @property
    def deadline_kinds(self) -> list[str]:
        """The kinds of the deadline, one or several."""
        kinds = self.get("deadline", "kind")
        return [kinds] if isinstance(kinds, str) else list(kinds or ["hard"])

    def deadline_ns(self) -> int | None:
        """Return the deadline, however it is written."""
        return self.ns("deadline") if isinstance(self.get("deadline"), str) else self.ns("deadline", "after")


def duration(value: Any) -> int | None:
    """Return the ns of a duration in a policy, None if it is none."""
    try:
        return parse_duration(value) if isinstance(value, str) else None
    except ValueError:
        return None


def put(unit: Unit, path: Path, duration_ns: int) -> Any:
    """Write a duration in a unit. Raises CannotWrite if that cannot hold it."""
    try:
        return unit.write(duration_ns)
    except ValueError as error:
        raise CannotWrite(path, str(error)) from None


def json_text(values: Mapping[str, Any] | Sequence[Any]) -> str:
    """Return JSON with a line for each key."""
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def yaml_text(values: Mapping[str, Any]) -> str:
    """Return YAML in block style, with the keys in their order."""
    text: str = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
    return text


def confirmed(
    wanted: Wanted, text: str, read: Callable[[Document], Converted], title: str, reasons: Mapping[str, str]
) -> str:
    """Return a text that reads back as the policy. Raises CannotWrite with the first key that does not.

    `reasons` says for keys, by the beginning of their dotted path, why the format has no such thing.
    """
    try:
        converted = read(read_document(text.encode(), title))
    except ScenarioError as error:
        (first, *_) = error.problems
        raise CannotWrite((), f"as {title} it would be invalid: {first.path}: {first.reason}") from None
    if len(converted.policies) != 1:  # the writers write one
        raise CannotWrite((), f"{title} would read it as {len(converted.policies)} policies")
    try:
        theirs = canonical(converted.policies[0].tree)
    except ValidationError as error:
        (mistake, *_) = error.errors(include_url=False)
        raise CannotWrite((), f"{title} would read it as what is no policy: {mistake['msg']}") from None
    for path, ours, read_back in _differences(wanted.tree, theirs):
        raise CannotWrite(path, _reason(path, ours, read_back, title, reasons))
    return text


_NOTHING: Final = object()


def _differences(mine: Any, theirs: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        if mine != theirs and len(mine) == 1 and set(mine).isdisjoint(theirs) and path:
            yield path, mine, theirs
            return
        for key in [*mine, *(key for key in theirs if key not in mine)]:
            yield from _differences(mine.get(key, _NOTHING), theirs.get(key, _NOTHING), (*path, key))
    elif mine is _NOTHING or theirs is _NOTHING or type(mine) is not type(theirs) or mine != theirs:
        if isinstance(mine, int | float) and isinstance(theirs, int | float) and mine == theirs:
            return
        yield path, mine, theirs


def _reason(path: Path, mine: Any, theirs: Any, title: str, reasons: Mapping[str, str]) -> str:
    dotted = ".".join(map(str, path))
    for key, reason in reasons.items():
        if dotted == key or dotted.startswith(f"{key}."):
            return reason
    if theirs is _NOTHING:
        return f"{title} cannot say {_shown(mine)}"
    if mine is _NOTHING:
        return f"{title} would always have {_shown(theirs)} here; this policy has none"
    return f"{title} would have {_shown(theirs)} here, not {_shown(mine)}"


def _shown(value: Any) -> str:
    text = flow_text(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def time(duration_ns: int) -> str:
    """Write a duration as scenarios do."""
    return format_duration(duration_ns)
