"""One request's story as lines for a terminal.

The lines fit a terminal of 100 columns and need no color. What happened at one instant shows its time once. Runs of
polls that find nothing new become one line, and so do runs of attempts that only fail; a story that is still long
loses its middle, and says so.
"""

from __future__ import annotations

import re
import textwrap
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from sim.stories.ending import ending
from sim.stories.phrases import WORLD, span_text
from sim.stories.reader import read
from sim.stories.story import Entry, Rank

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sim.history.recorder import History
    from sim.history.vocabulary import Outcome

WIDTH = 100
WHO_WIDTH = 24
FOLD_POLLS = 4
"""So many uneventful polls in a row become one line."""
FOLD_ATTEMPTS = 12
"""A story of more attempts shows the first and last few of those that only fail."""
FOLD_EFFECTS = 40
"""A story of more attempts shows the first and last few of those with effects or crashes, too."""
KEEP_ATTEMPTS = 3
LEAST_FOLDED = 3
MOST_LINES = 400
_NUMBER_AND_UNIT = re.compile(r"([0-9]) (ns|us|ms|s|y)\b")


def timeline_lines(history: History, request: int, outcome: Outcome, *, width: int = WIDTH) -> list[str]:
    """Tell what became of a request, a line for each thing that matters, at most `width` columns wide.

    Times count from the submission. The last lines say how it ended, and why. LookupError if the history has no such
    request.
    """
    return wrapped(timeline_parts(history, request, outcome), width)


def timeline_parts(history: History, request: int, outcome: Outcome) -> list[tuple[str, str]]:
    """Return the lines of `timeline_lines` before they are wrapped: each what stands in front, and its text."""
    story = read(history, request)
    start_ns = story.submitted_ns
    entries = _fold_attempts(_fold_polls(story.entries, start_ns), start_ns)
    entries = _cut(entries, start_ns)
    times = [f"+{span_text(entry.t_ns - start_ns)}" for entry in entries]
    time_width = max(map(len, times))
    who_width = min(WHO_WIDTH, max(len(entry.who) for entry in entries))
    parts: list[tuple[str, str]] = []
    before_ns = -1
    for entry, time in zip(entries, times, strict=True):
        shown = "" if entry.t_ns == before_ns else time
        before_ns = entry.t_ns
        parts.append((f"{shown:>{time_width}}  {entry.who[:who_width]:<{who_width}}  ", entry.text))
    return [*parts, *(("=> ", text) for text in ending(story, outcome))]


def wrapped(parts: Iterable[tuple[str, str]], width: int = WIDTH) -> list[str]:
    """Wrap lines that `timeline_parts` returned."""
    return [line for head, text in parts for line in _wrapped(head, text, width)]


def _wrapped(head: str, text: str, width: int) -> list[str]:
    """Break a line between words, but not between a number and its unit."""
    tied = _NUMBER_AND_UNIT.sub("\\1\u00a0\\2", text)
    lines = textwrap.wrap(tied, width, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False)
    return [line.replace("\u00a0", " ") for line in lines]


def _range(first: Entry, last: Entry, zero_ns: int) -> str:
    return f"from +{span_text(first.t_ns - zero_ns)} to +{span_text(last.t_ns - zero_ns)}"


def _fold_polls(entries: Sequence[Entry], zero_ns: int) -> list[Entry]:
    """Make one entry of each long run of polls of one kind that found the same."""
    folded: list[Entry] = []
    for (quiet, who), group in groupby(entries, key=lambda entry: (entry.quiet, entry.who if entry.quiet else "")):
        run = list(group)
        if not quiet or len(run) < FOLD_POLLS:
            folded += run
            continue
        first, last = run[0], run[-1]
        text = (
            f"{len(run):,} {'polls' if first.looks else 'runs'}, {quiet} ({_range(first, last, zero_ns)}); {last.again}"
        )
        folded.append(Entry(first.t_ns, who, text, rank=Rank.plain, looks=sum(entry.looks for entry in run)))
    return folded


def _fold_attempts(entries: list[Entry], zero_ns: int) -> list[Entry]:
    """Make one entry of the attempts in the middle of a long story that change nothing."""
    starts = [index for index, entry in enumerate(entries) if entry.starts]
    if len(starts) <= FOLD_ATTEMPTS:
        return entries
    most = Rank.plain if len(starts) <= FOLD_EFFECTS else Rank.telling
    chapters = [entries[start:end] for start, end in pairwise([*starts, len(entries)])]
    folded = entries[: starts[0]]
    middle: list[list[Entry]] = []
    for place, chapter in enumerate(chapters):
        at_edge = min(place, len(chapters) - 1 - place) < KEEP_ATTEMPTS
        if not at_edge and all(entry.rank <= most for entry in chapter):
            middle.append(chapter)
        else:
            folded += [*_in_one(middle, zero_ns), *chapter]
            middle = []
    return folded


def _in_one(chapters: list[list[Entry]], zero_ns: int) -> list[Entry]:
    entries = [entry for chapter in chapters for entry in chapter]
    if len(chapters) < LEAST_FOLDED:
        return entries
    first, last = entries[0], entries[-1]
    counts = {
        "poll": sum(entry.looks for entry in entries),
        "effect": sum(entry.who == WORLD for entry in entries),
    }
    more = " and ".join(f"{count:,} {thing}{'' if count == 1 else 's'}" for thing, count in counts.items() if count)
    alike = all(entry.rank is Rank.plain for entry in entries)
    text = (
        f"attempts {first.starts} to {chapters[-1][0].starts} {'only fail' if alike else 'settle nothing'}"
        f"{f', with {more}' if more else ''} ({_range(first, last, zero_ns)})"
    )
    return [Entry(first.t_ns, first.who, text)]


def _cut(entries: list[Entry], zero_ns: int) -> list[Entry]:
    """Leave the middle of what is still too long out, and say so."""
    left_out = entries[MOST_LINES // 2 : -MOST_LINES // 2]
    if not left_out:
        return entries
    span = _range(left_out[0], left_out[-1], zero_ns)
    gap = Entry(left_out[0].t_ns, "", f"... {len(left_out):,} more like these ({span}) ...")
    return [*entries[: MOST_LINES // 2], gap, *entries[-MOST_LINES // 2 :]]
