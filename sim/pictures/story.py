"""One request's story as a picture: a row for each attempt, lanes for the polls, time from left to right.

Rows go down like steps: a light bar is the delay before an attempt, the full bar the attempt itself, a dotted line the
time until the retrier knew of its end. Where most happens right at the beginning of a long story, time is logarithmic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.stories.phrases import span_text
from sim.stories.reader import read

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from sim.history.events import History
    from sim.history.vocabulary import Outcome

from bisect import bisect_left
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.transforms import ScaledTranslation

from sim.history.vocabulary import CANCELED, CUT, DIED, PENDING, RETURNED, THREW
from sim.pictures.drawing import (
    BLACK,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    add_caption,
    figure_bytes,
    label,
    note,
    settings,
)
from sim.pictures.time_axis import TimeAxis
from sim.stories.ending import tally
from sim.stories.phrases import CANCELS, KILLED
from sim.stories.story import ACTED, LOOKED

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from sim.history.vocabulary import Outcome
    from sim.stories.story import Job, Story, Try

MOST_ROWS = 18
"""A picture of more attempts shows the first and the last of them."""
WIDTH_IN = 10
ROW_IN = 0.32
LIGHT = "#DDDDDD"
DARK = "#555555"

_ENDS = MappingProxyType(
    {
        RETURNED: (GREEN, "", "attempt succeeds"),
        THREW: (ORANGE, "////", "attempt fails"),
        DIED: (VERMILLION, "xxxx", "attempt dies"),
        KILLED: (VERMILLION, "xxxx", "attempt dies"),
        CUT: (PURPLE, "\\\\\\\\", "attempt is cut off"),
        "": (SKY, "", "attempt runs on"),
    }
)
"""Colour, hatch and words of an attempt's bar, by how it ended."""

_EFFECTS = MappingProxyType(
    {
        "applied": ("o", BLACK, "first effect"),
        "suppressed": ("o", "white", "suppressed effect"),
        "": ("D", "#F0E442", "duplicate effect"),
    }
)
"""Marker, colour and words of an effect; the last stands for every cause of a duplicate."""

_POLLS = MappingProxyType(
    {
        LOOKED: ("|", GREY, 9, "poll: nothing new"),
        ACTED: ("|", BLACK, 15, "poll that acts or ends"),
        THREW: ("X", VERMILLION, 9, "poll that throws"),
    }
)

_CONCLUSIONS = MappingProxyType(
    {
        "stuck": (VERMILLION, "//", "stuck for ever:\nnobody will\nlook again"),
        "open": (GREY, "..", "open: not settled\nwhen the\nsimulation ended"),
        "runaway": (PURPLE, "\\\\", "runaway: ran\ninto a limit"),
    }
)
"""What comes behind the end of a story that did not settle."""


def draw_story(story: Story, outcome: Outcome, ax: Axes | None = None) -> Axes:
    """Draw a story on `ax`, or on a new figure of fitting size."""
    picture = _Picture(story, outcome)
    if ax is None:
        ax = picture.new_axes()
    picture.draw(ax)
    return ax


def save_story(story: Story, outcome: Outcome, caption: str, path: Path, *, svg: bool = False) -> list[Path]:
    """Write the picture as PNG, and as SVG if asked to; return the files in the order written."""
    kinds = ("png", "svg") if svg else ("png",)
    stem = path.name.removesuffix(".png")
    with settings():
        ax = draw_story(story, outcome)
        figure = ax.get_figure(root=True)
        assert figure is not None  # noqa: S101  # `draw_story` has made one
        add_caption(figure, caption)
        files = {path.with_name(f"{stem}.{kind}"): figure_bytes(figure, kind) for kind in kinds}
    path.parent.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        file.write_bytes(content)
    return list(files)


@dataclass(frozen=True, slots=True)
class _Row:
    """One row: an attempt, an attempt that never started, or the gap where attempts are left out."""

    name: str
    tried: Try | None = None
    job: Job | None = None
    left_out: int = 0


def _rows(story: Story) -> list[_Row]:
    rows = [_Row(f"attempt {tried.number}", tried) for tried in story.tries]
    started = {tried.job.number for tried in story.tries if tried.job is not None}
    waiting = [
        job
        for job in story.jobs.values()
        if job.worked and job.number not in started and job.state in {PENDING, CANCELED}
    ]
    rows += [_Row("next attempt" if rows else "attempt 1", job=job) for job in waiting[-1:]]
    if len(rows) <= MOST_ROWS:
        return rows
    first, last = MOST_ROWS // 2, MOST_ROWS // 2 - 1
    return [*rows[:first], _Row("", left_out=len(rows) - first - last), *rows[-last:]]


