"""The columns of a log as its blocks come: each is kept as an array as small as its values allow."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.fitting.growing import Growing
from sim.fitting.order import step_of
from sim.fitting.units import duration
from sim.tabular.durations import BLANK, NOT_KNOWN, DurationCells
from sim.tabular.errors import TableError, shown
from sim.tabular.instants import NO_INSTANT, InstantCells
from sim.tabular.layouts import hashes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sim.fitting.roles import Roles
    from sim.tabular.blocks import Block

MOST_WORDS: Final = 1000
"""Different statuses of a log."""
MOST_TARGETS: Final = 30_000
LONGEST_KEY: Final = 128
MOST_ATTEMPTS: Final = 1_000_000
LEAST_STEP_NS: Final = 1_000_000
"""Coarser steps of times are told."""


class WordCells:
    """Turns cells of one column into positions in a list of words."""

    def __init__(self, column: str, most: int = MOST_WORDS) -> None:
        self.column = column
        self.words: dict[str, int] = {}
        self._most = most

    def read(self, cells: Sequence[str], lines: Sequence[int]) -> NDArray[np.int16]:
        """Return a position for each cell; blank cells are one word, "200.0" is "200"."""
        known = {cell: self._position(cell) for cell in dict.fromkeys(cells)}
        if len(self.words) > self._most:
            last = list(self.words)[self._most]
            line = lines[next(at for at, cell in enumerate(cells) if known[cell] == self._most)]
            reason = f"with {shown(last)} it has more than {self._most:,} different values: these are no statuses"
            raise TableError(reason, line, self.column)
        return np.array([known[cell] for cell in cells], np.int16)

    def _position(self, cell: str) -> int:
        word = cell.strip()
        if word in BLANK:
            word = ""
        elif word.endswith(".0") and word[:-2].isdecimal():
            word = word[:-2]
        return self.words.setdefault(word, len(self.words))


class Collected:
    """All blocks of a log, by role; `words` are further columns of words that may be counted."""

    def __init__(self, roles: Roles, words: Sequence[str] = ()) -> None:
        self._roles = roles
        self.words = {name: WordCells(name, MOST_TARGETS) for name in words}
        self.count = 0
        self._latency = None if roles.latency is None else DurationCells(roles.latency, roles.unit, roles.decimal)
        self._status = None if roles.status is None else WordCells(roles.status)
        self._time = None if roles.time is None else InstantCells(roles.time, roles.time_unit)
        self._end = None if roles.end is None else InstantCells(roles.end, roles.time_unit)
        self._parts: dict[str, Growing] = {}
        self._lines: list[tuple[int, Sequence[int] | NDArray[np.int64]]] = []
        self._kept: NDArray[np.intp] | None = None
        self._arrays: dict[str, NDArray[np.generic]] = {}

    def add(self, block: Block) -> None:
        """Read the cells of a block. Raises TableError for the first bad cell."""
        lines, roles = block.lines, self._roles

        def keep(name: str, array: NDArray[np.generic]) -> None:
            self._parts.setdefault(name, Growing()).add(array)

        if self._latency is not None and roles.latency is not None:
            keep("latency", self._latency.read(block.cells[roles.latency], lines))
        if self._status is not None and roles.status is not None:
            keep("status", self._status.read(block.cells[roles.status], lines))
        if self._time is not None and roles.time is not None:
            keep("time", self._time.read(block.cells[roles.time], lines))
        if self._end is not None and roles.end is not None and roles.latency is None:
            keep("end", self._end.read(block.cells[roles.end], lines))
        if roles.key is not None:
            keys, known = _keys(block.cells[roles.key])
            keep("key", keys)
            keep("known", known)
            if roles.attempt is not None:
                keep("attempt", _attempts(block.cells[roles.attempt], lines, roles.attempt))
        for name, cells in self.words.items():
            keep(name, cells.read(block.cells[name], lines))
        self._lines.append((self.count, lines if isinstance(lines, range) else np.array(lines, np.int64)))
        self.count += len(lines)

    def _array(self, name: str) -> NDArray[np.generic]:
        """Return a column as one array, the rows that are kept."""
        if name not in self._arrays:
            self._arrays[name] = self._parts.pop(name).whole()
            if self._kept is not None:
                self._arrays[name] = self._arrays[name][self._kept]
        return self._arrays[name]

    def _taken(self, name: str, order: NDArray[np.intp] | None) -> NDArray[np.generic]:
        """Return a column in an order, and forget it."""
        found = self._array(name)
        del self._arrays[name]
        return found if order is None else found[order]

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Forget the rows that are not marked."""
        there = np.flatnonzero(rows)
        self._kept = there if self._kept is None else self._kept[there]
        self._arrays = {name: array[there] for name, array in self._arrays.items()}
        self.count = len(there)

    def counts(self, name: str) -> dict[str, int]:
        """Return how often each word of a further column comes, the most frequent first."""
        words = list(self.words[name].words)
        numbers = np.bincount(self._array(name).astype(np.int64), minlength=len(words))
        found = Counter({word: int(number) for word, number in zip(words, numbers, strict=True) if number})
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))

    def is_word(self, name: str, word: str) -> NDArray[np.bool_]:
        """Return which rows have a word in a further column."""
        return np.asarray(self._array(name) == self.words[name].words[word])

    def line_of(self, row: int) -> int:
        """Return where a row of the kept ones stands in the file."""
        position = row if self._kept is None else int(self._kept[row])
        start, lines = next(pair for pair in reversed(self._lines) if pair[0] <= position)
        return int(lines[position - start])

    @property
    def zoned(self) -> bool:
        """Whether times say their zone, or need none."""
        return self._time is None or self._time.zoned is not False

    @property
    def all_have_times(self) -> bool:
        """Whether no cell of the times is blank."""
        return self._time is None or not self._time.blank

    def latencies_ns(self) -> NDArray[np.int64]:
        """Return latencies, ends minus starts if no column has them. Raises TableError if one is negative."""
        if self._latency is not None:
            return self._taken("latency", None).astype(np.int64, copy=False)
        start, end = self._array("time").astype(np.int64), self._taken("end", None).astype(np.int64, copy=False)
        known = (start != NO_INSTANT) & (end != NO_INSTANT)
        found_ns = np.where(known, end - start, NOT_KNOWN)
        bad = known & (found_ns < 0)
        if bad.any():
            row = int(np.argmax(bad))
            raise TableError("this call ends before it starts", self.line_of(row), self._roles.end)
        return found_ns

    def starts_ns(self, latency_ns: NDArray[np.int64], told: list[str]) -> NDArray[np.int64] | None:
        """Return when calls started, in any zero, `NO_INSTANT` if that is blank; None if the log has no times."""
        if self._time is None:
            return None
        found_ns = self._taken("time", None).astype(np.int64, copy=False)
        if self._time.guessed_unit is not None:
            told.append(f"{self._time.column!r} counts {self._time.guessed_unit} since 1970, by its size.")
        elif self._time.since_1970 is False:
            told.append(f"{self._time.column!r} counts {self._time.unit} since a start of its own.")
        if self._time.zoned is False:
            told.append(f"{self._time.column!r} has no time zone; it is read as if no clock was changed meanwhile.")
        if self._roles.time_is == "end":
            blank = latency_ns == NOT_KNOWN
            both = ~blank & (found_ns != NO_INSTANT)
            step_ns = step_of(found_ns[both])
            found_ns[both] -= latency_ns[both]
            # Rounded up, attempts of one request keep their order: one starts no earlier than the last one ended.
            if step_ns > 1:
                found_ns[both] += -found_ns[both] % step_ns
            if step_ns > LEAST_STEP_NS:
                step = duration(step_ns)
                told.append(f"{self._time.column!r} tells times in steps of {step}; starts are no finer.")
            if blank.any():
                told.append("Calls without a latency are taken to start at their end.")
        return found_ns

    def statuses(self, order: NDArray[np.intp] | None) -> tuple[NDArray[np.int16], tuple[str, ...]]:
        """Return positions, and the words that they stand for, the most frequent first."""
        if self._status is None:
            return np.zeros(self.count, np.int16), ("ok",)
        codes = self._taken("status", order).astype(np.int64)
        words = list(self._status.words)
        counts = np.bincount(codes, minlength=len(words))
        ranked = sorted((at for at in range(len(words)) if counts[at]), key=lambda at: (-int(counts[at]), words[at]))
        position = np.zeros(len(words), np.int16)
        position[ranked] = np.arange(len(ranked), dtype=np.int16)
        return position[codes], tuple(words[at] for at in ranked)

    def keys(
        self, order: NDArray[np.intp] | None, told: list[str]
    ) -> tuple[NDArray[np.uint64], NDArray[np.bool_], NDArray[np.int32] | None]:
        """Return a number for each key, whether a row has one, and what the log says of attempts, from 1."""
        key = self._taken("key", order).astype(np.uint64, copy=False)
        known = self._taken("known", order).astype(np.bool_, copy=False)
        if not known.all():
            number = int(np.count_nonzero(~known))
            told.append(f"{number:,} row{'' if number == 1 else 's'} without a key: each is a request of its own.")
        if self._roles.attempt is None:
            return key, known, None
        attempt = self._taken("attempt", order).astype(np.int32, copy=False)
        if attempt.min() == 0:
            attempt = attempt + np.int32(1)
            told.append(f"{self._roles.attempt!r} counts from 0, so attempts are one more.")
        return key, known, attempt


