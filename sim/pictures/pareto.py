"""Draws a search for parameters: its Pareto set among all candidates, with intervals.

One objective goes over another; of one objective alone the candidates stand in rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sim.pictures.data.pareto import FIGURE, ROLE_WORDS, pareto_data
from sim.pictures.drawing import BLUE, FAINT, GRAY, ORANGE, VERMILLION, new_axes, new_figure
from sim.pictures.metric_axes import dress
from sim.pictures.own_axes import settle
from sim.pictures.saving import save
from sim.text.tried import Role

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sim.measure.estimates import Estimate
    from sim.pictures.data.pareto import Candidate, Pareto
    from sim.pictures.data.scales import Scale
    from sim.text.tried import Tried


@dataclass(frozen=True, slots=True)
class _Look:
    marker: str
    color: str
    size: float
    hollow: bool = False
    intervals: bool = True

    @property
    def style(self) -> dict[str, Any]:
        """How to draw the marker."""
        return {
            "linestyle": "none",
            "marker": self.marker,
            "color": self.color,
            "markersize": self.size,
            "markerfacecolor": "white" if self.hollow else self.color,
        }


_LOOKS = {
    Role.tried.value: _Look(".", FAINT, 4, intervals=False),
    Role.misses.value: _Look("x", VERMILLION, 6),
    Role.unsure.value: _Look("^", ORANGE, 6, hollow=True),
    Role.dominated.value: _Look("s", GRAY, 5, hollow=True),
    Role.as_written.value: _Look("*", "#000000", 11),
    Role.point.value: _Look("o", BLUE, 7),
}
"""In the order in which they are drawn: later ones on top."""


def plot_pareto(tried: Sequence[Tried], x: str, y: str, ax: Axes | None = None) -> Axes:
    """Draw all candidates, one objective over another, or in rows if both are the same; points carry their numbers."""
    return draw_pareto(pareto_data(tried, [x] if x == y else [x, y]), ax)


def save_pareto(
    tried: Sequence[Tried], objectives: Sequence[str], caption: str, folder: Path, *, svg: bool = False
) -> list[Path]:
    """Write the picture into `folder`, as `sim.pictures.saving.save` does; return the files."""
    data = pareto_data(tried, objectives, caption)
    return save({FIGURE: partial(pareto_figure, data)}, caption, folder, svg=svg)


def draw_pareto(data: Pareto, ax: Axes | None = None) -> Axes:
    """Draw the first two objectives, or rows if there is only one, with a legend beside the axes."""
    is_own = ax is not None
    ax = new_axes() if ax is None else ax
    _draw_panel(data, min(1, len(data.objectives) - 1), ax, joined=True)
    ax.set_title(data.title)
    if is_own:
        return settle(ax)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, fontsize=8)
    return ax


def pareto_figure(data: Pareto) -> Figure:
    """Draw a panel for each objective after the first, with one legend above them; it bears the title of several."""
    panels = range(1, len(data.objectives)) or range(1)
    figure = new_figure(5.4 * len(panels) + 1.2, 5.2)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for y, ax in zip(panels, axes, strict=True):
        _draw_panel(data, y, ax, joined=len(panels) == 1)
    handles, labels = axes[0].get_legend_handles_labels()
    if len(panels) > 1:
        figure.legend(handles, labels, loc="outside upper center", ncols=3, title=data.title, title_fontsize=11)
    else:
        axes[0].set_title(data.title)
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure


def _draw_panel(data: Pareto, y: int, ax: Axes, *, joined: bool) -> None:
    """Draw objective `y` over the first, or rows if it is the first; `joined` says whether a line joins the set."""
    if y == 0:
        _draw_rows(data, ax)
        return
    first, second = data.objectives[0], data.objectives[y]
    places = {
        one: (_place(one.estimates[0], first.scale), _place(one.estimates[y], second.scale)) for one in data.candidates
    }
    points = data.points
    if joined and len(points) > 1:
        line = sorted(places[one] for one in points)
        ax.plot(*zip(*line, strict=True), color=BLUE, linewidth=0.9, linestyle=(0, (4, 3)), zorder=2)
    for role, look in _LOOKS.items():
        for one in (one for one in data.candidates if one.role == role):
            if role == Role.tried.value and not (one.in_view[0] and one.in_view[y]):
                continue
            across, up = places[one]
            _mark(ax, look, across, up)
            if look.intervals:
                _draw_interval(ax, look, _ends(one.estimates[0], first.scale), up)
                _draw_interval(ax, look, _ends(one.estimates[y], second.scale), across, upright=True)
        _name(ax, data, role)
    for one in points:
        _write_number(ax, one, places[one])
    dress(ax, "x", first.scale, first.label)
    dress(ax, "y", second.scale, second.label)


def _draw_rows(data: Pareto, ax: Axes) -> None:
    """Draw one objective: a row for each finalist, and below them one for the candidates left out on the way."""
    (objective, *_) = data.objectives
    scale = objective.scale
    rows = [one for one in data.candidates if one.role != Role.tried.value]
    for row, one in enumerate(rows):
        look = _LOOKS[one.role]
        _mark(ax, look, _place(one.estimates[0], scale), row)
        _draw_interval(ax, look, _ends(one.estimates[0], scale), row)
    for one in data.candidates:
        if one.role == Role.tried.value and one.in_view[0]:
            _mark(ax, _LOOKS[one.role], _place(one.estimates[0], scale), len(rows))
    for role in _LOOKS:
        _name(ax, data, role)
    names = [one.name if one.role in (Role.point.value, Role.as_written.value) else "" for one in rows]
    ax.set_yticks(range(len(rows)), names)
    ax.set_ylim(len(rows) - (0.5 if len(rows) == len(data.candidates) else -0.5), -0.5)
    dress(ax, "x", scale, objective.label)
    ax.set_ylabel("point")


def _name(ax: Axes, data: Pareto, role: str) -> None:
    """Give a role a place in the legend, if there is a candidate of it."""
    if any(one.role == role for one in data.candidates):
        ax.plot([], [], label=ROLE_WORDS[role], **_LOOKS[role].style)


def _write_number(ax: Axes, one: Candidate, place: tuple[float, float]) -> None:
    ax.annotate(
        str(one.number),
        place,
        (5, 5),
        textcoords="offset points",
        fontsize=9,
        fontweight="bold",
        color=BLUE,
        zorder=6,
    )


def _place(estimate: Estimate, scale: Scale) -> float:
    return scale.at(float("inf") if estimate.value is None else estimate.value)


def _ends(estimate: Estimate, scale: Scale) -> list[float]:
    """Return the places of the ends of an interval; none if there is no interval."""
    if estimate.low is None or estimate.high is None:
        return []
    return [scale.at(estimate.low), scale.at(estimate.high)]


def _mark(ax: Axes, look: _Look, x: float, y: float) -> None:
    ax.plot([x], [y], zorder=3 + list(_LOOKS.values()).index(look) / 10, clip_on=False, **look.style)


def _draw_interval(ax: Axes, look: _Look, ends: list[float], across: float, *, upright: bool = False) -> None:
    """Draw an interval on its axis, at a place of the other axis."""
    if ends:
        x, y = ([across, across], ends) if upright else (ends, [across, across])
        ax.plot(x, y, color=look.color, linewidth=1, zorder=2.5)
