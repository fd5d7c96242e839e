"""One request simulated again is the request of the whole run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sim.api.replay import NotInScenario, replay, replayed
from sim.api.run import run
from sim.engine.event import simulate
from sim.engine.world import World
from sim.history.recorder import Recorder
from sim.history.records import Requests
from sim.history.vocabulary import Outcome
from sim.scenario.cells import cells
from sim.scenario.load import parse

Columns = Callable[[Requests], dict[str, list[Any]]]


def test_an_isolated_request_is_the_same_as_in_the_whole_run(isolated: str, columns: Columns) -> None:
    scenario = parse(isolated)
    result = run(scenario)
    for cell in result.cells:
        for number in range(0, 150, 7):
            again = replayed(scenario, number, cell.id)
            assert columns(again.requests) == columns(cell.requests.select(np.array([number])))
            assert (again.number, again.outcome) == (number, Outcome(int(cell.requests.outcome[number])))


def test_a_shared_request_is_the_same_as_in_the_whole_run(shared: str, columns: Columns) -> None:
    scenario = parse(shared)
    for cell in cells(scenario)[1:3]:
        for number in (0, 49, 50, 149):
            replication, within = divmod(number, 50)
            again = replayed(scenario, number, cell.name)
            whole = simulate(cell.scenario, replication)
            assert columns(again.requests) == columns(whole.select(np.array([within])))
            assert again.number == within


def test_a_history_alone_is_the_one_among_all(isolated: str) -> None:
    scenario = parse(isolated)
    for cell in cells(scenario):
        recorder = Recorder()
        World(cell.scenario, recorder=recorder).isolated(range(40))
        whole = recorder.history()
        for number in (0, 17, 39):
            assert replay(scenario, number, cell.id).digest() == whole.of_request(number).digest()


def test_a_history_of_a_shared_world_has_the_request_and_what_befalls_all(shared: str) -> None:
    scenario = parse(shared)
    history = replay(scenario, 57, cells(scenario)[0].id)
    assert {event.request for event in history} == {7, -1}
    assert {event.kind for event in history if event.request == -1} >= {"restart", "boot"}
    assert next(event.kind for event in history if event.request == 7) == "submit"


def test_examples_replay_what_they_say(isolated: str) -> None:
    scenario = parse(isolated)
    shown = set()
    for cell in run(scenario).cells:
        for kind, number in cell.examples.items():
            again = replayed(scenario, number, cell.id).requests
            shown.add(kind)
            if kind == "stuck":
                assert again.outcome.tolist() == [Outcome.stuck]
            elif kind == "duplicated":
                assert again.duplicates.sum() == cell.requests.duplicates.sum(axis=1).max() > 0
            else:
                slowest = (cell.requests.settled_ns - cell.requests.submitted_ns).max()
                assert (again.settled_ns - again.submitted_ns).tolist() == [slowest]
    assert shown == {"stuck", "duplicated", "slowest"}


def test_examples_of_later_replications_are_numbered_across_them(shared: str) -> None:
    scenario = parse(shared)
    for cell in run(scenario).cells:
        number = cell.examples["slowest"]
        again = replayed(scenario, number, cell.id).requests
        slowest = (cell.requests.settled_ns - cell.requests.submitted_ns)[cell.requests.settled_ns >= 0].max()
        assert (again.settled_ns - again.submitted_ns).tolist() == [slowest]
        assert again.replication.tolist() == [number // 50]


ALONE = "{retrier: none, requests: {count: 10}}"
SHARED = "{world: shared, replications: 3, retrier: none, requests: {count: 10}}"
TWO_CELLS = "{sweep: {retrier: [none, article]}, requests: {count: 10}}"


@pytest.mark.parametrize(
    ("text", "number", "cell", "reason"),
    [
        (ALONE, 10, None, "there is no request 10; they are numbered from 0 to 9"),
        (ALONE, -1, None, "there is no request -1; they are numbered from 0 to 9"),
        (SHARED, 30, None, "there is no request 30; they are numbered from 0 to 29"),
        (TWO_CELLS, 0, None, "which cell? There are none, article"),
        (TWO_CELLS, 0, "articles", "there is no cell 'articles'; there are none, article; did you mean 'article'?"),
    ],
)
def test_what_is_not_there_is_refused(text: str, number: int, cell: str | None, reason: str) -> None:
    with pytest.raises(NotInScenario) as refused:
        replayed(parse(text), number, cell)
    assert refused.value.args == (reason,)


def test_a_request_that_never_came_is_refused() -> None:
    text = "{world: shared, until: 3s, retrier: none, requests: {count: 10, arrivals: {constant: {rate: 1/s}}}}"
    assert replayed(parse(text), 3).requests.submitted_ns.tolist() == [3_000_000_000]
    with pytest.raises(LookupError, match="request 4 was never submitted"):
        replayed(parse(text), 4)
