"""What the platform does to a request, in plain words: it goes down, it errs, and it has limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sim.history.deployment_events import ServerBooted, ServerDied, SystemErrorStruck
from sim.history.events import Event, RanAway
from sim.stories.phrases import PLATFORM, span_text
from sim.stories.story import Rank

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.stories.people import ByPeople
    from sim.stories.telling import Telling


class ByPlatform:
    """Tells of restarts, of system errors, and of the limits of the simulation."""

    def __init__(self, telling: Telling, people: ByPeople) -> None:
        self._telling = telling
        self._story = telling.story
        self._people = people
        self.struck: set[int] = set()
        """Jobs whose executions a system error kills."""
        self.booted_ns = -1
        """When the server came back last."""

    def take(self, event: Event) -> None:
        """Take an event; those that are none of the platform's are left to others."""
        tell = self._tells.get(type(event))
        if tell is not None:
            tell(self, event)

    def _system_error(self, event: SystemErrorStruck) -> None:
        job = f"job #{event.job} {event.function}"
        what = {
            "start": f"{job} is put back and runs later",
            f"mutation {event.function}": f"{job} is put back and runs later",
            "end": f"the end of {job} is not written, tried again later",
            "execution": f"this execution of {job} will die",
        }.get(event.struck, f"{event.struck.removeprefix('mutation ')} by {job} is lost")
        if event.struck == "execution":
            self.struck.add(event.job)
        self._telling.say(event.t_ns, PLATFORM, f"system error: {what}", Rank.telling)

    def _restart(self, event: ServerDied) -> None:
        self._story.restarts.append((event.t_ns, None))
        if self._people.submitted and self._story.jobs:
            self._telling.say(event.t_ns, PLATFORM, f"restart: down for {span_text(event.down_ns)}")

    def _boot(self, event: ServerBooted) -> None:
        restarts = self._story.restarts
        from_ns = restarts.pop()[0] if restarts else event.t_ns
        restarts.append((from_ns, event.t_ns))
        self.booted_ns = event.t_ns

    def _runaway(self, event: RanAway) -> None:
        self._story.runaway = event.limit
        self._telling.say(event.t_ns, PLATFORM, f"runs into the limit of {event.limit}")

    _tells: ClassVar[dict[type[Event], Callable[..., None]]] = {
        SystemErrorStruck: _system_error,
        ServerDied: _restart,
        ServerBooted: _boot,
        RanAway: _runaway,
    }
