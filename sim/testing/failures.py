"""What a failing test tells: what is broken how often, and the first violation with its story."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.stories.violations import violation_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.api.check import CheckedCell


def broken_lines(cell: CheckedCell) -> Iterator[str]:
    """Tell in the first line what is broken in a cell, and then of the first violation the story."""
    if cell.broken:
        held = ", ".join(f"{name} ({number:,})" for name, number in cell.broken.items())
        scenario = cell.cell.scenario
        yield f"broken: {held}, of {cell.simulated:,} requests, seed {scenario.seed}"
    for one in cell.unseen:
        yield f"never seen: {one.name}: {one.doc}"
    first = cell.first
    if first is not None:
        yield ""
        yield from violation_lines(first.violation, first.history, first.outcome)
