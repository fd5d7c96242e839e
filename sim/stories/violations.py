"""A violation for people: its sentence, the events that prove it, and the story of the request around them."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.history.deployment_events import FunctionThrew, JobCreated, JobEvent, JobStepped, ServerDied, SystemErrorStruck
from sim.history.events import (
    AttemptEnded,
    AttemptEvent,
    CancelAnswered,
    GuestWoken,
    NumberDrawn,
    SleepStarted,
    Submitted,
)
from sim.stories.lines import WIDTH, timeline_parts, wrapped
from sim.stories.phrases import failure_words, span_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.events import Event
    from sim.history.recorder import History
    from sim.history.vocabulary import Outcome
    from sim.promises.invariant import Violation

MOST_QUOTED = 20
"""Of more events the first and the last are quoted."""
INDENT = "  "


@dataclass(frozen=True, slots=True)
class Told:
    """A violation in words, which needs no history any more: plain text that can be stored and wrapped to any width."""

    invariant: str
    text: str
    """What is broken, in one sentence."""
    events: tuple[str, ...]
    """The events that prove it, a line each."""
    story: tuple[tuple[str, str], ...] = ()
    """The story of its request, a line each: what stands in front, and the text. Empty if it belongs to no request."""

    def lines(self, width: int = WIDTH) -> list[str]:
        """Return what is broken, the events that prove it and the story, in at most `width` columns."""
        lines = textwrap.wrap(f"{self.text} ({self.invariant})", width, break_on_hyphens=False)
        lines += [_cut(f"{INDENT}{line}", width) for line in self.events]
        if self.story:
            lines += ["its story", *(f"{INDENT}{line}" for line in wrapped(self.story, width - len(INDENT)))]
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())


def told(violation: Violation, history: History, outcome: Outcome | None) -> Told:
    """Tell what is broken, quote the events that prove it, and tell the request's story.

    Times count from the request's submission, or from the beginning if the violation belongs to no request; then
    there is no story, and `outcome` is None.
    """
    submitted_ns = [
        event.t_ns for event in history if isinstance(event, Submitted) and event.request == violation.request
    ]
    quoted = _quoted(violation.events, submitted_ns[0] if submitted_ns else 0)
    story: list[tuple[str, str]] = []
    if outcome is not None and submitted_ns:
        story = timeline_parts(history, violation.request, outcome)
    return Told(violation.invariant, violation.text, tuple(quoted), tuple(story))


def violation_lines(
    violation: Violation, history: History, outcome: Outcome | None, *, width: int = WIDTH
) -> list[str]:
    """Return a violation as `told` tells it, in at most `width` columns."""
    return told(violation, history, outcome).lines(width)


def _quoted(events: tuple[Event, ...], since_ns: int) -> list[str]:
    shown = [(f"+{span_text(event.t_ns - since_ns)}", " ".join(_words(event, since_ns))) for event in events]
    if len(shown) > MOST_QUOTED:
        half = MOST_QUOTED // 2
        shown[half:-half] = [("", f"... {len(shown) - 2 * half:,} more ...")]
    column = max((len(time) for time, _ in shown), default=0)
    return [f"{time:>{column}}  {words}" for time, words in shown]


def _words(event: Event, since_ns: int) -> Iterator[str]:
    yield event.kind.replace("_", " ")
    if event.word:
        yield event.word
    match event:
        case GuestWoken(left_ns=left_ns) if left_ns is not None:
            yield f"({span_text(left_ns)} left)"
        case JobEvent(job=number) if number >= 0:
            yield f"(job #{number})"
        case AttemptEvent(attempt=number):
            yield f"(attempt {number})"
    yield from _details(event, since_ns)


def _details(event: Event, since_ns: int) -> Iterator[str]:
    match event:
        case JobStepped(before=before, after=after):
            yield f"{before} -> {after}"
        case JobCreated(due_ns=due_ns, state=state):
            yield f"for +{span_text(max(0, due_ns - since_ns))}, {state}"
        case SleepStarted(duration_ns=for_ns) | ServerDied(down_ns=for_ns):
            yield f"for {span_text(for_ns)}"
        case FunctionThrew(error=detail) | SystemErrorStruck(struck=detail):
            yield detail
        case AttemptEnded(failure=failure) if failure is not None:
            yield f"({failure_words(failure)})"
        case NumberDrawn(value=value) | CancelAnswered(answer=value) if value is not None:
            yield str(value)


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 3]}..."