class _Picture:
    """A story laid out in rows and lanes; times in ns since the submission."""

    def __init__(self, story: Story, outcome: Outcome) -> None:
        self.story = story
        self.outcome = outcome
        self.rows = _rows(story)
        self.last_ns = self._last_ns()
        room = 0.04 if story.settled is not None else 0.25
        self.axis = TimeAxis.fitting(self._moments_ns(), self._lengths_ns(), self.last_ns, room)
        self.right_ns = self.axis.right_ns
        self.polls = [poll for poll in story.polls if self._since(poll.t_ns) <= self.right_ns]
        self.lanes = sorted({poll.name for poll in self.polls})
        self.handles: dict[str, Any] = {}
        """What the legend explains, by its words."""

    def _last_ns(self) -> int:
        """Return where the story ends: polls after the settlement, which find nothing to do, do not count."""
        story = self.story
        if story.settled is None:
            ends = [story.end_ns]
        else:
            ends = [story.settled[0], *(effect.t_ns for effect in story.effects)]
            ends += [tried.end_ns for tried in story.tries if tried.end_ns is not None]
        return max(ends) - story.submitted_ns

    def _moments_ns(self) -> list[int]:
        """Return what people look for in the picture: starts, ends and polls that act, of the rows it has."""
        tries = [row.tried for row in self.rows if row.tried is not None]
        ends = [tried.end_ns for tried in tries if tried.end_ns is not None]
        decided = [tried.decided_ns for tried in tries]
        effects = [effect.t_ns for effect in self.story.effects] if len(tries) == len(self.story.tries) else []
        moments = [*(tried.start_ns for tried in tries), *ends, *decided, *effects]
        return [self._since(t_ns) for t_ns in moments] + [self.last_ns]

    def _lengths_ns(self) -> list[int]:
        return [tried.end_ns - tried.start_ns for tried in self.story.tries if tried.end_ns is not None]

    def new_axes(self) -> Axes:
        height_in = 2.3 + ROW_IN * (max(1, len(self.rows)) + len(self.lanes))
        return Figure(figsize=(WIDTH_IN, height_in), layout="constrained").add_subplot()

    def draw(self, ax: Axes) -> None:
        story = self.story
        self._draw_axes(ax)
        for down_ns, up_ns in story.restarts if story.jobs else ():
            until_ns = self.right_ns if up_ns is None else self._since(up_ns)
            ax.axvspan(self._since(down_ns), until_ns, color="#EEDDBB", zorder=0)
            self.handles["server is down"] = Patch(color="#EEDDBB")
        for place, row in enumerate(self.rows):
            if row.tried is not None:
                self._draw_attempt(ax, place, row.tried)
            elif row.job is not None:
                self._draw_waiting(ax, place, row.job)
            else:
                words = f"... {row.left_out:,} attempts left out ..."
                ax.text(0.5, place, words, transform=ax.get_yaxis_transform(), ha="center", va="center", color=DARK)
        self._draw_polls(ax)
        for t_ns, target in story.cancels:
            color = PURPLE
            ax.axvline(self._since(t_ns), color=color, linestyle=(0, (6, 2, 1, 2)), linewidth=2.2, zorder=2.6)
            words = CANCELS.get(target, f"cancel of the {target}")
            self.handles[words] = Line2D([], [], color=color, linestyle=(0, (6, 2, 1, 2)), linewidth=2.2)
        self._draw_end(ax)
        if not self.rows and not self.lanes:
            note(ax, "No attempt was made.")
        self._draw_legend(ax)

    def _since(self, t_ns: int) -> int:
        return t_ns - self.story.submitted_ns

    def _fraction(self, ax: Axes, since_ns: float) -> float:
        """Return how far to the right an instant lies, from 0 to 1."""
        to_axes = ax.transData + ax.transAxes.inverted()
        return float(to_axes.transform((since_ns, 0))[0])

    def _visible(self, ax: Axes, from_ns: float, to_ns: float) -> bool:
        return self._fraction(ax, to_ns) - self._fraction(ax, from_ns) > 0.004

    # Axes.

    def _draw_axes(self, ax: Axes) -> None:
        self.axis.apply(ax)
        names = [*(row.name for row in self.rows), *self.lanes]
        ax.set_yticks(range(len(names)), [label(name) for name in names])
        ax.set_ylim(max(1, len(names)) - 0.4, -0.75)
        ax.tick_params(axis="y", length=0)
        story = self.story
        what = f"{self.outcome.name.replace('_', ' ')}; {tally(story)}"
        ax.set_title(label(f"Request {story.request} of {story.retrier}: {what}", 110), loc="left", pad=20)

    def _draw_legend(self, ax: Axes) -> None:
        if not self.handles:
            return
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

    def _bar(self, ax: Axes, place: float, from_ns: float, to_ns: float, color: str, **looks: Any) -> None:
        """Draw a bar that stays visible however short it is."""
        height = looks.pop("height", 0.46)
        corner = (from_ns, place - height / 2)
        ax.add_patch(Rectangle(corner, to_ns - from_ns, height, facecolor=color, linewidth=0, **looks))
        edge = [place - height / 2, place + height / 2]
        ax.plot([from_ns, from_ns], edge, color=color, linewidth=1.8, zorder=2.5, solid_capstyle="butt")

    def _draw_delay(self, ax: Axes, place: int, from_ns: float, to_ns: float) -> None:
        if self._visible(ax, from_ns, to_ns):
            self._bar(ax, place, from_ns, to_ns, LIGHT, height=0.3, zorder=1.5)
            self.handles["delay before an attempt"] = Patch(color=LIGHT)

    def _draw_attempt(self, ax: Axes, place: int, tried: Try) -> None:
        start_ns = self._since(tried.start_ns)
        end_ns = self.right_ns if tried.end_ns is None else self._since(tried.end_ns)
        self._draw_delay(ax, place, self._since(tried.decided_ns), self._since(tried.due_ns))
        if self._visible(ax, self._since(tried.due_ns), start_ns):
            ax.plot([self._since(tried.due_ns), start_ns], [place, place], color=DARK, linewidth=0.8)
            self.handles["due, waits for its start"] = Line2D([], [], color=DARK, linewidth=0.8)
        color, hatch, words = _ENDS[tried.how]
        bar = {"hatch": hatch, "edgecolor": "white", "zorder": 2}
        self._bar(ax, place, start_ns, end_ns, color, **bar)
        self.handles[words] = Patch(facecolor=color, hatch=hatch, edgecolor="white", linewidth=0)
        unheard = [moment for moment in (tried.lost_ns, tried.given_up_ns) if moment is not None]
        if unheard:
            self._bar(ax, place, self._since(min(unheard)), end_ns, "white", alpha=0.6, height=0.47, zorder=2.1)
            self.handles["goes on unheard"] = Patch(facecolor=GREEN, alpha=0.4)
        else:
            self._draw_unnoticed(ax, place, tried)
        for effect in self.story.effects:
            if effect.attempt == tried.number:
                marker, fill, words = _EFFECTS.get(effect.name, _EFFECTS[""])
                looks: dict[str, Any] = {"marker": marker, "markerfacecolor": fill, "markeredgecolor": BLACK}
                looks["markersize"] = 6.5
                ax.plot([self._since(effect.t_ns)], [place], linestyle="", zorder=4, **looks)
                self.handles[words] = Line2D([], [], linestyle="", **looks)
        self._draw_label(ax, place, start_ns, min(end_ns, self.right_ns), _label_of(tried))

    def _draw_unnoticed(self, ax: Axes, place: int, tried: Try) -> None:
        """Draw the time from the end of an attempt until the retrier acts on it, unless it acted before."""
        story = self.story
        if tried.end_ns is None or not story.jobs:
            return
        acted_ns = [later.decided_ns for later in story.tries[tried.number : tried.number + 1]]
        if story.settled is not None:
            acted_ns.append(story.settled[0])
        if min(acted_ns, default=tried.end_ns) < tried.end_ns:
            return
        index = bisect_left(story.decisions_ns, tried.end_ns)
        known_ns = self._since(story.decisions_ns[index]) if index < len(story.decisions_ns) else self.right_ns
        end_ns = self._since(tried.end_ns)
        if self._visible(ax, end_ns, known_ns):
            looks: dict[str, Any] = {"color": BLACK, "linestyle": (0, (1, 1.6)), "linewidth": 1.3}
            ax.plot([end_ns, known_ns], [place, place], zorder=1.8, **looks)
            self.handles["over, not noticed yet"] = Line2D([], [], **looks)

    def _draw_waiting(self, ax: Axes, place: int, job: Job) -> None:
        """Draw an attempt that never started."""
        from_ns, due_ns = self._since(job.asked_ns), self._since(job.due_ns)
        to_ns = min(due_ns, self.right_ns)
        self._draw_delay(ax, place, from_ns, to_ns)
        words = "canceled before its start" if job.state == CANCELED else f"due at +{span_text(due_ns)}"
        self._draw_label(ax, place, from_ns, to_ns, words)

    def _draw_label(self, ax: Axes, place: int, start_ns: float, end_ns: float, words: str) -> None:
        """Write beside a bar where there is room: behind it, before it, or within."""
        looks: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8, "va": "center", "zorder": 5}
        plate = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
        if self._fraction(ax, end_ns) < 0.72:
            ax.annotate(words, (end_ns, place - 0.3), (6, 0), ha="left", bbox=plate, **looks)
        elif self._fraction(ax, start_ns) > 0.3:
            ax.annotate(words, (start_ns, place - 0.3), (-6, 0), ha="right", bbox=plate, **looks)
        else:
            middle = (self._fraction(ax, start_ns) + self._fraction(ax, end_ns)) / 2
            across = ax.get_yaxis_transform()
            ax.annotate(words, (middle, place), (0, 0), xycoords=across, ha="center", bbox=plate, **looks)

    # Lanes and lines.

    def _draw_polls(self, ax: Axes) -> None:
        for how, (marker, color, size, words) in _POLLS.items():
            looks: dict[str, Any] = {"marker": marker, "color": color, "markersize": size, "markeredgewidth": 1.8}
            hits = [poll for poll in self.polls if poll.how == how]
            if not hits:
                continue
            places = [len(self.rows) + self.lanes.index(poll.name) for poll in hits]
            ax.plot([self._since(poll.t_ns) for poll in hits], places, linestyle="", zorder=3, **looks)
            self.handles[words] = Line2D([], [], linestyle="", **looks)

    def _draw_end(self, ax: Axes) -> None:
        """Draw the settlement, or what there is instead."""
        story = self.story
        top = ax.get_xaxis_transform()
        if story.settled is not None:
            settled_ns = self._since(story.settled[0])
            ax.axvline(settled_ns, color=BLACK, linewidth=1.1, zorder=2.7)
            side = "right" if self._fraction(ax, settled_ns) > 0.6 else "left"
            words = f"settled: {story.settled[1].replace('_', ' ')}, after {span_text(settled_ns)}"
            ax.annotate(words, (settled_ns, 1), (0, 3), xycoords=top, textcoords="offset points", ha=side, fontsize=9)
        elif self.outcome.name in _CONCLUSIONS:
            color, hatch, words = _CONCLUSIONS[self.outcome.name]
            if self.outcome.name == "stuck" and not story.jobs:
                words = "stuck for ever:\nthe call\nnever ends"
            hatched: dict[str, Any] = {"facecolor": "none", "edgecolor": color, "hatch": hatch, "linewidth": 0}
            ax.axvspan(self.last_ns, self.right_ns, alpha=0.5, **hatched)
            middle = max(0.85, 0.5 + self._fraction(ax, self.last_ns) / 2)
            plate = {"facecolor": "white", "edgecolor": color, "pad": 3}
            ax.text(middle, 0.5, words, transform=ax.transAxes, ha="center", va="center", bbox=plate, zorder=6)


