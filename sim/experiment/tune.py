"""Searches the parameters of a scenario: `tune(scenario) -> Tuned`, the Pareto set of its objectives under constraints.

Two samples, so that the winner's numbers are not those of a winner's luck. All candidates are searched on one, the
scenario's own seed; the finalists are then simulated again with a fresh seed, and everything reported of them, who
keeps the constraints and who is in the set included, comes from that second sample alone. (Choosing among the few
finalists is a choice too, but an inclusive one: only who is beyond doubt worse, or not beyond doubt within the
constraints, is left out.) Each point is a scenario that gives the same numbers when it is run.

The search is quasi-random with successive halving (`sim.experiment.halving`), not an optimiser. For equal numbers of
simulated requests (16,000 a search, 5 seeds; `python benchmarks/tuning.py --requests 800`) the fronts found dominate,
in the median over the seeds, of what could be dominated:

                                  three parameters   four parameters
    halving                             0.982             0.921
    as many as fit, no halving          0.976             0.895
    Optuna 5.0, NSGA-II                 0.973 / 0.977     0.912 / 0.930
    Optuna 5.0, TPE                     0.974 / 0.981     0.913 / 0.933

The two numbers of an optimiser are for all requests a trial and for a quarter of them. Halving is the best of them in
the first scenario and a hundredth behind in the second: too little to pay for with an optimiser's dependencies (a
database layer), with numbers that are not drawn by address, and with trials that wait for one another, where a round
of halving can go to as many workers as there are. Trying half of the candidates about the best of the others did not
help either (it was no better in the median and worse in the worst seed).

Same scenario, same result: the points of the space and the fresh seed are drawn by address from the scenario's seed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from sim.analysis import pareto, tuning_words
from sim.analysis.differences import Change, Differences
from sim.analysis.dominance import cost_of, pareto_set
from sim.analysis.expressions import Ruling
from sim.analysis.metrics import summary_of
from sim.analysis.quantities import METRICS
from sim.analysis.tried import Role, Tried, worst
from sim.experiment.engines import AUTO, Asked, Choice, choose
from sim.experiment.halving import (
    FEWEST_REPLICATIONS,
    FEWEST_REQUESTS,
    Candidate,
    Round,
    best_first,
    halve,
    requests_each,
    requests_of_rounds,
    rounds,
)
from sim.experiment.plan import plan, refuse_course
from sim.experiment.waiting import refuse_pointless
from sim.kernel.draws import Draws
from sim.scenario.cells import Cell
from sim.scenario.identity import digest
from sim.scenario.names import key_labels
from sim.scenario.names import label as label_of
from sim.scenario.problems import Problem, ScenarioError
from sim.scenario.search_space import Axis, SearchSpace, changed, search_space, several_cells, written_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from matplotlib.axes import Axes
    from rich.table import Table

    from sim.experiment.engines import Engine
    from sim.experiment.result import CellResult
    from sim.experiment.watching import Progress
    from sim.scenario.schema import Scenario
    from sim.scenario.tuning import TuneOptions

SUMMARY_SCHEMA = 1
WIDER = 0.1
"""How far beyond the end of a range, as a share of it, there must be a valid value for it to be called an edge."""


@dataclass(frozen=True)
class Finalist:
    """A candidate of the last round, measured on the fresh sample."""

    role: Role
    number: int
    """Of a point of the Pareto set: its number, from 1 in the order of the first objective; else 0."""
    params: Mapping[str, Any]
    """By dotted key the value as written."""
    result: CellResult
    """What came out on the fresh sample."""
    searched: CellResult | None
    """What came out on the sample that was searched on, which flatters winners; None of what was not searched."""

    @property
    def scenario(self) -> Scenario:
        """The scenario that gives `result` when it is run."""
        return self.result.cell.scenario


class Tuned:
    """What a search found."""

    def __init__(  # noqa: PLR0913  # what a search consists of
        self,
        scenario: Scenario,
        *,
        choice: Choice,
        space: SearchSpace,
        plan: Sequence[Round],
        candidates: Sequence[Candidate],
        finalists: Sequence[Finalist],
        as_written: Finalist,
    ) -> None:
        self.scenario = scenario
        self.choice = choice
        self.space = space
        self.rounds = tuple(plan)
        self.finalists = tuple(finalists)
        """Those of the Pareto set first, in the order of their numbers; then those that came closest."""
        self.as_written = as_written
        """What the scenario says without the search, on the fresh sample."""
        self._candidates = tuple(candidates)

    @property
    def options(self) -> TuneOptions:
        """What was searched for."""
        return options_of(self.scenario)

    @property
    def points(self) -> tuple[Finalist, ...]:
        """The Pareto set, in the order of the first objective; empty where no candidate is sure of the constraints."""
        return tuple(one for one in self.finalists if one.role is Role.point)

    @property
    def closest(self) -> Finalist:
        """The first point, or where there is none the finalist that comes closest to the constraints."""
        return self.finalists[0]

    @property
    def ruling(self) -> Ruling:
        """Met where there is a point; missed where every finalist misses a constraint; inconclusive otherwise."""
        if self.points:
            return Ruling.met
        return Ruling.inconclusive if any(one.role is Role.unsure for one in self.finalists) else Ruling.missed

    @property
    def fresh_seed(self) -> int:
        """The seed of the sample that finalists are measured on."""
        return self.as_written.scenario.seed

    @property
    def requests_searched(self) -> int:
        """How many requests the search simulated."""
        return requests_of_rounds(self.rounds, requests_each(self.scenario))

    @property
    def requests_fresh(self) -> int:
        """How many requests the fresh sample took, what is written included."""
        return (len(self.finalists) + 1) * self.rounds[-1].upto * requests_each(self.scenario)

    @cached_property
    def digest(self) -> str:
        """The identity of the scenario."""
        return digest(self.scenario)

    @cached_property
    def reported(self) -> list[Tried]:
        """The candidates in the form that tables, words and pictures take: finalists, as written, those left out."""
        finalists = [one.params for one in self.finalists]
        labels = key_labels([axis.key for axis in self.space.axes])

        def tried(role: Role, params: Mapping[str, Any], result: CellResult, number: int = 0) -> Tried:
            named = {labels[key]: label_of("retrier", value) for key, value in params.items()}
            return Tried(role, named, result.metrics, result.verdicts, number)

        return [
            *(tried(one.role, one.params, one.result, one.number) for one in self.finalists),
            tried(Role.as_written, self.as_written.params, self.as_written.result),
            *(
                tried(Role.tried, one.cell.params, one.result)
                for one in self._candidates
                if one.result is not None and one.cell.params not in finalists
            ),
        ]

    def table(self) -> Table:
        """Return the Pareto set, or what comes closest to it, as a table for a terminal of 100 columns."""
        return tuning_words.table(self.reported, self.options.objectives, self.options.constraints)

    def sentences(self) -> list[str]:
        """Say in a few plain sentences what was found, what it cost, and how sure it is."""
        effort = tuning_words.Effort(
            candidates=len(self._candidates),
            whole_space=self.space.size is not None and self.space.size <= len(self._candidates),
            searched=self.requests_searched,
            fresh=self.requests_fresh,
            each=self.rounds[-1].upto,
            seed=self.scenario.seed,
            fresh_seed=self.fresh_seed,
            shared=self.scenario.world == "shared",
            edges=self._edges(),
        )
        return tuning_words.sentences(self.reported, self.options.objectives, effort)

    def _edges(self) -> list[str]:
        """Name the keys of which a point lies in the outermost twentieth of a range that could go on there."""
        found = []
        labels = key_labels([axis.key for axis in self.space.axes])
        for axis in self.space.axes:
            places = [place for one in self.points if (place := axis.place(one.params[axis.key])) is not None]
            ends = [
                ("lowest", min(places, default=1.0) < tuning_words.EDGE and self._goes_on(axis, -WIDER)),
                ("highest", max(places, default=0.0) > 1 - tuning_words.EDGE and self._goes_on(axis, 1 + WIDER)),
            ]
            words = [word for word, matters in ends if matters]
            found += [f"the {' and '.join(words)} {labels[axis.key]}"] if words else []
        return found

    def _goes_on(self, axis: Axis, place: float) -> bool:
        """Say whether a range may be wider: whether the scenario is valid with a value beyond its end."""
        try:
            changed(self.scenario, {axis.key: axis.value(place)})
        except (ScenarioError, ValueError, OverflowError):
            return False
        return True

    @property
    def plot(self) -> TunedPlots:
        """Pictures, each a function of an optional matplotlib Axes."""
        return TunedPlots(self)

    def summary(self) -> dict[str, Any]:
        """Return the contents of `tune.json`: no paths, times, hosts or worker counts."""
        options = self.options
        return {
            "schema": SUMMARY_SCHEMA,
            "scenario": self.scenario.name,
            "digest": self.digest,
            "seed": self.scenario.seed,
            "fresh_seed": self.fresh_seed,
            "engine": self.choice.engine,
            "versions": {name: version(name) for name in ("retrysim", "numpy", "scipy", "simpy")},
            "tune": options.model_dump(mode="json", by_alias=True),
            "rounds": [{"candidates": one.candidates, "upto": one.upto} for one in self.rounds],
            "requests": {"searched": self.requests_searched, "fresh": self.requests_fresh},
            "verdict": self.ruling.value,
            "finalists": [_summary(one, options) for one in self.finalists],
            "as_written": _summary(self.as_written, options),
        }

    def summary_json(self) -> str:
        """Return the text of `tune.json`; the same scenario gives the same text."""
        return json.dumps(self.summary(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


class TunedPlots:
    """The pictures of a search."""

    def __init__(self, tuned: Tuned) -> None:
        self._tuned = tuned

    def pareto(self, ax: Axes | None = None, *, x: str | None = None, y: str | None = None) -> Axes:
        """Draw the Pareto set among all candidates, one objective over another: by default the first two."""
        objectives = self._tuned.options.objectives
        x = objectives[0] if x is None else x
        y = objectives[min(1, len(objectives) - 1)] if y is None else y
        return pareto.plot_pareto(self._tuned.reported, x, y, ax)


def tune(scenario: Scenario, *, engine: Asked = AUTO, progress: Progress | None = None) -> Tuned:
    """Search the parameters that a scenario's `tune` block names.

    `engine` is the one to simulate with, by default the fastest that can do all candidates. `progress` is told now and
    then how far the search is. Raises ScenarioError where there is no such block, where the scenario has several cells,
    where nothing in it rewards waiting though waits are searched, or where the work is beyond its limits.
    """
    refuse_course(scenario)
    _refuse_what_cannot_be_told(scenario)
    space = search_space(scenario)
    refuse_pointless(scenario)
    options = options_of(scenario)
    points = space.points(options.budget.candidates, scenario.seed)
    candidates = [Candidate(_cell(scenario, point, scenario.seed, number)) for number, point in enumerate(points)]
    isolated = scenario.world == "isolated"
    planned = rounds(
        len(candidates),
        min(options.budget.finalists, len(candidates)),
        scenario.requests.count if isolated else scenario.replications,
        FEWEST_REQUESTS if isolated else FEWEST_REPLICATIONS,
    )
    _refuse_too_much(scenario, candidates, planned)
    choice = choose([candidate.cell for candidate in candidates], engine)
    searched = requests_of_rounds(planned, requests_each(scenario))
    fresh = (planned[-1].candidates + 1) * planned[-1].upto * requests_each(scenario)

    def told(done: int, what: str = "search") -> None:
        if progress is not None:
            progress(done, searched + fresh, what)

    last = halve(candidates, planned, options.objectives, choice.engine, told)
    seed = fresh_seed_of(scenario.seed)
    measured = [Candidate(_cell(scenario, one.cell.params, seed, number)) for number, one in enumerate(last)]
    as_written = Candidate(_cell(scenario, {}, seed, len(last)))
    results = list(_measured([*measured, as_written], planned[-1].upto, choice.engine, searched, told))
    written = {axis.key: _short(written_value(scenario, axis.key)) for axis in space.axes}
    return Tuned(
        scenario,
        choice=choice,
        space=space,
        plan=planned,
        candidates=candidates,
        finalists=_finalists(results[:-1], [one.result for one in last], options),
        as_written=Finalist(Role.as_written, 0, written, results[-1], None),
    )


def _short(value: Any) -> Any:
    """Write a whole number as one, whatever its model makes of it."""
    return int(value) if isinstance(value, float) and value == int(value) else value


def _measured(
    candidates: Sequence[Candidate], upto: int, engine: Engine, before: int, told: Callable[[int, str], None]
) -> Iterator[CellResult]:
    """Measure each on the fresh sample; `told` is told how many requests are done, those `before` included."""
    for candidate in candidates:

        def told_more(done: int, before: int = before) -> None:
            told(before + done, "fresh sample")

        yield candidate.measure(upto, engine, told_more)
        before += upto * requests_each(candidate.cell.scenario)
        told(before, "fresh sample")


def options_of(scenario: Scenario) -> TuneOptions:
    """Return a scenario's `tune` block, which it has."""
    assert scenario.tune is not None  # noqa: S101  # `search_space` refuses a scenario without one
    return scenario.tune


