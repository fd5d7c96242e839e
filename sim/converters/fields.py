"""Typed values of a configuration, each taken once: a field that nothing takes is a loss, and none is dropped quietly.

`Reading` collects the mistakes and losses of one document. `Fields` is one mapping in it. A field that is wrong gives
its default, so that all mistakes are found in one go; `Reading.converted` raises them.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sim.converters.converted import Converted, Policy
from sim.converters.losses import Loss
from sim.converters.units import number, plain
from sim.kernel.durations import format_duration
from sim.options.near_words import did_you_mean
from sim.scenario.mistakes.problems import Place, Problem, ScenarioError, shorten, whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sim.converters.documents import Document
    from sim.converters.units import Unit
    from sim.scenario.mistakes.problems import Path

T = TypeVar("T")
MOST_POLICIES: Final = 100


class Reading:
    """What is found while one document is read as one format."""

    def __init__(self, document: Document, kind: str) -> None:
        self.document = document
        self.kind = kind
        self.problems: list[Problem] = []
        self.losses: list[Loss] = []

    def wrong(self, path: Path, reason: str, *, at_key: bool = False) -> None:
        """Note a mistake of the user."""
        self.problems.append(Problem(path, reason, at_key=at_key))

    def lost(self, path: Path, why: str) -> None:
        """Note a loss at a field; at the place of the nearest field around it if the path itself is not written."""
        places = self.document.places
        at = path
        while at and at not in places.keys and at not in places.values:
            at = at[:-1]
        place = places.keys.get(at) or places.values.get(at) or Place(self.document.source)
        self.losses.append(Loss(place.source, place.line, place.column, path, why))

    def roots(self, names: Callable[[str], str] = str) -> Iterator[Fields]:
        """Yield the documents that are mappings; any other is a mistake."""
        for path, root in self.document.roots:
            if isinstance(root, Mapping):
                yield Fields(self, path, root, names)
            else:
                self.wrong(path, "a configuration is a mapping of keys")

    def converted(self, policies: Iterable[Policy]) -> Converted:
        """Return the result. Raises ScenarioError if there were mistakes, or if there is no policy at all."""
        made = tuple(policies)
        if not self.problems and not made:
            self.problems.append(whole_file(self.document.source, f"no retries of {self.kind} are in this file"))
        if len(made) > MOST_POLICIES:
            self.problems.append(whole_file(self.document.source, f"more than {MOST_POLICIES} policies"))
        if self.problems:
            raise ScenarioError(self.document.places.in_order(self.problems))
        return Converted(
            self.kind, _with_names_of_their_own(made), tuple(sorted(dict.fromkeys(self.losses), key=_order))
        )


def _order(loss: Loss) -> tuple[int, int, str]:
    return loss.line, loss.column, loss.field


def _with_names_of_their_own(policies: Sequence[Policy]) -> tuple[Policy, ...]:
    """Give a number to each policy that has the name of one before it."""
    seen: dict[str, int] = {}
    named = []
    for policy in policies:
        name = policy.name or "policy"
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            name = f"{name} ({seen[name]})"
        named.append(Policy(name, policy.tree))
    return tuple(named)


class Fields:
    """One mapping: `names` turns the key as it is written into the name by which the format knows it.

    `paths` says for keys where they are written, if that is not below `path`.
    """

    def __init__(
        self,
        reading: Reading,
        path: Path,
        values: Mapping[str, Any],
        names: Callable[[str], str] = str,
        paths: Mapping[str, Path] | None = None,
    ) -> None:
        self.reading = reading
        self.path = path
        self._values = values
        self._names = names
        self._paths = dict(paths or {})
        self._written: dict[str, str] = {}
        self._taken: set[str] = set()
        for key in values:
            name = names(key)
            if name in self._written:
                reading.wrong(
                    (*path, key), f"the same field as '{self._written[name]}', which is given, too", at_key=True
                )
            else:
                self._written[name] = key

    def __contains__(self, name: str) -> bool:
        """Whether a field is written, and not as null."""
        return self.peek(name) is not None

    def names(self) -> list[str]:
        """Return the names of all written fields, in the order of the file."""
        return list(self._written)

    def at(self, name: str) -> Path:
        """Return the path of a field, written or not."""
        key = self._written.get(name, name)
        return self._paths.get(key, (*self.path, key))

    def peek(self, name: str) -> Any:
        """Return the plain value of a field without taking it; None if it is not written."""
        return self._values[self._written[name]] if name in self._written else None

    def is_untouched(self, *but: str) -> bool:
        """Whether no field that is written has been taken, apart from these."""
        return not (self._taken - set(but)) & self._written.keys()

    def take(self, name: str) -> Any:
        """Take the plain value of a field; None if it is not written."""
        self._taken.add(name)
        return self.peek(name)

    def is_null(self, name: str) -> bool:
        """Whether a field is written as null."""
        return name in self._written and self.peek(name) is None

    def wrong(self, name: str, reason: str) -> None:
        """Note that the value of a field is a mistake."""
        self._taken.add(name)
        self.reading.wrong(self.at(name), reason)

    def lost(self, name: str, why: str) -> None:
        """Note that a field is lost, if it is written."""
        self._taken.add(name)
        if name in self._written:
            self.reading.lost(self.at(name), why)

    def note(self, name: str, why: str) -> None:
        """Note what is lost although the field may not be written: at the field, or else at the mapping."""
        self.reading.lost(self.at(name) if name in self._written else self.path, why)

    def ignore(self, *names: str) -> None:
        """Take fields that say nothing about behavior: names, versions, comments."""
        self._taken.update(names)

    def required(self, name: str) -> bool:
        """Whether a field is written; a mistake if it is not."""
        if name in self:
            return True
        self._taken.add(name)
        key = self._written.get(name, name)
        self.reading.wrong(self.path, f"`{key}` is missing")
        return False

    def whole(self, name: str, default: T, least: int = 0, most: int = 2**31 - 1, *, texts: bool = False) -> int | T:
        """Take a whole number; with `texts` also a text that is one."""
        value = self.take(name)
        if value is None:
            return default
        if texts and isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) < 20:
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(name, f"expected a whole number, got {_shown(value)}")
            return default
        if not least <= value <= most:
            self.wrong(
                name, f"must be at least {least}{f' and at most {most}' if most < 2**31 - 1 else ''}, got {value}"
            )
            return default
        return value

    def number(
        self,
        name: str,
        default: T,
        *,
        least: float | None = None,
        above: float | None = None,
        most: float | None = None,
    ) -> int | float | T:
        """Take a number; whole ones come as int."""
        value = self.take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(name, f"expected a number, got {_shown(value)}")
            return default
        if (least is not None and value < least) or (above is not None and value <= above):
            bound = f"at least {least}" if least is not None else f"more than {above}"
            self.wrong(name, f"must be {bound}, got {value}")
            return default
        if most is not None and value > most:
            self.wrong(name, f"must be at most {most}, got {value}")
            return default
        return plain(number(value))

    def flag(self, name: str, default: T, *, texts: bool = False) -> bool | T:
        """Take true or false; with `texts` also the texts `true` and `false`."""
        value = self.take(name)
        if value is None:
            return default
        if texts and isinstance(value, str) and value.strip().lower() in {"true", "false"}:
            return value.strip().lower() == "true"
        if not isinstance(value, bool):
            self.wrong(name, f"expected true or false, got {_shown(value)}")
            return default
        return value

    def text(self, name: str, default: T) -> str | T:
        """Take a text."""
        value = self.take(name)
        if value is None:
            return default
        if not isinstance(value, str):
            self.wrong(name, f"expected a text, got {_shown(value)}")
            return default
        return value

    def choice(self, name: str, words: Sequence[str], default: T) -> str | T:
        """Take one of some words, in any case."""
        value = self.text(name, None)
        if value is None:
            return default
        folded = {word.lower(): word for word in words}
        if value.strip().lower() not in folded:
            known = ", ".join(words)
            self.wrong(name, f"'{shorten(value)}' is not one of {known}{did_you_mean(value, words)}")
            return default
        return folded[value.strip().lower()]

    def time(
        self, name: str, unit: Unit, default: T, *, least_ns: int = 0, most_ns: int | None = None, above: bool = False
    ) -> int | T:
        """Take a duration as nanoseconds; `above` excludes the least itself."""
        value = self.take(name)
        if value is None:
            return default
        try:
            duration_ns = unit.read_ns(value)
        except ValueError as error:
            self.wrong(name, str(error))
            return default
        if duration_ns < 0 <= least_ns:
            self.wrong(name, f"a duration cannot be negative, got {_shown(value)}")
            return default
        if duration_ns < least_ns or (above and duration_ns == least_ns):
            bound = "more than" if above else "at least"
            self.wrong(name, f"must be {bound} {format_duration(least_ns)}, got {_shown(value)}")
            return default
        if most_ns is not None and duration_ns > most_ns:
            self.wrong(name, f"must be at most {format_duration(most_ns)}, got {_shown(value)}")
            return default
        return duration_ns

    def items(self, name: str) -> list[tuple[Path, Any]]:
        """Take a list: its entries with their paths."""
        value = self.take(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.wrong(name, f"expected a list, got {_shown(value)}")
            return []
        return [((*self.at(name), position), entry) for position, entry in enumerate(value)]

    def texts(self, name: str) -> list[str]:
        """Take a list of texts; a single text is a list of one."""
        if isinstance(self.peek(name), str):
            return [self.take(name)]
        found = []
        for path, entry in self.items(name):
            if isinstance(entry, str):
                found.append(entry)
            else:
                self.reading.wrong(path, f"expected a text, got {_shown(entry)}")
        return found

    def below(self, name: str, names: Callable[[str], str] | None = None) -> Fields | None:
        """Take a mapping; None if it is not written."""
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.wrong(name, f"expected a mapping of keys, got {_shown(value)}")
            return None
        return Fields(self.reading, self.at(name), value, names or self._names)

    def entries(self, name: str, names: Callable[[str], str] | None = None) -> list[Fields]:
        """Take a list of mappings."""
        found = []
        for path, entry in self.items(name):
            if isinstance(entry, Mapping):
                found.append(Fields(self.reading, path, entry, names or self._names))
            else:
                self.reading.wrong(path, f"expected a mapping of keys, got {_shown(entry)}")
        return found

    def rest(self, why: str, known: Sequence[str] = ()) -> None:
        """Note every field that nothing has taken as a loss; one that looks like a known name is asked about."""
        for name in self._written:
            if name not in self._taken:
                self.lost(name, why + did_you_mean(name, known))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{shorten(value)}'"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list) else f"{value}"


def share_of(percent: float) -> float:
    """Return a percentage as a share: 20 is 0.2, without a rounding error of its own."""
    return float(Fraction(str(percent)) / 100)
