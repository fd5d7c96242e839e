"""The checks of a run's cells, if it has any; what checks is imported only then, since that takes its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.experiment.findings import Findings
    from sim.experiment.plan import Plan
    from sim.experiment.rulings import CellCheck


def checks_of(plan: Plan) -> list[CellCheck]:
    """Return a check for each cell, to which the parts are added in order; none if nothing is checked."""
    if not plan.held:
        return []
    from sim.experiment.rulings import CellCheck
    from sim.scenario.parts.invariants import in_order

    return [CellCheck(cell, in_order(plan.held_by(position))) for position, cell in enumerate(plan.cells)]


def findings_of(checks: Sequence[CellCheck]) -> Findings | None:
    """Return what checks have found whose parts are all there; None if nothing is checked."""
    if not checks:
        return None
    from sim.experiment.rulings import conclude

    return conclude(checks)
