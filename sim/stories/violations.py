"""A violation for people: its sentence, the events that prove it, and the story of the request around them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from sim.stories.lines import WIDTH, timeline_lines
from sim.stories.phrases import span_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.contracts.invariant import Violation
    from sim.history.events import Event, History
    from sim.history.vocabulary import Outcome

MOST_QUOTED = 20
"""Of more events the first and the last are quoted."""
INDENT = "  "
_OF_JOBS = frozenset({"commit", "conflict", "rolled_back", "job", "state", "system_error"})
_OF_ATTEMPTS = frozenset({"attempt", "attempt_end", "timed_out", "lost", "effect"})


def violation_lines(
    violation: Violation, history: History, outcome: Outcome | None, *, width: int = WIDTH
) -> list[str]:
    """Tell what is broken, quote the events that prove it, and tell the request's story, in at most `width` columns.

    Times count from the request's submission, or from the beginning where the violation belongs to no request; then
    there is no story, and `outcome` is None.
    """
    submitted_ns = [event.t_ns for event in history if (event.kind, event.request) == ("submit", violation.request)]
    quoted = _quoted(violation.events, submitted_ns[0] if submitted_ns else 0)
    lines = textwrap.wrap(f"{violation.text} ({violation.invariant})", width, break_on_hyphens=False)
    lines += [_cut(f"{INDENT}{line}", width) for line in quoted]
    if outcome is not None and submitted_ns:
        story = timeline_lines(history, violation.request, outcome, width=width - len(INDENT))
        lines += ["its story", *(f"{INDENT}{line}" for line in story)]
    return lines


def _quoted(events: tuple[Event, ...], since_ns: int) -> list[str]:
    shown = [(f"+{span_text(event.t_ns - since_ns)}", " ".join(_words(event, since_ns))) for event in events]
    if len(shown) > MOST_QUOTED:
        half = MOST_QUOTED // 2
        shown[half:-half] = [("", f"... {len(shown) - 2 * half:,} more ...")]
    column = max((len(time) for time, _ in shown), default=0)
    return [f"{time:>{column}}  {words}" for time, words in shown]


def _words(event: Event, since_ns: int) -> Iterator[str]:
    kind, detail = event.kind, event.detail
    yield kind.replace("_", " ")
    if event.name:
        yield event.name
    if event.subject >= 0 and kind in _OF_JOBS:
        yield f"(job #{event.subject})"
    elif event.subject >= 0 and kind in _OF_ATTEMPTS:
        yield f"(attempt {event.subject})"
    if kind == "state":
        yield f"{detail[0]} -> {detail[1]}"
    elif kind == "job":
        yield f"for +{span_text(max(0, detail[0] - since_ns))}, {detail[1]}"
    elif kind in {"sleep", "restart"}:
        yield f"for {span_text(detail)}"
    elif isinstance(detail, str | bool | float) and detail != "":
        yield str(detail)


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 3]}..."
