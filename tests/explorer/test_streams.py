"""The streams of numbers that a small world draws from."""

from typing import Any

import pytest

from sim.explorer.streams import streams
from sim.scenario.load import from_dict
from sim.scenario.parts.course import Bounds

EXPONENTIAL = {"exponential": {"mean": "1s"}}


def drawn(kind: str, bounds: Bounds | None = None, **action: Any) -> list[str]:
    return streams(from_dict({"retrier": kind, "action": action}), bounds or Bounds())


@pytest.mark.parametrize(
    ("kind", "expected"), [("article", []), ("helpers", ["poll_jitter"]), ("component", ["heartbeat"]), ("none", [])]
)
def test_of_an_undisturbed_course_those_that_it_draws_from(kind: str, expected: list[str]) -> None:
    assert drawn(kind) == expected


def test_also_those_that_are_drawn_from_behind_one_failure() -> None:
    outcomes = {"fail": 0.1}
    assert (drawn("helpers", outcomes=outcomes), drawn("component", outcomes=outcomes)) == (
        ["action_jitter", "poll_jitter"],
        ["backoff", "heartbeat"],
    )


def test_a_law_with_one_value_only_draws_nothing_that_matters() -> None:
    latencies = [{"constant": "1s"}, EXPONENTIAL]
    assert [drawn("article", latency=latency) for latency in latencies] == [[], ["latency"]]


def test_outcomes_orders_and_deaths_are_no_streams() -> None:
    assert drawn("article", Bounds(requests=2, crashes=1), outcomes={"fail": 0.1}) == []
