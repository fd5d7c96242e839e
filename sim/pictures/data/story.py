"""One request's story: a row for each attempt, lanes for the polls, time from left to right.

All times are ns since the submission.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from sim.history.vocabulary import CANCELED, CUT, DIED, FAILED, PENDING, RETURNED, THREW
from sim.pictures.data.picture import Picture
from sim.pictures.data.time_axis import TimeAxis, time_axis
from sim.stories.ending import tally
from sim.stories.phrases import CANCELS, KILLED, WITH_OTHERS, failure_words, span_text
from sim.stories.reader import read
from sim.stories.story import ACTED, LOOKED, Try

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.history.recorder import History
    from sim.history.vocabulary import Outcome
    from sim.stories.story import Job, Story

MOST_ROWS = 18
"""A picture of more attempts shows the first and the last of them."""

END_WORDS = MappingProxyType(
    {
        RETURNED: "attempt succeeds",
        THREW: "attempt fails",
        DIED: "attempt dies",
        KILLED: "attempt dies",
        WITH_OTHERS: "attempt dies",
        CUT: "attempt is cut off",
        "": "attempt runs on",
    }
)
"""Legend: an attempt's bar, by `AttemptRow.end`."""

EFFECT_WORDS = MappingProxyType({"applied": "first effect", "suppressed": "suppressed effect"})
"""Legend: an effect, by `EffectMark.name`; all other names are `DUPLICATE`."""
DUPLICATE = "duplicate effect"

RAN = "ran"
POLL_WORDS = MappingProxyType(
    {
        LOOKED: "poll: nothing new",
        ACTED: "poll that acts or ends",
        THREW: "poll that throws",
        RAN: "other scheduled mutation",
    }
)
"""Legend: a poll, by `PollMark.how`."""

_CONCLUSIONS = MappingProxyType(
    {
        "stuck": "stuck for ever:\nnothing will\nlook again",
        "open": "open: not settled\nwhen the\nsimulation ended",
        "runaway": "runaway: ran\ninto a limit",
    }
)
"""The end of a story that did not settle, by outcome."""


@dataclass(frozen=True, slots=True)
class EffectMark:
    """An effect of an attempt."""

    t_ns: int
    """When it was done."""
    name: str
    """`applied`, `suppressed` or the cause of a duplicate."""


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An attempt."""

    name: str
    """What the row is called: `attempt 3`."""
    decided_ns: int
    """When the retrier scheduled the attempt; from here to `due_ns` it is delayed."""
    due_ns: int
    """When it was to start."""
    start_ns: int
    """When it started, which may be later."""
    end_ns: int | None
    """When it ended; None if it never ends."""
    end: str
    """How it ended: one of the ends in `sim.history.vocabulary`, `killed`, or empty if it never ends."""
    unheard_ns: int | None
    """From when on no client waits for it any more; None if one does until the end."""
    unnoticed: bool
    """Whether the end waits for the retrier to notice it; not if the retrier has acted before the end."""
    noticed_ns: int | None
    """When the retrier acts on the end; None if never, or if the attempt is not `unnoticed`."""
    effects: tuple[EffectMark, ...]
    """Its effects, in the order of time."""
    label: str
    """How it went, in words."""
    queued_ns: tuple[int, int | None] | None = None
    """From when to when it waited for a server of a service; None as an end: it still does."""
    work_ns: tuple[int, int | None] | None = None
    """From when to when a server of a service worked on it."""


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """An attempt that never started."""

    name: str
    """What the row is called: `next attempt`."""
    asked_ns: int
    """When the retrier scheduled it."""
    due_ns: int
    """When it was to start."""
    label: str
    """What became of it, in words."""


@dataclass(frozen=True, slots=True)
class GapRow:
    """The place of attempts that are left out."""

    name: str
    """Empty: the row has no name."""
    text: str
    """How many attempts are left out, in words."""


Row = AttemptRow | WaitingRow | GapRow


@dataclass(frozen=True, slots=True)
class PollMark:
    """A poll."""

    t_ns: int
    """When it committed or threw."""
    lane: int
    """Position in `lanes`, from 0."""
    how: str
    """`looked` (nothing new), `acted` (acts or ends) or `threw`; `ran` for a mutation that does not count as a poll."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryPicture(Picture):
    """What became of one request."""

    axis: TimeAxis
    """The axis of time, along x."""
    rows: tuple[Row, ...]
    """From the top down."""
    lanes: tuple[str, ...]
    """The scheduled mutations: a lane each, below the rows."""
    polls: tuple[PollMark, ...]
    """Polls that lie on the axis."""
    downs: tuple[tuple[int, int | None], ...]
    """From when to when the server was down; None if it does not come back."""
    cancels: tuple[tuple[int, str], ...]
    """When something was canceled, and what, in words."""
    last_ns: int
    """The end of the story; polls that come after the settlement and find nothing to do do not count."""
    settled_ns: int | None
    """When the request was settled; None if never."""
    outcome: str
    """The request's outcome as results write it, such as `gave_up`."""
    ending: str
    """The settlement in words, or what happened instead."""


