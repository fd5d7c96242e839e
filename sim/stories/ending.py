"""How a story ended, in words: the conclusion, or which job is missing so that there will never be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.history.vocabulary import CANCELED, FAILED, IN_PROGRESS, SUCCESS, Outcome
from sim.stories.phrases import count_text, span_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.stories.story import Job, Story

MOST_NAMED = 3
_LIMITS = {
    "polls": "it polled as often as a request may",
    "calls": "it called as often as a request may poll or call",
    "sleeps": "it slept as often as a request may poll or call",
    "time": "its next step lies beyond the end of simulated time",
}
_JOB_ENDS = {FAILED: "failed", CANCELED: "was canceled"}


def ending(story: Story, outcome: Outcome) -> list[str]:
    """Sum a story up in two sentences: what there was, and the end; `outcome` is the verdict of who simulated it."""
    match outcome:
        case Outcome.stuck:
            end = _stuck(story)
        case Outcome.open if story.phase:
            end = f"open: the simulation was cut off before the pool knew; {story.phase}"
        case Outcome.open:
            end = f"open: the simulation was cut off before the retrier knew{_to_come(story)}"
        case Outcome.runaway:
            end = f"runaway: {_LIMITS.get(story.runaway, 'the simulation ran into its limit of steps or of time')}"
        case _:
            end = _settled(story, outcome)
    return [tally(story), end]


def tally(story: Story) -> str:
    """Count what there was, as the records do: `2 attempts, 2 effects (1 duplicate), 1 poll`."""
    applied = [effect for effect in story.effects if effect.name != "suppressed"]
    duplicates = len(applied) - 1
    suppressed = len(story.effects) - len(applied)
    effects = count_text(len(applied), "effect")
    if duplicates > 0:
        effects += f" ({count_text(duplicates, 'duplicate')})"
    parts = [count_text(len(story.tries), "attempt"), effects]
    if suppressed:
        parts.append(f"{suppressed} suppressed")
    if story.pool_is_shared:
        parts.append("polled for by its pool's loop")
    elif story.jobs:
        polls = sum(poll.counts for poll in story.polls)
        parts.append(count_text(polls, "poll"))
        if others := len(story.polls) - polls:
            parts.append(count_text(others, "other scheduled mutation"))
    if story.conflicts:
        parts.append(count_text(story.conflicts, "conflict"))
    return ", ".join(parts)


def _settled(story: Story, outcome: Outcome) -> str:
    name = outcome.name.replace("_", " ")
    if story.why and outcome == Outcome.gave_up:
        name += f": {story.why}"
    if story.settled is None:
        return f"settled: {name}"
    known = _since(story, story.settled[0]).removeprefix("+")
    applied_ns = [effect.t_ns for effect in story.effects if effect.name != "suppressed"]
    if not applied_ns:
        return f"settled: {name}, known {known} after the submission; there was no effect"
    first = _since(story, applied_ns[0]).removeprefix("+")
    return f"settled: {name}, known {known} after the submission; the first effect came after {first}"


def _stuck(story: Story) -> str:
    if story.pool_is_shared:
        return f"stuck for ever: no job of its pool is left, so nothing will ever look again; {story.phase}"
    if not story.jobs:
        what = "something that never comes"
        last = next((one for one in reversed(story.tries) if one.end_ns is None and one.given_up_ns is None), None)
        if last is not None:
            what = f"attempt {last.number}, which never ends{' (hang)' if last.outcome == 'hang' else ''}"
        return f"stuck for ever: the client waits without a timeout for {what}"
    left = {job.name for job in story.unfinished}
    missing = [job for job in _last_of_each(list(story.jobs.values())) if job.name not in left]
    none = " and ".join(f"no {job.name}" for job in missing) or "no job that could settle it"
    why = "; ".join(f"the last {job.name} {_fate(story, job)}" for job in missing)
    sentence = f"stuck for ever: {none} is left, so nothing will ever look again"
    return f"{sentence} ({why})" if why else sentence


def _last_of_each(jobs: Sequence[Job]) -> list[Job]:
    """Return the newest job of each name, those that looked before those that worked."""
    newest = {job.name: job for job in jobs}
    return sorted(newest.values(), key=lambda job: (job.worked, job.number))


def _fate(story: Story, job: Job) -> str:
    at = "" if job.ended_ns is None else _since(story, job.ended_ns)
    if job.state == SUCCESS:
        return f"succeeded at {at}" if job.worked else f"ran at {at} and scheduled no other"
    return f"{_JOB_ENDS.get(job.state, job.state)} at {at}"


def _to_come(story: Story) -> str:
    first = sorted(story.unfinished, key=lambda job: job.due_ns)[:MOST_NAMED]
    parts = [_state(story, job) for job in first]
    if not story.jobs and story.sleep is not None:
        parts.append(f"the client sleeps until {_since(story, story.sleep[1])}")
    elif not story.jobs and story.tries:
        parts.append(f"attempt {story.tries[-1].number} is running")
    return f"; {', '.join(parts)}" if parts else ""


def _state(story: Story, job: Job) -> str:
    if job.state == IN_PROGRESS:
        return f"job #{job.number} {job.name} is running"
    due = _since(story, job.due_ns)
    return f"{job.name} is due at {due}" if job.due_ns > story.end_ns else f"{job.name} was due at {due} and waits"


def _since(story: Story, t_ns: int) -> str:
    return f"+{span_text(t_ns - story.submitted_ns)}"
