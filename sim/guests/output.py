"""What guest code prints: a few lines reach the terminal, marked as the guest's, and the rest is left out."""

from __future__ import annotations

import sys
from typing import Any, Final

from sim.guests.inside import INSIDE
from sim.guests.refusals import DEBUGGER

MOST_LINES: Final = 5


class Stream:
    """Stands for a stream of the host."""

    def __init__(self, real: Any, output: Output) -> None:
        self._real = real
        self._output = output

    def write(self, text: str) -> int:
        """Write, for the host; guest code is heard instead."""
        if INSIDE.get() is None or sys._getframe(1).f_globals.get("__name__") in DEBUGGER:  # noqa: SLF001  # the documented way to look at one's caller
            return self._real.write(text)  # type: ignore[no-any-return]  # the number of characters
        self._output.hear(str(text))
        return len(text)

    def flush(self) -> None:
        """Flush the stream of the host."""
        self._real.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Output:
    """Stands between guest code and the terminal."""

    def __init__(self) -> None:
        self._streams: dict[str, Any] = {}
        self._told = 0
        self._line = ""

    def install(self) -> None:
        """Stand there."""
        for name in ("stdout", "stderr"):
            real = getattr(sys, name)
            self._streams[name] = real, Stream(real, self)
            setattr(sys, name, self._streams[name][1])

    def restore(self) -> None:
        """Step aside, unless another has taken the place meanwhile."""
        for name, (real, ours) in self._streams.items():
            if getattr(sys, name) is ours:
                setattr(sys, name, real)
        self._streams.clear()

    def hear(self, text: str) -> None:
        """Tell the first lines of what a guest prints."""
        *lines, self._line = (self._line + text).split("\n")
        real = self._streams["stderr"][0]
        for line in lines:
            self._told += 1
            if self._told <= MOST_LINES:
                real.write(f"the guest prints: {line}\n")
            elif self._told == MOST_LINES + 1:
                real.write("the guest prints more, which is left out\n")
