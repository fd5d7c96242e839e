"""From a history to a story: reads the events of one request, in order, and has each told where its kind is known.

People, the platform, jobs, mutations and attempts have a module each, as services, policies and pools have. Which
commit created a job and which job ran an attempt the index says (`sim.history.index`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.history.deployment_events import JobStepped, MutationCommitted, OperatorActed, ServerBooted, ServerDied
from sim.history.events import Settled
from sim.history.index import Index
from sim.stories.attempts import OfAttempts
from sim.stories.jobs import OfJobs
from sim.stories.mutations import ByMutations
from sim.stories.people import ByPeople
from sim.stories.phrases import CLIENT, SETTLES
from sim.stories.platform import ByPlatform
from sim.stories.policies import ByPolicy
from sim.stories.pools import LOOP, AtPool
from sim.stories.services import AtServices
from sim.stories.story import Job, Rank, Story
from sim.stories.telling import Telling

if TYPE_CHECKING:
    from sim.history.events import Event
    from sim.history.recorder import History
    from sim.stories.pools import Step


OF_ALL = ServerDied | ServerBooted | OperatorActed
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
        self._telling = telling = Telling(self.story)
        self._services = AtServices(index, self.story, telling.say)
        self._policy = ByPolicy(self.story, telling.say)
        self._people = ByPeople(telling, in_pool=pool.found)
        self._platform = ByPlatform(telling, self._people)
        self._jobs = OfJobs(telling, index, self._people, self._platform, in_pool=pool.found)
        self._mutations = ByMutations(telling, index, self._jobs, in_pool=pool.found)
        self._attempts = OfAttempts(telling, index, self._policy, self._platform, in_pool=pool.found)

    def take(self, at: int, event: Event) -> None:
        """Take the next event."""
        for step in self._pool.steps.get(at, ()):
            self._at_pool(step)
        self._services.take(event)
        self._policy.take(event)
        if not isinstance(event, JobStepped):
            self._people.operator_is_done()
        if event.request < 0 and not isinstance(event, OF_ALL):
            return
        self._people.nothing_more_to_cancel(event)
        if isinstance(event, MutationCommitted):
            self._mutations.committed(at)
        elif isinstance(event, Settled):
            self._settled(event)
        else:
            for teller in (self._people, self._platform, self._jobs, self._mutations, self._attempts):
                teller.take(event)
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
        if not self._people.submitted:
            raise LookupError(f"the history has no request {story.request}")
        self._people.nothing_more_to_cancel(None)
        # Events after the request's last one belong to other requests.
        last_ns = story.end_ns
        story.restarts = [span for span in story.restarts if span[0] <= last_ns]
        story.entries = [entry for entry in story.entries if entry.t_ns <= last_ns]
        story.entries.sort(key=lambda entry: entry.t_ns)
        return story

    def _at_pool(self, step: Step | JobStepped) -> None:
        """Tell what the pool did for the work of this request, and what became of a job that it shares."""
        if isinstance(step, JobStepped):
            self._jobs.stepped(step)
            return
        story = self.story
        story.end_ns = max(story.end_ns, step.t_ns)
        if step.own:
            self._telling.phrases.append(step.text)
            return
        if step.job is not None:
            number, name = step.job
            story.jobs.setdefault(number, Job(number, name, step.t_ns, step.t_ns, worked=True))
        story.decisions_ns.append(step.t_ns)
        self._telling.add(step.t_ns, step.who, step.text)

    def _settled(self, event: Settled) -> None:
        """Tell how the request ends; a client waits then for none of its attempts."""
        story, in_pool = self.story, self._pool.found
        # A retrier may write down an earlier moment than that of its commit; the event then says which.
        story.settled = (event.t_ns if event.since_ns is None else event.since_ns, event.outcome)
        story.decisions_ns.append(event.t_ns)
        line = self._telling.line_at(event.t_ns)
        words = SETTLES.get(event.outcome, f"settled: {event.outcome}")
        if line is not None and (story.jobs or in_pool):
            line.text += f"; {words}"
            line.rank = Rank.notable
        else:
            for tried in story.tries:
                self._attempts.waits_no_more(tried, event.t_ns)
            self._telling.say(event.t_ns, "complete" if in_pool else CLIENT, words)
