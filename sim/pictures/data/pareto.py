"""A search for parameters: its Pareto set among all candidates, with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from sim.measure.paths import metric_of
from sim.pictures.data.picture import Picture
from sim.pictures.data.scales import Scale, metric_words, scale_of
from sim.text.tried import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.measure.estimates import Estimate
    from sim.text.tried import Tried

FIGURE = "pareto"
"""The name of the picture's file, without its ending."""

ROLE_WORDS = MappingProxyType(
    {
        Role.tried.value: "left out on the way (search sample)",
        Role.misses.value: "finalist, misses a constraint",
        Role.unsure.value: "finalist, not sure of a constraint",
        Role.dominated.value: "finalist, beyond doubt worse than a point",
        Role.as_written.value: "as written",
        Role.point.value: "Pareto set",
    }
)
"""Legend: a candidate, by `Candidate.role`."""


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective and its axis."""

    label: str
    """What the metric is called on an axis."""
    scale: Scale
    """Where its values stand."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate of the search."""

    role: str
    """What became of it: a value of `Role`."""
    name: str
    """The number of a point of the Pareto set, else the role."""
    number: int
    """The number of a point of the Pareto set, from 1; else 0."""
    estimates: tuple[Estimate, ...]
    """Shape (objectives,): its values with 95 % intervals, each in its metric's unit; None if no request counts."""
    in_view: tuple[bool, ...]
    """Shape (objectives,): whether the value lies on the axis; a candidate of the search sample may lie outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pareto(Picture):
    """All candidates by their objectives."""

    objectives: tuple[Objective, ...]
    """At least one: a picture has a panel for each objective after the first, or rows if there is only one."""
    candidates: tuple[Candidate, ...]
    """Finalists first."""

    @property
    def points(self) -> list[Candidate]:
        """The Pareto set, by number."""
        return sorted((one for one in self.candidates if one.role == Role.point.value), key=lambda one: one.number)


def pareto_data(tried: Sequence[Tried], objectives: Sequence[str], caption: str = "") -> Pareto:
    """Return all candidates by their objectives, which are paths of metrics."""
    scales = [_scale(tried, path) for path in objectives]
    currency = tried[0].metrics.currency if tried else ""
    return Pareto(
        title=_title(tried),
        objectives=tuple(
            Objective(metric_words(path, currency), scale) for path, scale in zip(objectives, scales, strict=True)
        ),
        candidates=tuple(_candidate(one, objectives, scales) for one in tried),
        caption=caption,
    )


def _candidate(one: Tried, objectives: Sequence[str], scales: Sequence[Scale]) -> Candidate:
    estimates = tuple(one.value(path) for path in objectives)
    in_view = tuple(_is_in_view(estimate, scale) for estimate, scale in zip(estimates, scales, strict=True))
    return Candidate(one.role.value, one.name, one.number, estimates, in_view)


def _title(tried: Sequence[Tried]) -> str:
    count = sum(one.role is Role.point for one in tried)
    if not count:
        return "No candidate is sure to keep every constraint"
    return "One candidate is best in everything" if count == 1 else f"{count} candidates worth choosing among"


def _scale(tried: Sequence[Tried], path: str) -> Scale:
    """Choose an axis that shows finalists with the finite ends of their intervals, and the scenario as written.

    Candidates that the search left out on the way do not widen the axis.
    """
    estimates = [one.value(path) for one in tried if one.role is not Role.tried]
    values = [one.value for one in estimates if one.value is not None]
    ends = [end for one in estimates for end in (one.low, one.high) if end is not None and 0 < end < math.inf]
    return scale_of([*values, *ends], metric_of(path).unit)


def _is_in_view(estimate: Estimate, scale: Scale) -> bool:
    if estimate.value is None or estimate.value == math.inf:
        return scale.never is not None
    return scale.low <= estimate.value <= (scale.high if scale.never is None else scale.never)