def fresh_seed_of(seed: int) -> int:
    """Return the seed of the second sample, short enough to be read."""
    return int(Draws(seed).uniform("tune.fresh", 0) * 2**31)


def _cell(scenario: Scenario, params: Mapping[str, Any], seed: int, number: int) -> Cell:
    constraints = [one.text for one in options_of(scenario).constraints]
    made = changed(scenario, params, seed=seed, expect=constraints, check=None, explore=None, precision=None, keep=None)
    labels = key_labels(list(params))
    name = ", ".join(label_of(labels[key], value) for key, value in params.items()) or "as written"
    return Cell(f"candidate-{number + 1}", name, dict(params), made)


def _finalists(
    results: Sequence[CellResult], searched: Sequence[CellResult | None], options: TuneOptions
) -> list[Finalist]:
    """Say what became of each finalist, and bring them into order."""
    rulings = [worst(result.verdicts) for result in results]
    sure = [position for position, ruling in enumerate(rulings) if ruling is Ruling.met]
    costs = [[cost_of(result.metrics.value(path), path) for path in options.objectives] for result in results]
    seen = _seen([results[position] for position in sure], options.objectives)
    members = [sure[at] for at in pareto_set([costs[position] for position in sure], seen)]
    members.sort(key=lambda position: costs[position])
    others = [position for position in best_first(results, options.objectives) if position not in members]
    others.sort(key=lambda position: (Ruling.met, Ruling.inconclusive, Ruling.missed).index(rulings[position]))
    roles = {Ruling.met: Role.dominated, Ruling.inconclusive: Role.unsure, Ruling.missed: Role.misses}
    return [
        Finalist(
            Role.point if position in members else roles[rulings[position]],
            number if position in members else 0,
            results[position].cell.params,
            results[position],
            searched[position],
        )
        for number, position in enumerate([*members, *others], start=1)
    ]


