"""From a history to a story: reads the events of one request, in order, and puts them into plain words.

What a mutation read, scheduled and settled is one entry. One thing leaves no event of its own and is inferred: that a
client stopped waiting for a call, from what it did next.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sim.history.vocabulary import CANCELED, DIED, FAILED, IN_PROGRESS, RETURNED, SUCCESS, THREW
from sim.stories.phrases import (
    ACTION,
    CALLER,
    CANCELS,
    CLIENT,
    KILLED,
    PLATFORM,
    SAW,
    SETTLES,
    WORLD,
    effect_words,
    end_words,
    late_words,
    span_text,
    when_words,
)
from sim.stories.story import ACTED, LOOKED, Effect, Entry, Job, Poll, Rank, Story, Try

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.history.events import Event, History


def read(history: History, request: int) -> Story:
    """Read the story of one request; LookupError where the history has none of that number."""
    events = history.of_request(request).events
    started = {event.name for event in events if event.kind == "state" and event.detail[1] == IN_PROGRESS}
    reader = _Reader(request, frozenset({"action", *started}))
    for event in events:
        reader.take(event)
    return reader.finish()


class _Reader:
    """Takes the events of one request, in order."""

    def __init__(self, request: int, actions: frozenset[str]) -> None:
        self.story = Story(request)
        self._actions = actions
        """Names of functions whose jobs are actions."""
        self._submitted = False
        self._handlers: dict[str, Callable[[Event], None]] = {
            "submit": self._submit,
            "job": self._job,
            "callback": self._callback,
            "callback_lost": self._callback_lost,
            "commit": self._commit,
            "settled": self._settled,
            "conflict": self._conflict,
            "rolled_back": self._rolled_back,
            "state": self._state,
            "attempt": self._attempt,
            "attempt_end": self._attempt_end,
            "lost": self._lost,
            "effect": self._effect,
            "cancel": self._cancel,
            "cancel_answer": self._cancel_answer,
            "sleep": self._sleep,
            "system_error": self._system_error,
            "restart": self._restart,
            "boot": self._boot,
            "runaway": self._runaway,
        }
        self._running: Job | None = None
        """The action job that started last."""
        self._open: Counter[str] = Counter()
        """How many jobs of each name are pending or running."""
        self._created: list[Job] = []
        self._phrases: list[str] = []
        """What the mutation that is being read did besides scheduling."""
        self._dashboard = False
        """Whether somebody has just canceled a job by hand; the change of its state, if any, comes next."""
        self._booted_ns = -1
        self._line: Entry | None = None
        """The entry that what follows at the same instant may add to."""
        self._refused: Entry | None = None
        """The latest conflict of a mutation that an action called."""

    def take(self, event: Event) -> None:
        """Take the next event."""
        if event.request < 0 and event.kind not in {"restart", "boot"}:
            return
        if self._dashboard and (event.kind != "state" or event.detail[1] != CANCELED):
            self._nothing_to_cancel()
        handler = self._handlers.get(event.kind)
        if handler is not None:
            handler(event)
        if event.request >= 0:
            self.story.end_ns = max(self.story.end_ns, event.t_ns)

    def finish(self) -> Story:
        """Return the story, its entries in order of time."""
        story = self.story
        if not self._submitted:
            raise LookupError(f"the history has no request {story.request}")
        if self._dashboard:
            self._nothing_to_cancel()
        # What nobody was left to notice belongs to other requests.
        last_ns = story.end_ns
        story.restarts = [span for span in story.restarts if span[0] <= last_ns]
        story.entries = [entry for entry in story.entries if entry.t_ns <= last_ns]
        story.entries.sort(key=lambda entry: entry.t_ns)
        return story

    def _say(self, t_ns: int, who: str, text: str, rank: Rank = Rank.notable) -> Entry:
        entry = Entry(t_ns, who, text, rank=rank)
        self.story.entries.append(entry)
        self._line = entry
        return entry

    def _add(self, t_ns: int, who: str, text: str) -> None:
        """Add to the last entry if it is of this instant and by the same, or make a new one."""
        line = self._line
        if line is not None and line.t_ns == t_ns and line.who == who:
            line.text += f"; {text}"
        else:
            self._say(t_ns, who, text)

    # Mutations.

    def _submit(self, event: Event) -> None:
        self._submitted = True
        story = self.story
        story.retrier, story.submitted_ns = event.name, event.t_ns
        story.restarts = [span for span in story.restarts if span[1] is None or span[1] > event.t_ns]
        into = f", {span_text(event.t_ns)} into the run" if event.t_ns else ""
        self._say(event.t_ns, CALLER, f"submits request {event.request} to {event.name}{into}")

    def _job(self, event: Event) -> None:
        due_ns, state = event.detail
        worked = event.name in self._actions
        job = Job(event.subject, event.name, event.t_ns, max(due_ns, event.t_ns), state, worked=worked)
        if state == CANCELED:
            job.ended_ns = event.t_ns
            self._phrases.append(f"its job #{job.number} {job.name} is born canceled, as its parent was canceled")
        else:
            self._open[job.name] += 1
        self.story.jobs[job.number] = job
        self._created.append(job)

    def _callback(self, event: Event) -> None:
        self._phrases.append(f"onComplete is told {event.name}")

    def _callback_lost(self, event: Event) -> None:
        self._phrases.append(f"onComplete throws when told {event.name}, and is not told again")

    def _commit(self, event: Event) -> None:
        created, self._created = self._created, []
        phrases, self._phrases = self._phrases, []
        t_ns, name, story = event.t_ns, event.name, self.story
        for job in created:
            job.asked_ns = t_ns
        if any(job.name in self._actions for job in created):
            story.decisions_ns.append(t_ns)
        if event.subject >= 0:
            self._polled(event, created, phrases)
            return
        self._refused = None
        phrases += self._schedules(created, t_ns, "")
        words = ", ".join(phrases)
        if name in {"submit", "cancel"}:
            done = {"submit": "accepted", "cancel": "the cancel commits" if phrases else "nothing to cancel"}[name]
            line = self._line
            if line is None or line.t_ns != t_ns or line.who != CALLER or not phrases:
                words = f"{done}: {words}" if words else done
            self._add(t_ns, CALLER, words)
        else:
            words = words or ("settled already, changes nothing" if story.settled is not None else "commits")
            self._say(t_ns, self._called_by(name), f"{name}: {words}" if name else words, Rank.plain)

    def _called_by(self, name: str) -> str:
        """Say who calls a mutation that no job runs: the caller, or the action that runs."""
        return CALLER if self._running is None or name in {"submit", "cancel"} else self._running.name

    def _polled(self, event: Event, created: list[Job], phrases: list[str]) -> None:
        """Tell what one execution of a scheduled mutation saw and did."""
        story, t_ns, name = self.story, event.t_ns, event.name
        own = self._finish_job(event.subject, SUCCESS, t_ns)
        new = {job.number for job in created}
        read_jobs = [number for number, _ in event.detail.reads if isinstance(number, int) and number != event.subject]
        seen = [story.jobs[number] for number in read_jobs if number in story.jobs and number not in new]
        saw = SAW.get(seen[-1].state, seen[-1].state) if seen else ""
        if not saw and not created and story.settled is not None:
            saw = "settled already"
        again = all(job.name == name for job in created)
        quiet = saw if created and again and not phrases else ""
        phrases = [*phrases, *self._schedules(created, t_ns, name)]
        text = f"looks{late_words(own.due_ns, t_ns)}" + (f": {saw}" if saw else "")
        entry = self._say(t_ns, name, text, Rank.plain)
        entry.looks, entry.quiet = 1, quiet
        if quiet:
            entry.again = phrases[-1]
        if phrases:
            entry.text += f"{'; ' if saw else ': '}{', '.join(phrases)}"
        if created and not self._open[name]:
            entry.text += ", looks no more"
            entry.rank = Rank.notable
        story.polls.append(Poll(t_ns, name, LOOKED if quiet else ACTED))

    def _schedules(self, created: list[Job], t_ns: int, by: str) -> list[str]:
        """Say what a mutation scheduled."""
        phrases = []
        for job in created:
            when = when_words(job.due_ns - t_ns)
            if job.state == CANCELED:
                continue
            if job.name == by:
                phrases.append(f"looks again {when}")
            elif job.name in self._actions:
                phrases.append(f"{'next' if self.story.tries else 'first'} attempt {when}")
            else:
                first = not any(poll.name == job.name for poll in self.story.polls)
                phrases.append(f"{'first ' if first else ''}{job.name} {when}")
        return phrases

    def _settled(self, event: Event) -> None:
        story = self.story
        # A retrier may write down an earlier moment than that of its commit; the event then says which.
        story.settled = (event.detail if isinstance(event.detail, int) else event.t_ns, event.name)
        story.decisions_ns.append(event.t_ns)
        line = self._line
        words = SETTLES.get(event.name, f"settled: {event.name}")
        if line is not None and line.t_ns == event.t_ns and self.story.jobs:
            line.text += f"; {words}"
            line.rank = Rank.notable
        else:
            self._give_up(event.t_ns)
            self._say(event.t_ns, CLIENT, words)

    def _conflict(self, event: Event) -> None:
        self.story.conflicts += 1
        who = event.name if event.subject >= 0 else self._called_by(event.name)
        what = "" if who == event.name else f" of {event.name}"
        entry = self._say(event.t_ns, who, f"conflict{what}, runs again (rerun {event.detail})", Rank.plain)
        if event.subject < 0:
            self._refused = entry

    def _rolled_back(self, event: Event) -> None:
        self._created, self._phrases = [], []
        if event.subject < 0:
            self._say(event.t_ns, self._called_by(event.name), f"{event.name} throws: {event.detail}")
            return
        self._finish_job(event.subject, FAILED, event.t_ns)
        self.story.polls.append(Poll(event.t_ns, event.name, THREW))
        gone = [job for job in self.story.jobs.values() if str(event.detail) == f"job {job.number} not found"]
        why = str(event.detail)
        if gone and gone[0].ended_ns is not None:
            ago = span_text(event.t_ns - gone[0].ended_ns)
            why = f"the row of job #{gone[0].number} {gone[0].name}, which ended {ago} ago, is deleted"
        self._say(event.t_ns, event.name, f"throws: {why}")

    # Jobs.

    def _finish_job(self, number: int, state: str, t_ns: int) -> Job:
        job = self.story.jobs.get(number)
        if job is None:
            job = self.story.jobs[number] = Job(number, "", t_ns, t_ns)
        elif job.ended_ns is None:
            self._open[job.name] -= 1
        job.state, job.ended_ns = state, t_ns
        return job

    def _state(self, event: Event) -> None:
        before, after = event.detail
        job = self.story.jobs.get(event.subject)
        if job is None:
            return
        if after == IN_PROGRESS:
            job.state = after
            self._running = job
        elif after == CANCELED:
            self._finish_job(job.number, after, event.t_ns)
            runs_on = ", which runs on unheard" if before == IN_PROGRESS else " before it starts"
            words = f"cancels job #{job.number} {job.name}{runs_on}"
            if self._dashboard:
                self._add(event.t_ns, CALLER, words)
            else:
                self._phrases.append(words)
            self._dashboard = False
        elif before == IN_PROGRESS:
            self._finish_job(job.number, after, event.t_ns)
            if after == FAILED:
                self._job_failed(job, event.t_ns)

    def _job_failed(self, job: Job, t_ns: int) -> None:
        """Tell that the platform marks an action failed, with the end of its attempt if that is of this instant."""
        words = f"job #{job.number} {job.name} failed"
        if t_ns == self._booted_ns:
            words = f"the server is back; {words}"
        tried = next((tried for tried in reversed(self.story.tries) if tried.job is job), None)
        if self._refused is not None and self._refused.t_ns == t_ns:
            self._refused.text = self._refused.text.split(",", maxsplit=1)[0] + " once too often: not recorded"
            self._refused.rank, self._refused = Rank.notable, None
        if tried is None or tried.how == KILLED:
            self._say(t_ns, PLATFORM, words if tried is None else f"{words}: it ran when the server went down")
            return
        if tried.how == RETURNED:
            words += ": the success of its attempt is not recorded"
        line = self._line
        if tried.end_ns == t_ns and tried.how == THREW:
            return
        if line is not None and line.t_ns == t_ns and t_ns in {tried.end_ns, tried.lost_ns}:
            line.text += f"; {words}"
        else:
            self._say(t_ns, PLATFORM, words)

    # Attempts.

    def _attempt(self, event: Event) -> None:
        story, t_ns, job = self.story, event.t_ns, self._running
        self._give_up(t_ns)
        decided_ns = due_ns = t_ns
        text = f"attempt {event.subject} starts"
        if job is not None:
            decided_ns, due_ns = job.asked_ns, job.due_ns
            text += f" (job #{job.number}{late_words(due_ns, t_ns)})"
        elif story.sleep is not None:
            decided_ns, due_ns = story.sleep
            story.sleep = None
        story.tries.append(Try(event.subject, event.name, t_ns, job, decided_ns, due_ns))
        self._say(t_ns, ACTION, text, Rank.plain).starts = event.subject

    def _attempt_end(self, event: Event) -> None:
        story, t_ns, how = self.story, event.t_ns, event.name
        tried = story.tries[event.subject - 1]
        if how == DIED and story.restarts and story.restarts[-1] == (t_ns, None):
            how = KILLED
        tried.end_ns, tried.how = t_ns, how
        text = end_words(tried.number, tried.outcome, how, t_ns - tried.start_ns)
        if tried.lost_ns is not None:
            text += ", unseen"
        elif tried.given_up_ns is not None:
            text += ", and nobody waits for it any more"
        plain = how == THREW and tried.outcome == "fail"
        self._say(t_ns, ACTION, text, Rank.plain if plain else Rank.telling)

    def _lost(self, event: Event) -> None:
        tried = self.story.tries[event.subject - 1]
        tried.lost_ns = event.t_ns
        if tried.given_up_ns is None:
            self._say(event.t_ns, self._host(), f"contact with attempt {event.subject} is lost; it goes on")

    def _effect(self, event: Event) -> None:
        tried = self.story.tries[event.subject - 1]
        self.story.effects.append(Effect(event.t_ns, event.subject, event.name))
        text = effect_words(event.subject, event.name)
        if tried.end_ns is not None and tried.end_ns < event.t_ns:
            text += f", {span_text(event.t_ns - tried.end_ns)} after the attempt's end"
        self._say(event.t_ns, WORLD, text, Rank.telling)

    def _give_up(self, t_ns: int) -> None:
        """Infer that a client gave up the call in which it was, since it does something else now."""
        tried = self.story.tries[-1] if self.story.tries else None
        if tried is None or tried.job is not None:
            return
        if tried.end_ns is None and tried.lost_ns is None and tried.given_up_ns is None:
            tried.given_up_ns = t_ns
            waited = span_text(t_ns - tried.start_ns)
            text = f"stops waiting for attempt {tried.number} after {waited}; it goes on"
            self._say(t_ns, CLIENT, text, Rank.telling)

    # The rest.

    def _host(self) -> str:
        return PLATFORM if self.story.jobs else CLIENT

    def _cancel(self, event: Event) -> None:
        self.story.cancels.append((event.t_ns, event.name))
        self._dashboard = event.name != "request" and bool(self.story.jobs)
        self._say(event.t_ns, CALLER, CANCELS.get(event.name, f"cancel of the {event.name}"))

    def _nothing_to_cancel(self) -> None:
        self._dashboard = False
        if self._line is not None:
            self._line.text += "; nothing to cancel"

    def _cancel_answer(self, event: Event) -> None:
        if event.detail is not None:
            self._add(event.t_ns, CALLER, f"cancel answers {str(event.detail).lower()}")

    def _sleep(self, event: Event) -> None:
        self._give_up(event.t_ns)
        self.story.sleep = (event.t_ns, event.t_ns + event.detail)
        self._say(event.t_ns, CLIENT, f"sleeps {span_text(event.detail)}", Rank.plain)

    def _system_error(self, event: Event) -> None:
        job = f"job #{event.subject} {event.name}"
        what = {
            "start": f"{job} is put back and runs later",
            f"mutation {event.name}": f"{job} is put back and runs later",
            "end": f"the end of {job} is not written, tried again later",
            "execution": f"this execution of {job} will die",
        }.get(event.detail, f"{str(event.detail).removeprefix('mutation ')} by {job} is lost")
        self._say(event.t_ns, PLATFORM, f"system error: {what}", Rank.telling)

    def _restart(self, event: Event) -> None:
        story, down_ns = self.story, event.detail
        story.restarts.append((event.t_ns, None))
        if not self._submitted or not story.jobs:
            return
        self._say(event.t_ns, PLATFORM, f"restart: down for {span_text(down_ns)}")

    def _boot(self, event: Event) -> None:
        story = self.story
        from_ns = story.restarts.pop()[0] if story.restarts else event.t_ns
        story.restarts.append((from_ns, event.t_ns))
        self._booted_ns = event.t_ns

    def _runaway(self, event: Event) -> None:
        self.story.runaway = event.name
        self._say(event.t_ns, PLATFORM, f"runs into the limit of {event.name}")
