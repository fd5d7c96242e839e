"""Which way of searching parameters finds better fronts for equal numbers of simulated requests.

    pip install optuna  # without it, only the ways without an optimizer are compared
    python benchmarks/tuning.py [--seeds N] [--requests N] [--candidates N]

Compared are, each with the requests that successive halving takes:

- halving: quasi-random candidates, successive halving (what `retrysim tune` does);
- equal: quasi-random candidates, as many as can be measured with all requests;
- nsga2, nsga2/4: Optuna's NSGA-II, each trial with all requests, or with a quarter of them and four times the trials;
- tpe, tpe/4: Optuna's multi-objective tree-structured Parzen estimator, in the same two ways.

Every way returns at most eight finalists, ranked by the project's own `best_first`. They are measured on a large sample
that none of them has seen; only finalists that truly keep the constraints count. Each front dominates a share of the
box between the best and the worst value that any way found with any seed (the hypervolume, times on a logarithmic
scale). The table has the median of this share over the seeds and the smallest one: more is better.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import math
import statistics
from typing import TYPE_CHECKING, Any

from sim.experiment.engines import EVENT
from sim.scenario.cells import Cell
from sim.scenario.load import parse
from sim.scenario.search_space import changed, search_space
from sim.tuning.halving import (
    FEWEST_REQUESTS,
    Candidate,
    best_first,
    halve,
    requests_of_rounds,
    rounds,
    shortfall,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.scenario.axes import SearchSpace
    from sim.scenario.schema import Scenario

FINALISTS = 8
TRUTH_SEED = 999_983
TRUTH_REQUESTS = 4000
SCENARIOS = {
    "component under outages": """
action:
  latency: {exponential: {mean: 50ms}}
  outcomes: {fail: 0.1, ack_lost: 0.002}
  weather: [{on_off: {up: {exponential: {mean: 3m}}, down: {constant: 20s}, fail: 1.0}}]
retrier: component
tune:
  search:
    retrier.initial_backoff: {from: 10ms, to: 60s}
    retrier.base: {from: 1, to: 4}
    retrier.max_failures: {from: 0, to: 16}
  constraints: [success.rate >= 97%]
  objectives: [time_to_effect.p99, amplification]
""",
    "helpers, looks that cost": """
action:
  latency: {lognormal: {median: 2s, p99: 30s}}
  outcomes: {fail: 0.2}
  weather: [{on_off: {up: {exponential: {mean: 1m}}, down: {exponential: {mean: 10s}}, fail: 0.9}}]
retrier: helpers
tune:
  search:
    retrier.wait_backoff: {from: 10ms, to: 60s}
    retrier.retry_backoff: {from: 10ms, to: 60s}
    retrier.base: {from: 1, to: 4}
    retrier.max_failures: {from: 0, to: 16}
  constraints: [success.rate >= 97%, amplification <= 2.2]
  objectives: [time_to_known.p90, polls.mean]
