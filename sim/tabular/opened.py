"""A file of a table opened: unpacked if it is compressed, decoded, and cut into lines; nothing is read twice.

Only the first bytes are looked at to tell what the file is, so a pipe will do as well.
"""

from __future__ import annotations

import gzip
import io
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self, cast

from sim.tabular.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

BLOCK_BYTES: Final = 1 << 20
LONGEST_LINE: Final = 16 << 20
"""In bytes: a longer one is no line of a log."""
PARQUET: Final = b"PAR1"
_GZIP: Final = b"\x1f\x8b"
_OTHERS: Final = {
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"BZh": "compressed with bzip2; unpack it first, or pack it with gzip",
    b"\xfd7zXZ": "compressed with xz; unpack it first, or pack it with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it first, or pack it with gzip",
    b"SQLite format 3": "a SQLite database; export the table as CSV",
}
_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


class Opened:
    """The bytes of a file, or given ones, unpacked. Raises TableError if they cannot be read or are no table."""

    def __init__(self, source: Path | bytes) -> None:
        try:
            self._raw: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
        except FileNotFoundError:
            raise TableError("there is no such file") from None
        except IsADirectoryError:
            raise TableError("this is a folder, not a file") from None
        except (OSError, ValueError) as error:
            raise TableError(f"it cannot be read: {getattr(error, 'strerror', None) or error}") from None
        self._stream: BinaryIO = self._raw
        self.lines_read = 0
        self.head = b""
        try:
            self._begin()
        except TableError:
            self._raw.close()
            raise

    def _begin(self) -> None:
        self.head = self._read(BLOCK_BYTES)
        if self.head.startswith(_GZIP):
            packed: Any = _Chained(self.head, self._raw)
            self._stream = cast("BinaryIO", gzip.GzipFile(fileobj=packed, mode="rb"))
            self.head = self._read(BLOCK_BYTES)
        if what := next((what for magic, what in _OTHERS.items() if self.head.startswith(magic)), None):
            raise TableError(f"the file is {what}")
        if not self.head:
            raise TableError("the file is empty")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._raw.close()

    def read_all(self, at_most: int) -> bytes:
        """Return all bytes. Raises TableError if they are more than so many."""
        parts, size = [self.head], len(self.head)
        while block := self._read(BLOCK_BYTES):
            parts.append(block)
            size += len(block)
            if size > at_most:
                raise TableError(f"it has more than {at_most >> 20} MiB, which is too much to read as a whole")
        return b"".join(parts)

    def text(self, at_most: int) -> str:
        """Return the whole text. Raises TableError if it has more than so many characters, or is no text."""
        parts, size = [], 0
        for part in self.texts():
            parts.append(part)
            size += len(part)
            if size > at_most:
                raise TableError(f"it has more than {at_most >> 20} MiB when it is unpacked")
        return "".join(parts)

    def texts(self) -> Iterator[str]:
        """Yield blocks of whole lines, decoded. Raises TableError with the line for bytes that are no text."""
        left = self.head
        if left.startswith(_UTF16):
            yield from self._texts_of_utf16()
            return
        left = left.removeprefix(_BOM)
        while True:
            cut = left.rfind(b"\n") + 1
            if cut:
                yield self._decoded(left[:cut])
                left = left[cut:]
            if len(left) > LONGEST_LINE:
                raise TableError(f"it has more than {LONGEST_LINE >> 20} MiB without a line break", self.lines_read + 1)
            block = self._read(BLOCK_BYTES)
            if not block:
                break
            left += block
        if left:
            yield self._decoded(left)

    def lines(self) -> Iterator[str]:
        """Yield lines with their ends, as `csv.reader` wants them."""
        for text in self.texts():
            yield from io.StringIO(text, newline="")

    def _decoded(self, data: bytes) -> str:
        if 0 in data:
            raise TableError("the file is binary, not text", self._line_in(data, data.index(0)))
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = self._line_in(data, error.start)
            raise TableError("the file is not text in UTF-8; convert it first", line) from None
        self.lines_read += data.count(b"\n")
        return text

    def _line_in(self, data: bytes, position: int) -> int:
        return self.lines_read + data.count(b"\n", 0, position) + 1

    def _texts_of_utf16(self) -> Iterator[str]:
        """Yield blocks of what Excel calls Unicode text."""
        data = self.read_all(LONGEST_LINE * 16)
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError:
            raise TableError("the file is not text in UTF-16, though it begins so") from None
        yield text

    def _read(self, size: int) -> bytes:
        parts = []
        try:
            while size:
                part = self._stream.read(size)
                if not part:
                    break
                parts.append(part)
                size -= len(part)
        except EOFError:
            raise TableError("its compressed data end in the middle: the file is cut off", self._near()) from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise TableError(f"its compressed data are damaged ({error})", self._near()) from None
        except OSError as error:
            raise TableError(f"it cannot be read: {error.strerror or error}") from None
        return b"".join(parts)

    def _near(self) -> int | None:
        return self.lines_read + 1 if self.lines_read else None


class _Chained:
    """Bytes that have been read already, then the rest of their stream."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = io.BytesIO(head)
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes."""
        return self._head.read(size) or self._rest.read(size)
