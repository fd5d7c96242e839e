"""How pictures look: colors and dashes, axes in time, names, legends.

Colors are those of M. Okabe and K. Ito, "Color universal design" (2008), which people of every color vision tell
apart; yellow is left out because it fades on white.
"""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any, Literal

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from sim.pictures.data.ticks import duration_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, BLACK, GRAY = "#CC79A7", "#56B4E9", "#000000", "#999999"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (9, 3)), (0, (3, 1)))
MARKERS = "osDv^<>PXph*"
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "|||")
FAINT = "#B8B8B8"


def line_style(index: int, count: int) -> dict[str, Any]:
    """Return how to draw the line of cell `index` of `count`: color and dashes, with markers above seven cells."""
    turn = index // len(PALETTE)
    style: dict[str, Any] = {
        "color": PALETTE[index % len(PALETTE)],
        "linestyle": DASHES[(index + 3 * turn) % len(DASHES)],
        "linewidth": 1.6,
    }
    if count > len(PALETTE):
        style |= {"marker": MARKERS[index % len(MARKERS)], "markersize": 4.5, "markevery": (0.08 + index / 90, 0.2)}
    return style


def bar_style(index: int) -> dict[str, Any]:
    """Return how to draw the bars of cell `index`: color and hatch."""
    turn = index // len(PALETTE)
    return {
        "facecolor": PALETTE[index % len(PALETTE)],
        "hatch": HATCHES[(index + 3 * turn) % len(HATCHES)],
        "edgecolor": "white",
        "linewidth": 0,
    }


def label(name: str, width: int = 34, lines: int = 3) -> str:
    """Write a cell's name for a picture: wrapped between words, at most `lines` long, never read as mathematics.

    A longer name loses its middle: the ends of a sweep's names tell most.
    """
    wrapped = textwrap.wrap(name, width, break_on_hyphens=False) or [name]
    words = name.split()
    for left_out in range(1, len(words) - 1):
        if len(wrapped) <= lines:
            break
        first = (len(words) - left_out) // 2
        short = " ".join([*words[:first], "...", *words[first + left_out :]])
        wrapped = textwrap.wrap(short, width, break_on_hyphens=False)
    kept = width * lines
    while len(wrapped) > lines and kept > 8:
        kept -= 2
        wrapped = textwrap.wrap(f"{name[: kept // 2]}...{name[-(kept // 2) :]}", width, break_on_hyphens=False)
    text = "\n".join(wrapped).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def set_time_axis(ax: Axes, low_ns: float, high_ns: float, zero_ns: float | None) -> None:
    """Make x a logarithmic axis of time from `low_ns` to `high_ns`; `zero_ns` is the place that stands for 0."""
    ax.set_xscale("log")
    positions, texts = duration_ticks(low_ns if zero_ns is None else 2 * zero_ns, high_ns)
    if zero_ns is not None:
        positions, texts = [zero_ns, *positions], ["0", *texts]
    ax.xaxis.set_major_locator(FixedLocator(positions))
    ax.set_xticklabels(texts)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlim(low_ns, high_ns)


def set_share_axis(ax: Axes, floor: float) -> None:
    """Make y a logarithmic axis of shares from `floor` to 100 %."""
    ax.set_yscale("log")
    shares = [10.0**-power for power in range(1 + math.floor(-math.log10(floor)))]
    ax.yaxis.set_major_locator(FixedLocator(shares))
    ax.set_yticklabels([f"{100 * share:g} %" for share in shares])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_ylim(floor, 1.15)


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights on [0, 1] apart to at least `gap`, keeping their order, as little as a single pass can."""
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    gap = min(gap, 1 / max(1, len(heights) - 1))
    placed = list(heights)
    for below, index in zip([None, *order], order, strict=False):
        placed[index] = max(0.0, placed[index] if below is None else max(placed[index], placed[below] + gap))
    for above, index in zip([None, *reversed(order)], reversed(order), strict=False):
        placed[index] = min(placed[index], 1.0 if above is None else placed[above] - gap)
    return placed


def note(ax: Axes, text: str) -> None:
    """Write a sentence into the middle of a picture that would otherwise say nothing."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=11)


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure that arranges its parts by itself."""
    return Figure(figsize=(width_in, height_in), layout="constrained")


def new_axes() -> Axes:
    """Return the axes of a new figure."""
    return new_figure(8, 4.6).add_subplot()


def named_figure(width_in: float, height_in: float, names: Sequence[str]) -> Figure:
    """Make a figure that grows with the lines of the legend above it."""
    lines = sum(label(name).count("\n") + 1 for name in names) / 2.5
    return new_figure(width_in, height_in + 0.16 * lines)


def with_legend(
    ax: Axes, place: Literal["lower left", "upper left", "upper right"] = "lower left", *, from_left: float = 0.0
) -> Axes:
    """Put a legend inside the axes if anything is labeled; `from_left` of their width stays free."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc=place, bbox_to_anchor=(from_left, 0.0, 1.0 - from_left, 1.0), handlelength=4, fontsize=8)
    return ax


def with_legend_above(figure: Figure, ax: Axes) -> Figure:
    """Put the legend of `ax` above the figure, in as few rows as it takes, if anything is labeled."""
    handles, texts = ax.get_legend_handles_labels()
    if handles:
        longest = max(len(line) for text in texts for line in text.split("\n"))
        most = max(1, int(figure.get_figwidth() / (0.75 + 0.06 * longest)))
        columns = math.ceil(len(handles) / math.ceil(len(handles) / most))
        figure.legend(handles, texts, loc="outside upper center", ncols=columns, handlelength=5)
    return figure
