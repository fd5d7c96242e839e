"""The jobs of a request, in plain words: which are born canceled, are canceled later, or fail.

That a job is scheduled, looks at others or runs an attempt is told where it happens: `sim.stories.mutations` and
`sim.stories.attempts`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sim.history.deployment_events import JobCreated, JobStepped
from sim.history.vocabulary import CANCELED, FAILED, IN_PROGRESS, RETURNED, THREW
from sim.stories.phrases import KILLED, PLATFORM
from sim.stories.pools import POOL_JOBS
from sim.stories.story import Job, Rank

if TYPE_CHECKING:
    from sim.history.events import Event
    from sim.history.index import Index
    from sim.stories.people import ByPeople
    from sim.stories.platform import ByPlatform
    from sim.stories.story import Entry
    from sim.stories.telling import Telling


class OfJobs:
    """Knows the jobs of a request, and tells what becomes of them."""

    def __init__(
        self, telling: Telling, index: Index, people: ByPeople, platform: ByPlatform, *, in_pool: bool
    ) -> None:
        self._telling = telling
        self._story = telling.story
        self._index = index
        self._people = people
        self._platform = platform
        self._in_pool = in_pool
        self.actions = {"action", *(job.name for job in index.jobs.values() if job.started is not None)}
        """Names of functions whose jobs are actions."""
        self.running: Job | None = None
        """The action job that started last."""
        self.open: Counter[str] = Counter()
        """How many jobs of each name are pending or running."""
        self.refused: Entry | None = None
        """The latest conflict of a mutation that an action called."""

    def take(self, event: Event) -> None:
        """Take an event; those that change no job are left to others."""
        if isinstance(event, JobCreated):
            self._created(event)
        elif isinstance(event, JobStepped):
            self.stepped(event)

    def finish(self, number: int, state: str, t_ns: int) -> Job:
        """Note that a job has ended."""
        job = self._story.jobs.get(number)
        if job is None:
            job = self._story.jobs[number] = Job(number, "", t_ns, t_ns)
        elif job.ended_ns is None:
            self.open[job.name] -= 1
        job.state, job.ended_ns = state, t_ns
        return job

    def stepped(self, event: JobStepped) -> None:
        """Tell that the state of a job changes, if it is a job of this story."""
        before, after = event.before, event.after
        job = self._story.jobs.get(event.job)
        if job is None:
            return
        if after == IN_PROGRESS:
            job.state = after
            self.running = job
        elif after == CANCELED:
            self.finish(job.number, after, event.t_ns)
            self._canceled(job, before, event.t_ns)
        elif before == IN_PROGRESS:
            self.finish(job.number, after, event.t_ns)
            if after == FAILED:
                self._failed(job, event.t_ns)

    def _created(self, event: JobCreated) -> None:
        due_ns, worked = max(event.due_ns, event.t_ns), event.function in self.actions
        by = self._index.jobs[event.job].by
        asked_ns = event.t_ns if by is None else by.event.t_ns
        job = Job(event.job, event.function, asked_ns, due_ns, event.state, worked=worked)
        if event.state == CANCELED:
            job.ended_ns = event.t_ns
            self._telling.phrases.append(
                f"its job #{job.number} {job.name} is born canceled, as its parent was canceled"
            )
        else:
            self.open[job.name] += 1
        self._story.jobs[job.number] = job

    def _canceled(self, job: Job, before: str, t_ns: int) -> None:
        runs_on = ", which runs on unheard" if before == IN_PROGRESS else " before it starts"
        words = f"cancels job #{job.number} {job.name}{runs_on}"
        who = self._people.who_cancels(job.name)
        if who:
            self._telling.add(t_ns, who, words)
        elif not (self._in_pool and job.name in POOL_JOBS):
            self._telling.phrases.append(words)

    def _failed(self, job: Job, t_ns: int) -> None:
        """Tell that the platform marks an action failed, with the end of its attempt if that is of this instant."""
        words = f"job #{job.number} {job.name} failed"
        if t_ns == self._platform.booted_ns:
            words = f"the server is back; {words}"
        tried = next((tried for tried in reversed(self._story.tries) if tried.job is job), None)
        if self.refused is not None and self.refused.t_ns == t_ns:
            self.refused.text = self.refused.text.split(",", maxsplit=1)[0] + " once too often: not recorded"
            self.refused.rank, self.refused = Rank.notable, None
        if tried is None or tried.how == KILLED:
            text = words if tried is None else f"{words}: it ran when the server went down"
            self._telling.say(t_ns, PLATFORM, text)
            return
        if tried.how == RETURNED:
            words += ": the success of its attempt is not recorded"
        if tried.end_ns == t_ns and tried.how == THREW:
            return
        line = self._telling.line_at(t_ns)
        if line is not None and t_ns in {tried.end_ns, tried.lost_ns}:
            line.text += f"; {words}"
        else:
            self._telling.say(t_ns, PLATFORM, words)
