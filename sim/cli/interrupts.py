"""Ctrl-C: when it may interrupt, and the message about the work that was done."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


NOTHING = "nothing was written"


class Interrupts:
    """The handler of Ctrl-C: raises KeyboardInterrupt, and remembers.

    Extension modules that are being imported swallow the exception, turn it into an ImportError or leave Python unable
    to end. So it is held back while commands are imported, and long work asks again with `check`.
    """

    def __init__(self) -> None:
        self.asked = False
        """Whether Ctrl-C was pressed."""
        self.saved = NOTHING
        """How much work is saved: the message of a command that is interrupted ends with it."""
        self._holds = False

    def __call__(self, signal_number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        del signal_number, frame
        self.asked = True
        if not self._holds:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold interrupts back until the end of the block."""
        self._holds = True
        try:
            yield
        finally:
            self._holds = False
        self.check()

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed, in case the first one was lost."""
        if self.asked:
            raise KeyboardInterrupt

    def stop(self) -> None:
        """Ignore Ctrl-C from here on, as the rest takes no time; does nothing outside of `main`."""
        if signal.getsignal(signal.SIGINT) is self:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


interrupts = Interrupts()
