"""Replays a request: simulates it again, with its history. If the scenario holds a course, the course is played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.engine.world import World
from sim.experiment.plan import most_requests
from sim.experiment.repeats import repeat_few_of_shared, repeat_isolated
from sim.experiment.shown_by_simulating import problems_shown_by_simulating
from sim.explorer.play import Played, play
from sim.guests.lasting_waits import LastingWaits
from sim.history.recorder import History, Recorder
from sim.history.request import table
from sim.history.shown import html_text
from sim.history.vocabulary import Outcome
from sim.scenario.cells import Cell, NotInScenario, chosen_cell
from sim.scenario.load import Source, as_scenario
from sim.stories.lines import WIDTH, timeline_lines

if TYPE_CHECKING:
    from sim.history.records import Requests
    from sim.history.repeats import Unrepeated


@dataclass(frozen=True, slots=True)
class Replayed:
    """One request of one cell, simulated again."""

    cell: Cell
    number: int
    """The request's number in its world, as the history names it."""
    history: History
    """The events that concern the request, and those that concern all (restarts)."""
    requests: Requests
    """The request's record: one row."""
    played: Played | None = None
    """The course that was played, if the scenario holds one."""
    unrepeated: tuple[Unrepeated, ...] = ()
    """Requests that did something else when they were simulated once more: then this is only one way it can go."""
    waits_at: str = ""
    """The line of its guest that waits for ever for something that is no call, as `file:line`; empty if none does."""

    @property
    def outcome(self) -> Outcome:
        """How the request ended, as the retrier sees it."""
        return Outcome(int(self.requests.outcome[0]))


class RequestHistory(History):
    """The history of one request, with its story: `print(history)` tells it."""

    def __init__(self, found: Replayed) -> None:
        super().__init__(found.history.raw, found.history.polls, found.history.beside)
        self.replayed = found
        """The cell, the request's number in its world, its record, and the course if one was played."""

    def story(self, width: int = WIDTH) -> str:
        """Return what became of the request as text, a line for each thing that matters, at most `width` columns wide.

        Times count from the submission. The last lines say how it ended, and why.
        """
        found = self.replayed
        return "\n".join(timeline_lines(self, found.number, found.outcome, width=width))

    def __str__(self) -> str:
        return self.story()

    def _repr_html_(self) -> str:
        """Return the story for notebooks."""
        return html_text(self.story())


def replay(scenario: Source, request: int | None = None, cell: str | None = None) -> RequestHistory:
    """Simulate one request again and return its history, which tells its story too; see `replayed`."""
    return RequestHistory(replayed(scenario, request, cell))


def replayed(scenario: Source, request: int | None = None, cell: str | None = None) -> Replayed:
    """Simulate one request again: the same as in the whole run, with its history and its record.

    `request` counts from 0; in a shared world the requests of replication r begin at r * requests.count, and the whole
    replication is simulated. `cell` is the id or the name of a cell; if there is only one it need not be given. If the
    scenario holds a course, the course is played, and `request` need not be given: it is then the request that breaks
    an invariant, or else the first. Raises NotInScenario if there is no such request or cell, CourseMisfit if the
    course does not fit the scenario, and NotRepeatable if it goes another way when it is run again.
    """
    chosen = chosen_cell(as_scenario(scenario), cell)
    one = chosen.scenario
    if one.course is not None:
        return _of_course(chosen, request)
    if request is None:
        raise NotInScenario("which request? Requests are numbered from 0")
    last = most_requests(one) - 1
    if not 0 <= request <= last:
        raise NotInScenario(f"there is no request {request}; they are numbered from 0 to {last}")
    recorder, waits = Recorder(), LastingWaits()
    if one.world == "isolated":
        with problems_shown_by_simulating():
            with waits.noted():
                requests = table(World(one, recorder=recorder).isolated([request]))
            unrepeated = tuple(repeat_isolated(one, requests))
        history, place = recorder.history(), waits.place_of(request)
        return Replayed(chosen, request, history, requests, unrepeated=unrepeated, waits_at=place)
    replication, number = divmod(request, one.requests.count)
    with problems_shown_by_simulating():
        with waits.noted():
            finished = table(World(one, replication=replication, recorder=recorder).shared(), replication)
        unrepeated = tuple(repeat_few_of_shared(one, finished, replication))
    if number >= len(finished):
        raise NotInScenario(f"request {request} was never submitted: the simulation ended before")
    history = recorder.history().of_request(number)
    record, place = finished.select(np.array([number])), waits.place_of(number)
    return Replayed(chosen, number, history, record, unrepeated=unrepeated, waits_at=place)


def _of_course(cell: Cell, request: int | None) -> Replayed:
    waits = LastingWaits()
    with waits.noted():
        played = play(cell.scenario)
    number = played.request if request is None else request
    count = len(played.requests)
    if not 0 <= number < count:
        raise NotInScenario(f"there is no request {number} in this course; they are numbered from 0 to {count - 1}")
    history, record = played.history.of_request(number), played.requests.select(np.array([number]))
    return Replayed(cell, number, history, record, played, waits_at=waits.place_of(number))
