"""Every recording of the real libraries is met, line by line."""

from collections.abc import Callable
from typing import Any

import pytest

from sim.testing.conformance import replay

Recording = Callable[[str], Any]
Differences = Callable[..., list[str]]


def test_a_replay_meets_its_recording(name: str, recording: Recording, differences: Differences) -> None:
    recorded = recording(name)
    assert differences(recorded, replay(recorded["case"])) == []


# The comparison itself.


CHANGES: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("a time", lambda told: told["events"][5].update(t=told["events"][5]["t"] + 0.002)),
    ("a line too few", lambda told: told["events"].pop()),
    ("a line too many", lambda told: told["events"].append(told["events"][-1])),
    ("another order", lambda told: told["events"].insert(3, told["events"].pop(2))),
    ("a drawn number", lambda told: told["events"][draw_of(told)].update(value=0.123)),
    ("the number of attempts", lambda told: told["final"].update(attempts=7)),
    ("the end of the run", lambda told: told["final"]["run"].update(numFailures=7)),
]


def draw_of(told: dict[str, Any]) -> int:
    return next(number for number, event in enumerate(told["events"]) if event["ev"] == "random")


@pytest.mark.parametrize("change", [change for _, change in CHANGES], ids=[what for what, _ in CHANGES])
def test_the_comparison_sees_every_change(
    change: Callable[[dict[str, Any]], Any], recording: Recording, differences: Differences
) -> None:
    recorded = recording("component-fail2-then-success")
    replayed = replay(recorded["case"])
    change(replayed)
    assert differences(recorded, replayed) != []


def test_the_comparison_overlooks_the_rounding_of_recorded_times(
    recording: Recording, differences: Differences
) -> None:
    recorded = recording("component-fail2-then-success")
    replayed = replay(recorded["case"])
    for event in replayed["events"]:
        event["t"] += 0.0009
    assert differences(recorded, replayed) == []


@pytest.mark.parametrize(
    ("case", "message"),
    [({"retrier": "workflow"}, "no port of 'workflow'"), ({"attempts": [{"outcome": "explode"}]}, "explode")],
)
def test_a_case_that_the_recordings_do_not_know_is_an_error(
    case: dict[str, Any], message: str, recording: Recording
) -> None:
    with pytest.raises(KeyError, match=message):
        replay({**recording("article-fail1-then-success")["case"], **case})


def test_a_replay_is_the_same_each_time(recording: Recording) -> None:
    case = recording("component-random-015")["case"]
    assert replay(case) == replay(case)
