"""What the delays of a preset are: its laws, its first delays for given numbers, and how they spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import TypeAdapter

from sim.clients.policy.delays import DelayField, DelayOptions, delay_law
from sim.kernel.draws import Draws

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.clients.policy.delay_law import DelayLaw
    from sim.retriers.presets.preset import Preset

LAST_BELOW_ONE: Final = 1 - 2**-53
"""The largest number that is ever drawn."""
SEQUENCES: Final = 4001
"""How many sequences of delays tell how they spread; odd, so that the middle one is the median."""
_OPTIONS: Final[TypeAdapter[DelayOptions]] = TypeAdapter(DelayField)


@dataclass(frozen=True, slots=True)
class NamedLaw:
    """A law of delays, and the answers after which it holds."""

    after: tuple[str, ...]
    """Empty for the preset's own, otherwise the answers of one of its cases."""
    law: DelayLaw
    retries: int | None
    """How often it is used at most, None if only time or a budget ends it."""


def laws(preset: Preset) -> tuple[NamedLaw, ...]:
    """Return the law of a preset, and those of its cases that have one of their own."""
    attempts = preset.policy.get("attempts", 1)
    cases = [case for case in preset.policy.get("cases", ()) if "delay" in case]
    return (
        NamedLaw((), _law(preset.policy.get("delay", "none")), _retries(attempts)),
        *(NamedLaw(tuple(one["on"]), _law(one["delay"]), _retries(one.get("attempts", attempts))) for one in cases),
    )


def first_delays_ns(law: DelayLaw, count: int, number: float) -> list[int]:
    """Return the delays before the first retries if every draw gives this number on [0, 1)."""
    state, elapsed_ns = law.start(), 0
    draws = [number] * len(law.streams)
    delays_ns = []
    for n in range(1, count + 1):
        delay_ns = law.delay_ns(n, elapsed_ns, state, draws)
        if delay_ns < 0:
            break
        delays_ns.append(delay_ns)
        elapsed_ns += delay_ns
    return delays_ns


def spread_ns(law: DelayLaw, count: int) -> NDArray[np.int64]:
    """Return sorted delays before the first retries, shape (count, SEQUENCES).

    The numbers drawn for a retry divide [0, 1) evenly, in an order of their own for each retry and stream: of a law
    that remembers nothing these are its quantiles.
    """
    draws, entities = Draws(0), np.arange(SEQUENCES)
    evenly = (entities + 0.5) / SEQUENCES
    state = [np.full(SEQUENCES, value) for value in law.start()]
    elapsed_ns = np.zeros(SEQUENCES, np.int64)
    rows = []
    for n in range(1, count + 1):
        orders = [np.argsort(draws.uniforms(f"delay{stream}", entities, n), kind="stable") for stream in law.streams]
        row = law.delays_ns(np.full(SEQUENCES, n), elapsed_ns, state, [evenly[order] for order in orders])
        if (row < 0).any():
            break
        elapsed_ns = elapsed_ns + row
        rows.append(np.sort(row))
    return np.array(rows, np.int64).reshape(len(rows), SEQUENCES)


def _retries(attempts: int | str) -> int | None:
    return attempts - 1 if isinstance(attempts, int) else None


def _law(tree: Any) -> DelayLaw:
    return delay_law(_OPTIONS.validate_python(tree, by_alias=True, by_name=True))
