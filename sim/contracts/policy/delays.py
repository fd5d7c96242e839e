"""Laws of delays, worked out again: law, cap, jitter, cap, at_least, floor, round and first, in this order.

Only the operations are those of formulas (`sim.laws.formulas.operations`), so that equal means equal to the last bit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from sim.kernel.durations import RUNAWAY_NS
from sim.laws.formulas import parse
from sim.laws.formulas.machine import encode, evaluate
from sim.laws.formulas.operations import OPERATIONS
from sim.laws.formulas.tree import names_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.promises.policy import DelayTerms

Memory = dict[str, float]
"""What is remembered of the delay before: `previous`, `u_previous` and the values of lets."""
POWER: Final = OPERATIONS["**"].of_numbers
LEAST: Final = OPERATIONS["min"].of_numbers
MOST: Final = OPERATIONS["max"].of_numbers
FLOOR: Final = OPERATIONS["floor_to"].of_numbers
ROUND: Final = OPERATIONS["round_to"].of_numbers
LAST: Final = "last_"
_OWN: Final = ("n", "u", "u2", "u_previous", "previous", "elapsed", "entry")


def at_first(terms: DelayTerms) -> Memory:
    """Return what is remembered before the first retry."""
    return dict(terms.starts)


def drawn(terms: DelayTerms) -> tuple[str, ...]:
    """Return the names of what a law draws, in their order."""
    if terms.law == "formula":
        used = set().union(*(names_of(parse(text, _names(terms))) for text in _texts(terms)))
        found = {"u", "u2"} & used | ({"u"} if "u_previous" in used else set())
        return tuple(sorted(found))
    if terms.law == "decorrelated":
        return ("u",) if terms.jitter == "none" else ("u", "u2")
    return () if terms.jitter == "none" else ("u",)


def delay_ns(terms: DelayTerms, n: int, elapsed_ns: int, memory: Memory, draws: Mapping[str, float]) -> int | None:
    """Return the delay before retry `n` in ns, None if there is no such retry; `memory` is brought up to date."""
    if terms.stops and n > len(terms.of):
        return None
    if terms.law == "formula":
        value_ms = _of_formula(terms, n, elapsed_ns, memory, draws)
    else:
        value_ms = _of_law(terms, n, memory, draws)
    if terms.at_least_ms is not None:
        value_ms = MOST(value_ms, terms.at_least_ms)
    if terms.floor_ms is not None:
        value_ms = FLOOR(value_ms, terms.floor_ms)
    if terms.round_ms is not None:
        value_ms = ROUND(value_ms, terms.round_ms)
    overflow_ns = RUNAWAY_NS if terms.overflow_ns is None else terms.overflow_ns
    finite = math.isfinite(value_ms)
    memory["previous"] = value_ms if finite else overflow_ns / 1e6
    memory["u_previous"] = draws.get("u", 0.0)
    if n == 1 and terms.first_ns is not None:
        return terms.first_ns
    return min(round(value_ms * 1e6), RUNAWAY_NS) if finite and math.isfinite(value_ms * 1e6) else overflow_ns


def _of_law(terms: DelayTerms, n: int, memory: Memory, draws: Mapping[str, float]) -> float:
    """Return the delay in ms, without the keys that follow the jitter and the cap."""
    of, cap_ms, u = terms.of, terms.cap_ms, draws.get("u", 0.0)
    match terms.law:
        case "linear":
            value_ms = of[0] + of[1] * (n - 1)
        case "exponential":
            value_ms = of[0] * POWER(of[1], float(n - 1)) if of[0] else 0.0
        case "decorrelated":
            value_ms = of[0] + u * (of[1] * memory["previous"] - of[0])
            u = draws.get("u2", 0.0)
        case _:
            value_ms = of[min(n, len(of)) - 1]
    if cap_ms is not None and not terms.cap_after:
        value_ms = LEAST(value_ms, cap_ms)
    match terms.jitter:
        case "full":
            value_ms *= u
        case "equal":
            value_ms = value_ms / 2 + u * (value_ms / 2)
        case "spread":
            value_ms *= 1 - terms.jitter_by + u * (2 * terms.jitter_by)
        case "plus":
            value_ms += u * terms.jitter_by
    return LEAST(value_ms, cap_ms) if cap_ms is not None and terms.cap_after else value_ms


def _of_formula(terms: DelayTerms, n: int, elapsed_ns: int, memory: Memory, draws: Mapping[str, float]) -> float:
    values = {
        **dict(terms.given),
        **{name: draws.get(name, 0.0) for name in ("u", "u2")},
        **{name: memory.get(name, 0.0) for name in ("u_previous", "previous")},
        **{LAST + name: memory.get(name, 0.0) for name, _ in terms.lets},
        "n": float(n),
        "entry": terms.of[min(n, len(terms.of)) - 1],
        "elapsed": elapsed_ns / 1e6,
    }
    for name, text in terms.lets:
        values[name] = formula(text, values)
    value_ms = formula(terms.formula, values)
    memory.update({name: values[name] for name, _ in terms.lets})
    return value_ms if terms.cap_ms is None else LEAST(value_ms, terms.cap_ms)


def formula(text: str, values: Mapping[str, float]) -> float:
    """Return the value of a formula."""
    names = tuple(values)
    return evaluate(encode(parse(text, names), names), tuple(values.values()))


def _texts(terms: DelayTerms) -> tuple[str, ...]:
    return (*(text for _, text in terms.lets), terms.formula)


def _names(terms: DelayTerms) -> set[str]:
    lets = [name for name, _ in terms.lets]
    return {*_OWN, *lets, *(LAST + name for name in lets), *(name for name, _ in terms.given)}
