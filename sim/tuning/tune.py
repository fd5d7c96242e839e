"""Searches the parameters of a scenario: `tune(scenario) -> Tuned`, the Pareto set of its objectives under constraints.

There are two samples, so that the winner's numbers are not those of a winner's luck. All candidates are searched on
one, with the scenario's own seed. The finalists are then simulated again with a fresh seed. Every number that is
reported comes from this second sample alone, and so does the choice of the finalists that keep the constraints and are
in the set.
(Choosing among the few finalists is a choice too, but an inclusive one: it leaves out only finalists that are certainly
worse, or that do not certainly keep the constraints.) Each point is a scenario that gives the same numbers when it is
run.

The search is quasi-random with successive halving (`sim.tuning.halving`), not an optimizer. For equal numbers of
simulated requests (16,000 a search, 5 seeds; `python benchmarks/tuning.py --requests 800`) the fronts found dominate,
in the median over the seeds, this share of the volume that could be dominated:

                                  three parameters   four parameters
    halving                             0.982             0.921
    as many as fit, no halving          0.976             0.895
    Optuna 5.0, NSGA-II                 0.973 / 0.977     0.912 / 0.930
    Optuna 5.0, TPE                     0.974 / 0.981     0.913 / 0.933

The two numbers of an optimizer are for all requests a trial and for a quarter of them. Halving is the best of them in
the first scenario and a hundredth behind in the second. That is too little gain for an optimizer's price: dependencies
(a database layer), numbers that are not drawn by address, and trials that wait for one another, whereas a round of
halving can be shared among any number of workers. Trying half of the candidates about the best of the others did not
help either (it was no better in the median and worse in the worst seed).

Same scenario, same result: the points of the space and the fresh seed are drawn by address from the scenario's seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.expect.expectations import Ruling
from sim.experiment.engines import AUTO, Asked, choose
from sim.experiment.plan import plan, refuse_course
from sim.kernel.draws import Draws
from sim.measure.differences import Change, Differences
from sim.measure.dominance import cost_of, pareto_set
from sim.scenario.cells import MOST_NAMED, Cell, cells, chosen_cell
from sim.scenario.load import Source, as_scenario
from sim.scenario.mistakes.problems import Problem, ScenarioError
from sim.scenario.names import key_labels
from sim.scenario.names import label as label_of
from sim.scenario.search_space import changed, search_space, several_cells, written_value
from sim.text.tried import Role, worst
from sim.tuning.halving import (
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
from sim.tuning.rewards import refuse_pointless
from sim.tuning.tuned import Finalist, Tuned, options_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sim.experiment.cell_result import CellResult
    from sim.experiment.engines import Engine
    from sim.experiment.progress import Progress
    from sim.scenario.parts.tuning import TuneOptions
    from sim.scenario.schema import Scenario


def tune(scenario: Source, *, cell: str | None = None, engine: Asked = AUTO, progress: Progress | None = None) -> Tuned:
    """Search the parameters that a scenario's `tune` block names, starting from one of its cells.

    `scenario` is as `run` takes it. `cell` is the id or the name of that cell; it need not be named if there is only
    one. `engine` is the one that simulates, by default the fastest that can simulate all candidates. `progress` is
    called now and then with the progress of the search. Raises `sim.scenario.cells.NotInScenario` if there is no such
    cell, and ScenarioError if there is no `tune` block, if there are several cells and none is named, if waits are
    searched but nothing in the scenario rewards waiting, or if the work is estimated above its limits.
    """
    scenario = as_scenario(scenario)
    refuse_course(scenario)
    scenario = _one_cell(scenario, cell)
    _refuse_unsearchable(scenario)
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

    def report(done: int, what: str = "search") -> None:
        if progress is not None:
            progress(done, searched + fresh, what)

    last = halve(candidates, planned, options.objectives, choice.engine, report)
    seed = fresh_seed_of(scenario.seed)
    measured = [Candidate(_cell(scenario, one.cell.params, seed, number)) for number, one in enumerate(last)]
    as_written = Candidate(_cell(scenario, {}, seed, len(last)))
    results = list(_measured([*measured, as_written], planned[-1].upto, choice.engine, searched, report))
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
    """Write a whole number without a point, even if its model has made a float of it."""
    return int(value) if isinstance(value, float) and value == int(value) else value


def _measured(
    candidates: Sequence[Candidate], upto: int, engine: Engine, before: int, report: Callable[[int, str], None]
) -> Iterator[CellResult]:
    """Measure each candidate on the fresh sample; `report` gets how many requests are done, those `before` included."""
    for candidate in candidates:

        def report_more(done: int, before: int = before) -> None:
            report(before + done, "fresh sample")

        yield candidate.measure(upto, engine, report_more)
        before += upto * requests_each(candidate.cell.scenario)
        report(before, "fresh sample")


def fresh_seed_of(seed: int) -> int:
    """Return the seed of the fresh sample, short enough to read."""
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
    """Give each finalist its role, and bring the finalists into order."""
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
    """Return a function that compares two results, paired: all met the same weather and the same latencies."""

    def seen(one: int, other: int) -> list[Change]:
        mine, theirs = results[one], results[other]
        differences = Differences(theirs.metrics, mine.metrics, (theirs.requests, mine.requests))
        return [differences[path].change for path in objectives]

    return seen


# -- refusals ----------------------------------------------------------------------------------------------------------


def _one_cell(scenario: Scenario, cell: str | None) -> Scenario:
    key = several_cells(scenario.written)
    if key is not None and cell is None and len(cells(scenario)) > 1:
        ids = [one.id for one in cells(scenario)]
        named = ", ".join(ids[:MOST_NAMED]) + (", ..." if len(ids) > MOST_NAMED else "")
        reason = f"a search starts from one cell, and {key} makes several; name one with --cell: {named}"
        raise ScenarioError([Problem((key,), reason, at_key=True)])
    return chosen_cell(scenario, cell).scenario


def _refuse_unsearchable(scenario: Scenario) -> None:
    if scenario.world == "shared" and scenario.replications < 2:
        reason = "one replication of a shared world gives no intervals, so no two candidates could be told apart"
        raise ScenarioError([Problem(("replications",), f"{reason}; at least 2 are needed")])
    if scenario.world == "isolated" and scenario.requests.count < 2:
        raise ScenarioError([Problem(("requests", "count"), "one request gives no interval; at least 2 are needed")])


def _refuse_too_much(scenario: Scenario, candidates: Sequence[Candidate], planned: Sequence[Round]) -> None:
    events, before = 0.0, 0
    plans = [plan(one.cell.scenario) for one in candidates]
    for candidate, planned_run in zip(candidates, plans, strict=True):
        candidate.pilot = planned_run.pilot_of(0)
    each = sum(one.events[0] for one in plans) / len(plans)
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
