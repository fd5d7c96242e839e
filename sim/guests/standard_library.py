"""The standard library as guests find it: for the length of a run, and inside guest code only.

Nothing of it stays: when the run is over, each function is where it was. Outside of guest code, in other threads too,
everything answers as it always does, also during a run.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sim.guests import clocks, locks, loop_refusals, numpy_chance, randomness, refusals, tokens, unheard
from sim.guests.collecting import Rounds
from sim.guests.cores import Cores
from sim.guests.dates import Dates
from sim.guests.generators import closed_in_loops
from sim.guests.kept_methods import KeptMethods
from sim.guests.output import Output
from sim.guests.references import References
from sim.guests.refused import GuestRefused
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
        self.input = unheard.Input()
        self.cores = Cores()
        self.watchdog = Watchdog()
        self.rounds = Rounds()
        known = {
            **clocks.replaced_functions(),
            **randomness.replaced_functions(),
            **tokens.replaced_functions(),
            **numpy_chance.replaced_functions(),
            **unheard.replaced_functions(),
            **locks.replaced_functions(),
            **loop_refusals.replaced_functions(),
        }
        self.references = References(known)
        methods = [*self.dates.pairs(), *self.generators.pairs(), *randomness.kept_methods()]
        self.kept_methods = KeptMethods(methods, known)

    def install(self) -> list[str]:
        """Replace everything, or nothing if that is interrupted; returns what could not be replaced."""
        refusals.add_hook()
        try:
            self.output.install()
            self.input.install()
            self.dates.install()
            randomness.METHODS.install()
            self.generators.install()
            self.cores.install()
            self.watchdog.start()
            self.rounds.install()
            return [*self.kept_methods.install(), *self.references.install()]
        except BaseException:
            self.restore()
            raise

    def restore(self) -> None:
        """Put everything back."""
        self.references.restore()
        self.kept_methods.restore()
        self.rounds.restore()
        self.watchdog.stop()
        self.cores.restore()
        self.generators.restore()
        randomness.METHODS.restore()
        self.dates.restore()
        self.input.restore()
        self.output.restore()


MOST_TOLD: Final = 3
"""How many places are told that cannot be reached."""
_simulated: Final[list[_Simulated]] = []
_one_at_a_time: Final = threading.RLock()


def _in_words(unreachable: list[str]) -> str:
    more = f", and {len(unreachable) - MOST_TOLD} more such" if len(unreachable) > MOST_TOLD else ""
    return (
        f"guests would ask the host: {', '.join(unreachable[:MOST_TOLD])}{more}. A simulation cannot exchange that; "
        "keep it in a name, an attribute, a list or a tuple"
    )


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
            unreachable = here.install()
            if unreachable:
                here.restore()
                raise GuestRefused(_in_words(unreachable))
        here.depth += 1
    try:
        with closed_in_loops():
            yield
    finally:
        with _one_at_a_time:
            here.depth -= 1
            if here.depth == 0:
                here.restore()
