"""The questions of `scenarios/questions/`: what their texts claim holds, here in a world a tenth as large."""

from pathlib import Path

import pytest

from sim.api.run import run
from sim.results.result import Result
from sim.scenario.load import load

QUESTION = Path(__file__).parents[1] / "scenarios" / "questions" / "three-times-three.yaml"
SMALL_VARIANTS = """
no retries: {retrier: none, services.gateway.calls: [{service: backend, timeout: 900ms}]}
three times three: {}
three times three, short queue: {services.backend.queue.limit: 40}
"""
A_TENTH = (
    ("requests.arrivals.schedule", "[{from: 0s, rate: 50/s}]"),
    ("services.backend.servers", "16"),
    ("services.backend.slowdown.curve", "[[0, 1.0], [4, 1.0], [16, 2.0]]"),
    ("services.backend.queue.limit", "200"),
    ("services.backend.capacity", "[{from: 20s, to: 80s, servers: 4}]"),
    ("recovery.goodput", "90%"),  # a tenth of the requests vary three times as much
    ("replications", "1"),
    ("variants", SMALL_VARIANTS),
)


@pytest.fixture(scope="module")
def small() -> Result:
    return run(load(QUESTION, A_TENTH))


@pytest.mark.parametrize(
    ("cell", "recovers"), [("no retries", 1), ("three times three", 0), ("three times three, short queue", 1)]
)
def test_only_retries_behind_a_long_queue_keep_a_backend_down(small: Result, cell: str, recovers: int) -> None:
    assert small[cell].metrics.value("recovered.rate").value == recovers


def test_most_work_of_the_melted_backend_is_for_callers_who_have_gone(small: Result) -> None:
    wasted = small["three times three"].metrics.value("service.backend.wasted.share").value
    assert wasted is not None
    assert wasted > 0.8
