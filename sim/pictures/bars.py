"""Pictures of the cells of a scenario: times as CCDFs, attempts, outcomes and duplicates as bars.

`plot_x(cells, ax=None) -> Axes` draws one picture, on a new figure where no axes are given. `save_figures` writes them
all as files. What is drawn comes from `CellMetrics`; nothing is measured here.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from sim.pictures.ccdf import (
    DETECTION_LAG,
    TIME_TO_EFFECT,
    TIME_TO_KNOWN,
    draw_tails,
    named_among,
    plot_detection_lag,
    plot_time_to_effect,
    plot_time_to_known,
)
from sim.pictures.drawing import (
    BLUE,
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
    new_axes,
    note,
    settings,
    with_legend,
)
from sim.text.numerals import number_text, percent_text
from sim.text.reported import Cell

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

WIDE_ENOUGH = 0.09
"""The least share whose part of a bar holds its own text."""

_SMALL: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 7.5}
_PLATE: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}


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


def plot_attempts(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw the share of requests by number of attempts, a bar a cell; many attempts share a group."""
    ax = new_axes() if ax is None else ax
    ax.set_title("Attempts per request")
    counted = [(index, cell) for index, cell in enumerate(cells) if len(cell.metrics)]
    if not counted:
        note(ax, "No request counts.")
        return ax
    numbers = sorted(set[int]().union(*(cell.metrics.attempts for _, cell in counted)))
    groups = _attempt_groups(numbers[0], numbers[-1])
    width = 0.84 / len(counted)
    tops = [0.0] * len(groups)
    for place, (index, cell) in enumerate(counted):
        shares = [_share_of_group(cell, first, last) for first, last in groups]
        lefts = [group - 0.42 + place * width for group in range(len(groups))]
        ax.bar(lefts, shares, width, align="edge", label=label(cell.name), **bar_style(index))
        tops = list(map(max, tops, shares))
    for group, top in enumerate(tops):
        if 0 < top < 0.02 * max(tops):
            most = "at most\n" if len(counted) > 1 else ""
            ax.annotate(f"{most}{percent_text(top)}", (group, top), (0, 3), textcoords="offset points", **_SMALL)
    ax.set_xticks(range(len(groups)), [str(first) if first == last else f"{first} to {last}" for first, last in groups])
    ax.set_xlabel("attempts")
    ax.set_ylabel("share of requests")
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    ax.set_ylim(0, 1.05 * max(tops))
    return with_legend(ax, "upper right")


