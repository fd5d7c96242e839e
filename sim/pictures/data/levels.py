"""The cells of a sweep, and the levels of its keys, as pictures take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sim.kernel.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sim.measure.metrics import CellMetrics


@dataclass(frozen=True, slots=True)
class Level:
    """One value of a swept key."""

    text: str
    number: float | None = None
    """A number, or a duration in ns; None for anything else."""
    is_duration: bool = False


@dataclass(frozen=True, slots=True)
class SweptCell:
    """A cell of a sweep."""

    levels: Mapping[str, Level]
    """By swept key."""
    variant: str
    """Its variant's name; empty without variants."""
    metrics: CellMetrics


def level(value: Any, text: str) -> Level:
    """Make a level of a value as files write it, and of its name."""
    if isinstance(value, str):
        try:
            return Level(text, float(parse_duration(value)), is_duration=True)
        except ValueError:
            return Level(text)
    return Level(text, float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else Level(text)


def levels_of(cells: Sequence[SweptCell], key: str) -> list[Level]:
    """Return the values of a key, in the order of the sweep; raises KeyError if the key is not swept."""
    return list(dict.fromkeys(cell.levels[key] for cell in cells))


def have_numbers(levels: Sequence[Level]) -> bool:
    """Say whether every level is a number, so that the levels can stand on an axis."""
    return all(one.number is not None for one in levels)
