"""What the questions of `scenarios/questions/` about policies claim, each in a world smaller than the shipped one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sim.api.run import run
from sim.expect.expectations import Ruling
from sim.scenario.load import load
from sim.text.over_time import BISTABLE, COLLAPSES, RECOVERS, state_of

if TYPE_CHECKING:
    from sim.experiment.cell_result import CellResult
    from sim.results.result import Result

QUESTIONS = Path(__file__).parents[1] / "scenarios" / "questions"
WITH_EXPECTATIONS = ("budget-at-two-layers", "breaker-helps-or-harms", "budgets-of-many-clients", "retry-after")


def small(name: str, **settings: object) -> Result:
    """Run a question with other settings, dots of keys written as `__`."""
    changes = tuple((key.replace("__", "."), str(value)) for key, value in settings.items())
    return run(load(QUESTIONS / f"{name}.yaml", changes))


def value(cell: CellResult, path: str) -> float:
    found = cell.metrics.value(path).value
    assert found is not None
    return found


def recovers(result: Result) -> list[float]:
    return [value(cell, "recovered.rate") for cell in result.cells]


def test_a_budget_holds_where_retries_at_two_layers_melt_the_backend() -> None:
    result = small("budget-at-two-layers", replications=1, until="80s")
    assert recovers(result) == [0, 1]
    melted, held = (value(cell, "service.backend.offered.rate") for cell in result.cells)
    assert melted > 5 * 60 > 1.44 * 60 > held


def test_a_breaker_helps_an_overloaded_backend_and_harms_one_that_fails_by_itself() -> None:
    result = small("breaker-helps-or-harms", replications=1, until="80s")
    assert recovers(result)[:2] == [0, 1]
    assert value(result["a third fails, retries"], "success.rate") > 0.97
    assert value(result["a third fails, breaker"], "success.rate") < 0.92


def test_hedging_cuts_the_tail_for_five_percent_more_calls_at_low_load() -> None:
    result = small("hedging", replications=2, requests__count=4000, sweep="{requests.arrivals.poisson.rate: [8/s]}")
    plain, hedged = (value(cell, "time_to_known.p99") / 1e6 for cell in result.cells)
    assert plain == pytest.approx(461, rel=0.1)
    assert hedged == pytest.approx(380, rel=0.1)
    assert value(result.cells[1], "amplification") == pytest.approx(1.05, abs=0.01)


def test_hedging_melts_a_busy_service_that_is_well_without_it() -> None:
    result = small("hedging", replications=1, requests__count=3000, sweep="{requests.arrivals.poisson.rate: [68/s]}")
    plain, hedged = (value(cell, "time_to_known.p99") / 1e9 for cell in result.cells)
    assert hedged > 10 * plain
    assert value(result.cells[1], "amplification") > 1.5


def test_the_budgets_of_a_thousand_clients_bound_nothing_and_one_of_them_all_does() -> None:
    result = small("budgets-of-many-clients", replications=1, until="80s")
    assert recovers(result) == [1, 1, 0, 1]


def test_callers_who_are_told_the_same_instant_come_back_together() -> None:
    result = small("retry-after", replications=2, until="30s")
    calls = {cell.cell.name: value(cell, "amplification") for cell in result.cells}
    assert calls["told 1 to 3 s"] < calls["told a second"] < calls["full jitter"] < 4
    assert calls["told when a token is there"] > 20


def test_a_shortage_leaves_three_retries_down_where_a_budget_comes_back() -> None:
    shortage = "{services.backend.capacity.0.to: [20s], requests.arrivals.schedule.0.rate: [20/s]}"
    result = small("metastability-map", replications=1, sweep=shortage)
    states = {found.variant: state_of(found) for found in result.reported}
    assert {name: state.name for name, state in states.items() if state is not None} == {
        "no retries": RECOVERS,
        "three retries": COLLAPSES,
        "full jitter": COLLAPSES,
        "budget of 20 %": RECOVERS,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_EXPECTATIONS)
def test_a_question_meets_what_it_expects_as_shipped(name: str) -> None:
    result = small(name)
    verdicts = [verdict for cell in result.cells for verdict in cell.verdicts]
    assert verdicts
    assert [verdict for verdict in verdicts if verdict.ruling is not Ruling.met] == []


@pytest.mark.slow
def test_the_map_has_the_largest_region_of_recovery_without_retries_and_then_with_a_budget() -> None:
    result = small("metastability-map")
    found: dict[str, Counter[str]] = {}
    for cell in result.reported:
        state = state_of(cell)
        assert state is not None
        found.setdefault(cell.variant, Counter())[state.name] += 1
    recovering = [found[name][RECOVERS] for name in ("three retries", "budget of 20 %", "no retries")]
    assert recovering == sorted(set(recovering))
    assert found["no retries"][COLLAPSES] == 0
    assert BISTABLE in found["three retries"]
