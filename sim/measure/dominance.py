"""The Pareto set of candidates whose objectives are estimates, so that one dominates another only beyond doubt.

A candidate *dominates* another if it is better beyond doubt in at least one objective and worse beyond doubt in none. A
difference is beyond doubt if its 95 % interval excludes 0 (`sim.measure.differences`); all candidates met the same
weather and latencies, and the intervals use that. The Pareto set has the candidates that no other dominates: candidates
that cannot be told apart stay side by side, but an uncertain advantage keeps none of them. With three objectives or
more such a relation may, rarely, run in circles; if no candidate were left, only one whose values are no worse can
dominate.

Between rounds of a search a choice must be made in spite of doubt, so candidates are ranked by values alone: the
non-dominated sorting of K. Deb and others, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE
Transactions on Evolutionary Computation 6(2), 2002, with ties broken by their crowding distance, here over places
among all candidates, so that it needs no scale and takes infinite values.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence

from sim.measure.differences import Change, higher_is_better
from sim.measure.estimates import Estimate
from sim.measure.paths import metric_of

Seen = Callable[[int, int], Sequence[Change]]
"""Given two candidates, the change from the second to the first, objective by objective."""


def cost_of(estimate: Estimate, path: str) -> float:
    """Return the value of a metric with the sign by which less is better; a metric without value is infinitely bad."""
    if estimate.value is None:
        return math.inf
    return -estimate.value if higher_is_better(metric_of(path)) else estimate.value


def dominates(changes: Sequence[Change]) -> bool:
    """Say whether a candidate dominates another, given the changes from that one to it."""
    return Change.better in changes and Change.worse not in changes


def pareto_set(costs: Sequence[Sequence[float]], seen: Seen) -> list[int]:
    """Return the positions of the candidates that no other dominates, in their order; at least one if there is any.

    `costs` are the values of their objectives, less is better.
    """
    count = len(costs)
    dominated = {
        (one, other) for one in range(count) for other in range(count) if one != other and dominates(seen(one, other))
    }
    free = [position for position in range(count) if not any(other == position for _, other in dominated)]
    if free:
        return free
    strictly = {pair for pair in dominated if _is_below(costs[pair[0]], costs[pair[1]])}
    return [position for position in range(count) if not any(other == position for _, other in strictly)]


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
    """Return how far apart the neighbors of each are, summed over the objectives; infinite at the ends."""
    distances = [0.0] * len(front)
    for objective in range(len(front[0])):
        order = sorted(range(len(front)), key=lambda at: front[at][objective])
        distances[order[0]] = distances[order[-1]] = math.inf
        for before, at, after in zip(order, order[1:], order[2:], strict=False):
            distances[at] += front[after][objective] - front[before][objective]
    return distances
