"""Successive halving: many candidates get few requests, the better half of them more, and the finalists all.

After K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization" (AISTATS
2016; for noisy arms Z. Karnin, T. Koren and O. Somekh, "Almost optimal exploration in multi-armed bandits", ICML 2013).
For several objectives the better half is that of a non-dominated sorting, as in R. Schmucker and others,
"Multi-objective asynchronous successive halving" (2021). All candidates meet the same requests in the same weather
(random numbers come by address). A candidate that goes on keeps its simulated requests: a round costs only the requests
that it adds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sim.expect.expectations import Ruling
from sim.experiment.cell_result import CellResult, evaluate
from sim.experiment.engines import EVENT, Engine, simulate, simulate_replication
from sim.experiment.parts import join_traffic
from sim.experiment.repeats import repeat_few_of_shared, repeat_isolated
from sim.experiment.shown_by_simulating import problems_shown_by_simulating
from sim.history.records import Requests
from sim.measure.dominance import cost_of, ranked
from sim.measure.quantities import Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.expect.expectations import Verdict
    from sim.history.repeats import Unrepeated
    from sim.history.traffic import Traffic
    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario

FEWEST_REQUESTS = 100
FEWEST_REPLICATIONS = 2
"""The least with which a round measures a candidate, if the scenario has as many."""


@dataclass(slots=True)
class Candidate:
    """One point of the search space, and its simulated requests so far."""

    cell: Cell
    parts: list[Requests] = field(default_factory=list)
    traffic: list[Traffic] = field(default_factory=list)
    """What the calls of each replication of a shared world met."""
    done: int = 0
    """Requests simulated; in a shared world replications."""
    result: CellResult | None = None
    pilot: Requests | None = None
    """Records of the first requests, if they were simulated before."""
    unrepeated: list[Unrepeated] = field(default_factory=list)
    """Requests that did something else when they were simulated again."""

    def measure(self, upto: int, engine: Engine, progress: Callable[[int], None] | None = None) -> CellResult:
        """Simulate up to so many requests, in a shared world replications; those done already are not repeated."""
        scenario = self.cell.scenario
        if upto > self.done:
            with problems_shown_by_simulating():
                if scenario.world == "isolated":
                    self.parts.append(simulate(scenario, engine, requests=range(self.done, upto), progress=progress))
                    if engine == EVENT:
                        self.unrepeated += repeat_isolated(scenario, self.parts[-1], self.pilot)
                else:
                    for number in range(self.done, upto):
                        requests, traffic = simulate_replication(scenario, engine, number)
                        self.parts.append(requests)
                        self.traffic.append(traffic)
                        self.unrepeated += repeat_few_of_shared(scenario, self.parts[-1], number)
                        if progress is not None:
                            progress((number + 1 - self.done) * scenario.requests.count)
            self.parts = [Requests.concatenate(self.parts)]
            self.done = upto
        self.result = evaluate(self.cell, self.parts[0], self.unrepeated, traffic=join_traffic(self.traffic))
        return self.result


@dataclass(frozen=True, slots=True)
class Round:
    """A number of candidates, and the number of requests (in a shared world replications) that measure each."""

    candidates: int
    upto: int


def rounds(candidates: int, finalists: int, whole: int, fewest: int) -> list[Round]:
    """Plan rounds: a finalist is measured with `whole` requests or replications, the others with `fewest` or more."""
    sizes = [candidates]
    while sizes[-1] > finalists:
        sizes.append(max(finalists, math.ceil(sizes[-1] / 2)))
    last = len(sizes) - 1
    fewest = min(fewest, whole)
    return [Round(size, max(fewest, math.ceil(whole / 2 ** (last - number)))) for number, size in enumerate(sizes)]


def halve(
    candidates: Sequence[Candidate],
    plan: Sequence[Round],
    objectives: Sequence[str],
    engine: Engine,
    report: Callable[[int], None],
) -> list[Candidate]:
    """Go through the rounds and return the finalists, the best first.

    `report` is called with how many requests have been simulated so far.
    """
    left = list(candidates)
    before = 0
    for number, one in enumerate(plan):
        for candidate in left:
            sofar = candidate.done

            def progress(done: int, before: int = before) -> None:
                report(before + done)

            candidate.measure(one.upto, engine, progress)
            before += (one.upto - sofar) * requests_each(candidate.cell.scenario)
            report(before)
        order = best_first([candidate.result for candidate in left if candidate.result is not None], objectives)
        keep = plan[number + 1].candidates if number + 1 < len(plan) else len(left)
        left = [left[position] for position in order[:keep]]
    return left


def requests_each(scenario: Scenario) -> int:
    """Return how many requests a unit of `Round.upto` has: one, or in a shared world those of a replication."""
    return 1 if scenario.world == "isolated" else scenario.requests.count


def requests_of_rounds(plan: Sequence[Round], each: int = 1) -> int:
    """Return how many requests the rounds simulate, `each` a unit of `Round.upto`."""
    total, before = 0, 0
    for one in plan:
        total += one.candidates * (one.upto - before)
        before = one.upto
    return total * each


def best_first(results: Sequence[CellResult], objectives: Sequence[str]) -> list[int]:
    """Rank results: those whose values keep the constraints, then those that may keep them, then those that do not.

    The first kind is ranked by its objectives, and by how far its intervals reach beyond the bounds of constraints that
    are not certain yet, so that the cheaper ones do not push out all the safer ones. The other kinds are ranked by how
    far they are off the bounds.
    """
    tiers: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for position, result in enumerate(results):
        rulings = [verdict.ruling for verdict in result.verdicts]
        keeps = all(shortfall(verdict) == 0 for verdict in result.verdicts)
        tiers[0 if keeps else 2 if Ruling.missed in rulings else 1].append(position)
    first = ranked([_costs(results[position], objectives) for position in tiers[0]]) if tiers[0] else []
    rest = [
        position
        for tier in (1, 2)
        for position in sorted(tiers[tier], key=lambda position: distance(results[position].verdicts))
    ]
    return [*(tiers[0][at] for at in first), *rest]


def _costs(result: CellResult, objectives: Sequence[str]) -> list[float]:
    costs = [cost_of(result.metrics.value(path), path) for path in objectives]
    doubts = [shortfall(verdict, at_worst=True) for verdict in result.verdicts]
    return [*costs, *doubts]


def distance(verdicts: Sequence[Verdict]) -> float:
    """Return how far values are off the bounds of all constraints together; 0 if all keep them."""
    return sum(shortfall(verdict) for verdict in verdicts)


def shortfall(verdict: Verdict, *, at_worst: bool = False) -> float:
    """Return how far a value, or the worse end of its interval, is off the bound, relative to the room of the bound.

    The room of a bound is the bound itself. For a lower bound of a share, such as a rate of success, it is the distance
    to 100 %: from 99.9 % to 99.8 % is as far as from 0.1 % to 0.2 %.
    """
    expectation, estimate = verdict.expectation, verdict.estimate
    if estimate.value is None:
        return math.inf
    ends = (estimate.value, estimate.value)
    if at_worst and estimate.low is not None and estimate.high is not None:
        ends = (estimate.low, estimate.high)
    low, high = ends
    over, under = max(0.0, high - expectation.bound), max(0.0, expectation.bound - low)
    if expectation.operator in ("<=", "<"):
        off, room = over, expectation.bound
    elif expectation.operator in (">=", ">"):
        share = expectation.metric.unit is Unit.share
        off, room = under, 1 - expectation.bound if share else expectation.bound
    else:
        off, room = max(over, under), expectation.bound
    return off / room if room > 0 else off
