"""Pictures of the cells of a scenario: times as CCDFs, attempts, outcomes and duplicates as bars.

`plot_x(cells, ax=None) -> Axes` draws one picture, on a new figure where no axes are given. `save_figures` writes them
all as files. What is drawn comes from `CellMetrics`; nothing is measured here.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from sim.analysis.cells import Cell
from sim.analysis.drawing import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    add_caption,
    bar_style,
    caption_text,
    figure_bytes,
    label,
    line_style,
    note,
    set_share_axis,
    set_time_axis,
    settings,
    spread,
)
from sim.analysis.metrics import Tail
from sim.analysis.numerals import number_text, percent_text
from sim.analysis.quantities import QUANTILES

__all__ = [
    "add_caption",
    "caption_text",
    "plot_attempts",
    "plot_detection_lag",
    "plot_duplicates",
    "plot_outcomes",
    "plot_time_to_effect",
    "plot_time_to_known",
    "save_figures",
]

FLOORS = (2e-5, 5e-4)
"""Where the logarithmic axes of shares end at the lowest and at the highest; between, at half a request."""

_OUTCOMES = MappingProxyType(
    {
        "success": (GREEN, ""),
        "gave_up": (ORANGE, "///"),
        "stuck": (VERMILLION, "xxx"),
        "open": (SKY, "..."),
        "canceled": (GREY, "---"),
        "runaway": (PURPLE, "\\\\\\"),
    }
)
_CAUSES = MappingProxyType(
    {
        "ack_lost": (BLUE, ""),
        "crash_after_effect": (ORANGE, "///"),
        "timeout": (GREEN, "..."),
        "report_lost": (VERMILLION, "xxx"),
        "resubmit": (PURPLE, "\\\\\\"),
    }
)


def plot_time_to_effect(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw the share of requests that is still without its effect after t, over all that were not canceled."""
    return _with_legend(_draw_tails(cells, "time_to_effect", "Time to effect", "still without effect", ax))


def plot_time_to_known(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw the share of requests that is not settled after t, over all that were not canceled."""
    return _with_legend(_draw_tails(cells, "time_to_known", "Time to known", "not settled yet", ax))


def plot_detection_lag(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw the share of settled requests whose end was noticed later than t."""
    return _with_legend(_draw_tails(cells, "detection_lag", "Detection lag", "end not noticed yet", ax))


def plot_attempts(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw the share of requests by number of attempts, a bar a cell; many attempts share a group."""
    ax = _axes(ax)
    ax.set_title("Attempts per request")
    counted = [(index, cell) for index, cell in enumerate(cells) if len(cell.metrics)]
    if not counted:
        note(ax, "No request counts.")
        return ax
    groups = attempt_groups(max(max(cell.metrics.attempts) for _, cell in counted), min(
        min(cell.metrics.attempts) for _, cell in counted))
    width = 0.84 / len(counted)
    tops = np.zeros(len(groups))
    for place, (index, cell) in enumerate(counted):
        shares = [_share_of_group(cell, group) for group in groups]
        left = np.arange(len(groups)) - 0.42 + place * width
        ax.bar(left, shares, width, align="edge", label=label(cell.name), **bar_style(index))
        tops = np.maximum(tops, shares)
    for place, top in enumerate(tops):
        if 0 < top < 0.02 * tops.max():
            ax.annotate(f"<= {percent_text(top)}", (place, top), (0, 2), textcoords="offset points", ha="center",
                        va="bottom", fontsize=7, rotation=0)
    ax.set_xticks(range(len(groups)), [_group_text(group) for group in groups])
    ax.set_xlabel("attempts")
    ax.set_ylabel("share of requests")
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    return _with_legend(ax, "upper right")
