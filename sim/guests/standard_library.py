"""The standard library as guests find it: for the length of a run, and inside guest code only.

Nothing of it stays: when the run is over, each function is where it was. Outside of guest code, in other threads too,
everything answers as it always does, also during a run.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sim.guests import clocks, locks, loop_refusals, numpy_chance, randomness, refusals, tokens, unheard
from sim.guests.cores import Cores
from sim.guests.dates import Dates
from sim.guests.output import Output
from sim.guests.references import References
from sim.guests.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Simulated:
    """What is replaced, and how often it was asked for."""

    def __init__(self) -> None:
        self.depth = 0
        self.dates = Dates()
        self.generators = numpy_chance.Generators()
        self.output = Output()
        self.cores = Cores()
        self.watchdog = Watchdog()
        self.references = References(
            {
                **clocks.replaced_functions(),
                **randomness.replaced_functions(),
                **tokens.replaced_functions(),
                **numpy_chance.replaced_functions(),
                **unheard.replaced_functions(),
                **locks.replaced_functions(),
                **loop_refusals.replaced_functions(),
            }
        )

    def install(self) -> list[str]:
        """Replace everything; returns what could not be replaced."""
        refusals.add_hook()
        self.output.install()
        self.dates.install()
        randomness.METHODS.install()
        self.generators.install()
        self.cores.install()
        self.watchdog.start()
        return self.references.install()

    def restore(self) -> None:
        """Put everything back."""
        self.references.restore()
        self.watchdog.stop()
        self.cores.restore()
        self.generators.restore()
        randomness.METHODS.restore()
        self.dates.restore()
        self.output.restore()


_simulated: Final[list[_Simulated]] = []
_one_at_a_time: Final = threading.RLock()


@contextmanager
def simulated() -> Iterator[None]:
    """Let guest code find a simulated standard library; within one another only the outermost does anything.

    Raises GuestRefused if something holds a function that cannot be replaced there.
    """
    with _one_at_a_time:
        if not _simulated:
            _simulated.append(_Simulated())
        here = _simulated[0]
        if here.depth == 0:
            here.install()
        here.depth += 1
    try:
        yield
    finally:
        with _one_at_a_time:
            here.depth -= 1
            if here.depth == 0:
                here.restore()
