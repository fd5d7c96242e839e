"""A run simulates some of its requests again: what leaks is found, what does not leak is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sim.api.run import run
from sim.engine.event import simulate
from sim.experiment import chunks, repeats
from sim.experiment.engines import EVENT
from sim.experiment.repeats import FEW, chosen_rows, is_tried
from sim.history.vocabulary import Outcome
from sim.retriers.ports import PORTS
from sim.retriers.ports.article import Article
from sim.scenario.load import parse

if TYPE_CHECKING:
    from types import ModuleType

    from sim.history.records import Requests
    from sim.retriers.base import LoopRetrier
    from sim.scenario.schema import Scenario

ISOLATED = "{retrier: none, seed: 5, requests: {count: 1500}, action: {outcomes: {fail: 0.2}}}"
HISTOGRAM = ISOLATED.replace("seed: 5", "seed: 5, keep: histogram")
SHARED = """
world: shared
retrier: none
requests: {count: 40, arrivals: {constant: {rate: 2/s}}}
replications: 3
action: {outcomes: {fail: 0.4}}
"""


LEAKS = (
    "GlobalChance",
    "GeneratorOfTheModule",
    "SystemChance",
    "Clock",
    "ClassBudget",
    "ModuleBudget",
    "Tires",
    "SaysItKeepsNothing",
    "DrawnAtImport",
    "DrawnOnce",
)


def own(text: str, kind: str) -> Scenario:
    return parse(text, retrier=f"leaking:{kind}")


def test_every_leak_has_a_test(leaking: ModuleType) -> None:
    assert tuple(kind.__name__ for kind in leaking.LEAKS) == LEAKS


@pytest.mark.parametrize("kind", LEAKS)
@pytest.mark.parametrize("text", [ISOLATED, HISTOGRAM], ids=["requests", "histogram"])
def test_a_leak_is_found(leaking: ModuleType, text: str, kind: str) -> None:
    del leaking
    assert not run(own(text, kind)).repeats


@pytest.mark.parametrize("text", [ISOLATED, HISTOGRAM, SHARED], ids=["requests", "histogram", "shared"])
@pytest.mark.parametrize("kind", ["Steady", "Remembers"])
def test_what_is_the_same_every_time_repeats(leaking: ModuleType, text: str, kind: str) -> None:
    del leaking
    assert run(own(text, kind)).repeats


@pytest.mark.parametrize("kind", [kind for kind in LEAKS if kind not in ("Tires", "SaysItKeepsNothing")])
def test_a_leak_is_found_among_the_first_requests_of_a_shared_world(leaking: ModuleType, kind: str) -> None:
    del leaking
    assert not run(own(SHARED, kind)).repeats


def test_a_budget_that_the_pilot_has_spent_is_found_all_the_same(
    leaking: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "load_anew", lambda _: None)
    leaking.ClassBudget.left = 1
    assert not run(own(ISOLATED, "ClassBudget")).repeats


def test_a_leak_in_any_chunk_is_found(leaking: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(chunks.CHUNK_REQUESTS, EVENT, 300)
    monkeypatch.setattr(repeats, "load_anew", lambda _: None)
    del leaking
    found = run(own(ISOLATED, "Tires")).cells[0].unrepeated
    # The thousandth is in the fourth chunk; the retriers made for the requests simulated again count too.
    assert min(one.request for one in found) >= 600


@pytest.mark.parametrize("workers", [1, 2])
def test_a_leak_is_found_in_whatever_process_simulates(leaking: ModuleType, workers: int) -> None:
    del leaking
    assert not run(own(ISOLATED, "GlobalChance"), workers=workers).repeats


def test_what_differs_between_processes_only_is_found_if_others_simulate(leaking: ModuleType) -> None:
    del leaking
    scenario = own(ISOLATED.replace("fail: 0.2", "fail: 0.6"), "OrderOfASet")
    assert not run(scenario, workers=2).repeats


@pytest.mark.parametrize("kind", PORTS)
def test_ports_are_not_tried(kind: str) -> None:
    assert not is_tried(parse(f"retrier: {kind}"))


def test_what_derives_from_a_port_is_tried() -> None:
    class Derived(Article):
        pass

    cell = parse("retrier: article")
    assert (is_tried(cell, Article), is_tried(cell, Derived)) == (False, True)


# Which requests are chosen.


def requests(kind: type[LoopRetrier], count: int = 4096) -> Requests:
    return simulate(parse(ISOLATED.replace("1500", str(count))), retrier=kind)


def test_the_first_the_last_and_the_ones_with_most_attempts_are_chosen(leaking: ModuleType) -> None:
    found = requests(leaking.Steady)
    chosen = chosen_rows(found)
    assert {0, 4095, int(found.attempts.argmax()), int(found.settled_ns.argmax())} <= set(chosen)


def test_one_that_ended_as_no_other_is_chosen(leaking: ModuleType) -> None:
    found = requests(leaking.Steady)
    found.outcome[1234] = Outcome.stuck
    assert 1234 in chosen_rows(found)


def test_few_are_chosen_of_a_later_chunk(leaking: ModuleType) -> None:
    found = requests(leaking.Steady)
    found.number[:] += 4096
    assert len(chosen_rows(found)) == FEW


def test_all_of_a_few_cheap_ones_are_chosen(leaking: ModuleType) -> None:
    assert sorted(chosen_rows(requests(leaking.Steady, 5))) == [0, 1, 2, 3, 4]


def test_dear_requests_are_not_chosen_if_there_are_cheap_ones(leaking: ModuleType) -> None:
    found = requests(leaking.Steady, 100)
    found.mutations[50] = 1_000_000
    assert 50 not in chosen_rows(found)


def test_the_cheapest_is_chosen_if_all_are_dear(leaking: ModuleType) -> None:
    found = requests(leaking.Steady, 10)
    found.mutations[:] = np.arange(10)[::-1] * 1_000_000 + 10_000_000
    assert chosen_rows(found) == [9]
