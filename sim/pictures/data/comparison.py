"""A comparison: two curves of waiting, and what became of their quantiles; the title is the finding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from sim.measure.differences import Change
from sim.measure.quantities import QUANTILES, Unit
from sim.pictures.data.ccdf import Ccdf, time_to_effect_data
from sim.pictures.data.picture import Picture
from sim.text.comparison_sentences import finding
from sim.text.numerals import difference_text
from sim.text.reported import Cell

if TYPE_CHECKING:
    from sim.measure.differences import Difference
    from sim.text.comparison import Pair

_VERDICTS = MappingProxyType({Change.better: "better", Change.worse: "worse", Change.inconclusive: "may be chance"})


@dataclass(frozen=True, slots=True)
class Step:
    """How far one quantile moves from A to B."""

    quantile: str
    """Such as `p99`."""
    share: float
    """The share of requests that wait longer: the height of the step."""
    a_ns: float
    b_ns: float
    """The quantile in A and in B; `math.inf` if it never comes."""
    change: str
    """What the difference says of B: a value of `Change`."""
    text: str
    """The difference B - A in words, with its 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedCurves(Picture):
    """The times to effect of A and B."""

    curves: Ccdf
    """Two curves: A, B."""
    steps: tuple[Step, ...]
    """One a quantile that both cells have; none if there are no curves with an end."""


def comparison_data(pair: Pair, caption: str = "") -> ComparedCurves:
    """Return the times to effect of A and B, and at each quantile the step from A to B."""
    cells = [Cell(f"A: {pair.a}", pair.differences.a), Cell(f"B: {pair.b}", pair.differences.b)]
    curves = time_to_effect_data(cells, caption)
    found = (
        {}
        if curves.is_empty or curves.is_endless
        else {point: pair.differences[f"time_to_effect.{point}"] for point in QUANTILES}
    )
    return ComparedCurves(
        title=finding(pair),
        curves=curves,
        steps=tuple(
            Step(point, float(1 - QUANTILES[point]), one.a.value, one.b.value, one.change.value, _words(one))
            for point, one in found.items()
            if one.a.value is not None and one.b.value is not None
        ),
        caption=caption,
    )


def _words(found: Difference) -> str:
    if found.change is Change.same:
        return "the same"
    estimate = found.estimate
    if estimate.value is None:
        return "never in both"
    if math.isinf(estimate.value):
        return f"{'to' if estimate.value > 0 else 'from'} never, {_VERDICTS.get(found.change, '')}"
    size = difference_text(estimate.value, Unit.duration)
    if estimate.low is None or estimate.high is None:
        return f"{size}, no interval"
    if math.isinf(estimate.low) or math.isinf(estimate.high):
        return f"{size}, too few requests to tell"
    low, high = (difference_text(end, Unit.duration) for end in (estimate.low, estimate.high))
    verdict = _VERDICTS.get(found.change, "") if estimate.value else ""
    return f"{size} ({low} to {high}){f', {verdict}' if verdict else ''}"
