"""The numbers of the recordings: a scripted sequence, or the generator mulberry32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sim.kernel.choices import Script

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def mulberry32(seed: int) -> Callable[[], float]:
    """Return the generator of the recordings: 32-bit state, numbers on [0, 1)."""
    state = seed & 0xFFFFFFFF

    def draw() -> float:
        nonlocal state
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        t = ((state ^ (state >> 15)) * (1 | state)) & 0xFFFFFFFF
        t = ((t + (((t ^ (t >> 7)) * (61 | t)) & 0xFFFFFFFF)) & 0xFFFFFFFF) ^ t
        return (t ^ (t >> 14)) / 2**32

    return draw


def numbers(random: Sequence[float] | Mapping[str, int]) -> Script:
    """Return what `Math.random` gave in a case: `random` is a list, used again and again, or `{"seed": n}`."""
    return Script(source=mulberry32(random["seed"])) if isinstance(random, Mapping) else Script(random)
