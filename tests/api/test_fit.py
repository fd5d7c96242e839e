from pathlib import Path

import numpy as np
import pytest
from fitted_worlds import WORLDS, World, log_of
from made_logs import calls

from sim.api.fit import write_and_run
from sim.api.run import run
from sim.expect.expectations import Ruling
from sim.fitting.fit import fit_log
from sim.fitting.writing import WouldOverwrite
from sim.scenario.load import load


def test_the_scenario_of_a_log_gives_its_numbers_again(tmp_path: Path) -> None:
    fitted = fit_log(calls(np.random.default_rng(1), 1000))
    written = write_and_run(fitted, tmp_path / "pay.yaml")
    assert not written.unmet
    for metric, found in (
        ("success.rate", fitted.whole.success),
        ("time_to_known.p50", fitted.whole.p50),
        ("time_to_known.p99", fitted.whole.p99),
    ):
        assert found is not None
        assert found.low <= (written.model[metric].value or 0.0) <= found.high
    assert "again" in written.sentences()[0]


def test_what_a_run_does_not_give_again_stands_as_a_comment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    impossible = ["success.rate >= 0.999", "time_to_known.p50 >= 0s"]
    monkeypatch.setattr("sim.fitting.scenario.expectations_of", lambda _: (impossible, False))
    written = write_and_run(fit_log(calls(np.random.default_rng(1), 300)), tmp_path / "pay.yaml")
    assert list(written.unmet) == list(written.missed) == impossible[:1]
    assert [one.text for one in load(tmp_path / "pay.yaml").expect] == impossible[1:]
    assert "does not give all" in written.sentences()[0]


def test_a_shared_world_is_written_and_not_run(tmp_path: Path) -> None:
    written = write_and_run(fit_log(calls(np.random.default_rng(1), 300)), tmp_path / "pay.yaml", shared=True)
    assert (written.requests, written.sentences()) == (0, ())


def test_files_that_are_there_stop_it_before_anything_is_run(tmp_path: Path) -> None:
    (tmp_path / "pay.yaml").write_text("mine")
    with pytest.raises(WouldOverwrite):
        write_and_run(fit_log(calls(np.random.default_rng(1), 300)), tmp_path / "pay.yaml")
    assert (tmp_path / "pay.yaml").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_ten_worlds_come_out_again(world: World, tmp_path: Path) -> None:
    missed = []
    for seed in (1, 2, 3):
        written = write_and_run(fit_log(log_of(world, seed)), tmp_path / f"pay{seed}.yaml")
        missed += written.missed
        (cell,) = run(load(written.paths[0])).cells
        assert {verdict.ruling for verdict in cell.verdicts} == {Ruling.met}
    # A model of the same numbers may miss one interval in twenty; there are nine.
    assert len(missed) <= 1


def test_a_value_at_the_end_of_an_interval_is_neither_met_nor_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = fit_log(calls(np.random.default_rng(1), 300))
    value = write_and_run(fitted, tmp_path / "one.yaml").model["success.rate"].value or 0.0
    near = f"success.rate >= {value:.4f}"
    monkeypatch.setattr("sim.fitting.scenario.expectations_of", lambda _: ([near], False))
    written = write_and_run(fitted, tmp_path / "two.yaml")
    assert list(written.unmet) == [near]
    assert "too near" in written.sentences()[0]


@pytest.mark.slow
def test_the_shared_world_of_a_log_runs(tmp_path: Path) -> None:
    for world in (WORLDS[2], WORLDS[9]):
        written = write_and_run(fit_log(log_of(world, 1)), tmp_path / f"{world.count}.yaml", shared=True)
        (cell,) = run(load(written.paths[0], requests=300)).cells
        assert len(cell.metrics) == 3000