def timeline_data(history: History, request: int, outcome: Outcome, caption: str = "") -> StoryPicture:
    """Return what became of a request; raises LookupError if the history has no such request."""
    return story_data(read(history, request), outcome, caption)


def story_data(story: Story, outcome: Outcome, caption: str = "") -> StoryPicture:
    """Return a story as rows and lanes."""
    rows, last_ns = _rows(story), _last_ns(story)
    lengths_ns = [tried.end_ns - tried.start_ns for tried in story.tries if tried.end_ns is not None]
    room = 0.04 if story.settled is not None else 0.25
    axis = time_axis(_moments_ns(story, rows, last_ns), lengths_ns, last_ns, room)
    zero_ns = story.submitted_ns
    polls = [poll for poll in story.polls if poll.t_ns - zero_ns <= axis.right_ns]
    lanes = sorted({poll.name for poll in polls})
    return StoryPicture(
        title=f"Request {story.request} of {story.retrier}: {outcome.name.replace('_', ' ')}; {tally(story)}",
        axis=axis,
        rows=tuple(rows),
        lanes=tuple(lanes),
        polls=tuple(
            PollMark(poll.t_ns - zero_ns, lanes.index(poll.name), poll.how if poll.counts else RAN) for poll in polls
        ),
        downs=tuple(
            (down_ns - zero_ns, None if up_ns is None else up_ns - zero_ns)
            for down_ns, up_ns in (story.restarts if story.jobs else ())
        ),
        cancels=tuple(
            (t_ns - zero_ns, CANCELS.get(target, f"cancel of the {target}")) for t_ns, target in story.cancels
        ),
        last_ns=last_ns,
        settled_ns=None if story.settled is None else story.settled[0] - zero_ns,
        outcome=outcome.name,
        ending=_ending(story, outcome),
        note="" if rows or lanes else "No attempt was made.",
        caption=caption,
    )


def _ending(story: Story, outcome: Outcome) -> str:
    if story.settled is not None:
        settled_ns, how = story.settled
        return f"settled: {how.replace('_', ' ')}, after {span_text(settled_ns - story.submitted_ns)}"
    if outcome.name == "stuck" and not story.jobs:
        return "stuck for ever:\nthe call\nnever ends"
    return _CONCLUSIONS.get(outcome.name, "")


def _last_ns(story: Story) -> int:
    """Return the end of the story: polls after the settlement, which find nothing to do, do not count."""
    if story.settled is None:
        return story.end_ns - story.submitted_ns
    ends = [story.settled[0], *(effect.t_ns for effect in story.effects)]
    ends += [tried.end_ns for tried in story.tries if tried.end_ns is not None]
    return max(ends) - story.submitted_ns


def _moments_ns(story: Story, rows: Sequence[Row], last_ns: int) -> list[int]:
    """Return the moments that people look for in the picture: of the attempts it shows, and the end."""
    attempts = [row for row in rows if isinstance(row, AttemptRow)]
    moments = [moment for row in attempts for moment in (row.start_ns, row.decided_ns)]
    moments += [row.end_ns for row in attempts if row.end_ns is not None]
    if len(attempts) == len(story.tries):
        moments += [effect.t_ns - story.submitted_ns for effect in story.effects]
    return [*moments, last_ns]


