"""Timelines as a table, a row a bin of each part of each cell's world.

    cell, part                                  part: empty for the whole world, `service.NAME`, `class.NAME`
    from_ns, to_ns                              the bin
    QUANTITY, QUANTITY_low, QUANTITY_high       the mean over replications and its 95 % interval

The quantities are those of `sim.measure.timeline`, with `_` in place of `.`; what is not known is left empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.results.frames import Gaps, Words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from sim.measure.timeline import Band, Timeline
    from sim.results.frames import Frame


def timeline_frames(timelines: Iterable[tuple[str, Timeline]]) -> Iterator[Frame]:
    """Yield the timelines of cells, named by id, as frames: one for each part of each world, all with equal columns."""
    given = list(timelines)
    names = list(dict.fromkeys(name for _, one in given for series in one.series.values() for name in series))
    for cell, timeline in given:
        bins = len(timeline.edges_ns) - 1
        for part, series in timeline.series.items():
            frame: Frame = {
                "cell": Words(np.zeros(bins, np.int32), (cell,)),
                "part": Words(np.full(bins, 0 if part else -1, np.int32), (part,)),
                "from_ns": timeline.edges_ns[:-1],
                "to_ns": timeline.edges_ns[1:],
            }
            for name in names:
                band = series.get(name)
                for suffix, values in zip(("", "_low", "_high"), _ends(band, bins), strict=True):
                    frame[f"{name.replace('.', '_')}{suffix}"] = Gaps(values, np.isnan(values))
            yield frame


def _ends(band: Band | None, bins: int) -> tuple[NDArray[np.float64], ...]:
    nothing = np.full(bins, np.nan)
    if band is None:
        return nothing, nothing, nothing
    return band.mean, nothing if band.low is None else band.low, nothing if band.high is None else band.high
