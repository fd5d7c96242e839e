"""From a history to a story: reads the events of one request, in order, and puts them into plain words.

What a mutation read, scheduled and settled is one entry. Which commit created a job and which job ran an attempt the
index says (`sim.history.index`).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, ClassVar

from sim.history import deployment_events, events
from sim.history.index import Index
from sim.history.vocabulary import (
    CANCELED,
    DIED,
    FAILED,
    IN_PROGRESS,
    IN_USE,
    OF_THE_REQUEST,
    REJECTED,
    RETURNED,
    SILENT,
    SUCCESS,
    THREW,
    missing_job,
)
from sim.stories.phrases import (
    ACTION,
    CALLER,
    CANCELS,
    CLIENT,
    KILLED,
    OPERATOR,
    PLATFORM,
    SAW,
    SETTLES,
    WITH_OTHERS,
    WORLD,
    effect_words,
    end_words,
    late_words,
    operator_words,
    span_text,
    wait_words,
    when_words,
    woken_words,
)
from sim.stories.policies import ByPolicy
from sim.stories.pools import LOOP, ON_COMPLETE, POOL_JOBS, WORKERS, AtPool, Step
from sim.stories.services import AtServices
from sim.stories.story import ACTED, LOOKED, Effect, Entry, Job, Poll, Rank, Story, Try

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.history.entities import Commit
    from sim.history.recorder import History


OF_ALL = deployment_events.ServerDied | deployment_events.ServerBooted | deployment_events.OperatorActed
"""What befalls all requests of a deployment, and belongs to none."""


def read(history: History, request: int) -> Story:
    """Read the story of one request; LookupError if the history has none of that number."""
    reader = _Reader(Index(history.of_request(request)), request, AtPool.of(history, request))
    for at, event in enumerate(reader.index.events):
        reader.take(at, event)
    return reader.finish()


class _Reader:
    """Takes the events of one request, in order."""

    def __init__(self, index: Index, request: int, pool: AtPool) -> None:
        self.index = index
        self.story = Story(request)
        self._pool = pool
        self._actions = {"action", *(job.name for job in index.jobs.values() if job.started is not None)}
        """Names of functions whose jobs are actions."""
        self._commits = {commit.at: commit for commit in index.commits}
        self._services = AtServices(index, self.story, self._say)
        self._policy = ByPolicy(self.story, self._say)
        self._submitted = False
        self._running: Job | None = None
        """The action job that started last."""
        self._open: Counter[str] = Counter()
        """How many jobs of each name are pending or running."""
        self._phrases: list[str] = []
        """What the mutation that is being read did besides scheduling."""
        self._dashboard = False
        """Whether an operator has just canceled a job; the change of its state, if any, comes next."""
        self._operated: deployment_events.OperatorActed | None = None
        """What an operator has just done to the deployment; the jobs that this cancels come next."""
        self._struck: set[int] = set()
        """Jobs whose executions a system error kills."""
        self._booted_ns = -1
        self._line: Entry | None = None
        """The entry that what follows at the same instant may add to."""
        self._refused: Entry | None = None
        """The latest conflict of a mutation that an action called."""

    def take(self, at: int, event: events.Event) -> None:
        """Take the next event."""
        for step in self._pool.steps.get(at, ()):
            self._at_pool(step)
        self._services.take(event)
        self._policy.take(event)
        if not isinstance(event, deployment_events.JobStepped):
            self._operated = None
        if event.request < 0 and not isinstance(event, OF_ALL):
            return
        if self._dashboard and not (isinstance(event, deployment_events.JobStepped) and event.after == CANCELED):
            self._nothing_to_cancel()
        if isinstance(event, deployment_events.MutationCommitted):
            self._commit(self._commits[at])
        elif (tell := self._tells.get(type(event))) is not None:
            tell(self, event)
        if event.request >= 0:
            self.story.end_ns = max(self.story.end_ns, event.t_ns)

    def finish(self) -> Story:
        """Return the story, its entries in order of time."""
        story = self.story
        for step in self._pool.steps.get(len(self.index.events), ()):
            self._at_pool(step)
        if self._pool.found:
            story.phase = self._pool.phase
            story.pool_is_shared = not any(job.name == LOOP for job in story.jobs.values())
        if not self._submitted:
            raise LookupError(f"the history has no request {story.request}")
        if self._dashboard:
            self._nothing_to_cancel()
        # Events after the request's last one belong to other requests.
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

    def _at_pool(self, step: Step | deployment_events.JobStepped) -> None:
        """Tell what the pool did for the work of this request, and what became of a job that it shares."""
        if isinstance(step, deployment_events.JobStepped):
            self._state(step)
            return
        story = self.story
        story.end_ns = max(story.end_ns, step.t_ns)
        if step.own:
            self._phrases.append(step.text)
            return
        if step.job is not None:
            number, name = step.job
            story.jobs.setdefault(number, Job(number, name, step.t_ns, step.t_ns, worked=True))
        story.decisions_ns.append(step.t_ns)
        line = self._line
        if line is not None and line.t_ns == step.t_ns and line.who == step.who:
            line.text += f"; {step.text}"
        else:
            self._say(step.t_ns, step.who, step.text)

    # Mutations.

    def _submit(self, event: events.Submitted) -> None:
        self._submitted = True
        story = self.story
        story.retrier, story.submitted_ns = event.retrier, event.t_ns
        story.restarts = [span for span in story.restarts if span[1] is None or span[1] > event.t_ns]
        into = f", {span_text(event.t_ns)} into the run" if event.t_ns else ""
        who = f" for client {event.client}" if event.client >= 0 else ""
        of = "" if event.caller_class is None else f" of class {event.caller_class}"
        self._say(event.t_ns, CALLER, f"submits request {event.request}{of}{who} to {event.retrier}{into}")

    def _resubmit(self, event: events.Resubmitted) -> None:
        story = self.story
        story.settled = None
        why = "has heard nothing" if event.reason == SILENT else "was told of a failure"
        self._say(event.t_ns, CALLER, f"{why}, submits the request again (submission {event.submission})")

    def _job(self, event: deployment_events.JobCreated) -> None:
        due_ns, worked = max(event.due_ns, event.t_ns), event.function in self._actions
        by = self.index.jobs[event.job].by
        asked_ns = event.t_ns if by is None else by.event.t_ns
        job = Job(event.job, event.function, asked_ns, due_ns, event.state, worked=worked)
        if event.state == CANCELED:
            job.ended_ns = event.t_ns
            self._phrases.append(f"its job #{job.number} {job.name} is born canceled, as its parent was canceled")
        else:
            self._open[job.name] += 1
        self.story.jobs[job.number] = job

    def _callback(self, event: events.CallbackRan) -> None:
        self._phrases.append(f"onComplete is told {event.result}")

    def _callback_lost(self, event: events.CallbackThrew) -> None:
        self._phrases.append(f"onComplete throws when told {event.result}, and is not told again")

    def _noted(self, event: deployment_events.Noted) -> None:
        if event.what == "callback_scheduled":
            self._phrases.append(f"onComplete throws when told {event.name}")

    def _commit(self, commit: Commit) -> None:
        event, story = commit.event, self.story
        phrases, self._phrases = self._phrases, []
        t_ns, name = event.t_ns, event.function
        created = [story.jobs[job.id] for job in commit.created]
        if any(job.name in self._actions for job in created):
            story.decisions_ns.append(t_ns)
        if event.job >= 0 and self._pool.found:
            self._served(event, [*phrases, *self._schedules(created, t_ns, name)])
            return
        if event.job >= 0:
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

    def _served(self, event: deployment_events.MutationCommitted, phrases: list[str]) -> None:
        """Tell what a scheduled function of a pool did, if it serves this request alone."""
        self._finish_job(event.job, SUCCESS, event.t_ns)
        self.story.polls.append(Poll(event.t_ns, event.function, ACTED, self._counts(event.function)))
        if event.function not in POOL_JOBS and (phrases or event.function not in WORKERS):
            self._say(event.t_ns, event.function, ", ".join(phrases or ["runs"]))

    def _polled(self, event: deployment_events.MutationCommitted, created: list[Job], phrases: list[str]) -> None:
        """Tell what one execution of a scheduled mutation saw and did."""
        story, t_ns, name = self.story, event.t_ns, event.function
        own = self._finish_job(event.job, SUCCESS, t_ns)
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
        entry = self._say(t_ns, name, text, Rank.plain)
        entry.looks, entry.quiet = int(polls), quiet
        if quiet:
            entry.again = phrases[-1]
        if phrases:
            entry.text += f"{'; ' if saw else ': '}{', '.join(phrases)}"
        if created and not self._open[name]:
            entry.text += f", {'looks' if polls else 'runs'} no more"
            entry.rank = Rank.notable
        story.polls.append(Poll(t_ns, name, LOOKED if quiet else ACTED, polls))

    def _counts(self, function: str) -> bool:
        """Tell whether the executions of a scheduled mutation count as polls; if that is unknown, all do."""
        polls = self.index.history.polls
        return polls is None or function in polls

    def _schedules(self, created: list[Job], t_ns: int, by: str) -> list[str]:
        """Say what a mutation scheduled."""
        phrases = []
        for job in created:
            when = when_words(job.due_ns - t_ns)
            if job.state == CANCELED:
                continue
            if self._pool.found:
                phrases += [f"{job.name} is scheduled"] if job.name == ON_COMPLETE else []
                continue
            if job.name == by:
                phrases.append(f"{'looks' if self._counts(by) else 'runs'} again {when}")
            elif job.name in self._actions:
                phrases.append(f"{'next' if self.story.tries else 'first'} attempt {when}")
            else:
                first = not any(poll.name == job.name for poll in self.story.polls)
                phrases.append(f"{'first ' if first else ''}{job.name} {when}")
        return phrases

    def _settled(self, event: events.Settled) -> None:
        story = self.story
        # A retrier may write down an earlier moment than that of its commit; the event then says which.
        story.settled = (event.t_ns if event.since_ns is None else event.since_ns, event.outcome)
        story.decisions_ns.append(event.t_ns)
        line = self._line
        words = SETTLES.get(event.outcome, f"settled: {event.outcome}")
        if line is not None and line.t_ns == event.t_ns and (self.story.jobs or self._pool.found):
            line.text += f"; {words}"
            line.rank = Rank.notable
        else:
            for tried in story.tries:
                self._waits_no_more(tried, event.t_ns)
            self._say(event.t_ns, "complete" if self._pool.found else CLIENT, words)

    def _conflict(self, event: deployment_events.CommitRefused) -> None:
        self.story.conflicts += 1
        function = event.function
        if self._pool.found and function in POOL_JOBS:
            return
        who = function if event.job >= 0 else self._called_by(function)
        what = "" if who == function else f" of {function}"
        entry = self._say(event.t_ns, who, f"conflict{what}, runs again (rerun {event.rerun})", Rank.plain)
        if event.job < 0:
            self._refused = entry

    def _threw(self, event: deployment_events.FunctionThrew) -> None:
        self._phrases = []
        if event.job < 0:
            self._say(event.t_ns, self._called_by(event.function), f"{event.function} throws: {event.error}")
            return
        self._finish_job(event.job, FAILED, event.t_ns)
        self.story.polls.append(Poll(event.t_ns, event.function, THREW, self._counts(event.function)))
        why, number = event.error, missing_job(event.error)
        gone = None if number is None else self.story.jobs.get(number)
        if gone is not None and gone.ended_ns is not None:
            ago = span_text(event.t_ns - gone.ended_ns)
            why = f"the row of job #{gone.number} {gone.name}, which ended {ago} ago, is deleted"
        if self._pool.found and event.function == ON_COMPLETE:
            why = f"{why}; it is not run again"
        self._say(event.t_ns, event.function, f"throws: {why}")

    # Jobs.

    def _finish_job(self, number: int, state: str, t_ns: int) -> Job:
        job = self.story.jobs.get(number)
        if job is None:
            job = self.story.jobs[number] = Job(number, "", t_ns, t_ns)
        elif job.ended_ns is None:
            self._open[job.name] -= 1
        job.state, job.ended_ns = state, t_ns
        return job

    def _state(self, event: deployment_events.JobStepped) -> None:
        before, after = event.before, event.after
        job = self.story.jobs.get(event.job)
        if job is None:
            return
        if after == IN_PROGRESS:
            job.state = after
            self._running = job
        elif after == CANCELED:
            self._finish_job(job.number, after, event.t_ns)
            runs_on = ", which runs on unheard" if before == IN_PROGRESS else " before it starts"
            words = f"cancels job #{job.number} {job.name}{runs_on}"
            by_operator = self._operated is not None and job.name in self._operated.detail.get("functions", ())
            if self._pool.found and job.name in POOL_JOBS and not (self._dashboard or by_operator):
                return
            if by_operator:
                self._add(event.t_ns, OPERATOR, words)
            elif self._dashboard:
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

    def _attempt(self, event: events.AttemptStarted) -> None:
        story, t_ns, job = self.story, event.t_ns, self.story.jobs.get(event.job)
        decided_ns = due_ns = t_ns
        text = f"attempt {event.attempt} starts"
        if job is not None:
            decided_ns, due_ns = job.asked_ns, job.due_ns
            text += f" (job #{job.number}{late_words(due_ns, t_ns)})"
        elif story.sleep is not None:
            decided_ns, due_ns = story.sleep
            story.sleep = None
        story.tries.append(Try(event.attempt, event.outcome, t_ns, job, decided_ns, due_ns))
        self._say(t_ns, ACTION, text, Rank.plain).starts = event.attempt

    def _attempt_end(self, event: events.AttemptEnded) -> None:
        story, t_ns, how = self.story, event.t_ns, str(event.end)
        tried = story.tries[event.attempt - 1]
        if how == DIED and story.restarts and story.restarts[-1] == (t_ns, None):
            how = KILLED
        alone = tried.job is None or tried.job.number in self._struck or not self._pool.found
        if how == DIED and not alone and not tried.outcome.startswith("crash"):
            how = WITH_OTHERS
        tried.end_ns, tried.how, tried.failure = t_ns, how, event.failure
        text = end_words(tried.number, tried.outcome, how, t_ns - tried.start_ns, event.failure)
        if tried.lost_ns is not None:
            text += ", unseen"
        elif tried.given_up_ns is not None:
            text += ", but no caller waits for it any more"
        usual = tried.outcome == "fail" or tried.outcome.startswith(REJECTED)
        plain = how == THREW and usual and not (event.failure is not None and event.failure.final)
        self._say(t_ns, ACTION, text, Rank.plain if plain else Rank.telling)

    def _by_key(self, event: events.DecidedByKey) -> None:
        why = "another call is at work" if event.name == IN_USE else "it gets the first answer again"
        self._say(event.t_ns, WORLD, f"the key of attempt {event.attempt} is known: {why}", Rank.telling)

    def _lost(self, event: events.ContactLost) -> None:
        tried = self.story.tries[event.attempt - 1]
        tried.lost_ns = event.t_ns
        if tried.given_up_ns is None:
            self._say(event.t_ns, self._host(), f"contact with attempt {event.attempt} is lost; it goes on")

    def _effect(self, event: events.EffectMade) -> None:
        tried = self.story.tries[event.attempt - 1]
        self.story.effects.append(Effect(event.t_ns, event.attempt, event.effect))
        text = effect_words(event.attempt, event.effect)
        if tried.end_ns is not None and tried.end_ns < event.t_ns:
            text += f", {span_text(event.t_ns - tried.end_ns)} after the attempt's end"
        self._say(event.t_ns, WORLD, text, Rank.telling)

    def _given_up(self, event: events.CallGivenUp) -> None:
        self._waits_no_more(self.story.tries[event.attempt - 1], event.t_ns)

    def _waits_no_more(self, tried: Try, t_ns: int) -> None:
        """Tell that a client waits no longer for a call that goes on: after its timeout, or as it has concluded."""
        over = (tried.end_ns, tried.lost_ns, tried.given_up_ns) != (None, None, None)
        if tried.job is None and not over:
            tried.given_up_ns = t_ns
            waited = span_text(t_ns - tried.start_ns)
            text = f"stops waiting for attempt {tried.number} after {waited}; it goes on"
            self._say(t_ns, CLIENT, text, Rank.telling)

    # The rest.

    def _host(self) -> str:
        return PLATFORM if self.story.jobs else CLIENT

    def _cancel(self, event: events.CancelAsked) -> None:
        self.story.cancels.append((event.t_ns, event.target))
        self._dashboard = event.target != OF_THE_REQUEST and bool(self.story.jobs)
        self._say(event.t_ns, CALLER, CANCELS[event.target])

    def _nothing_to_cancel(self) -> None:
        self._dashboard = False
        if self._line is not None:
            self._line.text += "; nothing to cancel"

    def _cancel_answer(self, event: events.CancelAnswered) -> None:
        if event.answer is not None:
            self._add(event.t_ns, CALLER, f"cancel answers {str(event.answer).lower()}")

    def _sleep(self, event: events.SleepStarted) -> None:
        self.story.sleep = (event.t_ns, event.t_ns + event.duration_ns)
        if self._policy.told_sleep_ns != event.t_ns:
            self._say(event.t_ns, CLIENT, wait_words(event), Rank.plain)

    def _woken(self, event: events.GuestWoken) -> None:
        request = self.index.requests[event.request]
        at = next((at for at, (_, woken) in request.cuts.items() if woken is event), None)
        cut = next((sleep for place, sleep in request.sleeps if place == at), None)
        if cut is not None and self.story.sleep is not None:
            self.story.sleep = (cut.t_ns, event.t_ns)
        self._say(event.t_ns, CLIENT, woken_words(event, cut), Rank.plain)

    def _system_error(self, event: deployment_events.SystemErrorStruck) -> None:
        job = f"job #{event.job} {event.function}"
        what = {
            "start": f"{job} is put back and runs later",
            f"mutation {event.function}": f"{job} is put back and runs later",
            "end": f"the end of {job} is not written, tried again later",
            "execution": f"this execution of {job} will die",
        }.get(event.struck, f"{event.struck.removeprefix('mutation ')} by {job} is lost")
        if event.struck == "execution":
            self._struck.add(event.job)
        self._say(event.t_ns, PLATFORM, f"system error: {what}", Rank.telling)

    def _operator(self, event: deployment_events.OperatorActed) -> None:
        self._operated = event
        story = self.story
        if self._submitted and (story.jobs or self._pool.found) and story.settled is None:
            self._say(event.t_ns, OPERATOR, operator_words(event.name, event.detail))
            if self._pool.found:
                story.end_ns = max(story.end_ns, event.t_ns)  # the work may wait for ever for what this has stopped

    def _restart(self, event: deployment_events.ServerDied) -> None:
        story = self.story
        story.restarts.append((event.t_ns, None))
        if self._submitted and story.jobs:
            self._say(event.t_ns, PLATFORM, f"restart: down for {span_text(event.down_ns)}")

    def _boot(self, event: deployment_events.ServerBooted) -> None:
        story = self.story
        from_ns = story.restarts.pop()[0] if story.restarts else event.t_ns
        story.restarts.append((from_ns, event.t_ns))
        self._booted_ns = event.t_ns

    def _runaway(self, event: events.RanAway) -> None:
        self.story.runaway = event.limit
        self._say(event.t_ns, PLATFORM, f"runs into the limit of {event.limit}")

    _tells: ClassVar[dict[type[events.Event], Callable[..., None]]] = {
        events.Submitted: _submit,
        events.Resubmitted: _resubmit,
        deployment_events.JobCreated: _job,
        deployment_events.JobStepped: _state,
        events.CallbackRan: _callback,
        events.CallbackThrew: _callback_lost,
        deployment_events.Noted: _noted,
        events.Settled: _settled,
        deployment_events.CommitRefused: _conflict,
        deployment_events.FunctionThrew: _threw,
        events.AttemptStarted: _attempt,
        events.AttemptEnded: _attempt_end,
        events.CallGivenUp: _given_up,
        events.ContactLost: _lost,
        events.DecidedByKey: _by_key,
        events.EffectMade: _effect,
        events.CancelAsked: _cancel,
        events.CancelAnswered: _cancel_answer,
        events.SleepStarted: _sleep,
        events.GuestWoken: _woken,
        deployment_events.SystemErrorStruck: _system_error,
        deployment_events.OperatorActed: _operator,
        deployment_events.ServerDied: _restart,
        deployment_events.ServerBooted: _boot,
        events.RanAway: _runaway,
    }
    """What tells each kind of event besides a commit; draws, writes and notes have no place of their own."""
