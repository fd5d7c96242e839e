"""Saves the pictures of a run and of its sweep."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sim.pictures.bars import attempts_figure, stacks_figure
from sim.pictures.ccdf import ccdf_figure, times_figure
from sim.pictures.data.heat_map import HeatMaps
from sim.pictures.data.run import run_data, sweep_data
from sim.pictures.heat_map import heat_figure
from sim.pictures.saving import save
from sim.pictures.sweeps import sweep_figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from sim.pictures.data.levels import SweptCell
    from sim.pictures.data.sweeps import SweepLines
    from sim.text.reported import Cell


def save_figures(cells: Sequence[Cell], caption: str, folder: Path, *, svg: bool = False) -> list[Path]:
    """Write every picture of a run into `folder`, as `sim.pictures.saving.save` does; return the files."""
    data = run_data(cells, caption)
    figures = {
        "ccdf": partial(times_figure, data.time_to_effect, data.time_to_known),
        "attempts": partial(attempts_figure, data.attempts),
        "detection_lag": partial(ccdf_figure, data.detection_lag),
        "outcomes": partial(stacks_figure, data.outcomes),
        "duplicates": partial(stacks_figure, data.duplicates),
    }
    return save(figures, caption, folder, svg=svg)


def save_sweep(cells: Sequence[SweptCell], caption: str, folder: Path, *, svg: bool = False) -> list[Path]:
    """Write a picture for each of `SWEEP_METRICS` that differs between cells, if one or two keys are swept.

    Otherwise no file is written. Returns the files.
    """
    data = sweep_data(cells, caption)
    return save({f"sweep-{path}": partial(_sweep_figure, one) for path, one in data.items()}, caption, folder, svg=svg)


def _sweep_figure(data: SweepLines | HeatMaps) -> Figure:
    return heat_figure(data) if isinstance(data, HeatMaps) else sweep_figure(data)
