"""Pictures in a user's own figure, where they share the room with others: nothing may lie over its neighbor.

A figure that has no layout of its own gets Matplotlib's constrained one, which makes room for everything that stands
beside axes. Texts are wrapped to the size of their axes, and legends stand below them instead of over the curves.
"""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import ScaledTranslation

from sim.pictures.drawing import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS: Final = 72
_EM: Final = 0.56
"""The mean width of a letter, as a part of the size of its font."""
_BELOW: Final = 30
"""Points between the axes and their legend, with a label of one line."""
LEAST_LETTERS: Final = 22
SHRUNK: Final = 0.65
"""What layout leaves of the width and the height of axes, about."""
MOST_OF_HEIGHT: Final = 0.25
"""A legend that takes more of the height of its axes is written smaller."""
_LARGE, _SMALL = 7.0, 5.5
_GAP_IN, _LETTER_IN = 0.12, 0.085
_NARROW_IN: Final = 3.0


def settle(ax: Axes) -> Axes:
    """Make a picture fit into axes of a user's own figure, with its legend below them if anything is labeled."""
    figure = ax.get_figure()
    if not isinstance(figure, Figure):
        return ax
    if figure.get_layout_engine() is None:
        figure.set_layout_engine("constrained")
    width_in, height_in = (size / figure.dpi for size in (ax.get_window_extent().width, ax.get_window_extent().height))
    rooms = ((ax.title, width_in), (ax.xaxis.label, SHRUNK * width_in), (ax.yaxis.label, SHRUNK * height_in))
    for text, room_in in rooms:
        if room_in < _NARROW_IN:
            text.set_fontsize(8)
        letters = max(LEAST_LETTERS, int(room_in * _POINTS / (_EM * float(text.get_fontsize()))))
        text.set_text("\n".join(textwrap.wrap(" ".join(text.get_text().split()), letters, break_long_words=False)))
    _narrow_names(ax, width_in)
    _thin_ticks(ax, width_in)
    _put_legend_below(figure, ax, width_in, height_in)
    return ax


def _narrow_names(ax: Axes, width_in: float) -> None:
    """Let names beside bars take at most about a third of the width."""
    if not isinstance(ax.yaxis.get_major_locator(), FixedLocator) or ax.get_yscale() == "log":
        return
    letters = max(LEAST_LETTERS, int(width_in * _POINTS / (4 * _EM * 8)))
    names = [" ".join(text.get_text().split()) for text in ax.get_yticklabels()]
    ax.set_yticks(ax.get_yticks(), [label(name, letters, 4) for name in names], fontsize=8)


def _thin_ticks(ax: Axes, width_in: float) -> None:
    """Leave out labels of ticks along x that would run into one another; names of groups are turned instead."""
    positions, texts = list(ax.get_xticks()), [text.get_text() for text in ax.get_xticklabels()]
    # Layout takes some of the width away.
    room_in = SHRUNK * width_in
    needed_in = sum(_GAP_IN + _LETTER_IN * max(map(len, text.split("\n"))) for text in texts)
    if len(texts) != len(positions) or needed_in <= room_in:
        return
    if ax.get_xscale() == "log":
        every = math.ceil(needed_in / room_in)
        ax.set_xticks(positions[::every], texts[::every])
    elif isinstance(ax.xaxis.get_major_locator(), FixedLocator):
        ax.tick_params(axis="x", rotation=45)


def _put_legend_below(figure: Figure, ax: Axes, width_in: float, height_in: float) -> None:
    handles, texts = ax.get_legend_handles_labels()
    if not handles:
        return
    longest = max(len(line) for text in texts for line in text.split("\n"))
    for size in (_LARGE, _SMALL):
        columns = max(1, min(len(handles), int(width_in / (0.35 + size * 0.0075 * longest))))
        rows = math.ceil(len(handles) / columns)
        if rows * size * 1.4 / _POINTS <= MOST_OF_HEIGHT * height_in:
            break
    columns = math.ceil(len(handles) / rows)
    lines = ax.get_xlabel().count("\n") + 1 if ax.get_xlabel() else 0
    lines += max((text.get_text().count("\n") for text in ax.get_xticklabels()), default=0)
    below = ScaledTranslation(0, -(_BELOW + 12 * lines) / _POINTS, figure.dpi_scale_trans)
    ax.legend(
        handles,
        texts,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + below,
        ncols=columns,
        fontsize=size,
        handlelength=3,
        frameon=False,
        borderaxespad=0,
    )
