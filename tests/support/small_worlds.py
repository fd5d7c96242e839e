"""Small worlds that are searched, and recounted without stopping at a known state."""

from __future__ import annotations

from collections import defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from sim.contracts.catalogue import check
from sim.experiment.terms import terms_of
from sim.explorer.course import Course
from sim.explorer.explore import Explored, explore
from sim.explorer.guided import Question, WrittenGuide
from sim.explorer.state import States
from sim.history.request import table
from sim.scenario.load import from_dict
from sim.scenario.parts.course import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sim.promises.invariant import Invariant
    from sim.retriers.base import LoopRetrier
    from sim.scenario.schema import Scenario

ONE_SECOND = {"latency": {"constant": "1s"}}
SLOW_WRITES = {"mutation_latency": {"constant": "1ms"}, "commit_window": {"constant": "1ms"}}


class Small(NamedTuple):
    """A small world and how far it is searched."""

    retrier: dict[str, Any]
    outcomes: dict[str, float]
    bounds: dict[str, Any]
    more: Mapping[str, Any] = MappingProxyType({})
    make: Callable[[], LoopRetrier] | None = None

    @property
    def scenario(self) -> Scenario:
        action = {**ONE_SECOND, "outcomes": self.outcomes}
        return from_dict({"retrier": self.retrier, "action": action, **self.more})


def search(world: Small, **more: Any) -> Explored:
    return explore(world.scenario, Bounds(**world.bounds), retrier=world.make, **more)


class Recount(NamedTuple):
    """What all courses of a world come to, run to their ends one by one."""

    states: set[bytes]
    broken: set[str]
    courses: int
    futures: dict[bytes, dict[tuple[Any, ...], set[bytes | None]]]
    """For each state and each way to answer what is asked in the next step: the states that were seen to follow."""


def recount(world: Small, held: Sequence[Invariant]) -> Recount:
    """Run every course there is, without ever stopping at a known state."""
    courses: list[tuple[tuple[int, int], ...]] = [()]
    found = Recount(set(), set(), 0, defaultdict(lambda: defaultdict(set)))
    run = 0
    while courses:
        given = courses.pop()
        run += 1
        course = Course(world.scenario, Bounds(**world.bounds), WrittenGuide(given), retrier=world.make, listens=True)
        states, asked = States(course), course.questions
        here = states.digest()
        found.states.add(here)
        going = True
        while going:
            before = len(asked)
            going = course.step()
            there = states.digest() if going else None
            found.futures[here][answers(course, asked, before)].add(there)
            if there is not None:
                found.states.add(there)
                here = there
        course.conclude()
        records = table(course.requests)
        found.broken.update(
            one.invariant for one in check(course.history(), terms_of(course.world, records=records), held)
        )
        last = given[-1][0] if given else -1
        courses += [
            (*given, (question, answer))
            for question in range(last + 1, len(asked))
            for answer in range(1, asked[question].ways)
        ]
    return found._replace(courses=run)


def answers(course: Course, asked: list[Question], before: int) -> tuple[Any, ...]:
    guide = course.choices.guide
    return tuple((asked[number].what, guide.answer(number)) for number in range(before, len(asked)))
