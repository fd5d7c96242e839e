"""Retriers whose requests depend on more than scenario and seed, each in a way of its own; and two that do not.

Workers import this module by its name.
"""

# ruff: noqa: S311  # the global generator is one of the leaks

from __future__ import annotations

import functools
import os
import random
import time
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from sim.clients.client import CallFailed
from sim.options.model import Options
from sim.retriers.base import LoopRetrier

if TYPE_CHECKING:
    from sim.clients.client import Call, ClientContext

random.seed(4)  # the same sequence in each process
GENERATOR = random.Random(7)
AT_IMPORT = random.SystemRandom().random()
SPENT: list[int] = []


class Gap(Options):
    gap_ms: float = 100.0


class Steady(LoopRetrier):
    """Five tries, ever farther apart: the same every time."""

    kind = "steady"
    Options: ClassVar[type[Options]] = Gap

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        for failure in range(1, 5):
            try:
                return await call()
            except CallFailed:
                if self.gives_up():
                    raise
                await ctx.sleep(self.wait_ms(failure))
        return await call()

    def gives_up(self) -> bool:
        return False

    def wait_ms(self, failure: int) -> float:
        return self.options.gap_ms * failure


class Remembers(Steady):
    """Keeps in its class what is the same every time."""

    known: ClassVar[dict[int, float]] = {}

    def wait_ms(self, failure: int) -> float:
        return self.known.setdefault(failure, 50.0 * failure)


class GlobalChance(Steady):
    def wait_ms(self, failure: int) -> float:
        return failure * random.random()


class GeneratorOfTheModule(Steady):
    def wait_ms(self, failure: int) -> float:
        return failure * GENERATOR.random()


class SystemChance(Steady):
    def wait_ms(self, failure: int) -> float:
        return failure + int.from_bytes(os.urandom(2)) + uuid.uuid4().int % 1000


class Clock(Steady):
    def wait_ms(self, failure: int) -> float:
        return failure + time.perf_counter_ns() % 1_000_003


class ClassBudget(Steady):
    """Spends a budget of all retriers together, which is soon empty."""

    left = 5

    def gives_up(self) -> bool:
        ClassBudget.left -= 1
        return ClassBudget.left < 0


class ModuleBudget(Steady):
    def gives_up(self) -> bool:
        SPENT.append(1)
        return len(SPENT) > 40


class Tires(Steady):
    """Gives up at once after a thousand requests."""

    requests = 0

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        Tires.requests += 1
        self.tired = Tires.requests > 1000

    def gives_up(self) -> bool:
        return self.tired


class SaysItKeepsNothing(Steady):
    """Is taken at its word, and keeps a budget in itself."""

    stateless = True

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.left = 20

    def gives_up(self) -> bool:
        self.left -= 1
        return self.left < 0


class DrawnAtImport(Steady):
    """Differs from process to process only."""

    def wait_ms(self, failure: int) -> float:
        return failure * AT_IMPORT


@functools.lru_cache
def _drawn_once(failure: int) -> float:
    return failure * random.SystemRandom().random()


class DrawnOnce(Steady):
    """Differs from process to process only, and then for whoever comes first."""

    def wait_ms(self, failure: int) -> float:
        return _drawn_once(failure)


class OrderOfASet(Steady):
    """Differs between processes with another order of texts."""

    def wait_ms(self, failure: int) -> float:
        return failure * float(next(iter({str(number) for number in range(1, 4000)})))


LEAKS = (
    GlobalChance,
    GeneratorOfTheModule,
    SystemChance,
    Clock,
    ClassBudget,
    ModuleBudget,
    Tires,
    SaysItKeepsNothing,
    DrawnAtImport,
    DrawnOnce,
)
"""All that one process can find out."""
STEADY = (Steady, Remembers)


def named(kind: type[LoopRetrier]) -> str:
    """Return the `module:Class` by which the command line names one of them."""
    return f"{kind.__module__}:{kind.__name__}"
