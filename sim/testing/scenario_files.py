"""Scenario files as tests, one for each cell: it fails if an expectation is not met or an invariant is broken."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from sim.api.check import check
from sim.expect.expectations import Ruling
from sim.explorer.play import play
from sim.explorer.repeats import NotRepeatable
from sim.scenario.cells import Cell, cells
from sim.scenario.load import load
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.yaml.guard import read_yaml
from sim.testing.failures import broken_lines, probe_lines
from sim.testing.stash import FAILURE_SAYS_ALL
from sim.text.sentences import verdict_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sim.api.check import CheckedCell
    from sim.expect.expectations import Verdict
    from sim.experiment.cell_result import CellResult

_ASKS = re.compile(rb"(?m)(^|[{,])\s*(expect|check)\s*:")
"""A cheap test: most YAML files are no scenarios."""
_OF_SCENARIOS = ("retrier", "sweep", "variants")


def scenario_file(path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Return the collector of a scenario file, None for other files and for scenarios with nothing to test.

    A file that is named on the command line is always collected, so that its mistakes are reported.
    """
    if parent.session.isinitpath(path) or _is_test(path):
        made: ScenarioFile = ScenarioFile.from_parent(parent, path=path)
        return made
    return None


def _is_test(path: Path) -> bool:
    try:
        data = path.read_bytes()
    except OSError:
        return False
    if not _ASKS.search(data):
        return False
    try:
        tree = read_yaml(data, str(path)).values
    except ScenarioError:
        return False  # other tools' YAML has tags, anchors and several documents
    return isinstance(tree, dict) and any(key in tree for key in _OF_SCENARIOS)


class ScenarioFile(pytest.File):
    """A scenario file."""

    @property
    def shown(self) -> str:
        """The path, relative to the folder in which pytest was started."""
        return os.path.relpath(self.path, self.config.invocation_params.dir)

    def collect(self) -> Iterator[ScenarioItem]:
        """Yield a test for each cell with `expect` or `check`."""
        try:
            scenario = load(self.path)
        except ScenarioError as error:
            raise self.CollectError(str(error).replace(str(self.path), self.shown)) from None
        found = cells(scenario)
        asking = [cell for cell in found if cell.scenario.expect or cell.scenario.check]
        if not asking:
            raise self.CollectError(
                f"{self.shown}: there is nothing to test: the scenario has neither expect nor check"
            )
        for cell in asking:
            item: ScenarioItem = ScenarioItem.from_parent(self, name=cell.id)
            item.cell = cell
            item.several = len(found) > 1
            yield item


class ScenarioItem(pytest.Item):
    """One cell of a scenario file."""

    parent: ScenarioFile
    cell: Cell
    several: bool

    def runtest(self) -> None:
        """Simulate the cell, or play its course; fail if anything in it does not hold."""
        try:
            failure = list(self._simulated() if self.cell.scenario.course is None else self._played())
        except (ScenarioError, NotRepeatable) as error:
            failure = str(error).splitlines()
        if failure:
            self.stash[FAILURE_SAYS_ALL] = True
            pytest.fail("\n".join(failure), pytrace=False)

    def _simulated(self) -> Iterator[str]:
        checked = check(self.cell.scenario, invariants=())
        (cell,) = checked.cells
        unmet = [verdict for verdict in cell.result.verdicts if verdict.ruling is not Ruling.met]
        if not cell.holds or unmet:
            yield from self._lines(cell, unmet)
        elif checked.probed is not None and not checked.probed.holds:
            yield from probe_lines(checked.probed)

    def _played(self) -> Iterator[str]:
        played = play(self.cell.scenario)
        if not played.holds:
            line = shlex.join(["retrysim", "replay", self.parent.shown])
            yield from (*played.lines(), "", "to see it again", f"  {line}")

    def _lines(self, cell: CheckedCell, unmet: list[Verdict]) -> Iterator[str]:
        yield from map(verdict_text, unmet)
        if cell.holds:
            yield from ("", "to see one happen", f"  {self._replay(_example(cell.result, unmet))}")
            return
        yield from broken_lines(cell)
        request = None if cell.first is None else cell.first.request
        yield from ("", "to see it again", f"  {self._replay(request)}")

    def _replay(self, request: int | None) -> str:
        path = self.parent.shown
        if request is None:
            return shlex.join(["retrysim", "run", path])
        cell = ["--cell", self.cell.id] if self.several else []
        return shlex.join(["retrysim", "replay", path, "--request", str(request), *cell])

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the test in reports; pytest would change dots in the end of its node id."""
        return self.path, None, f"{self.parent.shown}: {self.name}"


def _example(result: CellResult, unmet: list[Verdict]) -> int | None:
    """Return the request that best shows why an expectation is not met, None if there is no example."""
    about = " ".join(verdict.expectation.metric.path for verdict in unmet)
    wanted = "duplicated" if "duplicates" in about else "slowest" if "time" in about else "stuck"
    examples = result.examples
    return examples.get(wanted, examples.get("stuck", examples.get("slowest")))