def plot_outcomes(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw a bar a cell, split by what the retrier concluded; shares too small to see stand beside it in words."""
    if ax is None:
        return _on_a_figure_of_its_own(plot_outcomes, cells)
    ax.set_title("Outcomes")
    rows = [{name: cell.metrics.outcomes[name] / max(1, len(cell.metrics)) for name in _OUTCOMES} for cell in cells]
    _draw_stacks(ax, cells, rows, _OUTCOMES)
    for place, row in enumerate(rows):
        left, aside = 0.0, []
        for name, share in row.items():
            words = f"{name.replace('_', ' ')} {percent_text(share)}"
            if share >= WIDE_ENOUGH:
                text = percent_text(share) if share < 2 * WIDE_ENOUGH else words
                ax.text(left + share / 2, place, text, bbox=_PLATE, **_SMALL | {"va": "center"})
            elif share:
                aside.append(words)
            left += share
        if not len(cells[place].metrics):
            aside.append("no request counts")
        lines = [", ".join(aside[start : start + 2]) for start in range(0, len(aside), 2)]
        ax.text(1.01, place, "\n".join(lines), va="center", fontsize=8)
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of requests")
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    return ax


def plot_duplicates(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw a bar a cell: repeated effects per 1000 requests, split by cause."""
    if ax is None:
        return _on_a_figure_of_its_own(plot_duplicates, cells)
    ax.set_title("Repeated effects by cause")
    rows = [
        {name: 1000 * count / max(1, len(cell.metrics)) for name, count in cell.metrics.duplicates.items()}
        for cell in cells
    ]
    totals = [sum(row.values()) for row in rows]
    if not any(totals):
        counts = sum(len(cell.metrics) for cell in cells)
        note(ax, f"No effect was repeated in any of {counts:,} requests.")
        ax.set_axis_off()
        return ax
    _draw_stacks(ax, cells, rows, _CAUSES)
    for place, total in enumerate(totals):
        ax.text(total, place, f" {number_text(total)}", va="center", fontsize=8)
    ax.set_xlim(0, 1.1 * max(totals))
    ax.set_xlabel("repeated effects per 1000 requests")
    return ax


def save_figures(cells: Sequence[Cell], caption: str, folder: Path, *, svg: bool = False) -> list[Path]:
    """Write every picture into `folder` as PNG, and as SVG if asked to; return the files in the order written.

    Equal input gives equal bytes. Nothing is written before all pictures are drawn; the folder is made if missing.
    """
    kinds = ("png", "svg") if svg else ("png",)
    files: dict[Path, bytes] = {}
    with settings():
        for name, draw in _FIGURES.items():
            figure = draw(cells)
            add_caption(figure, caption)
            files |= {folder / f"{name}.{kind}": figure_bytes(figure, kind) for kind in kinds}
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        path.write_bytes(content)
    return list(files)


# -- figures -----------------------------------------------------------------------------------------------------------


def _ccdf_figure(cells: Sequence[Cell]) -> Figure:
    figure = _figure(11, 4.8, [cells[position] for position in named_among(cells)])
    left, right = figure.subplots(1, 2)
    draw_tails(cells, TIME_TO_EFFECT, left)
    draw_tails(cells, TIME_TO_KNOWN, right)
    return _with_outer_legend(figure, left)


def _detection_lag_figure(cells: Sequence[Cell]) -> Figure:
    figure = _figure(8, 4.6, [cells[position] for position in named_among(cells)])
    return _with_outer_legend(figure, draw_tails(cells, DETECTION_LAG, figure.add_subplot()))


def _attempts_figure(cells: Sequence[Cell]) -> Figure:
    figure = _figure(10, 4.4, cells)
    ax = plot_attempts(cells, figure.add_subplot())
    if (legend := ax.get_legend()) is not None:
        legend.remove()
    return _with_outer_legend(figure, ax)


def _stacks_figure(plot: Callable[[Sequence[Cell], Axes], Axes]) -> Callable[[Sequence[Cell]], Figure]:
    def draw(cells: Sequence[Cell]) -> Figure:
        lines = sum(max(2, label(cell.name).count("\n") + 1) for cell in cells)
        figure = Figure(figsize=(10, 1.5 + 0.22 * lines), layout="constrained")
        ax = plot(cells, figure.add_subplot())
        if not ax.axison:
            figure.set_figheight(1.5)  # a sentence instead of bars needs no room for them
        return _with_outer_legend(figure, ax)

    return draw


_FIGURES: dict[str, Callable[[Sequence[Cell]], Figure]] = {
    "ccdf": _ccdf_figure,
    "attempts": _attempts_figure,
    "detection_lag": _detection_lag_figure,
    "outcomes": _stacks_figure(plot_outcomes),
    "duplicates": _stacks_figure(plot_duplicates),
}


def _figure(width: float, height: float, cells: Sequence[Cell]) -> Figure:
    """Make a figure that grows with the lines of the legend above it."""
    lines = sum(label(cell.name).count("\n") + 1 for cell in cells) / 2.5
    return Figure(figsize=(width, height + 0.16 * lines), layout="constrained")


def _on_a_figure_of_its_own(plot: Callable[[Sequence[Cell], Axes], Axes], cells: Sequence[Cell]) -> Axes:
    """Draw on a new figure, with a legend above the axes."""
    ax = plot(cells, new_axes())
    if isinstance(ax.figure, Figure):
        _with_outer_legend(ax.figure, ax)
    return ax


def _with_outer_legend(figure: Figure, ax: Axes) -> Figure:
    handles, texts = ax.get_legend_handles_labels()
    if handles:
        longest = max(len(line) for text in texts for line in text.split("\n"))
        most = max(1, int(figure.get_figwidth() / (0.75 + 0.06 * longest)))
        columns = math.ceil(len(handles) / math.ceil(len(handles) / most))
        figure.legend(handles, texts, loc="outside upper center", ncols=columns, handlelength=5)
    return figure


# -- bars --------------------------------------------------------------------------------------------------------------


def _draw_stacks(
    ax: Axes, cells: Sequence[Cell], rows: Sequence[dict[str, float]], looks: Mapping[str, tuple[str, str]]
) -> None:
    """Draw a horizontal bar a cell, the first on top, of parts named in `looks`; only parts that occur are named."""
    places = range(len(cells))
    lefts = [0.0] * len(cells)
    for name, (color, hatch) in looks.items():
        widths = [row[name] for row in rows]
        if any(widths):
            ax.barh(
                places,
                widths,
                0.62,
                lefts,
                label=name.replace("_", " "),
                color=color,
                hatch=hatch,
                edgecolor="white",
                linewidth=0,
            )
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    ax.set_yticks(places, [label(cell.name) for cell in cells])
    ax.set_ylim(len(cells) - 0.5, -0.5)


def _attempt_groups(least: int, most: int) -> list[tuple[int, int]]:
    """Split the numbers of attempts into at most twelve groups: eight alone, then groups that double in width."""
    if most - least < 12:
        return [(number, number) for number in range(least, most + 1)]
    starts = [*range(least, least + 8), least + 8, least + 16, least + 32, most + 1]
    return [(first, min(following - 1, most)) for first, following in pairwise(starts) if first <= most]


def _share_of_group(cell: Cell, first: int, last: int) -> float:
    hits = sum(count for number, count in cell.metrics.attempts.items() if first <= number <= last)
    return hits / len(cell.metrics)
