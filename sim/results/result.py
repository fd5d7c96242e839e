"""The result of a run: for each cell its requests, its metrics, and the verdicts on what was expected."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sim.convex.platform import assumed
from sim.expect.expectations import Ruling
from sim.experiment.precision import TargetStatus, precision_summary, target_statuses
from sim.experiment.versions import SUMMARY_SCHEMA
from sim.history.frames import data_frame
from sim.kernel.durations import NS_PER_S
from sim.pictures.data.caption import caption_text
from sim.pictures.data.levels import SweptCell, level
from sim.pictures.data.over_time import CellOverTime, Shade
from sim.results.columns import NO_CALLS, NO_TIMELINE, TABLES, NotKept
from sim.results.frame_files import write_frames_csv
from sim.results.plots import PictureData, Plots
from sim.results.tabulated import Cells, calls_frame, cells_frames, requests_frame, tidy_frames, timeline_frames
from sim.retriers.base import ClientRetrier
from sim.scenario.names import label
from sim.text import sentences
from sim.text.columns import TABLE_WIDTH
from sim.text.lasting_waits import wait_sentences
from sim.text.over_time import table_over_time
from sim.text.rendered import HTML_WIDTH, html_of, plain_text, table_width
from sim.text.repeats import repeat_sentences
from sim.text.reported import Cell as Reported
from sim.text.tables import table
from sim.world.arrivals import Closed, Schedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.table import Table

    from sim.experiment.cell_result import CellResult
    from sim.experiment.findings import Findings
    from sim.experiment.plan import Plan
    from sim.history.frames import Frame
    from sim.history.records import Requests
    from sim.measure.timeline import Timeline
    from sim.results.columns import TableName
    from sim.scenario.cells import Cell


TIMELINE: Final = "timeline.csv"
"""The file of the timelines, in the folder of a run."""


class Result:
    """All cells of a run, in the order of the scenario."""

    def __init__(self, plan: Plan, cells: Sequence[CellResult], *, checked: Findings | None = None) -> None:
        self.plan = plan
        self.checked = checked
        """What the check of its histories has found; None if they were not checked."""
        self.cells = tuple(cells)
        self.scenario = plan.scenario
        self.choice = plan.choice
        """The engine, and why it was chosen."""

    def __repr__(self) -> str:
        """Return the table of the cells, below what the run is."""
        return f"{self._head}\n{plain_text(self.table(width := table_width()), width)}"

    def _repr_html_(self) -> str:
        """Return the table of the cells for notebooks."""
        return html_of(self.table(HTML_WIDTH), self._head)

    @property
    def _head(self) -> str:
        scenario = self.scenario
        return f"{scenario.name}: {scenario.world} world, {self.size} a cell, seed {scenario.seed}"

    @property
    def digest(self) -> str:
        """The identity of the scenario."""
        return self.plan.digest

    def __getitem__(self, cell: str) -> CellResult:
        """Return a cell by id or name; raises KeyError if there is none."""
        for found in self.cells:
            if cell in (found.cell.id, found.cell.name):
                return found
        raise KeyError(f"no cell '{cell}'; there are {', '.join(found.id for found in self.cells)}")

    def requests(self, cell: str | None = None) -> Requests:
        """Return the requests of one cell, a row each; if there is only one cell it need not be named.

        Raises KeyError for an unknown cell, and `sim.experiment.parts.RequestsNotKept` if only histograms are kept.
        """
        if cell is None:
            if len(self.cells) > 1:
                raise KeyError(f"which cell? There are {', '.join(found.id for found in self.cells)}")
            return self.cells[0].requests
        return self[cell].requests

    @property
    def reported(self) -> list[Reported]:
        """The cells in the form that tables, words and pictures take."""
        return [
            Reported(
                found.cell.name,
                found.metrics,
                found.verdicts,
                over_time=found.is_told_over_time,
                variant=found.cell.variant,
                swept=bool(found.cell.levels),
            )
            for found in self.cells
        ]

    def table(self, width: int = TABLE_WIDTH) -> Table:
        """Return the results as a table of at most `width` columns."""
        return table(self.reported, width)

    def table_over_time(self, width: int = TABLE_WIDTH) -> Table | None:
        """Return load, goodput, queues and waste as a table of at most `width` columns; None if nothing asks for it."""
        return table_over_time([cell for cell in self.reported if cell.over_time], width)

    def sentences(self) -> list[str]:
        """Return three to five plain sentences: the answer, how sure it is, and which assumption matters most.

        If requests did something else when they were simulated again, they come first, with the usual causes; then the
        lines of guests at which they wait for ever.
        """
        warnings = repeat_sentences([(found.cell.name, found.unrepeated) for found in self.cells])
        stuck = wait_sentences([(found.cell.name, found.waits) for found in self.cells])
        return [*warnings, *stuck, *sentences.sentences(self.reported, self.assumed)]

    @property
    def repeats(self) -> bool:
        """Whether all requests that were simulated again did the same, so that scenario and seed decide the numbers."""
        return not any(found.unrepeated for found in self.cells)

    @property
    def assumed(self) -> list[str]:
        """The parameters in force whose numbers no source gives."""
        named = {
            name: None
            for found in self.cells
            if not all(isinstance(one.make(), ClientRetrier) for one in found.cell.scenario.retriers)
            for name in assumed(found.cell.scenario.platform)
        }
        return list(named)

    @property
    def ruling(self) -> Ruling | None:
        """The worst verdict: missed before inconclusive before met; None if nothing was expected."""
        rulings = {verdict.ruling for found in self.cells for verdict in found.verdicts}
        return next((one for one in (Ruling.missed, Ruling.inconclusive, Ruling.met) if one in rulings), None)

    @property
    def precision(self) -> list[TargetStatus]:
        """How narrow the intervals are that `precision` names, cell by cell; empty if it names none."""
        return target_statuses(self.cells)

    @property
    def requests_each(self) -> int:
        """How many requests a cell has, in a shared world a replication; in isolated worlds `precision` adds some."""
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
        """The size of a cell in words, such as `20,000 requests` or `1,000 requests x 8 replications`."""
        # How many requests come by a schedule is up to chance, and by closed clients to how long they take.
        bound = "up to " if isinstance(self.scenario.requests.arrivals, Schedule | Closed) else ""
        text = f"{bound}{self.requests_each:,} requests"
        return f"{text} x {self.replications} replications" if self.scenario.world == "shared" else text

    @property
    def plot(self) -> Plots:
        """Pictures, each a function of an optional matplotlib Axes; `plot.data` has what they show."""
        caption = caption_text(
            self.scenario.name, self.scenario.seed, self.requests_each, self.digest, self.replications
        )
        return Plots(PictureData(self.reported, self.swept, caption, self.over_time))

    @property
    def swept(self) -> list[SweptCell]:
        """The cells in the form that pictures of sweeps take; none where nothing is swept."""
        return [
            SweptCell(
                {key: level(value, label("retrier", value)) for key, value in found.cell.levels.items()},
                found.cell.variant,
                found.metrics,
            )
            for found in self.cells
            if found.cell.levels
        ]

    @property
    def over_time(self) -> list[CellOverTime]:
        """The cells that have a timeline, in the form that pictures over time take."""
        return [
            CellOverTime(
                found.cell.name,
                found.timeline,
                tuple(Shade(one.from_ns / NS_PER_S, one.to_ns / NS_PER_S, one.text) for one in found.triggers),
            )
            for found in self.cells
            if found.timeline is not None
        ]

    def write_timeline(self, path: Path) -> bool:
        """Write the timelines of all cells as CSV if there is any; tell if there is."""
        if self._timelines:
            with path.open("w", encoding="utf-8", newline="") as file:
                write_frames_csv(self.frames("timeline"), file)
        return bool(self._timelines)

    @property
    def _timelines(self) -> list[tuple[Cell, Timeline]]:
        return [(found.cell, found.timeline) for found in self.cells if found.timeline is not None]

    def frames(self, table: TableName = "cells", *, tidy: bool = False) -> Iterator[Frame]:
        """Yield a table as named columns, without pandas; see `to_pandas`."""
        cells = Cells([found.cell for found in self.cells])
        match table:
            case "cells":
                yield from (tidy_frames if tidy else cells_frames)(self.cells)
            case "requests":
                yield from (requests_frame(cells, found.cell, found.requests) for found in self.cells)
            case "calls":
                calls = [(found.cell, found.traffic.calls) for found in self.cells if found.traffic is not None]
                if not calls:
                    raise NotKept(NO_CALLS)
                yield from (calls_frame(cells, *one) for one in calls)
            case "timeline":
                if not self._timelines:
                    raise NotKept(NO_TIMELINE)
                yield from timeline_frames(cells, self._timelines)
            case _:
                raise ValueError(f"there is no table '{table}'; there are {', '.join(TABLES)}")

    def to_pandas(self, table: TableName = "cells", *, tidy: bool = False) -> Any:
        """Return a table as a pandas DataFrame: the cells with their metrics, or `requests`, `calls` or `timeline`.

        Cells have a row each: what sets them apart in columns named by dotted key, and a column a metric with its unit
        (`time_to_effect.p99_ms`) and its interval (`.low`, `.high`); with `tidy` a row a metric (`metric`, `value`,
        `low`, `high`, `unit`, `reason`). Rows of requests and calls have times in ns. Names, order and units are those
        of `retrysim export`; `sim.results.columns` lists them. What did not happen, or is not known, is missing: `<NA>`
        among whole numbers (`Int64`), NaN among others. A time that never comes is infinite.

        Raises `sim.history.frames.NoPandas` if pandas is not installed, `sim.experiment.parts.RequestsNotKept` as
        `requests` does, `sim.results.export.NotKept` if there are no calls or no timeline, and ValueError for another
        table, or for one of other rows than cells with `tidy`.
        """
        if tidy and table != "cells":
            raise ValueError("only the table of cells can be tidy: in the others every row is one thing that happened")
        return data_frame(self.frames(table, tidy=tidy))

    def summary(self) -> dict[str, Any]:
        """Return the contents of `summary.json`: no paths, times, hosts or numbers of workers."""
        return {
            "schema": SUMMARY_SCHEMA,
            "scenario": self.scenario.name,
            "digest": self.digest,
            "seed": self.scenario.seed,
            "engine": self.choice.engine,
            "versions": self.plan.versions,
            **({"precision": precision_summary(self.precision)} if self.precision else {}),
            **({"checked": self.checked.summary()} if self.checked is not None else {}),
            "cells": [found.summary() for found in self.cells],
        }

    def summary_json(self) -> str:
        """Return the text of `summary.json`; the same scenario and seed give the same text."""
        return json.dumps(self.summary(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
