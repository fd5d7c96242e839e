"""One request of a scenario, played with numbers of the test's own choosing."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from fake_choices import ByStream

from sim.convex.contexts import MutationContext
from sim.engine.world import World
from sim.history.events import Event
from sim.history.recorder import Recorder
from sim.history.vocabulary import Cause
from sim.retriers.base import Retrier
from sim.scenario.load import parse

MS = 1_000_000


class Played:
    """One request, alone in its world, and everything that happened."""

    def __init__(self, scenario: str, retrier: Retrier | None, **numbers: float | Sequence[float]) -> None:
        self.numbers = ByStream(**numbers)
        recorder = Recorder()
        cell = parse(scenario)
        self.world = World(cell, retrier=retrier, recorder=recorder, choices=self.numbers)
        self.request = self.world.isolated([0])[0]
        self.history: list[Event] = recorder.history().events
        self.store = self.world.deployment.store

    def events(self, kind: str) -> list[Event]:
        """Return what happened of one kind."""
        return [event for event in self.history if event.kind == kind]

    def when(self, kind: str, name: str | None = None) -> list[float]:
        """Return the instants in ms of the events of a kind, of one name if that is given."""
        return [event.t_ns / MS for event in self.events(kind) if name in (None, event.word)]

    def due(self, name: str) -> list[float]:
        """Return the instants in ms for which jobs of a name were asked, in order of creation."""
        return [event.due_ns / MS for event in self.events("job") if event.function == name]

    def ran(self, name: str) -> list[float]:
        """Return the instants in ms at which mutations of a name committed."""
        return self.when("commit", name)

    @property
    def drawn(self) -> list[tuple[str, int, int, int]]:
        """The addresses of the retrier's own draws, in their order."""
        return [address for address in self.numbers.asked if address[0] not in {"latency", "death", "cancel_share"}]

    @property
    def jobs(self) -> list[tuple[str, str]]:
        """The names and last states of all jobs, in order of creation."""
        return [(job.function.name, job.state) for _, job in sorted(self.store.jobs.items())]

    @property
    def end(self) -> tuple[str, float]:
        """How the request ended, and the instant in ms at which the retrier knew."""
        return self.request.outcome.name, self.request.settled_ns / MS

    @property
    def causes(self) -> dict[str, int]:
        """Duplicates by cause."""
        return {Cause(cause).name: n for cause, n in enumerate(self.request.duplicates or ()) if n}

    def document(self, document_id: str) -> Any:
        """Return a document as it is at the end."""
        return self.store.document_at(document_id, self.store.last_ts)

    def mutate(self, handler: Callable[[MutationContext], Any]) -> Any:
        """Run a mutation after the end; returns what it returns."""
        deployment = self.world.deployment
        context = deployment.commits.new_context(deployment.server, self.request)
        value = handler(context)
        deployment.commits.commit(context)
        return value


def scripted(retrier: str, *attempts: str, effect_at: float = 1.0, more: str = "") -> str:
    """Write a scenario: each attempt as `outcome latency`."""
    script = [attempt.split() for attempt in attempts]
    entries = [f"{{outcome: {one[0]}" + (f", latency: {one[1]}}}" if len(one) > 1 else "}") for one in script]
    action = f"{{script: [{', '.join(entries)}], effect_at: {effect_at}}}"
    return f"retrier: {retrier}\nrequests: {{count: 1}}\naction: {action}\n{more}\n"


@pytest.fixture
def play() -> Callable[..., Played]:
    """Return the way to play a request: `play("article", "fail 50ms", "success 50ms")`."""

    def play(
        kind: str,
        *attempts: str,
        retrier: Retrier | None = None,
        effect_at: float = 1.0,
        more: str = "",
        **numbers: float | Sequence[float],
    ) -> Played:
        return Played(scripted(kind, *attempts, effect_at=effect_at, more=more), retrier, **numbers)

    return play
