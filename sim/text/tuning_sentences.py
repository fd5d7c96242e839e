"""The findings of a search for parameters in a few plain sentences, which are true of any data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sim.expect.expectations import Ruling
from sim.measure.differences import higher_is_better
from sim.measure.paths import metric_of
from sim.text.numerals import estimate_text, value_texts
from sim.text.sentences import verdict_text
from sim.text.tried import Role, Tried
from sim.text.wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

EDGE = 0.05
"""The outermost part of a range that counts as its edge."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What a search cost, and on what its numbers rest."""

    candidates: int
    whole_space: bool
    """Whether the candidates are all points of the space."""
    searched: int
    """Requests simulated for the search."""
    fresh: int
    """Requests simulated for the fresh sample, whose numbers are reported."""
    each: int
    """Requests that each finalist is measured with; in a shared world, replications."""
    seed: int
    """The seed of the search."""
    fresh_seed: int
    """The seed of the fresh sample."""
    shared: bool
    """Whether the world is shared."""
    edges: Sequence[str] = field(default_factory=tuple)
    """The ends of ranges at which points lie, such as `the highest base`."""


def sentences(tried: Sequence[Tried], objectives: Sequence[str], effort: Effort) -> list[str]:
    """Say what was found, how it compares with the scenario as written, what it cost, and how sure it is."""
    points = [one for one in tried if one.role is Role.point]
    written = next(one for one in tried if one.role is Role.as_written)
    answer = _points(points, tried, objectives) if points else _closest(tried)
    return [
        answer,
        *_as_written(points, written, objectives),
        _cost(effort),
        _certainty(points, effort),
        *_edges(effort),
    ]


def _points(points: Sequence[Tried], tried: Sequence[Tried], objectives: Sequence[str]) -> str:
    sure = sum(one.role in (Role.point, Role.dominated) for one in tried)
    last = sum(one.role not in (Role.tried, Role.as_written) for one in tried)
    keep = "keeps" if sure == 1 else "keep"
    constrained = any(one.verdicts for one in points)
    start = (
        f"Of {counted(last, 'finalist')}, {sure} {keep} every constraint" if constrained else counted(last, "finalist")
    )
    first = objectives[0]
    if len(points) == 1:
        rest = (
            "it alone is in the Pareto set"
            if sure == 1
            else "one is beyond doubt the best, since no other is better in anything"
        )
        return f"{start}, and {rest}: point 1, with {_told(points[0], objectives)}."
    best, least = points[0], points[-1]
    middle = f"from point 1 ({_told(best, objectives)}) to point {least.number} ({_told(least, objectives)})"
    return (
        f"{start}, and {len(points)} of them are the Pareto set, in the order of {first}: {middle}. None of them is "
        "beyond doubt better than another in one objective and worse in none."
    )


def _told(one: Tried, objectives: Sequence[str]) -> str:
    return ", ".join(f"{path} {estimate_text(one.value(path), one.metrics.unit(path))}" for path in objectives)


def _closest(tried: Sequence[Tried]) -> str:
    nearest = next(one for one in tried if one.role in (Role.unsure, Role.misses))
    params = ", ".join(f"{key} {value}" for key, value in nearest.params.items())
    sure = "No finalist is sure to keep" if nearest.role is Role.unsure else "No finalist keeps"
    told = [verdict_text(verdict) for verdict in nearest.verdicts if verdict.ruling is not Ruling.met]
    return f"{sure} every constraint. The closest is {params}: {'; '.join(told)}."


def _as_written(points: Sequence[Tried], written: Tried, objectives: Sequence[str]) -> list[str]:
    params = ", ".join(f"{key} {value}" for key, value in written.params.items())
    start = f"As written ({params}), it has {_told(written, objectives)}"
    broken = [verdict.expectation.text for verdict in written.verdicts if verdict.ruling is Ruling.missed]
    if broken:
        return [f"{start}, but misses {' and '.join(broken)}."]
    unsure = [verdict.expectation.text for verdict in written.verdicts if verdict.ruling is Ruling.inconclusive]
    if unsure:
        return [f"{start}, but is not sure to keep {' and '.join(unsure)}."]
    better = [one for one in points if _is_clearly_better(one, written, objectives[0])]
    if better:
        value = value_texts(
            (better[0].value(objectives[0]).value, written.value(objectives[0]).value),
            written.metrics.unit(objectives[0]),
        )[0]
        return [f"{start}; point {better[0].number} has {objectives[0]} {value}, beyond doubt better."]
    return [f"{start}; no point is beyond doubt better in {objectives[0]}."]


def _is_clearly_better(one: Tried, other: Tried, path: str) -> bool:
    mine, theirs = one.value(path), other.value(path)
    if higher_is_better(metric_of(path)):
        mine, theirs = theirs, mine
    return mine.high is not None and theirs.low is not None and mine.high < theirs.low


def _cost(effort: Effort) -> str:
    space = "all that there are" if effort.whole_space else "spread evenly over the space"
    return (
        f"The search tried {effort.candidates} candidates, {space}, with {effort.searched:,} requests (seed "
        f"{effort.seed}); the numbers above come from {effort.fresh:,} others (seed {effort.fresh_seed}), which had no "
        "part in choosing the finalists."
    )


def _certainty(points: Sequence[Tried], effort: Effort) -> str:
    thing = "replications" if effort.shared else "independent requests"
    between = "" if effort.whole_space else "; there may be better candidates between those tried"
    noun = "a finalist" if not points else "a point"
    return f"How sure: 95 % intervals over {effort.each:,} {thing} {noun}, each interval by itself{between}."


def _edges(effort: Effort) -> list[str]:
    if not effort.edges:
        return []
    return [
        f"Points lie at the edge of the space searched ({listed(effort.edges)}): a wider range may hold better ones."
    ]
