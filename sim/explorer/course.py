"""One course of a small world: a run that asks a guide about everything that could go otherwise.

It asks for the outcomes of attempts, the values of every stream of numbers, and the order of what is due at one
instant; between any two steps, whether the server dies or a request is canceled; and inside a step, between any two
durable events, whether the server dies there. The requests of an isolated scenario share one deployment here, and with
it its retrier; clients outside of it have a retrier each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.clients.client import Client
from sim.convex.jobs import Job
from sim.convex.server import UNLIMITED
from sim.engine.world import World
from sim.explorer.guided import GuidedChoices, NoSuchAnswer, WrittenGuide
from sim.explorer.service_state import is_idle
from sim.history.recorder import History, Recorder
from sim.history.vocabulary import NEVER
from sim.world.crash_points import CrashPoints
from sim.world.witness import ServerDied

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sim.explorer.guided import Guide
    from sim.history.request import Request
    from sim.kernel.clock import QueueEntry
    from sim.retriers.base import Retrier
    from sim.scenario.parts.course import Bounds
    from sim.scenario.schema import Scenario

DEATH = "death"
ORDER = "order"
INTERRUPT = "interrupt"


class CourseWitness(CrashPoints):
    """Asks whether the server dies between two durable events; if it listens, remembers what handlers learn."""

    def __init__(self, dies: Callable[[], bool], *, listens: bool) -> None:
        super().__init__(dies)
        self._listens = listens
        self._learned: dict[object, list[tuple[Any, ...]]] = {}

    def learned(self, learner: Any, what: str, value: Any) -> None:
        """Note what an execution's handler or a client's loop learns; all that guests of one process learn is one."""
        if not self._listens:
            return
        learns = _learns(learner)
        if learns is learner:
            self._learned.setdefault(learner, []).append((what, value))
        else:
            request = learner.request
            self._learned.setdefault(learns, []).append((request.number, request.submission, what, value))

    def learned_by(self, learner: object) -> list[tuple[Any, ...]]:
        """Return all that it has learned, in order; of a guest, all that its process has."""
        return self._learned.get(_learns(learner), [])


def _learns(learner: object) -> object:
    """Return what learns with a learner: itself, or the process of a guest's client."""
    process = learner.process if isinstance(learner, Client) else None
    return learner if process is None else process


def around(cell: Scenario, retrier: Callable[[], Retrier] | Retrier | None = None) -> AbstractContextManager[Any]:
    """Return what to enter once for many courses of a small world: each of their steps enters it too."""
    return World(cell, retrier=retrier).around()


class Course:
    """A small world that runs step by step, as a guide answers."""

    def __init__(
        self,
        cell: Scenario,
        bounds: Bounds,
        guide: Guide | None = None,
        *,
        retrier: Callable[[], Retrier] | Retrier | None = None,
        listens: bool = False,
    ) -> None:
        """Put the world together, undisturbed if there is no guide; `listens` keeps what handlers learn, for states."""
        self.bounds = bounds
        self.choices = GuidedChoices(
            WrittenGuide(values=bounds.values) if guide is None else guide, attempts_at_most=bounds.attempts
        )
        self.questions = self.choices.asked
        """What has been asked so far."""
        self.recorder = Recorder()
        self.witness = CourseWitness(self._dies_in_step, listens=listens)
        self.world = world = World(
            cell,
            retrier=retrier,
            recorder=self.recorder,
            choices=self.choices,
            witness=self.witness,
            schedules_cancels=False,
        )
        self.deployed = any(world.retriers.deployed())
        self.crashes_left = bounds.crashes if self.deployed else 0
        self.cancels_left = [bounds.cancels if cell.cancel is not None else 0] * bounds.requests
        self.steps = 0
        self.cut = False
        """Whether the bound of steps ended the run."""
        server = world.deployment.server
        self._in_order = server.parallelism < UNLIMITED
        self._idle_is_safe = server.immediate and not server.dispatches and not bounds.down
        with world.around():
            self.requests: list[Request] = world.open(at_most=bounds.requests)

    def step(self) -> bool:
        """Let one thing happen: an interruption, or what is due next. Return False if nothing is left or may happen."""
        with self.world.around():
            return self._step()

    def _step(self) -> bool:
        clock = self.world.clock
        if clock.drained:
            return False
        until_ns = self.world.until_ns
        if until_ns is not None and clock.next_timers()[0][0] > until_ns:
            return False
        if self.steps >= self.bounds.steps:
            self.cut = True
            return False
        self.steps += 1
        if not self._interrupted():
            timers = self._candidates(clock.next_timers())
            timer = timers[self.choices.pick(len(timers), ORDER) if self.bounds.orders else 0]
            self.witness.new_step()
            try:
                clock.fire(timer)
            except ServerDied:
                self._die()
        return True

    def run(self) -> Course:
        """Go on to the end. Raises NoSuchAnswer if the answers do not fit the questions."""
        try:
            while self.step():
                pass
            self.conclude()
        except BaseException:
            self.end()
            raise
        asked = len(self.questions)
        unused = [question for question in self.choices.guide.answers if question >= asked]
        if unused:
            raise NoSuchAnswer(f"question {unused[0]} is never asked; there are {asked} questions")
        return self

    def conclude(self) -> None:
        """Give each request that has not settled the outcome that the world proves. Call it when no step is left."""
        self.world.conclude(self.requests)

    def leave(self) -> None:
        """Let the records tell the history so far, if the course goes no further although steps are left."""
        self.world.deal_out(self.requests)

    def end(self) -> None:
        """Stop the guests that still run. Call it when nothing is asked of the course any more."""
        self.world.leave()

    def history(self) -> History:
        """Return the history so far."""
        return self.recorder.history()

    # What is asked between two steps.

    def _interrupted(self) -> bool:
        """Ask whether an interruption comes before the next step, and carry it out."""
        interruptions: list[Callable[[], None]] = []
        if self.crashes_left and not self._death_is_idle():
            interruptions.append(self._die)
        if any(self.cancels_left):
            interruptions += [
                lambda request=request: self._cancel(request)  # type: ignore[misc]  # bound now
                for request in self.requests
                if self.cancels_left[request.number] and request.settled_ns == NEVER
            ]
        answer = self.choices.pick(len(interruptions) + 1, INTERRUPT)
        if answer:
            interruptions[answer - 1]()
        return answer > 0

    def _death_is_idle(self) -> bool:
        """Tell whether a death would change nothing: the server is down, or holds nothing in memory only."""
        deployment = self.world.deployment
        if deployment.server.down:
            return True
        executor = deployment.executor
        return self._idle_is_safe and not (executor.running or executor.unseen or executor.starting)

    def _dies_in_step(self) -> bool:
        return self.crashes_left > 0 and self.choices.pick(2, DEATH) == 1

    def _die(self) -> None:
        self.crashes_left -= 1
        self.world.deployment.restart(self.bounds.down, self.bounds.inflight)

    def _cancel(self, request: Request) -> None:
        self.cancels_left[request.number] -= 1
        self.world.cancel(request)

    def _candidates(self, timers: list[QueueEntry]) -> list[QueueEntry]:
        """Drop the timers that must not fire first: if slots are limited, jobs start as they are due."""
        if len(timers) == 1:
            return timers
        idle = next((timer for timer in timers if is_idle(timer)), None)
        if idle is not None:
            return [idle]  # nothing is changed by when it fires
        if not self._in_order:
            return timers
        first = next((timer for timer in timers if isinstance(timer[3], Job)), None)
        return [timer for timer in timers if timer is first or not isinstance(timer[3], Job)]
