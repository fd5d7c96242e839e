"""How the delays of a policy spread: a band over the number of the retry, with its median."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.pictures.data.picture import Picture
from sim.retriers.presets.delays import laws, spread_ns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.retriers.presets.preset import Preset

Numbers = tuple[float, ...]

LEAST_RETRIES: Final = 5
MOST_RETRIES: Final = 12
"""So many retries are shown: those that there are, but at least and at most so many."""
WIDE: Final = 20
"""From this ratio of the longest median to the shortest on the axis is logarithmic."""


@dataclass(frozen=True, slots=True)
class DelayBand:
    """One law; all times in ns, shape (retries,), the first retry first; laws may have different numbers of retries."""

    name: str
    """The answers after which it holds; empty for the only one."""
    least: Numbers
    low: Numbers
    """A quarter of the delays are shorter."""
    median: Numbers
    high: Numbers
    """A quarter of the delays are longer."""
    most: Numbers

    @property
    def has_jitter(self) -> bool:
        """Whether any of its delays spreads."""
        return self.least != self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayBands(Picture):
    """The delays before the first retries."""

    x_label: str
    y_label: str
    bands: tuple[DelayBand, ...]
    last_retry: int | None
    """The last one that there is, if more are shown; what comes behind it only tells how the law goes on."""
    is_log: bool
    """Whether the axis of time is logarithmic."""


def delays_data(preset: Preset, caption: str = "") -> DelayBands:
    """Return how the delays of a preset spread, and those of its cases."""
    named = laws(preset)
    limits = {one.retries for one in named}
    most = None if None in limits else max(limit for limit in limits if limit is not None)
    count = MOST_RETRIES if most is None else min(max(most, LEAST_RETRIES), MOST_RETRIES)
    # If limits differ, each law ends at its own.
    counts = [count if len(limits) == 1 or one.retries is None else min(one.retries, count) for one in named]
    found = [(", ".join(one.after), spread_ns(one.law, own)) for one, own in zip(named, counts, strict=True)]
    several = len(found) > 1
    bands = tuple(
        _band(f"after {after}" if after else "otherwise" if several else "", spread) for after, spread in found
    )
    medians = [delay for band in bands for delay in band.median if delay]
    return DelayBands(
        title=f"Delay before each retry: {preset.name}",
        note="" if any(any(band.most) for band in bands) else f"No delay: {_at_once(preset)}",
        caption=caption,
        x_label="retry",
        y_label="delay",
        bands=bands,
        last_retry=most if len(limits) == 1 and most is not None and 0 < most < count else None,
        is_log=bool(medians) and max(medians) >= WIDE * min(medians),
    )


def _at_once(preset: Preset) -> str:
    return "copies go by time, not after failures." if "hedge" in preset.policy else "retries go at once."


def _band(name: str, spread: NDArray[np.int64]) -> DelayBand:
    least, low, median, high, most = (
        tuple(row)
        for row in np.quantile(spread, (0, 0.25, 0.5, 0.75, 1), axis=1, method="nearest").astype(float).tolist()
    )
    return DelayBand(name, least, low, median, high, most)
