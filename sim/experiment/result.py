"""What a run found: per cell the records of its requests, its metrics, and the verdicts on what was expected."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.analysis import ccdf, plots, sweep_plots, words
from sim.analysis.cells import Cell as Reported
from sim.analysis.expressions import Ruling, Verdict
from sim.analysis.metrics import CellMetrics, measure
from sim.analysis.sweep_plots import SweptCell, level
from sim.analysis.tally import Examples, Tally
from sim.convex.platform import assumed
from sim.experiment.kept import kept_of, requests_kept
from sim.experiment.precision import Attained, attained, precision_summary
from sim.kernel.records import Cause, Outcome, Requests
from sim.retriers.base import LoopRetrier
from sim.scenario.identity import digest
from sim.scenario.names import label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from rich.table import Table

    from sim.experiment.engines import Choice
    from sim.experiment.kept import Kept
    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario

SUMMARY_SCHEMA = 1
PACKAGES = ("retrysim", "numpy", "scipy", "simpy")


@dataclass(frozen=True)
class CellResult:
    """One cell: its scenario, the requests that count, and what they come to."""

    cell: Cell
    kept: Kept
    """The requests that count, or a tally of them."""
    metrics: CellMetrics
    verdicts: tuple[Verdict, ...]

    @property
    def id(self) -> str:
        """The cell's id."""
        return self.cell.id

    @property
    def requests(self) -> Requests:
        """The requests submitted in the measuring window; all of them where there is none.

        Raises `sim.experiment.kept.RequestsNotKept` where only histograms are kept.
        """
        return requests_kept(self.cell, self.kept)

    @property
    def examples(self) -> dict[str, int]:
        """Requests worth a replay, as `--request` numbers: one stuck, the most duplicated, the slowest to be known.

        Those that there are; the first where several qualify.
        """
        return self._examples.named()

    @property
    def slowest_ns(self) -> int:
        """The longest time until a request was known to have ended, however it did; -1 where none is."""
        return self._examples.slowest_ns

    @cached_property
    def _examples(self) -> Examples:
        if isinstance(self.kept, Tally):
            return self.kept.examples
        requests = self.kept
        return Examples.of(
            requests, requests.replication * np.int64(self.cell.scenario.requests.count) + requests.number
        )

    def summary(self) -> dict[str, Any]:
        """Return the cell's part of `summary.json`."""
        return {
            "id": self.cell.id,
            "name": self.cell.name,
            "params": self.cell.params,
            **self.metrics.summary(),
            "expect": [verdict.summary() for verdict in self.verdicts],
            "examples": self.examples,
        }


def counted(cell: Scenario, kept: Kept) -> Kept:
    """Return those of some requests of a cell that count: that were submitted in the measuring window."""
    if cell.measure is None or not isinstance(kept, Requests):
        return kept
    inside = kept.submitted_ns >= cell.measure.from_ns
    if cell.measure.to_ns is not None:
        inside &= kept.submitted_ns < cell.measure.to_ns
    return kept.select(inside)


def judged(cell: Cell, kept: Kept) -> CellResult:
    """Measure a cell's requests, or what is kept of them, and judge what its scenario expects."""
    scenario = cell.scenario
    kept = kept_of(scenario, counted(scenario, kept))
    metrics = measure(kept, shared=scenario.world == "shared")
    return CellResult(cell, kept, metrics, tuple(expected.judge(metrics) for expected in scenario.expect))


