"""One request's story as a picture: a row for each attempt, lanes for the polls, time from left to right.

Rows go down like steps: a light bar is the delay before an attempt, the full bar the attempt itself, a dotted line the
time until the retrier knew of its end. Where the story lasts far longer than its shortest attempt, the axis is linear
near the submission and logarithmic beyond (inverse hyperbolic sine), so that both can be seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator

from sim.analysis.drawing import (
    BLACK,
    BLUE,
    FAINT,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    add_caption,
    duration_ticks,
    figure_bytes,
    settings,
)
from sim.analysis.story_words import KILLED, span_text
from sim.kernel.durations import UNITS_NS
from sim.kernel.hosts import CUT, DIED, RETURNED, THREW
from sim.kernel.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from sim.analysis.story import Story, Try

LINEAR_UP_TO = 300
"""A story longer than so many times its shortest attempt gets an axis that is logarithmic beyond the first of them."""
MOST_ROWS = 16
"""A picture of more attempts shows the first and the last of them."""
ROW_IN = 0.3
"""Height of a row, in inches."""

_ENDS = MappingProxyType(
    {
        RETURNED: (GREEN, "", "succeeded"),
        THREW: (ORANGE, "///", "failed"),
        DIED: (VERMILLION, "xxx", "died"),
        KILLED: (VERMILLION, "xxx", "died"),
        CUT: (PURPLE, "\\\\\\", "cut off"),
        "lost": (BLUE, "...", "lost"),
        "": (GREY, "", "running"),
    }
)
"""Colour, hatch and word of an attempt's bar, by how it ended."""

_CONCLUSIONS = MappingProxyType(
    {
        "stuck": (VERMILLION, "///", "stuck for ever:\nnobody will look again"),
        "open": (GREY, "...", "open: the simulation\nwas cut off here"),
        "runaway": (PURPLE, "\\\\\\", "runaway"),
    }
)
"""What an unsettled story looks like from its end on."""


def draw_story(story: Story, outcome: Outcome, ax: Axes | None = None) -> Axes:
    """Draw a story on `ax`, or on a new figure of fitting size."""
    picture = _Picture(story, outcome)
    if ax is None:
        ax = Figure(figsize=(10, picture.height_in), layout="constrained").add_subplot()
    picture.draw(ax)
    return ax


def save_story(story: Story, outcome: Outcome, caption: str, path: Path, *, svg: bool = False) -> list[Path]:
    """Write the picture as PNG, and as SVG if asked to; return the files in the order written."""
    kinds = ("png", "svg") if svg else ("png",)
    stem = path.name.removesuffix(".png")
    with settings():
        figure = Figure(figsize=(10, _Picture(story, outcome).height_in), layout="constrained")
        draw_story(story, outcome, figure.add_subplot())
        add_caption(figure, caption)
        files = {path.with_name(f"{stem}.{kind}"): figure_bytes(figure, kind) for kind in kinds}
    path.parent.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        file.write_bytes(content)
    return list(files)


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the picture: an attempt, or the gap where attempts are left out."""

    tried: Try | None
    left_out: int = 0


class _Picture:
    """A story laid out in rows and lanes; times in ns since the submission."""

    def __init__(self, story: Story, outcome: Outcome) -> None:
        self.story = story
        self.outcome = outcome
        self.zero_ns = story.submitted_ns
        self.rows = _rows(story.tries)
        self.lanes = sorted({poll.name for poll in story.polls})
        self.last_ns = self._last_ns()
        settled = story.settled is not None
        self.span_ns = max(self.last_ns, 1)
        lengths = [max(1, (tried.end_ns or 0) - tried.start_ns) for tried in story.tries if tried.end_ns is not None]
        self.shortest_ns = min([length for length in lengths if length > 1] or [self.span_ns])
        self.linear = self.span_ns <= LINEAR_UP_TO * self.shortest_ns
        self.right_ns = self._beyond(0.06 if settled else 0.28)
        self.handles: dict[str, Any] = {}

    @property
    def height_in(self) -> float:
        return 1.75 + ROW_IN * (len(self.rows) + len(self.lanes))

    def draw(self, ax: Axes) -> None:
        story = self.story
        for row, line in enumerate(self.rows):
            if line.tried is None:
                ax.text(0.5, row, f"... {line.left_out:,} attempts left out ...", va="center", ha="center",
                        transform=ax.get_yaxis_transform(), fontsize=8, color="#555555")
            else:
                self._draw_attempt(ax, row, line.tried)
