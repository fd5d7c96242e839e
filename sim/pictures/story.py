"""Draws one request's story: a row for each attempt, lanes for the polls, time from left to right.

Rows go down like steps: a light bar is the delay before an attempt, the full bar the attempt itself, a dotted line the
time until the retrier knew of its end. Time is logarithmic if most happens right at the beginning of a long story.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, NullLocator
from matplotlib.transforms import ScaledTranslation

from sim.history.vocabulary import CUT, DIED, RETURNED, THREW
from sim.pictures.data.story import (
    DUPLICATE,
    EFFECT_WORDS,
    END_WORDS,
    POLL_WORDS,
    RAN,
    AttemptRow,
    GapRow,
    timeline_data,
)
from sim.pictures.drawing import BLACK, BLUE, GRAY, GREEN, ORANGE, PURPLE, SKY, VERMILLION, label, new_figure, note
from sim.pictures.saving import save
from sim.stories.phrases import KILLED, WITH_OTHERS
from sim.stories.story import ACTED, LOOKED

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sim.history.recorder import History
    from sim.history.vocabulary import Outcome
    from sim.pictures.data.story import Row, StoryPicture, WaitingRow
    from sim.pictures.data.time_axis import TimeAxis

WIDTH_IN = 10
ROW_IN = 0.32
LIGHT = "#DDDDDD"
DARK = "#555555"

_ENDS = MappingProxyType(
    {
        RETURNED: (GREEN, ""),
        THREW: (ORANGE, "////"),
        DIED: (VERMILLION, "xxxx"),
        KILLED: (VERMILLION, "xxxx"),
        WITH_OTHERS: (VERMILLION, "xxxx"),
        CUT: (PURPLE, "\\\\\\\\"),
        "": (SKY, ""),
    }
)
"""Color and hatch of an attempt's bar, by how it ended."""

QUEUED = "waits for a server"
WORKED_ON = "a server works on it"
"""Legend: what a service does with the call of an attempt."""

_EFFECTS = MappingProxyType({"applied": ("o", BLACK), "suppressed": ("o", "white")})
_DUPLICATE = ("D", "#F0E442")
"""Marker and color of an effect."""

_POLLS = MappingProxyType(
    {LOOKED: ("|", GRAY, 9), ACTED: ("|", BLACK, 15), THREW: ("X", VERMILLION, 9), RAN: ("|", BLUE, 12)}
)
"""Marker, color and size of a poll, by what it did."""

_CONCLUSIONS = MappingProxyType({"stuck": (VERMILLION, "//"), "open": (GRAY, ".."), "runaway": (PURPLE, "\\\\")})
"""Color and hatch of the time behind the end of a story that did not settle, by outcome."""


def plot_timeline(history: History, request: int, outcome: Outcome, ax: Axes | None = None) -> Axes:
    """Draw what became of a request; raises LookupError if the history has no such request."""
    return draw_story(timeline_data(history, request, outcome), ax)


def draw_story(data: StoryPicture, ax: Axes | None = None) -> Axes:
    """Draw a story on `ax`, or on a new figure of fitting size."""
    return story_figure(data).axes[0] if ax is None else _Drawing(data, ax).draw()


def story_figure(data: StoryPicture) -> Figure:
    """Draw a story on a new figure, as high as its rows and lanes need."""
    figure = new_figure(WIDTH_IN, 2.3 + ROW_IN * (max(1, len(data.rows)) + len(data.lanes)))
    _Drawing(data, figure.add_subplot()).draw()
    return figure


def save_timeline(
    history: History, request: int, outcome: Outcome, caption: str, path: Path, *, svg: bool = False
) -> list[Path]:
    """Write the picture to `path` (`.png` is added if missing), with `svg` also beside it; return the files written.

    Equal input gives equal bytes. The folder is made if missing.
    """
    data = timeline_data(history, request, outcome, caption)
    return save({path.name.removesuffix(".png"): partial(story_figure, data)}, caption, path.parent, svg=svg)


