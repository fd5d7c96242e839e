"""Logs of JSON: an object a line, or an array of objects; keys of nested objects are joined by dots."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sim.fitting.spans import is_export, rows_of_export
from sim.tabular.blocks import BLOCK_ROWS, Block, flat, missing_column
from sim.tabular.errors import TableError, shown
from sim.tabular.words import word_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sim.tabular.opened import Opened

SAMPLE_ROWS: Final = 1000
MOST_WHOLE: Final = 128 << 20
"""In bytes: a longer file must have an object a line, since JSON is only valid as a whole."""
KEYS_OF_ARRAYS: Final = ("logs", "records", "events", "entries", "data", "items", "results", "hits")


class JsonRows:
    """A table whose rows are objects; a key that a row does not have is a blank cell."""

    header = True

    def __init__(self, opened: Opened, *, whole: bool | None = None) -> None:
        self._opened = opened
        self.whole = _is_whole(opened.head) if whole is None else whole
        self._rows = self._objects()
        self._first = list(islice(self._rows, SAMPLE_ROWS))
        self.spans = bool(self._first) and self._first[0][2]
        """Whether the rows are spans of OpenTelemetry."""
        self.names = list(dict.fromkeys(name for _, row, _ in self._first for name in row))

    @property
    def format(self) -> str:
        """What the file is, in words."""
        if self.spans:
            return "spans as OpenTelemetry exports them"
        return "a JSON array" if self.whole else "JSON lines"

    def sample(self) -> dict[str, list[str]]:
        """Return the cells of the first rows, by column."""
        return {name: [word_of(row.get(name)) for _, row, _ in self._first] for name in self.names}

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """Yield all rows with the wanted columns. Raises TableError, in the end, if no row has one of them."""
        there: set[str] = set()
        first = iter(self._first)
        while rows := [*islice(first, BLOCK_ROWS)] or [*islice(self._rows, BLOCK_ROWS)]:
            there.update(name for name in wanted if name not in there and any(name in row for _, row, _ in rows))
            cells = {name: [word_of(row.get(name)) for _, row, _ in rows] for name in wanted}
            yield Block([line for line, _, _ in rows], cells)
        for name in wanted:
            if name not in there:
                raise TableError(missing_column(name, self.names))

    def _objects(self) -> Iterator[tuple[int, dict[str, Any], bool]]:
        """Yield line, flattened object, and whether it is a span."""
        for line, value in self._whole() if self.whole else self._by_lines():
            if is_export(value):
                yield from ((line, row, True) for row in rows_of_export(value, line))
            elif isinstance(value, dict):
                yield line, flat(value), False
            else:
                raise TableError(f"a row is an object in braces, but this is {shown(json.dumps(value))}", line)

    def _by_lines(self) -> Iterator[tuple[int, Any]]:
        number = 0
        for number, line in enumerate(self._opened.lines(), start=1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line, parse_constant=_constant)
            except (json.JSONDecodeError, RecursionError) as error:
                cut = not line.endswith("\n")
                reason = getattr(error, "msg", "it is nested too deeply")
                what = "the last line is cut off" if cut and number > 1 else "this line is not JSON"
                raise TableError(f"{what}: {reason}", number) from None

    def _whole(self) -> Iterator[tuple[int, Any]]:
        data = self._opened.read_all(MOST_WHOLE)
        try:
            value = json.loads(data.decode("utf-8-sig"), parse_constant=_constant)
        except json.JSONDecodeError as error:
            raise TableError(f"the file is not JSON: {error.msg}", error.lineno) from None
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise TableError("the file is not text in UTF-8; convert it first", line) from None
        except RecursionError:
            raise TableError("the file is nested too deeply") from None
        if isinstance(value, dict) and not is_export(value):
            inside = next((value[key] for key in KEYS_OF_ARRAYS if isinstance(value.get(key), list)), None)
            value = [value] if inside is None else inside
        yield from enumerate(value if isinstance(value, list) else [value], start=1)


def _constant(name: str) -> str:
    """Keep NaN and infinities as texts: where a number must stand they are refused with their place."""
    return name


def _is_whole(head: bytes) -> bool:
    """Whether a file is one value over many lines, not a value a line."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        return True
    first = text.split(b"\n", 1)[0]
    if len(first) == len(text) and len(head) >= 1 << 20:
        return True  # a line so long is the whole file
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return first.rstrip() in {b"{", b""} or not first.rstrip().endswith(b"}")
    return False


def looks_like_json(head: bytes) -> bool:
    """Whether a file starts as JSON does."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"{", b"["}


def columns_of(sample: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names of columns that are not blank in all of the first rows."""
    return [name for name, cells in sample.items() if any(cells)]
