"""The picture of a search for parameters: its Pareto set among all that was tried, with intervals.

`plot_pareto(tried, x, y, ax=None) -> Axes` draws one objective over another; with one objective alone (`x == y`) the
candidates stand in rows. `save_pareto` writes the picture, a panel for each objective after the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from sim.measure.quantities import METRICS
from sim.pictures.drawing import (
    BLUE,
    FAINT,
    GREY,
    ORANGE,
    VERMILLION,
    add_caption,
    figure_bytes,
    new_axes,
    settings,
)
from sim.pictures.metric_axes import Scale, dress, metric_words, scale_of
from sim.text.tried import Role, Tried

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from sim.measure.estimates import Estimate

FIGURE = "pareto"


@dataclass(frozen=True, slots=True)
class _Look:
    label: str
    marker: str
    color: str
    size: float
    hollow: bool = False
    intervals: bool = True


_LOOKS = {
    Role.tried: _Look("left out on the way (search sample)", ".", FAINT, 4, intervals=False),
    Role.misses: _Look("finalist, misses a constraint", "x", VERMILLION, 6),
    Role.unsure: _Look("finalist, not sure of a constraint", "^", ORANGE, 6, hollow=True),
    Role.dominated: _Look("finalist, beyond doubt worse than a point", "s", GREY, 5, hollow=True),
    Role.as_written: _Look("as written", "*", "#000000", 11),
    Role.point: _Look("Pareto set", "o", BLUE, 7),
}
"""In the order in which they are drawn: later ones on top."""


def plot_pareto(tried: Sequence[Tried], x: str, y: str, ax: Axes | None = None) -> Axes:
    """Draw all candidates, one objective over another; points carry their numbers."""
    ax = new_axes() if ax is None else ax
    draw_pareto(tried, x, y, ax)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, fontsize=8)
    return ax


def draw_pareto(tried: Sequence[Tried], x: str, y: str, ax: Axes, *, joined: bool = True) -> None:
    """Draw as `plot_pareto` does, without a legend; `joined` says whether a line goes through the set."""
    if x == y:
        _draw_rows(tried, x, ax)
        return
    scales = {path: _scale(tried, path) for path in (x, y)}
    members = sorted((one for one in tried if one.role is Role.point), key=lambda one: one.number)
    if joined and len(members) > 1:
        line = sorted((_place(one.value(x), scales[x]), _place(one.value(y), scales[y])) for one in members)
        ax.plot(*zip(*line, strict=True), color=BLUE, linewidth=0.9, linestyle=(0, (4, 3)), zorder=2)
    for role, look in _LOOKS.items():
        for one in (one for one in tried if one.role is role):
            if role is Role.tried and not (_in_view(one.value(x), scales[x]) and _in_view(one.value(y), scales[y])):
                continue
            _mark(ax, look, _place(one.value(x), scales[x]), _place(one.value(y), scales[y]))
            if look.intervals:
                _whisker(ax, look, one.value(x), scales[x], _place(one.value(y), scales[y]))
                _whisker(ax, look, one.value(y), scales[y], _place(one.value(x), scales[x]), upright=True)
        if any(one.role is role for one in tried):
            ax.plot([], [], label=look.label, **_style(look))
    for one in members:
        ax.annotate(
            str(one.number),
            (_place(one.value(x), scales[x]), _place(one.value(y), scales[y])),
            (5, 5),
            textcoords="offset points",
            fontsize=9,
            fontweight="bold",
            color=BLUE,
            zorder=6,
        )
    dress(ax, "x", scales[x], metric_words(x))
    dress(ax, "y", scales[y], metric_words(y))
    ax.set_title(_title(tried))


def save_pareto(
    tried: Sequence[Tried], objectives: Sequence[str], caption: str, folder: Path, *, svg: bool = False
) -> list[Path]:
    """Write the picture into `folder` as PNG, and as SVG if asked to; return the files. Equal input, equal bytes."""
    others = list(objectives[1:]) or [objectives[0]]
    with settings():
        figure = Figure(figsize=(5.4 * len(others) + 1.2, 5.2), layout="constrained")
        axes = figure.subplots(1, len(others), squeeze=False)[0]
        for y, ax in zip(others, axes, strict=True):
            draw_pareto(tried, objectives[0], y, ax, joined=len(others) == 1)
            if len(others) > 1:
                ax.set_title("")
        if len(others) > 1:
            figure.suptitle(_title(tried), fontsize=11)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2 if len(others) == 1 else 3)
        add_caption(figure, caption)
        files = {
            folder / f"{FIGURE}.{kind}": figure_bytes(figure, kind) for kind in (("png", "svg") if svg else ("png",))
        }
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        path.write_bytes(content)
    return list(files)


def _title(tried: Sequence[Tried]) -> str:
    count = sum(one.role is Role.point for one in tried)
    if not count:
        return "No candidate is sure to keep every constraint"
    return "One candidate is best in everything" if count == 1 else f"{count} candidates worth choosing among"


def _draw_rows(tried: Sequence[Tried], x: str, ax: Axes) -> None:
    """Draw one objective: a row a finalist, what was left out below them."""
    scale = _scale(tried, x)
    rows = [one for one in tried if one.role is not Role.tried]
    for row, one in enumerate(rows):
        look = _LOOKS[one.role]
        _mark(ax, look, _place(one.value(x), scale), row)
        _whisker(ax, look, one.value(x), scale, row)
    for one in tried:
        if one.role is Role.tried and _in_view(one.value(x), scale):
            _mark(ax, _LOOKS[Role.tried], _place(one.value(x), scale), len(rows))
    for role, look in _LOOKS.items():
        if any(one.role is role for one in tried):
            ax.plot([], [], label=look.label, **_style(look))
    names = [one.name if one.role in (Role.point, Role.as_written) else "" for one in rows]
    ax.set_yticks(range(len(rows)), names)
    ax.set_ylim(len(rows) - (0.5 if len(rows) == len(tried) else -0.5), -0.5)
    dress(ax, "x", scale, metric_words(x))
    ax.set_ylabel("point")
    ax.set_title(_title(tried))


def _scale(tried: Sequence[Tried], path: str) -> Scale:
    """Choose an axis on which finalists stand with their intervals, as far as those are finite, and what is written.

    What was left out on the way is drawn as far as it is in view.
    """
    values = [one.value(path).value for one in tried if one.role is not Role.tried]
    ends = [
        end
        for one in tried
        if one.role is not Role.tried
        for end in (one.value(path).low, one.value(path).high)
        if end is not None and 0 < end < float("inf")
    ]
    return scale_of([*(value for value in values if value is not None), *ends], METRICS[path].unit)


def _in_view(estimate: Estimate, scale: Scale) -> bool:
    if estimate.value is None or estimate.value == float("inf"):
        return scale.never is not None
    return scale.low <= estimate.value <= (scale.high if scale.never is None else scale.never)


def _place(estimate: Estimate, scale: Scale) -> float:
    return scale.at(float("inf") if estimate.value is None else estimate.value)


def _style(look: _Look) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": look.marker,
        "color": look.color,
        "markersize": look.size,
        "markerfacecolor": "white" if look.hollow else look.color,
    }


def _mark(ax: Axes, look: _Look, x: float, y: float) -> None:
    ax.plot([x], [y], zorder=3 + list(_LOOKS.values()).index(look) / 10, clip_on=False, **_style(look))


def _whisker(  # noqa: PLR0913  # an interval, its axis, and its place on the other
    ax: Axes, look: _Look, estimate: Estimate, scale: Scale, across: float, *, upright: bool = False
) -> None:
    """Draw the interval of an estimate on its axis, at a place of the other axis."""
    if estimate.low is None or estimate.high is None:
        return
    along = [scale.at(estimate.low), scale.at(estimate.high)]
    x, y = ([across, across], along) if upright else (along, [across, across])
    ax.plot(x, y, color=look.color, linewidth=1, zorder=2.5)
