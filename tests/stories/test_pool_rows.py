"""Rows of attempts in the picture of a story: why one died, alone or with others in one job."""

import pytest

from sim.engine.world import World
from sim.history.recorder import Recorder
from sim.pictures.data.story import AttemptRow, timeline_data
from sim.scenario.load import parse

FIVE = "world: shared\nrequests: {count: 5, arrivals: at_once}\n"


def reasons(text: str) -> set[str]:
    """Return what the rows of all requests say of each attempt, without its length."""
    recorder = Recorder()
    requests = World(parse(FIVE + text), recorder=recorder).shared()
    found = [timeline_data(recorder.history(), request.number, request.outcome) for request in requests]
    return {row.label.partition(",")[0] for data in found for row in data.rows if isinstance(row, AttemptRow)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "retrier: workpool\naction: {latency: {constant: 1s}, outcomes: {crash_before_effect: 0.2}}\n",
            {"success", "crash_before_effect", "dies with its job"},
        ),
        (
            "retrier: component\naction: {latency: {constant: 1s}}\nfaults: [{system_error: {share: 0.5}}]\n",
            {"success", "system error"},
        ),
    ],
)
def test_an_attempt_dies_of_itself_with_the_job_that_it_shares_or_by_a_system_error(
    text: str, expected: set[str]
) -> None:
    assert reasons(text) == expected
