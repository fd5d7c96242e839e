"""Writes what was found in a log as a scenario, runs that, and says whether the log's own numbers come out again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.api.run import run
from sim.expect.expectations import Ruling
from sim.scenario.load import load
from sim.text.numerals import estimate_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sim.expect.expectations import Verdict
    from sim.experiment.progress import Progress
    from sim.fitting.fit import Fitted
    from sim.measure.estimates import Estimate

METRICS = ("success.rate", "time_to_known.p50", "time_to_known.p99")


@dataclass(frozen=True, slots=True)
class Written:
    """A scenario that was written, and what a run of it gives."""

    paths: tuple[Path, ...]
    """The scenario first, then the columns beside it."""
    requests: int
    """Simulated to see what the scenario gives; 0 if it was not run."""
    model: Mapping[str, Estimate]
    """The run's numbers by the paths of `METRICS`; empty if it was not run."""
    unmet: Mapping[str, str]
    """Expectations that the run does not meet for sure, each with what it gives; they are comments in the scenario."""
    missed: Mapping[str, str]
    """Those of them whose bound the run's value is beyond."""
    held: tuple[str, ...] = ()
    """The paths of `METRICS` that have an interval in the log, and so a bound in the scenario."""

    def sentences(self) -> tuple[str, ...]:
        """Say whether the log's numbers come out again."""
        if not self.model:
            return ()
        if self.missed:
            missed = "; ".join(f"{text}, but it is {what}" for text, what in self.missed.items())
            text = f"The scenario does not give all of the log's numbers again: {missed}. "
            return (f"{text}These expectations are comments in it.",)
        if not self.held:
            return ("The log has too few calls for intervals that a run could be held against.",)
        *first, last = [metric.rpartition(".")[2].replace("rate", "success") for metric in self.held]
        those = (
            f"{', '.join(first)} and {last} lie within their intervals" if first else f"{last} lies within its interval"
        )
        text = f"A run of {self.requests:,} requests of the scenario gives the log's own numbers again: {those}."
        near = f" {', '.join(self.unmet)} is too near to be sure, so it is a comment." if self.unmet else ""
        return (f"{text}{near}",)


def write_and_run(
    fitted: Fitted,
    path: Path,
    *,
    shared: bool = False,
    overwrite: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> Written:
    """Write a fit, run the scenario in memory, and write expectations that it does not meet as comments.

    A shared world is not run: it is one course of events over and over, whose numbers differ from run to run as those
    of logs do. Raises `sim.fitting.writing.WouldOverwrite` and OSError, before anything is run.
    """
    paths = fitted.write(path, shared=shared, overwrite=overwrite, command=command)
    if shared:
        return Written(paths, 0, {}, {}, {})
    result = run(load(path), progress=progress)
    (cell,) = result.cells
    model = {metric: cell.metrics.value(metric) for metric in METRICS}
    unsure = [verdict for verdict in cell.verdicts if verdict.ruling is not Ruling.met]
    unmet = {one.expectation.text: estimate_text(one.estimate, one.expectation.metric.unit) for one in unsure}
    missed = {one.expectation.text: unmet[one.expectation.text] for one in unsure if _is_beyond(one)}
    if unmet:
        paths = fitted.write(path, overwrite=True, command=command, unmet=unmet)
    bounded = " ".join(verdict.expectation.text for verdict in cell.verdicts)
    return Written(
        paths, len(cell.metrics), model, unmet, missed, tuple(metric for metric in METRICS if metric in bounded)
    )


def _is_beyond(verdict: Verdict) -> bool:
    """Say whether the value itself is beyond the bound, and not only an end of its interval."""
    value, bound = verdict.estimate.value, verdict.expectation.bound
    if value is None:
        return True
    return value > bound if verdict.expectation.operator.startswith("<") else value < bound
