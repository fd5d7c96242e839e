"""The result of a search for parameters: the finalists, the Pareto set among them, and what they cost."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sim.expect.expectations import Ruling
from sim.experiment.cell_result import unrepeated_summary
from sim.experiment.versions import SUMMARY_SCHEMA, package_versions
from sim.measure.summary import summary_of
from sim.scenario.identity import digest
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.names import key_labels
from sim.scenario.names import label as label_of
from sim.scenario.search_space import changed
from sim.text import tuning_sentences
from sim.text.columns import TABLE_WIDTH
from sim.text.rendered import HTML_WIDTH, html_of, plain_text, table_width
from sim.text.repeats import repeat_sentences
from sim.text.tried import Role, Tried
from sim.text.tuning_table import table
from sim.tuning.halving import (
    Candidate,
    Round,
    requests_each,
    requests_of_rounds,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from rich.table import Table

    from sim.experiment.cell_result import CellResult
    from sim.experiment.engines import Choice
    from sim.scenario.axes import Axis, SearchSpace
    from sim.scenario.parts.tuning import TuneOptions
    from sim.scenario.schema import Scenario


WIDER = 0.1
"""The end of a range is called an edge if a value so far beyond it, as a share of the range, is valid."""


@dataclass(frozen=True)
class Finalist:
    """A candidate of the last round, measured on the fresh sample."""

    role: Role
    number: int
    """For a point of the Pareto set its number, from 1 in the order of the first objective; otherwise 0."""
    params: Mapping[str, Any]
    """Values as written, by dotted key."""
    result: CellResult
    """The result on the fresh sample."""
    searched: CellResult | None
    """The result on the sample of the search, which flatters winners; None if it was not searched."""

    @property
    def scenario(self) -> Scenario:
        """The scenario that gives `result` when it is run."""
        return self.result.cell.scenario


class Tuned:
    """The result of a search."""

    def __init__(
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
        """The Pareto set first, in the order of its numbers; then the others, the closest first."""
        self.as_written = as_written
        """The scenario as written, measured on the fresh sample."""
        self._candidates = tuple(candidates)

    def __repr__(self) -> str:
        """Return the table of the points, below what was searched."""
        return f"{self._head}\n{plain_text(self.table(width := table_width()), width)}"

    def _repr_html_(self) -> str:
        """Return the table of the points for notebooks."""
        return html_of(self.table(HTML_WIDTH), self._head)

    @property
    def _head(self) -> str:
        points = len(self.points)
        found = f"{points:,} point{'' if points == 1 else 's'}" if points else "no point"
        return f"{self.scenario.name}: {found} among {len(self._candidates):,} candidates, seed {self.scenario.seed}"

    @property
    def options(self) -> TuneOptions:
        """The scenario's `tune` block."""
        return options_of(self.scenario)

    @property
    def points(self) -> tuple[Finalist, ...]:
        """The Pareto set, in order of the first objective; empty if no finalist certainly keeps the constraints."""
        return tuple(one for one in self.finalists if one.role is Role.point)

    @property
    def closest(self) -> Finalist:
        """The first point, or if there is none the finalist that comes closest to the constraints."""
        return self.finalists[0]

    @property
    def ruling(self) -> Ruling:
        """Met if there is a point; missed if every finalist misses a constraint; inconclusive otherwise."""
        if self.points:
            return Ruling.met
        return Ruling.inconclusive if any(one.role is Role.unsure for one in self.finalists) else Ruling.missed

    @property
    def fresh_seed(self) -> int:
        """The seed of the fresh sample, which measures the finalists."""
        return self.as_written.scenario.seed

    @property
    def requests_searched(self) -> int:
        """How many requests the search simulated."""
        return requests_of_rounds(self.rounds, requests_each(self.scenario))

    @property
    def requests_fresh(self) -> int:
        """How many requests the fresh sample took, those of the scenario as written included."""
        return (len(self.finalists) + 1) * self.rounds[-1].upto * requests_each(self.scenario)

    @cached_property
    def digest(self) -> str:
        """The identity of the scenario."""
        return digest(self.scenario)

    @cached_property
    def reported(self) -> list[Tried]:
        """The candidates in the form that tables, sentences and pictures take: finalists, as written, the others."""
        finalists = [one.params for one in self.finalists]
        labels = key_labels([axis.key for axis in self.space.axes])

        def tried(role: Role, params: Mapping[str, Any], result: CellResult, number: int = 0) -> Tried:
            named = {
                labels[key]: "none" if value is None else label_of("retrier", value) for key, value in params.items()
            }
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

    def table(self, width: int = TABLE_WIDTH) -> Table:
        """Return the Pareto set, or the finalists that come closest, as a table of at most `width` columns."""
        return table(self.reported, self.options.objectives, self.options.constraints, width)

    def sentences(self) -> list[str]:
        """Say in a few plain sentences what the search found, what it cost, and how sure it is."""
        effort = tuning_sentences.Effort(
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
        warnings = repeat_sentences([(cell.cell.name, cell.unrepeated) for cell in self._results()])
        return [*warnings, *tuning_sentences.sentences(self.reported, self.options.objectives, effort)]

    @property
    def repeats(self) -> bool:
        """Whether all requests that were simulated again did the same, so that scenario and seed decide the numbers."""
        return not any(cell.unrepeated for cell in self._results())

    def _results(self) -> list[CellResult]:
        """Return all results of the search and of the fresh sample."""
        fresh = [*(one.result for one in self.finalists), self.as_written.result]
        return [*fresh, *(one.result for one in self._candidates if one.result is not None)]

    def _edges(self) -> list[str]:
        """Name the keys whose range ends too early: a point is in its last twentieth, but values beyond are valid."""
        found = []
        labels = key_labels([axis.key for axis in self.space.axes])
        for axis in self.space.axes:
            places = [place for one in self.points if (place := axis.place(one.params[axis.key])) is not None]
            ends = [
                ("lowest", min(places, default=1.0) < tuning_sentences.EDGE and self._goes_on(axis, -WIDER)),
                ("highest", max(places, default=0.0) > 1 - tuning_sentences.EDGE and self._goes_on(axis, 1 + WIDER)),
            ]
            words = [word for word, matters in ends if matters]
            found += [f"the {' and '.join(words)} {labels[axis.key]}"] if words else []
        return found

    def _goes_on(self, axis: Axis, place: float) -> bool:
        """Tell whether a range could be wider: whether the scenario is valid with a value beyond its end."""
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
        """Return the contents of `tune.json`: no paths, times, hosts or numbers of workers."""
        options = self.options
        return {
            "schema": SUMMARY_SCHEMA,
            "scenario": self.scenario.name,
            "digest": self.digest,
            "seed": self.scenario.seed,
            "fresh_seed": self.fresh_seed,
            "engine": self.choice.engine,
            "versions": package_versions(),
            "tune": options.model_dump(mode="json", by_alias=True),
            "rounds": [{"candidates": one.candidates, "upto": one.upto} for one in self.rounds],
            "requests": {"searched": self.requests_searched, "fresh": self.requests_fresh},
            "verdict": self.ruling.value,
            "finalists": [_summary(one, options) for one in self.finalists],
            "as_written": _summary(self.as_written, options),
            **({} if self.repeats else {"unrepeated": self._unrepeated()}),
        }

    def _unrepeated(self) -> list[dict[str, Any]]:
        return [
            {"params": cell.cell.params, "seed": cell.cell.scenario.seed, **one}
            for cell in self._results()
            for one in unrepeated_summary(cell.unrepeated)
        ]

    def summary_json(self) -> str:
        """Return the text of `tune.json`; the same scenario gives the same text."""
        return json.dumps(self.summary(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


class TunedPlots:
    """The pictures of a search."""

    def __init__(self, tuned: Tuned) -> None:
        self._tuned = tuned

    def pareto(self, ax: Axes | None = None, *, x: str | None = None, y: str | None = None) -> Axes:
        """Draw the Pareto set among all candidates, one objective over another: by default the first two."""
        from sim.pictures.pareto import plot_pareto

        objectives = self._tuned.options.objectives
        x = objectives[0] if x is None else x
        y = objectives[min(1, len(objectives) - 1)] if y is None else y
        return plot_pareto(self._tuned.reported, x, y, ax)


def options_of(scenario: Scenario) -> TuneOptions:
    """Return the `tune` block of a scenario that has one."""
    assert scenario.tune is not None  # noqa: S101  # `search_space` refuses a scenario without one
    return scenario.tune


def _summary(one: Finalist, options: TuneOptions) -> dict[str, Any]:
    paths = list(dict.fromkeys([*options.objectives, *(constraint.metric.path for constraint in options.constraints)]))

    def metrics(result: CellResult) -> dict[str, Any]:
        return {path: summary_of(result.metrics.value(path), result.metrics.unit(path)) for path in paths}

    return {
        "role": one.role.value,
        "number": one.number or None,
        "params": dict(one.params),
        "digest": digest(one.scenario),
        "metrics": metrics(one.result),
        "searched": None if one.searched is None else metrics(one.searched),
        "constraints": [verdict.summary() for verdict in one.result.verdicts],
    }
