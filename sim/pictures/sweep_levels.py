"""The cells of a sweep, and the levels of its keys, as pictures take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sim.kernel.durations import parse_duration
from sim.pictures.metric_axes import metric_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sim.measure.metrics import CellMetrics


SPAN_OF_LOG = 8


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
    """Its variant's name, empty without variants."""
    metrics: CellMetrics


def level(value: Any, text: str) -> Level:
    """Take a value as files write it, and what it is called."""
    if isinstance(value, str):
        try:
            return Level(text, float(parse_duration(value)), is_duration=True)
        except ValueError:
            return Level(text)
    return Level(text, float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else Level(text)


def _levels(cells: Sequence[SweptCell], key: str) -> list[Level]:
    """Return the values of a key, in the order of the sweep."""
    return list(dict.fromkeys(cell.levels[key] for cell in cells))


def _title(path: str) -> str:
    words = metric_words(path)
    return words if words.startswith("p") and words[1:2].isdigit() else words[0].upper() + words[1:]


def _last(key: str) -> str:
    return key.rpartition(".")[2].replace("_", " ")
