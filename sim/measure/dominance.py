"""Which of several candidates are worth choosing among: dominance on estimates, which are never quite sure.

A candidate *dominates* another when it is better beyond doubt in at least one objective and worse beyond doubt in none.
What is beyond doubt the 95 % intervals of the differences say (`sim.measure.differences`), which use that all
candidates met the same weather and latencies. The Pareto set are those that nobody dominates: what cannot be told apart
stays side by side, but nobody stays for a shadow of an advantage. Such a relation may run in circles, if rarely, where
there are three objectives or more; where that would leave nobody, only a candidate whose values are no worse dominates.

Between rounds of a search, where a choice must be made whatever the doubt, candidates are ranked by values alone: the
non-dominated sorting of K. Deb and others, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE
Transactions on Evolutionary Computation 6(2), 2002, with ties broken by their crowding distance, here over places
among all candidates, so that it needs no scale and takes infinite values.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence

from sim.measure.differences import HIGHER_IS_BETTER, Change
from sim.measure.estimates import Estimate

Seen = Callable[[int, int], Sequence[Change]]
"""What the first candidate is, seen from the second, objective by objective."""


def cost_of(estimate: Estimate, path: str) -> float:
    """Return the value of a metric turned such that less is better; what has no value is infinitely bad."""
    if estimate.value is None:
        return math.inf
    return -estimate.value if path in HIGHER_IS_BETTER else estimate.value


def dominates(changes: Sequence[Change]) -> bool:
    """Say whether a candidate, of which another sees these changes, dominates that one."""
    return Change.better in changes and Change.worse not in changes


def pareto_set(costs: Sequence[Sequence[float]], seen: Seen) -> list[int]:
    """Return the positions of the candidates that no other dominates, in their order; some, where there are any.

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
    """Return how far apart the neighbours of each are, summed over the objectives; infinite at the ends."""
    distances = [0.0] * len(front)
    for objective in range(len(front[0])):
        order = sorted(range(len(front)), key=lambda at: front[at][objective])
        distances[order[0]] = distances[order[-1]] = math.inf
        for before, at, after in zip(order, order[1:], order[2:], strict=False):
            distances[at] += front[after][objective] - front[before][objective]
    return distances