# Rows.


def _rows(story: Story) -> list[Row]:
    shown: list[Try | Job] = [*story.tries, *_never_started(story)]
    if len(shown) <= MOST_ROWS:
        return [_row(story, one) for one in shown]
    first, last = MOST_ROWS // 2, MOST_ROWS // 2 - 1
    gap = GapRow("", f"... {len(shown) - first - last:,} attempts left out ...")
    return [*(_row(story, one) for one in shown[:first]), gap, *(_row(story, one) for one in shown[-last:])]


def _never_started(story: Story) -> list[Job]:
    """Return the job of the attempt that comes next but never started, if there is one."""
    started = {tried.job.number for tried in story.tries if tried.job is not None}
    waiting = [
        job
        for job in story.jobs.values()
        if job.worked and job.number not in started and job.state in {PENDING, CANCELED}
    ]
    return waiting[-1:]


def _row(story: Story, shown: Try | Job) -> AttemptRow | WaitingRow:
    zero_ns = story.submitted_ns
    if isinstance(shown, Try):
        return _attempt_row(story, shown)
    words = "canceled before its start" if shown.state == CANCELED else f"due at +{span_text(shown.due_ns - zero_ns)}"
    name = "next attempt" if story.tries else "attempt 1"
    return WaitingRow(name, shown.asked_ns - zero_ns, shown.due_ns - zero_ns, words)


def _attempt_row(story: Story, tried: Try) -> AttemptRow:
    zero_ns = story.submitted_ns
    unheard = [moment - zero_ns for moment in (tried.lost_ns, tried.given_up_ns) if moment is not None]
    unnoticed = not unheard and _is_unnoticed(story, tried)
    return AttemptRow(
        name=f"attempt {tried.number}",
        decided_ns=tried.decided_ns - zero_ns,
        due_ns=tried.due_ns - zero_ns,
        start_ns=tried.start_ns - zero_ns,
        end_ns=None if tried.end_ns is None else tried.end_ns - zero_ns,
        end=tried.how,
        unheard_ns=min(unheard, default=None),
        unnoticed=unnoticed,
        noticed_ns=_noticed_ns(story, tried.end_ns) if unnoticed and tried.end_ns is not None else None,
        effects=tuple(
            EffectMark(effect.t_ns - zero_ns, effect.name) for effect in story.effects if effect.attempt == tried.number
        ),
        label=_label_of(tried),
        queued_ns=_since(tried.queued_ns, zero_ns),
        work_ns=_since(tried.work_ns, zero_ns),
    )


def _since(span_ns: tuple[int, int | None] | None, zero_ns: int) -> tuple[int, int | None] | None:
    if span_ns is None:
        return None
    from_ns, to_ns = span_ns
    return from_ns - zero_ns, None if to_ns is None else to_ns - zero_ns


def _is_unnoticed(story: Story, tried: Try) -> bool:
    """Say whether the retrier, which polls for the end of an attempt, has not acted before it ends."""
    if tried.end_ns is None or not story.jobs:
        return False
    acted_ns = [later.decided_ns for later in story.tries[tried.number : tried.number + 1]]
    if story.settled is not None:
        acted_ns.append(story.settled[0])
    return min(acted_ns, default=tried.end_ns) >= tried.end_ns


def _noticed_ns(story: Story, end_ns: int) -> int | None:
    index = bisect_left(story.decisions_ns, end_ns)
    return story.decisions_ns[index] - story.submitted_ns if index < len(story.decisions_ns) else None


def _label_of(tried: Try) -> str:
    """Say how an attempt went: its outcome in the scenario, what cut it short, how long it took."""
    ends = {KILLED: "dies with the server", CUT: "cut off", WITH_OTHERS: "dies with its job"}
    words = ends.get(tried.how, tried.outcome)
    if tried.how == DIED and not tried.outcome.startswith("crash"):
        words = "system error"
    if tried.end_ns is None:
        return words
    if tried.failure is not None and tried.failure.kind != FAILED:
        words = ""  # the error says it
    return ", ".join(filter(None, (words, span_text(tried.end_ns - tried.start_ns), failure_words(tried.failure))))
