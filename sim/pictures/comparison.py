"""Draws a comparison: two curves of waiting, and what became of their quantiles; the title is the finding."""

from __future__ import annotations

import math
import textwrap
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from sim.measure.differences import Change
from sim.pictures.ccdf import draw_curves
from sim.pictures.data.comparison import comparison_data
from sim.pictures.drawing import GRAY, GREEN, new_figure, with_legend
from sim.pictures.own_axes import settle
from sim.pictures.saving import save

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sim.pictures.data.comparison import ComparedCurves, Step
    from sim.text.comparison import Pair

TITLE_WIDTH = 90
DARK_RED = "#A3195B"
"""For what is worse: the palette's red is that of B's curve."""
MIDDLE = 0.5
"""A quantile left of this part of the axis has its words on the right, else on the left."""
_COLORS = MappingProxyType({Change.better.value: GREEN, Change.worse.value: DARK_RED})


def plot_comparison(pair: Pair, ax: Axes | None = None) -> Axes:
    """Draw the times to effect of A and B, and at each quantile the step from A to B; the title states the finding.

    Steps are green if B is certainly better, red if it is certainly worse, gray otherwise; the words at each give the
    difference B - A with its 95 % interval.
    """
    return draw_comparison(comparison_data(pair), ax)


def draw_comparison(data: ComparedCurves, ax: Axes | None = None) -> Axes:
    """Draw both curves and the steps between their quantiles."""
    return with_legend(_draw(data, None)) if ax is None else settle(_draw(data, ax))


def _draw(data: ComparedCurves, ax: Axes | None) -> Axes:
    ax = draw_curves(data.curves, ax)
    ax.set_title(textwrap.fill(data.title.replace("$", r"\$"), TITLE_WIDTH), fontsize=11)
    for step in data.steps:
        _draw_step(ax, step, (data.curves.low_ns, data.curves.high_ns))
    return ax


def comparison_figure(data: ComparedCurves) -> Figure:
    """Draw the same as it is saved."""
    figure = new_figure(9, 5.2)
    with_legend(_draw(data, figure.add_subplot()))
    return figure


def save_comparison(pair: Pair, caption: str, folder: Path, stem: str, *, svg: bool = False) -> list[Path]:
    """Write the picture as `stem`.png into `folder`, as `sim.pictures.saving.save` does; return the files."""
    data = comparison_data(pair, caption)
    return save({stem: partial(comparison_figure, data)}, caption, folder, svg=svg)


def _draw_step(ax: Axes, step: Step, ends_ns: tuple[float, float]) -> None:
    """Draw an arrow from A's quantile to B's, and say how far it goes."""
    left_ns, right_ns = ends_ns
    from_ns, to_ns = (min(max(value, left_ns), right_ns) for value in (step.a_ns, step.b_ns))
    color = _COLORS.get(step.change, GRAY)
    if from_ns != to_ns:
        arrow = {
            "arrowstyle": "-|>",
            "color": color,
            "linewidth": 2.2,
            "shrinkA": 0,
            "shrinkB": 0,
            "mutation_scale": 11,
        }
        ax.annotate("", (to_ns, step.share), (from_ns, step.share), arrowprops=arrow, zorder=4)
    else:
        ax.plot([from_ns], [step.share], "o", color=color, markersize=5, zorder=4)
    farthest = math.log(max(from_ns, to_ns) / left_ns) / math.log(right_ns / left_ns)
    on_the_right = farthest < MIDDLE
    ax.annotate(
        step.text,
        (0.99 if on_the_right else 0.055, step.share),
        (0, 2.5),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right" if on_the_right else "left",
        fontsize=7.5,
        color="#444444" if color == GRAY else color,
    )