def _place_in_legend(words: str) -> int:
    """Order a legend: attempts, what lies between them, effects, polls, the rest."""
    known = [
        *(words for _, _, words in _ENDS.values()),
        *("goes on unheard", "delay before an attempt", "due, waits for its start", "over, not noticed yet"),
        *(words for _, _, words in _EFFECTS.values()),
        *(words for _, _, _, words in _POLLS.values()),
    ]
    return known.index(words) if words in known else len(known)


def _label_of(tried: Try) -> str:
    """Say how an attempt went: its outcome in the scenario, what cut it short, how long it took."""
    words = {KILLED: "dies with the server", CUT: "cut off"}.get(tried.how, tried.outcome)
    if tried.how == DIED and not tried.outcome.startswith("crash"):
        words = "system error"
    return words if tried.end_ns is None else f"{words}, {span_text(tried.end_ns - tried.start_ns)}"


def plot_timeline(history: History, request: int, outcome: Outcome, ax: Axes | None = None) -> Axes:
    """Draw what became of a request; see `sim.pictures.story`."""
    return draw_story(read(history, request), outcome, ax)


def save_timeline(  # noqa: PLR0913  # what to draw, and where
    history: History, request: int, outcome: Outcome, caption: str, path: Path, *, svg: bool = False
) -> list[Path]:
    """Write the picture to `path` (`.png` is added if missing), with `svg` also beside it; return the files written.

    Equal input gives equal bytes. The folder is made if missing.
    """
    return save_story(read(history, request), outcome, caption, path, svg=svg)
