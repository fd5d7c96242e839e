"""Draws bars: requests by number of attempts, by outcome, and repeated effects by cause."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import PercentFormatter

from sim.measure.quantities import Unit
from sim.pictures.data.bars import attempts_data, duplicates_data, outcomes_data
from sim.pictures.drawing import (
    BLUE,
    FAINT,
    GRAY,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    bar_style,
    label,
    named_figure,
    new_axes,
    new_figure,
    note,
    set_share_axis,
    with_legend,
    with_legend_above,
)
from sim.pictures.own_axes import settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sim.pictures.data.bars import AttemptBars, Part, StackedBars
    from sim.text.reported import Cell

_SMALL: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 7.5}
_PLATE: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}

_LOOKS = MappingProxyType(
    {
        "success": (GREEN, ""),
        "gave_up": (ORANGE, "///"),
        "stuck": (VERMILLION, "xxx"),
        "open": (SKY, "..."),
        "canceled": (GRAY, "---"),
        "runaway": (PURPLE, "\\\\\\"),
        "ack_lost": (BLUE, ""),
        "crash_after_effect": (ORANGE, "///"),
        "timeout": (GREEN, "..."),
        "report_lost": (VERMILLION, "xxx"),
        "resubmit": (PURPLE, "\\\\\\"),
        "repeated": (SKY, "---"),
    }
)
"""Color and hatch of the parts of bars: outcomes, then causes of repeated effects."""


def plot_attempts(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw the share of requests by number of attempts, a bar a cell, on a logarithmic axis that shows the rarest.

    Many numbers of attempts share a group.
    """
    return draw_attempts(attempts_data(cells), ax)


def plot_outcomes(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw a bar a cell, split by what the retrier concluded; shares too small to see stand beside it in words."""
    return draw_stacks(outcomes_data(cells), ax)


def plot_duplicates(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw a bar a cell: repeated effects per 1000 requests, split by cause."""
    return draw_stacks(duplicates_data(cells), ax)


# Attempts.


def draw_attempts(data: AttemptBars, ax: Axes | None = None) -> Axes:
    """Draw a bar for each cell in each group of numbers of attempts, with a legend."""
    if ax is None:
        ax = new_axes()
        _draw_groups(data, ax)
        return ax if data.note else with_legend(ax, "upper right")
    _draw_groups(data, ax)
    return settle(ax)


def attempts_figure(data: AttemptBars) -> Figure:
    """Draw the same with a legend above the axes."""
    figure = named_figure(10, 4.4, [data.cells[index].name for index in data.shown])
    ax = figure.add_subplot()
    _draw_groups(data, ax)
    return with_legend_above(figure, ax)


def _draw_groups(data: AttemptBars, ax: Axes) -> None:
    ax.set_title(data.title)
    if data.note:
        note(ax, data.note)
        return
    counted = [(index, data.cells[index]) for index in data.shown]
    if len(counted) < sum(bool(cell.shares) for cell in data.cells):
        few = f"{len(counted)} of {len(data.cells)} cells, from the fewest attempts to the most"
        ax.set_title(f"{data.title}: {few}")
        counted = list(enumerate(cell for _, cell in counted))
    width = 0.84 / len(counted)
    for place, (index, cell) in enumerate(counted):
        lefts = [group - 0.42 + place * width for group in range(len(data.groups))]
        ax.bar(lefts, cell.shares, width, align="edge", label=label(cell.name), **bar_style(index))
    ax.set_xticks(range(len(data.groups)), [label(group, 5) for group in data.groups])
    ax.set_xlabel(data.x_label)
    ax.set_ylabel(data.y_label)
    set_share_axis(ax, data.floor)
    ax.grid(axis="y", color=FAINT, linewidth=0.5, alpha=0.6)
    ax.set_axisbelow(True)


# Outcomes and repeated effects.


def draw_stacks(data: StackedBars, ax: Axes | None = None) -> Axes:
    """Draw a horizontal bar a cell, split into parts, with a legend: above the axes, or below a user's own."""
    if ax is not None:
        _draw_bars(data, ax)
        for text in ax.texts:  # remarks beside the bars take as little of the width as they can
            text.set_text(text.get_text().replace(", ", ",\n"))
        return settle(ax)
    figure = new_figure(8, 4.6)
    ax = figure.add_subplot()
    _draw_bars(data, ax)
    with_legend_above(figure, ax)
    return ax


def stacks_figure(data: StackedBars) -> Figure:
    """Draw the same on a figure as high as the cells need; a sentence instead of bars needs no room for them."""
    lines = sum(max(2, label(name).count("\n") + 1) for name in data.cells)
    figure = new_figure(10, 1.5 if data.note else 1.5 + 0.22 * lines)
    ax = figure.add_subplot()
    _draw_bars(data, ax)
    return with_legend_above(figure, ax)


def _draw_bars(data: StackedBars, ax: Axes) -> None:
    ax.set_title(data.title)
    if data.note:
        note(ax, data.note)
        ax.set_axis_off()
        return
    places = range(len(data.cells))
    lefts = [0.0] * len(data.cells)
    for part in data.parts:
        color, hatch = _LOOKS[part.key]
        ax.barh(
            places, part.sizes, 0.62, lefts, label=part.name, color=color, hatch=hatch, edgecolor="white", linewidth=0
        )
        lefts = [left + size for left, size in zip(lefts, part.sizes, strict=True)]
    ax.set_yticks(places, [label(name) for name in data.cells])
    ax.set_ylim(len(data.cells) - 0.5, -0.5)
    ax.set_xlabel(data.x_label)
    if data.unit == Unit.share.value:
        _dress_shares(data, ax)
    else:
        _dress_counts(data, ax)


def _dress_shares(data: StackedBars, ax: Axes) -> None:
    for place, remark in enumerate(data.remarks):
        _write_within(ax, place, data.parts)
        ax.text(1.01, place, remark, va="center", fontsize=8)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))


def _write_within(ax: Axes, place: int, parts: Sequence[Part]) -> None:
    left = 0.0
    for part in parts:
        size, text = part.sizes[place], part.texts[place]
        if text:
            ax.text(left + size / 2, place, text, bbox=_PLATE, **_SMALL | {"va": "center"})
        left += size


def _dress_counts(data: StackedBars, ax: Axes) -> None:
    for place, (length, remark) in enumerate(zip(data.lengths, data.remarks, strict=True)):
        ax.text(length, place, f" {remark}", va="center", fontsize=8)
    ax.set_xlim(0, 1.1 * max(data.lengths))
