"""What results say of their run: enough to tell it again, without any other file and without code of others."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sim.experiment.engines import choose
from sim.experiment.plan import Plan, plan
from sim.results.description import Unreadable, describe, plan_of
from sim.scenario.cells import cells
from sim.scenario.identity import digest, resolved
from sim.scenario.load import load, parse

SHIPPED = sorted((Path(__file__).parents[2] / "scenarios").rglob("*.yaml"))

MINE = """
from sim import LoopRetrier, ScheduledRetrier
from sim.options.model import Options


class Mine(LoopRetrier):
    kind = "mine"

    class Options(Options):
        patience: int = 3


class Inside(ScheduledRetrier):
    kind = "inside"
"""


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_run_is_rebuilt_from_its_description(path: Path) -> None:
    scenario = load(path)
    planned = plan(scenario)
    description = describe(planned)
    again = plan_of(description)
    assert again.digest == digest(again.scenario) == digest(scenario)
    assert resolved(again.scenario) == resolved(scenario)
    assert [(cell.id, cell.name, cell.params, cell.variant, cell.levels) for cell in again.cells] == [
        (cell.id, cell.name, cell.params, cell.variant, cell.levels) for cell in planned.cells
    ]
    assert [resolved(cell.scenario) for cell in again.cells] == [resolved(cell.scenario) for cell in planned.cells]
    assert describe(again) == description


def test_results_of_earlier_sources_do_not_say_which_keys_were_swept() -> None:
    described = describe(
        plan(parse("{retrier: none, requests: {count: 3}, sweep: {action.outcomes.fail: [0.1, 0.2]}}"))
    )
    meta = tuple((name, value) for name, value in described.meta if name != "places")
    assert len(meta) == len(described.meta) - 1
    again = plan_of(replace(described, meta=meta))
    assert [(cell.params, cell.variant, cell.levels) for cell in again.cells] == [
        ({"action.outcomes.fail": 0.1}, "", {}),
        ({"action.outcomes.fail": 0.2}, "", {}),
    ]


def test_data_of_files_come_along(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("latency_ms,at_s\n7,3\n1,1\n3,2\n")
    scenario = parse(
        "{world: shared, requests: {count: 3, arrivals: {file: {file: data.csv, column: at_s}}}, retrier: none, "
        "action: {latency: {empirical: {file: data.csv, column: latency_ms}}}}",
        tmp_path,
    )
    description = describe(plan(scenario))
    (tmp_path / "data.csv").unlink()
    again = plan_of(description).scenario
    assert again.action.latency.values_ns == (1_000_000, 3_000_000, 7_000_000)
    assert again.requests.arrivals.values_ns == (1_000_000_000, 2_000_000_000, 3_000_000_000)


@pytest.mark.parametrize("name", ["Mine", "Inside"])
def test_a_retrier_of_ones_own_is_named_and_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "described_mine.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    scenario = parse("{requests: {count: 3}}", retrier=f"described_mine:{name}")
    own, identity = type(scenario.retrier.make()), digest(scenario)
    found = tuple(cells(scenario))
    description = describe(Plan(scenario, found, choose(found)))
    (tmp_path / "described_mine.py").unlink()
    del sys.modules["described_mine"]
    again = plan_of(description)
    assert again.digest == identity
    assert resolved(again.scenario)["retrier"] == resolved(scenario)["retrier"]
    assert (isinstance(again.scenario.retrier.make(), own.__base__), "described_mine" in sys.modules) == (True, False)


def test_the_checksum_is_of_every_value(isolated: str) -> None:
    scenario = parse(isolated)
    description = describe(plan(scenario))
    other = parse(isolated.replace("success.rate >= 50%", "success.rate >= 51%"))
    changed = describe(plan(other))
    assert changed.identity == description.identity
    assert changed.checksum() != description.checksum()


def test_a_description_of_another_format_is_refused() -> None:
    scenario = parse("retrier: none")
    description = describe(plan(scenario))
    meta = tuple((name, "5" if name == "format" else value) for name, value in description.meta)
    with pytest.raises(Unreadable, match="its format is 5, but this version of retrysim reads formats up to 4"):
        plan_of(type(description)(meta, description.cells, description.data))
