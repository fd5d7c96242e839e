"""Runs and checks of loops that share state: they repeat, keep the contracts, and do the same in each process."""

import sys
from pathlib import Path

import pytest

from sim.api.check import check
from sim.api.run import run
from sim.scenario.load import parse
from sim.scenario.schema import Scenario

SHARED = """
world: shared
seed: 7
retrier: none
requests: {count: 120, arrivals: {poisson: {rate: 8/s}}}
replications: 3
clients: {count: 2}
action: {service: db}
services: {db: {servers: 2, latency: {exponential: {mean: 300ms}}, outcomes: {fail: 0.3, hang: 0.02}}}
"""
ISOLATED = """
seed: 7
retrier: none
requests: {count: 300}
action: {latency: {exponential: {mean: 300ms}}, outcomes: {fail: 0.5}}
"""


@pytest.fixture
def support(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the module be found by its name."""
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[1] / "support"), *sys.path])


def own(text: str) -> Scenario:
    return parse(text, retrier="sharing:Sharing")


@pytest.mark.usefixtures("support")
@pytest.mark.parametrize("text", [SHARED, ISOLATED], ids=["shared", "isolated"])
def test_cells_are_forgotten_with_their_world_so_that_requests_repeat(text: str) -> None:
    assert run(own(text)).repeats


@pytest.mark.usefixtures("support")
@pytest.mark.parametrize(
    "text",
    [
        SHARED,
        SHARED + "cancel: {share: 0.4, after: {exponential: {mean: 500ms}}}",
        SHARED + "resubmit: {after: {constant: 1s}, share: 0.5}",
        ISOLATED,
    ],
    ids=["shared", "canceled", "resubmitted", "isolated"],
)
def test_loops_behind_gates_keep_the_contracts(text: str) -> None:
    assert [cell.broken for cell in check(own(text)).cells] == [{}]
