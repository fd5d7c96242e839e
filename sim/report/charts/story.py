"""The time line of one request: a row for each attempt, lanes for the polls, time from left to right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sim.history.vocabulary import CUT, DIED, RETURNED, THREW
from sim.pictures.data.story import (
    DUPLICATE,
    EFFECT_WORDS,
    END_WORDS,
    POLL_WORDS,
    RAN,
    AttemptRow,
    GapRow,
    WaitingRow,
)
from sim.report.charts.frame import Words, close, figure, rows_of
from sim.report.charts.markup import Html, add, html_of, percent
from sim.stories.phrases import KILLED, span_text
from sim.stories.story import ACTED, LOOKED

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from sim.pictures.data.story import PollMark, Row, StoryPicture

ROW: Final = 22
COLUMNS: Final = 500
"""Of polls of a kind that fall on the same of so many columns of a lane, one is drawn."""
_ENDS: Final = MappingProxyType(
    {RETURNED: "p2", THREW: "p4", DIED: "p1", KILLED: "p1", CUT: "p3", "": "p5"},
)
"""The color of an attempt, by how it ended."""
_EFFECTS: Final = MappingProxyType({"applied": "first", "suppressed": "suppressed"})
_POLLS: Final = MappingProxyType({LOOKED: "looked", ACTED: "acted", THREW: "threw", RAN: "ran"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryChart(Words):
    """What became of one request."""

    data: StoryPicture

    def html(self) -> Html:
        """Return the chart."""
        return html_of(_Drawing(self).draw())


class _Drawing:
    def __init__(self, chart: StoryChart) -> None:
        self.chart = chart
        self.data = chart.data
        self.legend: dict[str, str] = {}
        """Words of the legend, and the class of each sample."""

    def draw(self) -> Element:
        data = self.data
        root = figure(self.chart, "story")
        legend = add(root, "ul", class_="parts")
        holder = rows_of(root, self.chart.title, "event")
        for row in data.rows:
            self._add_row(holder, row)
        for number, lane in enumerate(data.lanes):
            plot = self._line(holder, lane, "")
            self._add_polls(plot, [poll for poll in data.polls if poll.lane == number])
        self._add_axis(holder)
        add(holder, "div", data.axis.label, class_="x-label")
        if data.ending:
            add(root, "p", data.ending.replace("\n", " "), class_="ending")
        for words, classes in self.legend.items():
            item = add(legend, "li")
            sample = add(item, "svg", class_="swatch", width="14", height="14", aria_hidden="true")
            add(sample, "rect", class_=f"part {classes}", width="14", height="14")
            add(item, "span", words)
        return close(root, self.chart, None)

    def _at(self, ns: float) -> float:
        axis = self.data.axis

        def place(value: float) -> float:
            return value if axis.linear_ns is None else math.asinh(value / axis.linear_ns)

        low, high = place(axis.left_ns), place(axis.right_ns)
        return min(max((place(ns) - low) / (high - low), 0.0), 1.0)

    def _line(self, holder: Element, name: str, label: str) -> Element:
        """Add a row with what all rows have: the times at which the server was down, cancels, and the end."""
        data = self.data
        line = add(holder, "div", class_="story-row")
        words = add(line, "div", class_="name")
        add(words, "span", name)
        add(line, "div", label, class_="how")
        plot = add(line, "svg", width="100%", height=ROW, aria_hidden="true")
        for down_ns, up_ns in data.downs:
            until = "the end" if up_ns is None else f"+{span_text(up_ns)}"
            tip = f"the server is down\nfrom +{span_text(down_ns)} to {until}"
            self._bar(plot, "down", down_ns, data.axis.right_ns if up_ns is None else up_ns, tip, at=("0", "100%"))
            self.legend["server is down"] = "down"
        for value, _ in data.axis.ticks:
            place = percent(self._at(value))
            add(plot, "line", class_="grid", x1=place, x2=place, y1="0", y2="100%")
        for t_ns, what in data.cancels:
            self._mark(plot, "cancel", t_ns, f"{what}\nat +{span_text(t_ns)}")
            self.legend[what] = "cancel"
        if data.settled_ns is not None:
            self._mark(plot, "settled", data.settled_ns, data.ending.replace("\n", " "))
            self.legend["settled"] = "settled"
        return plot

    def _mark(self, plot: Element, classes: str, t_ns: float, tip: str) -> None:
        place = self._at(t_ns)
        add(plot, "rect", class_=classes, x=percent(place), width="2", y="0", height="100%", data_tip=tip)

    def _bar(self, plot: Element, classes: str, from_ns: float, to_ns: float, tip: str, *, at: tuple[str, str]) -> None:
        """Add a bar; `at` says where it begins in its row, and how high it is."""
        (y, height), left, right = at, self._at(from_ns), self._at(to_ns)
        add(
            plot,
            "rect",
            class_=classes,
            x=percent(left),
            width=percent(max(right - left, 0.004)),
            y=y,
            height=height,
            data_tip=tip,
        )

    def _add_row(self, holder: Element, row: Row) -> None:
        if isinstance(row, GapRow):
            add(holder, "p", row.text, class_="note")
        elif isinstance(row, WaitingRow):
            plot = self._line(holder, row.name, row.label)
            self._add_delay(plot, row.asked_ns, row.due_ns)
        else:
            self._add_attempt(self._line(holder, row.name, row.label), row)

    def _add_delay(self, plot: Element, from_ns: float, to_ns: float) -> None:
        if to_ns > from_ns:
            tip = f"delay before the attempt\nfrom +{span_text(int(from_ns))} to +{span_text(int(to_ns))}"
            self._bar(plot, "delay", from_ns, to_ns, tip, at=("8", "6"))
            self.legend["delay before an attempt"] = "delay"

    def _add_attempt(self, plot: Element, row: AttemptRow) -> None:
        end_ns = self.data.axis.right_ns if row.end_ns is None else row.end_ns
        self._add_delay(plot, row.decided_ns, row.due_ns)
        if row.start_ns > row.due_ns:
            tip = f"{row.name} is due, waits for its start\nfrom +{span_text(row.due_ns)} to +{span_text(row.start_ns)}"
            self._bar(plot, "due", row.due_ns, row.start_ns, tip, at=("10", "2"))
            self.legend["due, waits for its start"] = "due"
        until = "for ever" if row.end_ns is None else f"to +{span_text(row.end_ns)}"
        tip = f"{row.name}: {row.label}\nfrom +{span_text(row.start_ns)} {until}"
        self._bar(plot, f"part {_ENDS[row.end]}", row.start_ns, end_ns, tip, at=("4", "14"))
        self.legend[END_WORDS[row.end]] = _ENDS[row.end]
        if row.unheard_ns is not None:
            tip = f"goes on unheard from +{span_text(row.unheard_ns)}"
            self._bar(plot, "unheard", row.unheard_ns, end_ns, tip, at=("4", "14"))
            self.legend["goes on unheard"] = "unheard"
        elif row.unnoticed:
            noticed_ns = self.data.axis.right_ns if row.noticed_ns is None else row.noticed_ns
            words = "never noticed" if row.noticed_ns is None else f"noticed at +{span_text(row.noticed_ns)}"
            tip = f"over, not noticed yet\n{words}"
            self._bar(plot, "unnoticed", end_ns, noticed_ns, tip, at=("10", "3"))
            self.legend["over, not noticed yet"] = "unnoticed"
        for span_ns, classes, words in (
            (row.queued_ns, "queued", "waits for a server"),
            (row.work_ns, "worked", "a server works on it"),
        ):
            if span_ns is not None:
                to_ns = self.data.axis.right_ns if span_ns[1] is None else span_ns[1]
                last = "for ever" if span_ns[1] is None else f"to +{span_text(span_ns[1])}"
                tip = f"{words}\nfrom +{span_text(span_ns[0])} {last}"
                place = ("7", "8") if classes == "queued" else ("18", "3")
                self._bar(plot, classes, span_ns[0], to_ns, tip, at=place)
                self.legend[words] = classes
        for effect in row.effects:
            words = EFFECT_WORDS.get(effect.name, DUPLICATE)
            cause = f" ({effect.name.replace('_', ' ')})" if effect.name not in EFFECT_WORDS else ""
            classes = f"effect {_EFFECTS.get(effect.name, 'again')}"
            tip = f"{words}{cause}\nat +{span_text(effect.t_ns)}"
            add(plot, "circle", class_=classes, cx=percent(self._at(effect.t_ns)), cy="11", r="5", data_tip=tip)
            self.legend[words] = classes

    def _add_polls(self, plot: Element, polls: list[PollMark]) -> None:
        drawn: set[tuple[str, int]] = set()
        for poll in polls:
            place = self._at(poll.t_ns)
            if (poll.how, round(COLUMNS * place)) in drawn:
                continue
            drawn.add((poll.how, round(COLUMNS * place)))
            classes = f"poll {_POLLS[poll.how]}"
            tip = f"{POLL_WORDS[poll.how]}\nat +{span_text(poll.t_ns)}"
            add(plot, "rect", class_=classes, x=percent(place), width="2", y="3", height="16", data_tip=tip)
            self.legend[POLL_WORDS[poll.how]] = classes

    def _add_axis(self, holder: Element) -> None:
        line = add(holder, "div", class_="story-row")
        add(line, "div", class_="name")
        add(line, "div", class_="how")
        axis = add(line, "svg", width="100%", height="20", class_="x-axis", aria_hidden="true")
        for position, (value, text) in enumerate(self.data.axis.ticks):
            place = self._at(value)
            anchor = "start" if place < 0.04 else "end" if place > 0.96 else "middle"
            spare = "spare" if position % 2 and len(self.data.axis.ticks) > 4 else None
            add(axis, "text", text, x=percent(place), y="14", text_anchor=anchor, class_=spare)
