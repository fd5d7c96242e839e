"""What the mutations of a request do, in plain words.

What one of them read, scheduled and settled is one entry. A poll that finds nothing new is marked as such, so that many
of them can be told as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sim.history.deployment_events import CommitRefused, FunctionThrew, MutationCommitted, Noted
from sim.history.events import CallbackRan, CallbackThrew, Event
from sim.history.vocabulary import CANCELED, FAILED, SUCCESS, THREW, missing_job
from sim.stories.phrases import CALLER, SAW, late_words, span_text, when_words
from sim.stories.pools import ON_COMPLETE, POOL_JOBS, WORKERS
from sim.stories.story import ACTED, LOOKED, Poll, Rank

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.history.index import Index
    from sim.stories.jobs import OfJobs
    from sim.stories.story import Job
    from sim.stories.telling import Telling


class ByMutations:
    """Tells what mutations do, be they called or run by jobs."""

    def __init__(self, telling: Telling, index: Index, jobs: OfJobs, *, in_pool: bool) -> None:
        self._telling = telling
        self._story = telling.story
        self._polls = index.history.polls
        self._commits = {commit.at: commit for commit in index.commits}
        self._jobs = jobs
        self._in_pool = in_pool

    def take(self, event: Event) -> None:
        """Take an event; those that are no mutation's are left to others, and `committed` takes commits."""
        tell = self._tells.get(type(event))
        if tell is not None:
            tell(self, event)

    def committed(self, at: int) -> None:
        """Tell what was done by the mutation whose commit is at this place in the history."""
        commit, story = self._commits[at], self._story
        event = commit.event
        phrases, self._telling.phrases = self._telling.phrases, []
        t_ns, name = event.t_ns, event.function
        created = [story.jobs[job.id] for job in commit.created]
        if any(job.name in self._jobs.actions for job in created):
            story.decisions_ns.append(t_ns)
        if event.job < 0:
            self._called(event, created, phrases)
        elif self._in_pool:
            self._served(event, [*phrases, *self._schedules(created, t_ns, name)])
        else:
            self._polled(event, created, phrases)

    def _called(self, event: MutationCommitted, created: list[Job], phrases: list[str]) -> None:
        """Tell what a mutation did that the caller or an action called."""
        t_ns, name = event.t_ns, event.function
        self._jobs.refused = None
        phrases += self._schedules(created, t_ns, "")
        words = ", ".join(phrases)
        if name in {"submit", "cancel"}:
            done = {"submit": "accepted", "cancel": "the cancel commits" if phrases else "nothing to cancel"}[name]
            line = self._telling.line_at(t_ns)
            if line is None or line.who != CALLER or not phrases:
                words = f"{done}: {words}" if words else done
            self._telling.add(t_ns, CALLER, words)
        else:
            words = words or ("settled already, changes nothing" if self._story.settled is not None else "commits")
            self._telling.say(t_ns, self._called_by(name), f"{name}: {words}" if name else words, Rank.plain)

    def _called_by(self, name: str) -> str:
        """Say who calls a mutation that no job runs: the caller, or the action that runs."""
        running = self._jobs.running
        return CALLER if running is None or name in {"submit", "cancel"} else running.name

    def _served(self, event: MutationCommitted, phrases: list[str]) -> None:
        """Tell what a scheduled function of a pool did, if it serves this request alone."""
        self._jobs.finish(event.job, SUCCESS, event.t_ns)
        self._story.polls.append(Poll(event.t_ns, event.function, ACTED, self._counts(event.function)))
        if event.function not in POOL_JOBS and (phrases or event.function not in WORKERS):
            self._telling.say(event.t_ns, event.function, ", ".join(phrases or ["runs"]))

    def _polled(self, event: MutationCommitted, created: list[Job], phrases: list[str]) -> None:
        """Tell what one execution of a scheduled mutation saw and did."""
        story, t_ns, name = self._story, event.t_ns, event.function
        own = self._jobs.finish(event.job, SUCCESS, t_ns)
        new = {job.number for job in created}
        read_jobs = [number for number, _ in event.reads if isinstance(number, int) and number != event.job]
        seen = [story.jobs[number] for number in read_jobs if number in story.jobs and number not in new]
        saw = SAW.get(seen[-1].state, seen[-1].state) if seen else ""
        if not saw and not created and story.settled is not None:
            saw = "settled already"
        again = all(job.name == name for job in created)
        quiet = saw if created and again and not phrases else ""
        phrases = [*phrases, *self._schedules(created, t_ns, name)]
        polls = self._counts(name)
        text = f"{'looks' if polls else 'runs'}{late_words(own.due_ns, t_ns)}" + (f": {saw}" if saw else "")
        entry = self._telling.say(t_ns, name, text, Rank.plain)
        entry.looks, entry.quiet = int(polls), quiet
        if quiet:
            entry.again = phrases[-1]
        if phrases:
            entry.text += f"{'; ' if saw else ': '}{', '.join(phrases)}"
        if created and not self._jobs.open[name]:
            entry.text += f", {'looks' if polls else 'runs'} no more"
            entry.rank = Rank.notable
        story.polls.append(Poll(t_ns, name, LOOKED if quiet else ACTED, polls))

    def _counts(self, function: str) -> bool:
        """Tell whether the executions of a scheduled mutation count as polls; if that is unknown, all do."""
        return self._polls is None or function in self._polls

    def _schedules(self, created: list[Job], t_ns: int, by: str) -> list[str]:
        """Say what a mutation scheduled."""
        phrases = []
        for job in created:
            when = when_words(job.due_ns - t_ns)
            if job.state == CANCELED:
                continue
            if self._in_pool:
                phrases += [f"{job.name} is scheduled"] if job.name == ON_COMPLETE else []
                continue
            if job.name == by:
                phrases.append(f"{'looks' if self._counts(by) else 'runs'} again {when}")
            elif job.name in self._jobs.actions:
                phrases.append(f"{'next' if self._story.tries else 'first'} attempt {when}")
            else:
                first = not any(poll.name == job.name for poll in self._story.polls)
                phrases.append(f"{'first ' if first else ''}{job.name} {when}")
        return phrases

    def _conflict(self, event: CommitRefused) -> None:
        self._story.conflicts += 1
        function = event.function
        if self._in_pool and function in POOL_JOBS:
            return
        who = function if event.job >= 0 else self._called_by(function)
        what = "" if who == function else f" of {function}"
        text = f"conflict{what}, runs again (rerun {event.rerun})"
        entry = self._telling.say(event.t_ns, who, text, Rank.plain)
        if event.job < 0:
            self._jobs.refused = entry

    def _threw(self, event: FunctionThrew) -> None:
        story, t_ns = self._story, event.t_ns
        self._telling.phrases = []
        if event.job < 0:
            self._telling.say(t_ns, self._called_by(event.function), f"{event.function} throws: {event.error}")
            return
        self._jobs.finish(event.job, FAILED, t_ns)
        story.polls.append(Poll(t_ns, event.function, THREW, self._counts(event.function)))
        why, number = event.error, missing_job(event.error)
        gone = None if number is None else story.jobs.get(number)
        if gone is not None and gone.ended_ns is not None:
            ago = span_text(t_ns - gone.ended_ns)
            why = f"the row of job #{gone.number} {gone.name}, which ended {ago} ago, is deleted"
        if self._in_pool and event.function == ON_COMPLETE:
            why = f"{why}; it is not run again"
        self._telling.say(t_ns, event.function, f"throws: {why}")

    def _callback(self, event: CallbackRan) -> None:
        self._telling.phrases.append(f"onComplete is told {event.result}")

    def _callback_lost(self, event: CallbackThrew) -> None:
        self._telling.phrases.append(f"onComplete throws when told {event.result}, and is not told again")

    def _noted(self, event: Noted) -> None:
        if event.what == "callback_scheduled":
            self._telling.phrases.append(f"onComplete throws when told {event.name}")

    _tells: ClassVar[dict[type[Event], Callable[..., None]]] = {
        CommitRefused: _conflict,
        FunctionThrew: _threw,
        CallbackRan: _callback,
        CallbackThrew: _callback_lost,
        Noted: _noted,
    }
