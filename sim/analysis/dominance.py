"""Which of several candidates are worth choosing among: dominance on estimates, which are never quite sure.

A candidate *dominates* another when its value is no worse in any objective and in at least one it is better beyond
doubt: the 95 % intervals do not overlap. The Pareto set are those that nobody dominates, so nobody is left out by
chance alone, and what cannot be told apart stays side by side. (The values order the candidates, so dominance has no
circles and a set is never empty; it is not transitive, as "cannot be told apart" is not.)

Between rounds of a search, where a choice must be made whatever the doubt, candidates are ranked by values alone: the
non-dominated sorting of K. Deb and others, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE
Transactions on Evolutionary Computation 6(2), 2002, with ties broken by their crowding distance, here over places
among all candidates, so that it needs no scale and takes infinite values.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence

from sim.analysis.estimates import Estimate


def as_cost(estimate: Estimate, *, higher_is_better: bool) -> Estimate:
    """Return an estimate turned such that less is better; one without a value is infinitely bad."""
    if estimate.value is None:
        return Estimate(math.inf, math.inf, math.inf)
    if not higher_is_better:
        return estimate
    low, high = estimate.low, estimate.high
    return Estimate(-estimate.value, None if high is None else -high, None if low is None else -low)


def dominates(one: Sequence[Estimate], other: Sequence[Estimate]) -> bool:
    """Say whether one candidate's objectives (all with a value, less is better) dominate another's."""
    pairs = list(zip(one, other, strict=True))
    return all(_value(mine) <= _value(theirs) for mine, theirs in pairs) and any(
        mine.high is not None and theirs.low is not None and mine.high < theirs.low for mine, theirs in pairs
    )


def pareto_set(candidates: Sequence[Sequence[Estimate]]) -> list[int]:
    """Return the positions of the candidates that no other dominates, in their order."""
    return [
        position
        for position, candidate in enumerate(candidates)
        if not any(dominates(other, candidate) for other in candidates)
    ]


def ranked(candidates: Sequence[Sequence[float]]) -> list[int]:
    """Return all positions, the best first: by front of the non-dominated sorting, then the lonelier first.

    Less is better in every objective. Equal candidates keep their order.
    """
    places = [_places(column) for column in zip(*candidates, strict=True)]
    left = list(range(len(candidates)))
    order: list[int] = []
    while left:
        front = [
            position
            for position in left
            if not any(_is_below(candidates[other], candidates[position]) for other in left)
        ]
        crowding = _crowding([[column[position] for column in places] for position in front])
        order += [front[at] for at in sorted(range(len(front)), key=lambda at: -crowding[at])]
        members = set(front)
        left = [position for position in left if position not in members]
    return order


def _places(values: Sequence[float]) -> list[int]:
    """Return for each value how many are below it."""
    ascending = sorted(values)
    return [bisect_left(ascending, value) for value in values]


def _is_below(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(mine <= theirs for mine, theirs in zip(one, other, strict=True)) and tuple(one) != tuple(other)


def _crowding(front: Sequence[Sequence[int]]) -> list[float]:
    """Return how far apart the neighbours of each are, summed over the objectives; infinite at the ends."""
    distances = [0.0] * len(front)
    for objective in range(len(front[0])):
        order = sorted(range(len(front)), key=lambda at: front[at][objective])
        distances[order[0]] = distances[order[-1]] = math.inf
        for before, at, after in zip(order, order[1:], order[2:], strict=False):
            distances[at] += front[after][objective] - front[before][objective]
    return distances


def _value(estimate: Estimate) -> float:
    return math.inf if estimate.value is None else estimate.value