def _keys(cells: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return a hash of each key, and whether there is one; keys are compared as texts."""
    texts = [cell.strip().encode() for cell in cells]
    known = np.array([text not in _BLANK for text in texts], np.bool_)
    if max(map(len, texts)) > LONGEST_KEY:
        texts = [text if len(text) <= LONGEST_KEY else blake2b(text).hexdigest().encode() for text in texts]
    array = np.array(texts, np.bytes_)
    return hashes_of(array.view(np.uint8).reshape(len(texts), max(array.dtype.itemsize, 1))), known


_BLANK: Final = frozenset(word.encode() for word in BLANK)


def _attempts(cells: Sequence[str], lines: Sequence[int], column: str) -> NDArray[np.int32]:
    found = np.empty(len(cells), np.int32)
    known: dict[str, int] = {}
    for at, cell in enumerate(cells):
        if cell not in known:
            word = cell.strip().removesuffix(".0")
            if word in BLANK:
                word = "0"  # OpenTelemetry and others leave the count out of first attempts
            if not (word.isascii() and word.isdecimal() and len(word) < 8 and int(word) <= MOST_ATTEMPTS):
                raise TableError(f"{shown(cell)} is no number of an attempt", lines[at], column)
            known[cell] = int(word)
        found[at] = known[cell]
    return found
