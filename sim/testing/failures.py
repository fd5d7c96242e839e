"""The text of a failing test: which invariants are broken how often, and the first violation with its story."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.stories.violations import violation_lines
from sim.text.lasting_waits import wait_sentences
from sim.text.repeats import repeat_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.api.check import CheckedCell
    from sim.experiment.probe import Probed


def broken_lines(cell: CheckedCell) -> Iterator[str]:
    """Yield first what is broken in a cell, in one line, then the first violation with its story."""
    if cell.broken:
        counts = ", ".join(f"{name} ({number:,})" for name, number in cell.broken.items())
        scenario = cell.cell.scenario
        yield f"broken: {counts}, of {cell.simulated:,} requests, seed {scenario.seed}"
    for one in cell.unseen:
        yield f"never seen: {one.name}: {one.doc}"
    yield from repeat_sentences([(cell.cell.name, cell.result.unrepeated)])
    yield from wait_sentences([(cell.cell.name, cell.result.waits)])
    first = cell.first
    if first is not None:
        yield ""
        yield from violation_lines(first.violation, first.history, first.outcome)


def probe_lines(probed: Probed) -> Iterator[str]:
    """Yield what the platform breaks in the worlds of its probe, then the first violation with its events."""
    yield f"the platform breaks, in the worlds of its own probe: {', '.join(probed.broken)}"
    if probed.broken_in is not None:
        yield ""
        yield from violation_lines(probed.violations[0], probed.broken_in, None)