""",
}
Ways = dict[str, "Callable[[Scenario, SearchSpace, int, int], list[dict[str, Any]]]"]


def candidate(scenario: Scenario, params: dict[str, Any], seed: int) -> Candidate:
    """Make a candidate of some parameters; its expectations are the constraints."""
    constraints = [one.text for one in scenario.tune.constraints] if scenario.tune else []
    return Candidate(Cell(repr(params), repr(params), params, changed(scenario, params, seed=seed, expect=constraints)))


def by_halving(scenario: Scenario, space: SearchSpace, seed: int, candidates: int) -> list[dict[str, Any]]:
    """Search as `retrysim tune` does."""
    made = [candidate(scenario, point, seed) for point in space.points(candidates, seed)]
    plan = rounds(len(made), FINALISTS, scenario.requests.count, FEWEST_REQUESTS)
    return [one.cell.params for one in halve(made, plan, objectives(scenario), EVENT, lambda _: None)]


def by_equal_shares(scenario: Scenario, space: SearchSpace, seed: int, candidates: int) -> list[dict[str, Any]]:
    """Measure quasi-random candidates with all requests, as many as the budget allows."""
    return _best(
        [candidate(scenario, point, seed) for point in space.points(trials(scenario, candidates), seed)], scenario
    )


def by_optuna(sampler: str, part: int) -> Callable[[Scenario, SearchSpace, int, int], list[dict[str, Any]]]:
    """Search with a sampler of Optuna, each trial with a part of the requests."""

    def search(scenario: Scenario, space: SearchSpace, seed: int, candidates: int) -> list[dict[str, Any]]:
        optuna = importlib.import_module("optuna")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        measured: list[Candidate] = []

        def objective(trial: Any) -> list[float]:
            point = {axis.key: axis.value(trial.suggest_float(axis.key, 0, 1 - 1e-12)) for axis in space.axes}
            one = candidate(scenario, point, seed)
            result = one.measure(max(FEWEST_REQUESTS, scenario.requests.count // part), EVENT)
            measured.append(one)
            trial.set_user_attr("off", [shortfall(verdict) for verdict in result.verdicts])
            return [_on_scale(path, result.metrics.value(path).value) for path in objectives(scenario)]

        def off(trial: Any) -> list[float]:
            return list(trial.user_attrs["off"])

        if sampler == "nsga2":
            made = optuna.samplers.NSGAIISampler(population_size=12, seed=seed, constraints_func=off)
        else:
            made = optuna.samplers.TPESampler(seed=seed, constraints_func=off, multivariate=True)
        study = optuna.create_study(directions=["minimize"] * len(objectives(scenario)), sampler=made)
        study.optimize(objective, n_trials=part * trials(scenario, candidates))
        return _best(measured, scenario)

    return search


def objectives(scenario: Scenario) -> Sequence[str]:
    """Return the objectives of the search."""
    return scenario.tune.objectives if scenario.tune else ()


def trials(scenario: Scenario, candidates: int) -> int:
    """Return how many candidates can be measured with all requests for as many requests as halving takes."""
    count = scenario.requests.count
    return requests_of_rounds(rounds(candidates, FINALISTS, count, FEWEST_REQUESTS)) // count


def _best(candidates: Sequence[Candidate], scenario: Scenario) -> list[dict[str, Any]]:
    results = [one.measure(max(one.done, 1) if one.done else scenario.requests.count, EVENT) for one in candidates]
    found: dict[str, dict[str, Any]] = {}
    for position in best_first(results, objectives(scenario)):
        found.setdefault(repr(candidates[position].cell.params), candidates[position].cell.params)
    return list(found.values())[:FINALISTS]


def _on_scale(path: str, value: float | None) -> float:
    if value is None or math.isinf(value):
        return 60.0
    return math.log(max(value, 1.0)) if path.startswith("time") else value


def truth(scenario: Scenario, params: dict[str, Any], known: dict[str, list[float] | None]) -> list[float] | None:
    """Measure parameters on the large sample; None if they do not keep the constraints."""
    if repr(params) not in known:
        one = candidate(scenario, params, TRUTH_SEED)
        larger = one.cell.scenario.requests.model_copy(update={"count": TRUTH_REQUESTS})
        cell = Cell(one.cell.id, one.cell.name, params, one.cell.scenario.model_copy(update={"requests": larger}))
        result = Candidate(cell).measure(TRUTH_REQUESTS, EVENT)
        values = [_on_scale(path, result.metrics.value(path).value) for path in objectives(scenario)]
        known[repr(params)] = values if all(shortfall(verdict) == 0 for verdict in result.verdicts) else None
    return known[repr(params)]


def share_dominated(front: Sequence[Sequence[float]], best: Sequence[float], worst: Sequence[float]) -> float:
    """Return the part of the box between two corners that a front of two objectives dominates."""
    scaled = sorted(
        tuple((value - low) / (high - low) for value, low, high in zip(point, best, worst, strict=True))
        for point in front
    )
    area, height = 0.0, 1.0
    for x, y in scaled:
        if y < height and x < 1:
            area += (1 - x) * (height - y)
            height = y
    return area


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--candidates", type=int, default=64)
    given = parser.parse_args()
    ways: Ways = {"halving": by_halving, "equal": by_equal_shares}
    if importlib.util.find_spec("optuna") is not None:
        for sampler in ("nsga2", "tpe"):
            ways |= {sampler: by_optuna(sampler, 1), f"{sampler}/4": by_optuna(sampler, 4)}
    for name, text in SCENARIOS.items():
        scenario = parse(f"requests: {{count: {given.requests}}}\n{text}")
        space = search_space(scenario)
        known: dict[str, list[float] | None] = {}
        fronts = {
            way: [
                [
                    values
                    for params in search(scenario, space, seed, given.candidates)
                    if (values := truth(scenario, params, known)) is not None
                ]
                for seed in range(1, given.seeds + 1)
            ]
            for way, search in ways.items()
        }
        found = [values for values in known.values() if values is not None]
        best, worst = ([pick(column) for column in zip(*found, strict=True)] for pick in (min, max))
        budget = requests_of_rounds(rounds(given.candidates, FINALISTS, given.requests, FEWEST_REQUESTS))
        print(f"{name}: {budget:,} requests a search, {given.seeds} seeds")
        for way, all_of_them in fronts.items():
            shares = [share_dominated(front, best, worst) for front in all_of_them]
            kept = statistics.mean(len(front) for front in all_of_them)
            print(f"  {way:8}  median {statistics.median(shares):.3f}  least {min(shares):.3f}  {kept:.1f} truly keep")


if __name__ == "__main__":
    main()
