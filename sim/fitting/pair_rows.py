"""Logs of `key=value` pairs a line (logfmt), and access logs that name some of their cells so: `rt=0.012 urt="0.011"`.

Cells without a name are numbered from 1, as those of a text table without a header are.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from sim.fitting.json_rows import JsonRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.tabular.opened import Opened

SAMPLE_LINES: Final = 50
NEARLY_ALL: Final = 0.9
"""A key must be in so many of the first lines for them to be pairs."""
_TOKEN: Final = re.compile(
    r" *(?:(?P<key>[A-Za-z_@][\w.@/-]*)=)?"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<dated>\[[^\]]*\])|(?P<bare>[^ ]+)|(?<==)(?= |$))'
)
_ESCAPED: Final = re.compile(r"\\(.)")


def looks_like_pairs(head: bytes) -> bool:
    """Whether nearly all of the first lines of a file, the first one too, have the same key."""
    text = head[: 1 << 16].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    rows = [row_of(line) for line in text.splitlines()[:SAMPLE_LINES] if line.strip()]
    keys = Counter(key for row in rows for key in row if key in rows[0] and not key.isdecimal())
    return max(keys.values(), default=0) >= max(2, NEARLY_ALL * len(rows))


def row_of(line: str) -> dict[str, str]:
    """Return the cells of a line by key, those without a key by their number among such cells; of a key the first."""
    row: dict[str, str] = {}
    number = 0
    for match in _TOKEN.finditer(line.strip()):
        key = match["key"]
        if not match[0]:
            continue
        if key is None:
            number += 1
            key = str(number)
        quoted = match["quoted"]
        cell = _ESCAPED.sub(r"\1", quoted) if quoted is not None else match["dated"] or match["bare"] or ""
        row.setdefault(key, cell)
    return row


class PairRows(JsonRows):
    """A table whose rows are lines of pairs; a key that a row does not have is a blank cell."""

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened, whole=False)

    @property
    def format(self) -> str:
        """What the file is, in words."""
        return "lines of key=value pairs"

    def _objects(self) -> Iterator[tuple[int, dict[str, Any], bool]]:
        """Yield line, cells by key, and that it is no span."""
        for number, line in enumerate(self._opened.lines(), start=1):
            if line.strip():
                yield number, row_of(line), False
