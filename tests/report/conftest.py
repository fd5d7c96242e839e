"""Results to report on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sim.api.run import run
from sim.results.result import Result
from sim.scenario.load import parse

Simulate = Callable[..., Result]


@pytest.fixture
def simulate(tmp_path: Path) -> Simulate:
    """Simulate the text of a scenario in a folder, which holds its results afterwards."""

    def made(text: str, folder: str = "results") -> Result:
        return run(parse(text), out=tmp_path / folder)

    return made
