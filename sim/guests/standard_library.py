"""The standard library as guests find it: for the length of a run, and inside guest code only.

Nothing of it stays: when the run is over, each function is where it was. Outside of guest code, in other threads too,
everything answers as it always does, also during a run.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from sim.guests import clocks, imports, locks, loop_refusals, numpy_chance, randomness, refusals, tokens, unheard
from sim.guests.collecting import ROUNDS
from sim.guests.cores import Cores
from sim.guests.dates import Dates
from sim.guests.generators import closed_in_loops
from sim.guests.idle_loops import none_left_in_thread
from sim.guests.kept_methods import KeptMethods
from sim.guests.output import Output
from sim.guests.references import References
from sim.guests.refused import GuestRefused
from sim.guests.settings import Settings
from sim.guests.watchdog import watched
from sim.options.own_code import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Part(Protocol):
    """Some of what is replaced."""

    def install(self) -> list[str] | None:
        """Replace it; may return in words what could not be replaced."""

    def restore(self) -> None:
        """Put it back, also if `install` was interrupted."""


class _Simulated:
    """What is replaced, and how often it was asked for."""

    def __init__(self) -> None:
        self.depth = 0
        dates, generators = Dates(), numpy_chance.Generators()
        known = {
            **clocks.replaced_functions(),
            **randomness.replaced_functions(),
            **tokens.replaced_functions(),
            **numpy_chance.replaced_functions(),
            **unheard.replaced_functions(),
            **locks.replaced_functions(),
            **loop_refusals.replaced_functions(),
            **imports.replaced_functions(),
        }
        methods = [*dates.pairs(), *generators.pairs(), *randomness.kept_methods()]
        self._parts: tuple[_Part, ...] = (
            Output(),
            unheard.Input(),
            dates,
            randomness.METHODS,
            generators,
            Cores(),
            ROUNDS,
            imports.ImportStatements(),
            KeptMethods(methods, known),
            References(known),
            Settings(),  # last, as it would hold what is replaced, and is put back first
        )
        self._installed = ExitStack()

    def install(self) -> list[str]:
        """Replace everything, or nothing if that is interrupted; returns what could not be replaced."""
        refusals.add_hook()
        told: list[str] = []
        with ExitStack() as stack:
            for part in self._parts:
                stack.callback(part.restore)
                told += part.install() or ()
            self._installed = stack.pop_all()
        return told

    def restore(self) -> None:
        """Put everything back, the rest too if a part of it cannot be."""
        self._installed.close()


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
    with STREAMS, _one_at_a_time:
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
        with closed_in_loops(), watched(), none_left_in_thread():
            yield
    finally:
        with STREAMS, _one_at_a_time:
            here.depth -= 1
            if here.depth == 0:
                here.restore()