class _Drawing:
    """One drawing of a story: its axes, and what the legend explains so far."""

    def __init__(self, data: StoryPicture, ax: Axes) -> None:
        self.data = data
        self.ax = ax
        self.right_ns = data.axis.right_ns
        self.handles: dict[str, Any] = {}
        """What the legend explains, by its words."""

    def draw(self) -> Axes:
        data, ax = self.data, self.ax
        _dress_time(ax, data.axis)
        names = [*(row.name for row in data.rows), *data.lanes]
        ax.set_yticks(range(len(names)), [label(name) for name in names])
        ax.set_ylim(max(1, len(names)) - 0.4, -0.75)
        ax.tick_params(axis="y", length=0)
        ax.set_title(label(data.title, 110), loc="left", pad=20)
        for down_ns, up_ns in data.downs:
            ax.axvspan(down_ns, self.right_ns if up_ns is None else up_ns, color="#EEDDBB", zorder=0)
            self.handles["server is down"] = Patch(color="#EEDDBB")
        for place, row in enumerate(data.rows):
            self._draw_row(place, row)
        self._draw_polls()
        for t_ns, words in data.cancels:
            looks: dict[str, Any] = {"color": PURPLE, "linestyle": (0, (6, 2, 1, 2)), "linewidth": 2.2}
            ax.axvline(t_ns, zorder=2.6, **looks)
            self.handles[words] = Line2D([], [], **looks)
        self._draw_end()
        if data.note:
            note(ax, data.note)
        self._draw_legend()
        return ax

    def _fraction(self, ns: float) -> float:
        """Return how far to the right an instant lies, from 0 to 1."""
        to_axes = self.ax.transData + self.ax.transAxes.inverted()
        return float(to_axes.transform((ns, 0))[0])

    def _visible(self, from_ns: float, to_ns: float) -> bool:
        return self._fraction(to_ns) - self._fraction(from_ns) > 0.004

    def _draw_legend(self) -> None:
        if not self.handles:
            return
        ax = self.ax
        handles = {words: self.handles[words] for words in sorted(self.handles, key=_place_in_legend)}
        figure = ax.get_figure(root=True)
        below = ax.transAxes if figure is None else ax.transAxes + ScaledTranslation(0, -0.5, figure.dpi_scale_trans)
        ax.legend(
            handles.values(),
            handles.keys(),
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            bbox_transform=below,
            ncols=min(5, len(handles)),
            handlelength=2.6,
        )

    # Rows.

    def _draw_row(self, place: int, row: Row) -> None:
        if isinstance(row, AttemptRow):
            self._draw_attempt(place, row)
        elif isinstance(row, GapRow):
            across = self.ax.get_yaxis_transform()
            self.ax.text(0.5, place, row.text, transform=across, ha="center", va="center", color=DARK)
        else:
            self._draw_waiting(place, row)

    def _draw_attempt(self, place: int, row: AttemptRow) -> None:
        end_ns = self.right_ns if row.end_ns is None else row.end_ns
        self._draw_delay(place, row.decided_ns, row.due_ns)
        if self._visible(row.due_ns, row.start_ns):
            self.ax.plot([row.due_ns, row.start_ns], [place, place], color=DARK, linewidth=0.8)
            self.handles["due, waits for its start"] = Line2D([], [], color=DARK, linewidth=0.8)
        color, hatch = _ENDS[row.end]
        self._draw_bar(place, row.start_ns, end_ns, color, hatch=hatch, edgecolor="white", zorder=2)
        self.handles[END_WORDS[row.end]] = Patch(facecolor=color, hatch=hatch, edgecolor="white", linewidth=0)
        if row.unheard_ns is not None:
            self._draw_bar(place, row.unheard_ns, end_ns, "white", alpha=0.6, height=0.47, zorder=2.1)
            self.handles["goes on unheard"] = Patch(facecolor=GREEN, alpha=0.4)
        elif row.unnoticed:
            self._draw_unnoticed(place, end_ns, self.right_ns if row.noticed_ns is None else row.noticed_ns)
        self._draw_service(place, row)
        for effect in row.effects:
            marker, fill = _EFFECTS.get(effect.name, _DUPLICATE)
            looks: dict[str, Any] = {"marker": marker, "markerfacecolor": fill, "markeredgecolor": BLACK}
            looks["markersize"] = 6.5
            self.ax.plot([effect.t_ns], [place], linestyle="", zorder=4, **looks)
            self.handles[EFFECT_WORDS.get(effect.name, DUPLICATE)] = Line2D([], [], linestyle="", **looks)
        self._write_label(place, row.start_ns, min(end_ns, self.right_ns), row.label)

    def _draw_service(self, place: int, row: AttemptRow) -> None:
        """Draw over an attempt where it waits for a server, and below it where a server works, also unheard."""
        if row.queued_ns is not None:
            from_ns, to_ns = row.queued_ns[0], self._until(row.queued_ns[1])
            if self._visible(from_ns, to_ns):
                looks: dict[str, Any] = {"hatch": "....", "edgecolor": DARK, "alpha": 0.85, "zorder": 2.2}
                self._draw_bar(place, from_ns, to_ns, "white", **looks)
                self.handles[QUEUED] = Patch(facecolor="white", hatch="....", edgecolor=DARK, linewidth=0)
        if row.work_ns is not None:
            from_ns, to_ns = row.work_ns[0], self._until(row.work_ns[1])
            self._draw_bar(place + 0.3, from_ns, to_ns, BLUE, height=0.12, zorder=2.3)
            self.handles[WORKED_ON] = Patch(facecolor=BLUE, linewidth=0)

    def _until(self, end_ns: int | None) -> float:
        return self.right_ns if end_ns is None else min(end_ns, self.right_ns)

    def _draw_bar(self, place: float, from_ns: float, to_ns: float, color: str, **looks: Any) -> None:
        """Draw a bar that stays visible however short it is."""
        height = looks.pop("height", 0.46)
        corner = (from_ns, place - height / 2)
        self.ax.add_patch(Rectangle(corner, to_ns - from_ns, height, facecolor=color, linewidth=0, **looks))
        edge = [place - height / 2, place + height / 2]
        self.ax.plot([from_ns, from_ns], edge, color=color, linewidth=1.8, zorder=2.5, solid_capstyle="butt")

    def _draw_delay(self, place: int, from_ns: float, to_ns: float) -> None:
        if self._visible(from_ns, to_ns):
            self._draw_bar(place, from_ns, to_ns, LIGHT, height=0.3, zorder=1.5)
            self.handles["delay before an attempt"] = Patch(color=LIGHT)

    def _draw_unnoticed(self, place: int, end_ns: float, noticed_ns: float) -> None:
        """Draw the time from the end of an attempt until the retrier acts on it."""
        if self._visible(end_ns, noticed_ns):
            looks: dict[str, Any] = {"color": BLACK, "linestyle": (0, (1, 1.6)), "linewidth": 1.3}
            self.ax.plot([end_ns, noticed_ns], [place, place], zorder=1.8, **looks)
            self.handles["over, not noticed yet"] = Line2D([], [], **looks)

    def _draw_waiting(self, place: int, row: WaitingRow) -> None:
        """Draw an attempt that never started."""
        to_ns = min(row.due_ns, self.right_ns)
        self._draw_delay(place, row.asked_ns, to_ns)
        self._write_label(place, row.asked_ns, to_ns, row.label)

    def _write_label(self, place: int, start_ns: float, end_ns: float, words: str) -> None:
        """Write behind a bar, before it, or within: the first of these that has room."""
        looks: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8, "va": "center", "zorder": 5}
        looks["bbox"] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
        if self._fraction(end_ns) < 0.72:
            self.ax.annotate(words, (end_ns, place - 0.3), (6, 0), ha="left", **looks)
        elif self._fraction(start_ns) > 0.3:
            self.ax.annotate(words, (start_ns, place - 0.3), (-6, 0), ha="right", **looks)
        else:
            middle = (self._fraction(start_ns) + self._fraction(end_ns)) / 2
            across = self.ax.get_yaxis_transform()
            self.ax.annotate(words, (middle, place), (0, 0), xycoords=across, ha="center", **looks)

    # Lanes and lines.

    def _draw_polls(self) -> None:
        for how, (marker, color, size) in _POLLS.items():
            looks: dict[str, Any] = {"marker": marker, "color": color, "markersize": size, "markeredgewidth": 1.8}
            polls = [poll for poll in self.data.polls if poll.how == how]
            if polls:
                places = [len(self.data.rows) + poll.lane for poll in polls]
                self.ax.plot([poll.t_ns for poll in polls], places, linestyle="", zorder=3, **looks)
                self.handles[POLL_WORDS[how]] = Line2D([], [], linestyle="", **looks)

    def _draw_end(self) -> None:
        """Draw the settlement, or what happened instead."""
        data, ax = self.data, self.ax
        if data.settled_ns is not None:
            ax.axvline(data.settled_ns, color=BLACK, linewidth=1.1, zorder=2.7)
            side = "right" if self._fraction(data.settled_ns) > 0.6 else "left"
            top = ax.get_xaxis_transform()
            looks: dict[str, Any] = {"xycoords": top, "textcoords": "offset points", "ha": side, "fontsize": 9}
            ax.annotate(data.ending, (data.settled_ns, 1), (0, 3), **looks)
        elif data.outcome in _CONCLUSIONS:
            color, hatch = _CONCLUSIONS[data.outcome]
            hatched: dict[str, Any] = {"facecolor": "none", "edgecolor": color, "hatch": hatch, "linewidth": 0}
            ax.axvspan(data.last_ns, self.right_ns, alpha=0.5, **hatched)
            middle = max(0.85, 0.5 + self._fraction(data.last_ns) / 2)
            plate = {"facecolor": "white", "edgecolor": color, "pad": 3}
            ax.text(middle, 0.5, data.ending, transform=ax.transAxes, ha="center", va="center", bbox=plate, zorder=6)


def _dress_time(ax: Axes, axis: TimeAxis) -> None:
    """Give x its ends, ticks and label."""
    if axis.linear_ns is not None:
        ax.set_xscale("asinh", linear_width=axis.linear_ns)
    ax.set_xlabel(axis.label)
    ax.set_xlim(axis.left_ns, axis.right_ns)
    ax.xaxis.set_major_locator(FixedLocator([position for position, _ in axis.ticks]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels([text for _, text in axis.ticks])
    ax.grid(visible=True, axis="x", color="#EEEEEE", zorder=0)
    ax.set_axisbelow(True)


def _place_in_legend(words: str) -> int:
    """Order a legend: attempts, what lies between them, effects, polls, the rest."""
    known = [
        *END_WORDS.values(),
        *(QUEUED, WORKED_ON),
        *("goes on unheard", "delay before an attempt", "due, waits for its start", "over, not noticed yet"),
        *(*EFFECT_WORDS.values(), DUPLICATE),
        *POLL_WORDS.values(),
    ]
    return known.index(words) if words in known else len(known)
