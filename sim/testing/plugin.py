"""The pytest plugin: scenario files as tests, the fixture `simulate`, the marker `retrysim`.

pytest loads this module in every run if the package is installed. So it imports nothing heavy (no other part of `sim`,
no library but pytest) before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pytest

from sim.testing.stash import FAILURE_SAYS_ALL

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from sim.testing.scenario_files import ScenarioFile
    from sim.testing.simulate import Simulate

SEED = "retrysim_seed"
_SIMULATE = pytest.StashKey["Simulate"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--retrysim` and the setting `retrysim_dir`."""
    parser.getgroup("retrysim", "simulated retriers").addoption(
        "--retrysim",
        action="store_true",
        help="collect scenario files (*.yaml) with `expect` or `check` as tests, one for each cell",
    )
    parser.addini("retrysim_dir", "folder below the root for the scenarios of failed tests", default=".retrysim")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    text = "retrysim(seeds=N): run the test once for each seed from 0 to N - 1, or in a list; `simulate` uses the seed"
    config.addinivalue_line("markers", text)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Collect a scenario file, if `--retrysim` asks for it."""
    if file_path.suffix not in {".yaml", ".yml"} or not parent.config.getoption("--retrysim"):
        return None
    from sim.testing.scenario_files import scenario_file

    return scenario_file(file_path, parent)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test for each seed of a marked test."""
    marker = metafunc.definition.get_closest_marker("retrysim")
    if marker is None:
        return
    seeds = _seeds(marker)
    if SEED not in metafunc.fixturenames:
        reason = "retrysim(seeds=...) sets the seed of the fixture `simulate`, but this test does not use the fixture"
        pytest.fail(f"{metafunc.definition.nodeid}: {reason}", pytrace=False)
    metafunc.parametrize(SEED, seeds, indirect=True, ids=[f"seed={seed}" for seed in seeds])


def _seeds(marker: pytest.Mark) -> list[int]:
    seeds = marker.kwargs.get("seeds")
    listed = list(range(seeds)) if type(seeds) is int else list(seeds) if isinstance(seeds, Iterable) else []
    wrong = [seed for seed in listed if type(seed) is not int or not 0 <= seed < 2**63]
    if marker.args or marker.kwargs.keys() != {"seeds"} or not listed or wrong:
        pytest.fail("write retrysim(seeds=200), or a list of seeds from 0 to 2^63 - 1", pytrace=False)
    return listed


@pytest.fixture
def retrysim_seed(request: pytest.FixtureRequest) -> int | None:
    """Return the seed that the marker `retrysim` gives to this run of the test, None without the marker."""
    seed: int | None = getattr(request, "param", None)
    return seed


@pytest.fixture
def simulate(request: pytest.FixtureRequest, retrysim_seed: int | None) -> Simulate:
    """Simulate a scenario and check every history for what retriers and the platform owe.

    `simulate(scenario, retrier=None, requests=None, invariants=...)` fails the test if an invariant is broken,
    otherwise returns the `sim.Result`; see `sim.testing.simulate.Simulate`.
    """
    from sim.testing.simulate import Simulate

    simulate = Simulate(request.node, retrysim_seed)
    request.node.stash[_SIMULATE] = simulate
    return simulate


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure of the test's own the command that repeats its last simulation.

    If the failure text says everything, shorten its summary to the first line: under `CI`, pytest would repeat the
    whole text there.
    """
    report = yield
    crash = getattr(report.longrepr, "reprcrash", None)
    if item.stash.get(FAILURE_SAYS_ALL, False) and crash is not None:
        crash.message = crash.message.partition("\n")[0].removeprefix("Failed: ")
    simulate = item.stash.get(_SIMULATE, None)
    if simulate is not None and call.when == "call" and report.failed and (line := simulate.line_again()):
        report.sections.append(("retrysim: to simulate it again", line))
    return report
