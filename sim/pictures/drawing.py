"""How pictures look: colours and dashes, axes in time, captions, and bytes that depend on nothing but the input.

Colours are those of M. Okabe and K. Ito, "Color universal design" (2008), which people of every colour vision tell
apart; yellow is left out, it fades on white. No state of pyplot is read or changed.
"""

import io
import math
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from sim.kernel.durations import UNITS_NS

BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, BLACK, GREY = "#CC79A7", "#56B4E9", "#000000", "#999999"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (9, 3)), (0, (3, 1)))
MARKERS = "osDv^<>PXph*"
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "|||")
FAINT = "#B8B8B8"

_SETTINGS: dict[Any, Any] = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "figure.constrained_layout.h_pad": 0.09,
    "figure.constrained_layout.w_pad": 0.09,
    "font.size": 9,
    "hatch.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "savefig.dpi": 130,
    "svg.hashsalt": "retrysim",
}
_TICKS_NS = tuple(
    (float(f"{number}e{exponent}") * UNITS_NS[unit], f"{number * 10**exponent} {name}")
    for unit, name, exponents in (("ns", "ns", 3), ("us", "us", 3), ("ms", "ms", 3), ("s", "s", 1))
    for exponent in range(exponents)
    for number in (1, 2, 5)
) + tuple(
    (float(number * UNITS_NS[unit]), f"{number} {name}")
    for unit, name, numbers in (
        ("s", "s", (10, 20, 30)),
        ("m", "min", (1, 2, 5, 10, 20, 30)),
        ("h", "h", (1, 2, 5, 10)),
        ("d", "d", (1, 2, 5, 10, 20, 50, 100, 200)),
    )
    for number in numbers
)
_TICKS_YEARS = tuple((float(years * 365 * UNITS_NS["d"]), f"{years} y") for years in (1, 2, 5, 10, 20, 50, 100))
MOST_TICKS = 8
MOST_FINE_TICKS = 6
"""Ticks in steps of 1, 2 and 5 are closer to one another than decades are."""


@contextmanager
def settings() -> Iterator[None]:
    """Draw with our settings over Matplotlib's own defaults, whatever a user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def line_style(index: int, count: int) -> dict[str, Any]:
    """Return how to draw the line of cell `index` of `count`: colour and dashes, with markers above seven cells."""
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
    """Return how to draw the bars of cell `index`: colour and hatch."""
    turn = index // len(PALETTE)
    return {
        "facecolor": PALETTE[index % len(PALETTE)],
        "hatch": HATCHES[(index + 3 * turn) % len(HATCHES)],
        "edgecolor": "white",
        "linewidth": 0,
    }


def label(name: str, width: int = 34, lines: int = 3) -> str:
    """Write a cell's name for a picture: wrapped, at most `lines` long, never read as mathematics."""
    wrapped = textwrap.wrap(name, width, max_lines=lines, placeholder="...") or [name]
    text = "\n".join(wrapped).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def duration_ticks(low_ns: float, high_ns: float) -> tuple[list[float], list[str]]:
    """Return positions and labels of at most eight ticks in round units between two positive times."""
    inside = [tick for tick in _TICKS_NS + _TICKS_YEARS if low_ns <= tick[0] <= high_ns]
    decades = [tick for tick in inside if tick[1].split()[0].strip("0") == "1"]
    chosen = inside if len(inside) <= MOST_FINE_TICKS else decades
    while len(chosen) > MOST_TICKS:
        chosen = chosen[::2]
    return [position for position, _ in chosen], [text for _, text in chosen]


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
    """Say in words what an empty picture would not."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=11)


def caption_text(scenario: str, seed: int, requests: int, digest: str, replications: int = 1) -> str:
    """Return the caption of a run's pictures: scenario, seed, requests of each cell, first digits of the digest."""
    size = f"{requests:,} requests" + (f" x {replications} replications" if replications > 1 else "")
    return f"scenario {scenario} | seed {seed} | {size} a cell | digest {digest[:12]}"


def add_caption(figure: Figure, caption: str) -> None:
    """Put a caption in small print at the foot of a figure."""
    figure.supxlabel(caption.replace("$", r"\$"), x=0.01, ha="left", fontsize=7, color="#555555")


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """Return a figure as a file of kind `png` or `svg`, the same bytes for the same figure."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with warnings.catch_warnings():
        # A name in a script that the bundled font lacks shows as boxes; that is no reason to alarm at the terminal.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def new_axes() -> Axes:
    """Return the axes of a new figure."""
    return Figure(figsize=(8, 4.6), layout="constrained").add_subplot()


def with_legend(ax: Axes, place: Literal["lower left", "upper right"] = "lower left") -> Axes:
    """Put a legend inside the axes if anything is labelled."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc=place, handlelength=4, fontsize=8)
    return ax