def _seen(results: Sequence[CellResult], objectives: Sequence[str]) -> Callable[[int, int], list[Change]]:
    """Return what says what one result is, seen from another: all met the same weather and the same latencies."""

    def seen(one: int, other: int) -> list[Change]:
        mine, theirs = results[one], results[other]
        differences = Differences(theirs.metrics, mine.metrics, (theirs.requests, mine.requests))
        return [differences[path].change for path in objectives]

    return seen


def _summary(one: Finalist, options: TuneOptions) -> dict[str, Any]:
    paths = list(dict.fromkeys([*options.objectives, *(constraint.metric.path for constraint in options.constraints)]))

    def metrics(result: CellResult) -> dict[str, Any]:
        return {path: summary_of(result.metrics.value(path), METRICS[path].unit) for path in paths}

    return {
        "role": one.role.value,
        "number": one.number or None,
        "params": dict(one.params),
        "digest": digest(one.scenario),
        "metrics": metrics(one.result),
        "searched": None if one.searched is None else metrics(one.searched),
        "constraints": [verdict.summary() for verdict in one.result.verdicts],
    }


# -- refusals ----------------------------------------------------------------------------------------------------------


def _refuse_what_cannot_be_told(scenario: Scenario) -> None:
    if (key := several_cells(scenario.written)) is not None:
        reason = f"a search starts from one cell, and {key} makes several; leave {key} out, as with --set {key}={{}}"
        raise ScenarioError([Problem((key,), reason, at_key=True)])
    if scenario.world == "shared" and scenario.replications < 2:
        reason = "one replication of a shared world gives no intervals, so that no candidate could be told from another"
        raise ScenarioError([Problem(("replications",), f"{reason}; at least 2 are needed")])
    if scenario.world == "isolated" and scenario.requests.count < 2:
        raise ScenarioError([Problem(("requests", "count"), "one request gives no interval; at least 2 are needed")])


def _refuse_too_much(scenario: Scenario, candidates: Sequence[Candidate], planned: Sequence[Round]) -> None:
    events, before = 0.0, 0
    each = sum(plan(one.cell.scenario).events[0] for one in candidates) / len(candidates)
    for one in planned:
        events += each * one.candidates * (one.upto - before) / planned[-1].upto
        before = one.upto
    events += each * (planned[-1].candidates + 1)
    limit = scenario.limits.events
    if events > limit:
        reason = (
            f"this search is estimated at {events:,.2g} events, more than limits.events ({limit:,}); ask for fewer "
            "candidates, finalists or requests, or raise the limit"
        )
        raise ScenarioError([Problem(("limits", "events"), reason)])