class Result:
    """All cells of a run, in the order of the scenario."""

    def __init__(
        self,
        scenario: Scenario,
        cells: Sequence[CellResult],
        choice: Choice,
        *,
        digest: str | None = None,
        versions: dict[str, str] | None = None,
    ) -> None:
        """Put a result together; `digest` and `versions` are those of a run that was kept, by default of this one."""
        self.scenario = scenario
        self._digest = digest
        self.versions = {name: version(name) for name in PACKAGES} if versions is None else versions
        """Of the packages that the numbers were made with."""
        self.cells = tuple(cells)
        self.choice = choice
        """The engine, and why it was chosen."""

    def __getitem__(self, cell: str) -> CellResult:
        """Return a cell by id or name; KeyError where there is none."""
        for found in self.cells:
            if cell in (found.cell.id, found.cell.name):
                return found
        raise KeyError(f"no cell '{cell}'; there are {', '.join(found.id for found in self.cells)}")

    def requests(self, cell: str | None = None) -> Requests:
        """Return the per-request records of one cell; it need not be named where there is only one.

        Raises KeyError where there is no such cell, and `sim.experiment.kept.RequestsNotKept` where only histograms are
        kept of it.
        """
        if cell is None:
            if len(self.cells) > 1:
                raise KeyError(f"which cell? There are {', '.join(found.id for found in self.cells)}")
            return self.cells[0].requests
        return self[cell].requests

    @cached_property
    def digest(self) -> str:
        """The identity of the scenario."""
        return digest(self.scenario) if self._digest is None else self._digest

    @property
    def reported(self) -> list[Reported]:
        """The cells in the form that tables, words and pictures take."""
        return [Reported(found.cell.name, found.metrics, found.verdicts) for found in self.cells]

    def table(self) -> Table:
        """Return the results as a table for a terminal of 100 columns."""
        return words.table(self.reported)

    def sentences(self) -> list[str]:
        """Return three to five plain sentences: the answer, how sure it is, which assumption matters most."""
        return words.sentences(self.reported, self.assumed)

    @property
    def assumed(self) -> list[str]:
        """Name the parameters in force whose numbers no source gives."""
        named = {
            name: None
            for found in self.cells
            if not isinstance(found.cell.scenario.retrier.make(), LoopRetrier)
            for name in assumed(found.cell.scenario.platform)
        }
        return list(named)

    @property
    def ruling(self) -> Ruling | None:
        """The worst verdict: missed before inconclusive before met; None where nothing was expected."""
        rulings = {verdict.ruling for found in self.cells for verdict in found.verdicts}
        return next((one for one in (Ruling.missed, Ruling.inconclusive, Ruling.met) if one in rulings), None)

    @property
    def attained(self) -> list[Attained]:
        """How narrow the intervals have become that `precision` names, by cell; empty where it names none."""
        return attained(self.cells)

    @property
    def requests_each(self) -> int:
        """How many requests a cell has, in a shared world each replication; `precision` adds some to isolated ones."""
        count = self.scenario.requests.count
        if self.scenario.precision is None or self.scenario.world == "shared":
            return count
        return max((len(found.metrics) for found in self.cells), default=count)

    @property
    def replications(self) -> int:
        """How many replications a cell has; `precision` adds some."""
        count = self.scenario.replications
        if self.scenario.precision is None or self.scenario.world == "isolated":
            return count
        return max((found.metrics.replications for found in self.cells), default=count)

    @property
    def size(self) -> str:
        """The size of a cell in words: `20,000 requests`, `1,000 requests x 8 replications`."""
        text = f"{self.requests_each:,} requests"
        return f"{text} x {self.replications} replications" if self.scenario.world == "shared" else text

    @property
    def plot(self) -> Plots:
        """Pictures, each a function of an optional matplotlib Axes."""
        return Plots(self.reported, self.swept)

    @property
    def swept(self) -> list[SweptCell]:
        """The cells in the form that pictures of sweeps take; none where nothing is swept."""
        keys, variants = list(self.scenario.sweep), list(self.scenario.variants) or [""]
        if not keys:
            return []
        each = len(self.cells) // len(variants)  # the cells of a variant follow one another
        return [
            SweptCell(
                {key: level(found.cell.params[key], label("retrier", found.cell.params[key])) for key in keys},
                variants[position // each],
                found.metrics,
            )
            for position, found in enumerate(self.cells)
        ]

    def to_pandas(self) -> Any:
        """Return all requests as a pandas DataFrame with a column `cell`.

        Raises ImportError where pandas is not installed, and `sim.experiment.kept.RequestsNotKept`, as `requests` does.
        """
        import pandas as pd  # type: ignore[import-untyped,import-not-found,unused-ignore]  # noqa: PLC0415  # optional

        frames = []
        for found in self.cells:
            columns = {
                field.name: getattr(found.requests, field.name)
                for field in fields(Requests)
                if field.name not in {"duplicates", "outcome"}
            }
            columns["outcome"] = [Outcome(code).name for code in found.requests.outcome]
            columns |= {f"duplicates_{cause.name}": found.requests.duplicates[:, cause] for cause in Cause}
            frames.append(pd.DataFrame({"cell": found.cell.id, **columns}))
        return pd.concat(frames, ignore_index=True)

    def summary(self) -> dict[str, Any]:
        """Return the contents of `summary.json`: no paths, times, hosts or worker counts."""
        return {
            "schema": SUMMARY_SCHEMA,
            "scenario": self.scenario.name,
            "digest": self.digest,
            "seed": self.scenario.seed,
            "engine": self.choice.engine,
            "versions": self.versions,
            **({"precision": precision_summary(self.attained)} if self.attained else {}),
            "cells": [found.summary() for found in self.cells],
        }

    def summary_json(self) -> str:
        """Return the text of `summary.json`; the same scenario and seed give the same text."""
        return json.dumps(self.summary(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


class Plots:
    """The pictures of a result: `result.plot.time_to_effect(ax=None)` and so on, each returning its Axes."""

    def __init__(self, cells: list[Reported], swept: list[SweptCell]) -> None:
        self._cells = cells
        self._swept = swept

    def _draw(self, function: Callable[[list[Reported], Axes | None], Axes], ax: Axes | None) -> Axes:
        return function(self._cells, ax)

    def time_to_effect(self, ax: Axes | None = None) -> Axes:
        """Share of requests without their effect after t."""
        return self._draw(ccdf.plot_time_to_effect, ax)

    def time_to_known(self, ax: Axes | None = None) -> Axes:
        """Share of requests that the retrier has not settled after t."""
        return self._draw(ccdf.plot_time_to_known, ax)

    def detection_lag(self, ax: Axes | None = None) -> Axes:
        """Share of requests whose end the retrier learns of later than t after it."""
        return self._draw(ccdf.plot_detection_lag, ax)

    def attempts(self, ax: Axes | None = None) -> Axes:
        """Share of requests by number of attempts."""
        return self._draw(plots.plot_attempts, ax)

    def outcomes(self, ax: Axes | None = None) -> Axes:
        """Share of requests by outcome."""
        return self._draw(plots.plot_outcomes, ax)

    def duplicates(self, ax: Axes | None = None) -> Axes:
        """Duplicates per 1000 requests by cause."""
        return self._draw(plots.plot_duplicates, ax)

    def metric(self, path: str, over: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw a metric over a swept key, with intervals; a line a variant and a combination of the other keys.

        The key need not be named where one alone is swept. Raises KeyError where it is not swept.
        """
        return sweep_plots.plot_metric(self._swept, path, self._key(over), ax)

    def heat(self, path: str, x: str | None = None, y: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw a metric over two swept keys, which need not be named where two are swept: the last goes along x.

        Raises KeyError where a key is not swept, ValueError where several cells share a field.
        """
        if x is None or y is None:
            keys = list(self._swept[0].levels) if self._swept else []
            if len(keys) != 2:
                raise KeyError(f"name two swept keys; there are {', '.join(keys) or 'none'}")
            y, x = keys
        return sweep_plots.plot_heat(self._swept, path, self._key(x), self._key(y), ax)

    def _key(self, named: str | None) -> str:
        keys = list(self._swept[0].levels) if self._swept else []
        if named is None and len(keys) == 1:
            return keys[0]
        if named not in keys:
            raise KeyError(
                f"name a swept key{'' if named is None else f', not {named}'}; there are {', '.join(keys) or 'none'}"
            )
        return str(named)
