from pathlib import Path

import pytest
from any_logs import any_log

from sim.api.run import run
from sim.fitting.fit import NothingToFit, fit_log
from sim.scenario.load import load


def fit_and_write(seed: int, folder: Path) -> Path | None:
    """Fit a log, write both worlds, and return the scenario of the isolated one; None if there is nothing to fit."""
    try:
        fitted = fit_log(any_log(seed))
    except NothingToFit:
        return None
    assert all(sentence.endswith(".") for sentence in (*fitted.sentences(), *fitted.limits()))
    shared, *_ = fitted.write(folder / f"shared{seed}.yaml", shared=True)
    assert load(shared).world == "shared"
    path, *_ = fitted.write(folder / f"alone{seed}.yaml")
    return path


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_any_log_is_a_scenario(first: int, tmp_path: Path) -> None:
    paths = [path for seed in range(first, first + 10) if (path := fit_and_write(seed, tmp_path)) is not None]
    assert len(paths) >= 5
    assert all(load(path).world == "isolated" for path in paths)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 200, 10))
def test_any_scenario_of_a_log_runs(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + 10):
        path = fit_and_write(seed, tmp_path)
        if path is not None:
            (cell,) = run(load(path, requests=500)).cells
            assert len(cell.metrics) == 500
