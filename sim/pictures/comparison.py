"""The picture of a comparison: two curves of waiting, and what became of their quantiles; the title is the finding."""

import math
import textwrap
from pathlib import Path
from types import MappingProxyType

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.measure.differences import Change, Difference
from sim.measure.quantities import QUANTILES, Unit
from sim.pictures.ccdf import TIME_TO_EFFECT, draw_tails
from sim.pictures.drawing import GREEN, GREY, add_caption, figure_bytes, settings, with_legend
from sim.text.comparison import Pair, finding
from sim.text.numerals import difference_text
from sim.text.reported import Cell

TITLE_WIDTH = 90
DARK_RED = "#A3195B"
"""For what is worse: the palette's red is that of B's curve."""
MIDDLE = 0.5
"""Left of this part of the axis a quantile has room for words on its right, else on its left."""
_COLORS = MappingProxyType({Change.better: GREEN, Change.worse: DARK_RED})
_SIGNS = MappingProxyType({Change.better: "better", Change.worse: "worse", Change.inconclusive: "may be chance"})


def plot_comparison(pair: Pair, ax: Axes | None = None) -> Axes:
    """Draw the times to effect of A and B, and at each quantile the step from A to B; the title states the finding.

    Steps are green where B is certainly better, red where it is worse, grey where neither is certain; the words at each
    give the difference B - A with its 95 % interval.
    """
    cells = [Cell(f"A: {pair.a}", pair.differences.a), Cell(f"B: {pair.b}", pair.differences.b)]
    ax = draw_tails(cells, TIME_TO_EFFECT, ax)
    ax.set_title(textwrap.fill(finding(pair).replace("$", r"\$"), TITLE_WIDTH), fontsize=11)
    if ax.axison and ax.get_xscale() == "log" and len(ax.get_xticks()):
        floor = ax.get_ylim()[0]
        for point, share in QUANTILES.items():
            if float(1 - share) >= floor:
                _draw_step(ax, pair.differences[f"time_to_effect.{point}"], float(1 - share))
    return with_legend(ax)


def _draw_step(ax: Axes, found: Difference, height: float) -> None:
    """Draw an arrow from A's quantile to B's, and say how far it goes."""
    if found.a.value is None or found.b.value is None:
        return
    left, right = ax.get_xlim()
    ends = [min(max(value, left), right) for value in (found.a.value, found.b.value)]
    color = _COLORS.get(found.change, GREY)
    if ends[0] != ends[1]:
        arrow = {
            "arrowstyle": "-|>",
            "color": color,
            "linewidth": 2.2,
            "shrinkA": 0,
            "shrinkB": 0,
            "mutation_scale": 11,
        }
        ax.annotate("", (ends[1], height), (ends[0], height), arrowprops=arrow, zorder=4)
    else:
        ax.plot([ends[0]], [height], "o", color=color, markersize=5, zorder=4)
    text = _words(found)
    places = [math.log(end / left) / math.log(right / left) for end in ends]
    on_the_right = max(places) < MIDDLE
    ax.annotate(
        text,
        (0.99 if on_the_right else 0.055, height),
        (0, 2.5),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right" if on_the_right else "left",
        fontsize=7.5,
        color="#444444" if color == GREY else color,
    )


def _words(found: Difference) -> str:
    if found.change is Change.same:
        return "the same"
    estimate = found.estimate
    if estimate.value is None:
        return "never in both"
    if math.isinf(estimate.value):
        return f"{'to' if estimate.value > 0 else 'from'} never, {_SIGNS.get(found.change, '')}"
    size = difference_text(estimate.value, Unit.duration)
    if estimate.low is None or estimate.high is None:
        return f"{size}, no interval"
    if math.isinf(estimate.low) or math.isinf(estimate.high):
        return f"{size}, too few requests to tell"
    low, high = (difference_text(end, Unit.duration) for end in (estimate.low, estimate.high))
    said = _SIGNS.get(found.change, "") if estimate.value else ""
    return f"{size} ({low} to {high}){f', {said}' if said else ''}"


def save_comparison(pair: Pair, caption: str, folder: Path, stem: str, *, svg: bool = False) -> list[Path]:
    """Write the picture as `stem`.png into a folder that exists, and as SVG if asked to; return the files.

    Equal input gives equal bytes.
    """
    with settings():
        figure = Figure(figsize=(9, 5.2), layout="constrained")
        plot_comparison(pair, figure.add_subplot())
        add_caption(figure, caption)
        written = []
        for kind in ("png", "svg") if svg else ("png",):
            path = folder / f"{stem}.{kind}"
            path.write_bytes(figure_bytes(figure, kind))
            written.append(path)
    return written
