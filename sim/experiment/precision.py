"""How far a run with `precision:` goes: rounds that double its size, until every named interval is narrow enough.

The sizes at which a run may stop depend on the scenario alone (`requests.count` or `replications`, twice that, four
times that, ..., the limit). The size at which it does stop depends on the numbers that came out, and these depend on
nothing but scenario and seed: same scenario, same seed, same size. All cells grow together, so that their requests stay
pairs.

A run that stops when its interval is narrow stops a little too often when chance has made the spread look small. As
the widths go to 0 the intervals are right all the same (Y. S. Chow and H. Robbins, "On the asymptotic theory of
fixed-width sequential confidence intervals for the mean", Annals of Mathematical Statistics 36(2), 1965; P. W. Glynn
and W. Whitt, "The asymptotic validity of sequential stopping rules for stochastic simulations", Annals of Applied
Probability 2(1), 1992); before that they cover somewhat less than 95 %. Few looks and a least size keep that small:
sizes double, and no run stops before 1000 requests or 10 replications.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sim.expect.targets import Target, half_width
from sim.measure.metrics import unit_of
from sim.measure.summary import json_numbers
from sim.text.numerals import amount_text, digits_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.experiment.cell_result import CellResult
    from sim.measure.quantities import AnyUnit
    from sim.scenario.schema import Scenario

LEAST_REQUESTS = 1_000
LEAST_REPLICATIONS = 10

Sizes = tuple[int, ...]
"""Of each cell the number of requests, in shared worlds of replications."""


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """How narrow one named interval of one cell is, and whether that is narrow enough."""

    cell: str
    """The cell's name."""
    target: Target
    half_width: float
    """In the unit of the metric (ns for durations); infinite if there is no interval."""
    reached: bool
    currency: str = ""
    """Of the cell's prices."""


def first_size(cell: Scenario) -> int:
    """Return the size of a cell in the first round, which is the only one without `precision`."""
    return cell.replications if cell.world == "shared" else cell.requests.count


def size_in_round(cell: Scenario, number: int) -> int:
    """Return the size of a cell in a round, counted from 0."""
    size = first_size(cell)
    if cell.precision is None:
        return size
    limit = cell.precision.replications_at_most if cell.world == "shared" else cell.precision.requests_at_most
    return min(size << number, max(size, limit))


def next_sizes(results: Sequence[CellResult], number: int) -> Sizes | None:
    """Return the sizes of the round after round `number`, whose results these are; None if that was the last round.

    It was the last if every named interval of every cell is narrow enough, or if no cell may grow.
    """
    cells = [found.cell.scenario for found in results]
    sizes = [size_in_round(cell, number) for cell in cells]
    following = tuple(size_in_round(cell, number + 1) for cell in cells)
    if list(following) == sizes:
        return None
    small = any(
        cell.precision is not None and size < (LEAST_REPLICATIONS if cell.world == "shared" else LEAST_REQUESTS)
        for cell, size in zip(cells, sizes, strict=True)
    )
    if not small and all(one.reached for one in target_statuses(results)):
        return None
    return following


def target_statuses(results: Sequence[CellResult]) -> list[TargetStatus]:
    """Return, cell by cell, how narrow the intervals are that its `precision` names."""
    found = []
    for result in results:
        precision = result.cell.scenario.precision
        for target in precision.intervals if precision is not None else ():
            estimate = result.metrics.value(target.metric.path)
            found.append(
                TargetStatus(
                    result.cell.name, target, half_width(estimate), target.is_reached(estimate), result.metrics.currency
                )
            )
    return found


def precision_lines(statuses: Sequence[TargetStatus], size: str) -> list[str]:
    """Say of each target, in one line, whether it is reached in every cell; `size` is the size of a cell in words."""
    lines = []
    for target in dict.fromkeys(one.target for one in statuses):
        ours = [one for one in statuses if one.target == target]
        worst = max(ours, key=lambda one: one.half_width if not one.reached else -1)
        missing = [one for one in ours if not one.reached]
        if not missing:
            lines.append(f"reached with {size} a cell: {target.text}")
            continue
        unit = unit_of(target.metric, worst.currency)
        bound = None if target.relative else target.width
        digits = digits_apart([(worst.half_width, bound)], partial(_written, unit))
        how = f"the interval is +- {amount_text(worst.half_width, unit, digits)}"
        if math.isinf(worst.half_width):
            how = "there is no interval, or one without an upper limit,"
        where = f" in '{worst.cell}'" if len(ours) > 1 else ""
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        lines.append(f"not reached with {size} a cell, the limit: {target.text}; {how}{where}{more}")
    return lines


def _written(unit: AnyUnit, width: float, more: int) -> str:
    return amount_text(width, unit, more)


def precision_summary(statuses: Sequence[TargetStatus]) -> list[dict[str, object]]:
    """Return the statuses for `summary.json`; a half width is infinite if there is no interval."""
    return [
        {
            "cell": one.cell,
            "target": one.target.text,
            **json_numbers({"half_width": one.half_width}, unit_of(one.target.metric, one.currency)),
            "reached": one.reached,
        }
        for one in statuses
    ]
