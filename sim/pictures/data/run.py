"""The pictures of a run: the same five for every run, and for a sweep the few that say most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.pictures.data.bars import attempts_data, duplicates_data, outcomes_data
from sim.pictures.data.ccdf import detection_lag_data, time_to_effect_data, time_to_known_data
from sim.pictures.data.heat_map import HeatMaps, heat_maps_data
from sim.pictures.data.levels import have_numbers, levels_of
from sim.pictures.data.sweeps import SweepLines, metric_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.pictures.data.bars import AttemptBars, StackedBars
    from sim.pictures.data.ccdf import Ccdf
    from sim.pictures.data.levels import SweptCell
    from sim.text.reported import Cell

SWEEP_METRICS = (
    *("success.rate", "time_to_effect.p99", "duplicates.rate", "amplification"),
    *("goodput.rate", "wasted.share", "recovered.rate"),
)
"""The metrics that are drawn of every sweep, if they differ between cells; the last ones of shared worlds whose
scenarios say what recovery is. Over two keys the last one is the map of metastability."""
SWEEP_PICTURES = tuple(f"sweep-{path}" for path in SWEEP_METRICS)
"""The names of the files of a sweep, without their endings."""
OF_RECOVERY = frozenset(SWEEP_METRICS[-3:])
MOST_KEYS = 2
"""A sweep of more keys gets no picture."""
MOST_LINES = 14
MOST_PANELS = 6
LEAST_OF_HEAT = 3
"""So many values of both keys make a heat map; of fewer values, lines say more."""


@dataclass(frozen=True, slots=True)
class RunPictures:
    """The pictures of a run, whatever it simulates."""

    time_to_effect: Ccdf
    time_to_known: Ccdf
    attempts: AttemptBars
    detection_lag: Ccdf
    outcomes: StackedBars
    duplicates: StackedBars


def run_data(cells: Sequence[Cell], caption: str) -> RunPictures:
    """Return the data of a run's pictures."""
    return RunPictures(
        time_to_effect=time_to_effect_data(cells, caption),
        time_to_known=time_to_known_data(cells, caption),
        attempts=attempts_data(cells, caption),
        detection_lag=detection_lag_data(cells, caption),
        outcomes=outcomes_data(cells, caption),
        duplicates=duplicates_data(cells, caption),
    )


def sweep_data(cells: Sequence[SweptCell], caption: str) -> dict[str, SweepLines | HeatMaps]:
    """Return a picture for each of `SWEEP_METRICS` that differs between cells, by the metric's path.

    Empty unless one or two keys are swept.
    """
    keys = list(cells[0].levels) if cells else []
    if not 1 <= len(keys) <= MOST_KEYS:
        return {}
    has_recovery = all(one.metrics.traffic is not None and one.metrics.traffic.recovery is not None for one in cells)
    paths = [path for path in SWEEP_METRICS if has_recovery or path not in OF_RECOVERY]
    differing = [path for path in paths if len({cell.metrics.value(path).value for cell in cells}) > 1]
    chosen = {path: _lines_or_map(cells, keys, path, caption) for path in differing}
    return {path: data for path, data in chosen.items() if data is not None}


def _lines_or_map(
    cells: Sequence[SweptCell], keys: Sequence[str], path: str, caption: str
) -> SweepLines | HeatMaps | None:
    """Choose the picture that says most; None if any would show too much at once."""
    levels = {key: levels_of(cells, key) for key in keys}
    variants = {cell.variant for cell in cells}
    if len(keys) == MOST_KEYS and min(map(len, levels.values())) >= LEAST_OF_HEAT:
        y, x = keys  # the last key of a sweep changes fastest: it goes along
        return heat_maps_data(cells, path, x, y, caption) if len(variants) <= MOST_PANELS else None
    # Along the key that has a scale; of two such keys, along the one with most values.
    over = max(keys, key=lambda key: (have_numbers(levels[key]), len(levels[key])))
    return metric_data(cells, path, over, caption) if len(cells) // len(levels[over]) <= MOST_LINES else None
