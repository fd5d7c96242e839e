"""What guest code prints: a few lines reach the error stream of the terminal, marked as the guest's; the rest does not.

Nothing of it comes to the standard output, where results are. `print`, warnings and logging all write to `sys.stdout`
or `sys.stderr`; what holds these streams since before the run, as a handler of logging may, writes to them as ever.
"""

from __future__ import annotations

import io
import sys
from multiprocessing import parent_process
from typing import TYPE_CHECKING, Any, Final, Self

from sim.guests.inside import INSIDE
from sim.guests.refusals import DEBUGGER
from sim.guests.told import RUNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_LINES: Final = 5
"""So many lines of a run are told."""
LONGEST: Final = 500
"""So many characters of a line are told."""
ENCODING: Final = "utf-8"


class Buffer(io.RawIOBase):
    """Stands for the binary side of a stream of the host."""

    def __init__(self, real: Any, hear: Callable[[str], None]) -> None:
        super().__init__()
        self._real = real
        self._hear = hear

    def writable(self) -> bool:
        """Say that it is."""
        return True

    def write(self, data: Any) -> int:
        """Write, for the host; guest code is heard instead."""
        if INSIDE.get() is None:
            return self._real.buffer.write(data)  # type: ignore[no-any-return]  # the number of bytes
        text = bytes(data)
        self._hear(text.decode(ENCODING, "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """Flush the stream of the host."""
        if INSIDE.get() is None:
            self._real.buffer.flush()

    def close(self) -> None:
        """Leave the stream of the host open."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real.buffer, name)


class Stream:
    """Stands for a stream of the host."""

    def __init__(self, real: Any, hear: Callable[[str], None]) -> None:
        self._real = real
        self._hear = hear

    def write(self, text: str) -> int:
        """Write, for the host; guest code is heard instead."""
        if INSIDE.get() is None or sys._getframe(1).f_globals.get("__name__") in DEBUGGER:  # noqa: SLF001  # the documented way to look at one's caller
            return self._real.write(text)  # type: ignore[no-any-return]  # the number of characters
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._hear(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the stream of the host; what guest code prints is told line by line."""
        if INSIDE.get() is None:
            self._real.flush()

    def close(self) -> None:
        """Close the stream, for the host; guest code leaves it open."""
        if INSIDE.get() is None:
            self._real.close()

    @property
    def buffer(self) -> Any:
        """Its binary side."""
        return self._real.buffer if INSIDE.get() is None else Buffer(self._real, self._hear)

    def isatty(self) -> bool:
        """Tell whether it is a terminal: not for guest code, which shall show no progress bars."""
        return INSIDE.get() is None and bool(self._real.isatty())

    def reconfigure(self, **more: Any) -> None:
        """Set encoding and the like, for the host."""
        if INSIDE.get() is None:
            self._real.reconfigure(**more)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it open."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Output:
    """Stands between guest code and the terminal, for the length of a run."""

    def __init__(self) -> None:
        self._streams: dict[str, tuple[Any, Stream]] = {}
        self._told: list[str] = []
        self._unfinished: dict[str, str] = {}
        """What has been printed since the last end of a line, by stream."""

    def install(self) -> None:
        """Stand there. Lines are counted anew, unless this is a further part of one run, or of a worker process."""
        if RUNS:
            self._told = RUNS[-1]
        elif parent_process() is None:
            self._told = []
        for name in ("stdout", "stderr"):
            real = getattr(sys, name)
            if real is not None:  # as in a program without a terminal
                self._streams[name] = real, Stream(real, self._ear(name))
                setattr(sys, name, self._streams[name][1])

    def restore(self) -> None:
        """Step aside, unless another has taken the place meanwhile; a line that has no end is told first."""
        for text in self._unfinished.values():
            if text:
                self._tell(text)
        self._unfinished.clear()
        for name, (real, ours) in self._streams.items():
            if getattr(sys, name) is ours:
                setattr(sys, name, real)
        self._streams.clear()

    def _ear(self, name: str) -> Callable[[str], None]:
        def hear(text: str) -> None:
            *lines, rest = (self._unfinished.get(name, "") + text).split("\n")
            self._unfinished[name] = rest[: LONGEST + 1]
            for line in lines:
                self._tell(line)

        return hear

    def _tell(self, line: str) -> None:
        """Tell a line, if it is one of the first."""
        if len(self._told) > MOST_LINES:
            return
        cut = line.rpartition("\r")[2] if "\r" in line.rstrip("\r") else line.rstrip("\r")
        shown = cut if len(cut) <= LONGEST else f"{cut[:LONGEST]}…"
        self._told.append(shown)
        if len(self._told) <= MOST_LINES:
            self._write(f"the guest prints: {shown}\n")
        else:
            self._write("the guest prints more, which is left out\n")

    def _write(self, text: str) -> None:
        """Write on the error stream of the host, whatever characters that knows."""
        known = self._streams.get("stderr")
        if known is None:
            return
        real = known[0]
        encoding = getattr(real, "encoding", None) or ENCODING
        try:
            real.write(text.encode(encoding, "backslashreplace").decode(encoding))
            real.flush()
        except (OSError, ValueError):  # the terminal is gone, or the stream is closed
            return
