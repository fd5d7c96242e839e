"""Compares cells: `compare(a, b)` pairs their requests, and says in which settings they differ.

Cells of one seed meet the same weather and the same latencies, request by request (isolated worlds) or replication by
replication (shared ones), since random numbers come by address. Their differences are then those of the policies, and
the intervals are narrower than those of two independent cells: chance that strikes both alike cancels out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.api.what_differs import Differing, Origin, differing_sentence, text_of, what_differs
from sim.expect.conditions import Condition, Judged, parse_condition
from sim.expect.expectations import Ruling
from sim.experiment.cell_result import CellResult
from sim.experiment.versions import SUMMARY_SCHEMA
from sim.measure.differences import Difference, Differences
from sim.scenario.identity import differing, digest
from sim.text.columns import TABLE_WIDTH
from sim.text.comparison import Pair
from sim.text.comparison_sentences import SAID, sentences
from sim.text.comparison_table import table
from sim.text.rendered import HTML_WIDTH, html_of, plain_text, table_width
from sim.text.repeats import repeat_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.axes import Axes
    from rich.table import Table

    from sim.history.records import Requests
    from sim.results.result import Result

NO_WARNING = frozenset({"retrier", "seed", "requests.count", "replications", "precision", "keep"})
"""Settings that need no warning if they differ: the compared one, and those that the sentence on the pairing names."""
MOST_NAMED = 4
"""Settings that differ, named in a warning; of more only the number is given."""


class NotComparable(ValueError):  # a wrong question, not a failure
    """Two cells or results cannot be compared."""


@dataclass(frozen=True, repr=False)
class Compared:
    """Cell B compared with cell A."""

    a: CellResult
    b: CellResult
    pair: Pair
    """The comparison in the form that tables, sentences and pictures take."""
    differing: tuple[Differing, ...] = ()
    """All that differs between the runs: settings, number of requests, engine, versions; for retriers of one kind their
    options."""
    origins: tuple[Origin, Origin] = (Origin(), Origin())
    """By what the results of A and of B were made."""

    @property
    def what_differs(self) -> str:
        """What differs between the runs, in one sentence."""
        return differing_sentence(self.differing)

    def __repr__(self) -> str:
        """Return the table of the differences, below the names of the cells."""
        width = table_width()
        return f"{self.pair.b} compared with {self.pair.a}\n{plain_text(self.table(width=width), width)}"

    def _repr_html_(self) -> str:
        """Return the table of the differences for notebooks."""
        return html_of(self.table(width=HTML_WIDTH), f"{self.pair.b} compared with {self.pair.a}")

    @property
    def differences(self) -> Differences:
        """The differences, by metric."""
        return self.pair.differences

    @property
    def paired(self) -> bool:
        """Whether requests or replications of equal number met the same chance."""
        return self.differences.paired

    @property
    def repeats(self) -> bool:
        """Whether all requests of both cells that were simulated again did the same."""
        return not (self.a.unrepeated or self.b.unrepeated)

    def __getitem__(self, metric: str) -> Difference:
        """Return the difference of a metric, such as `time_to_effect.p99`; KeyError for another name."""
        return self.differences[metric]

    def judge(self, condition: str) -> Judged:
        """Judge a condition such as `time_to_effect.p99 > +10%`; raises ValueError with the column of a mistake."""
        return parse_condition(condition).judge(self.differences)

    def table(self, *, complete: bool = False, width: int = TABLE_WIDTH) -> Table:
        """Return a table of at most `width` columns; `complete` shows every metric."""
        return table(self.pair, complete=complete, width=width)

    def sentences(self, *, complete: bool = False) -> list[str]:
        """Say in plain sentences how the cells are paired, then each difference."""
        return sentences(self.pair, complete=complete)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the times to effect of both cells and the differences of their quantiles; its title is the finding."""
        from sim.pictures.comparison import plot_comparison

        return plot_comparison(self.pair, ax)

    def summary(self) -> dict[str, Any]:
        """Return the comparison for JSON (`sim.measure.summary` has the form of numbers)."""
        return {
            "a": _identity(self.a, self.pair.a, self.origins[0]),
            "b": _identity(self.b, self.pair.b, self.origins[1]),
            "differing": [{"key": one.key, "a": one.a, "b": one.b} for one in self.differing],
            "paired": self.paired,
            "basis": self.pair.basis,
            "warnings": list(self.pair.warnings),
            "differences": {found.metric.path: found.summary() for found in self.differences},
        }


class Comparison:
    """One or several cells of B, each compared with the cell of A that has the same id."""

    def __init__(self, cells: list[Compared]) -> None:
        self.cells = tuple(cells)

    def __repr__(self) -> str:
        """Return the tables of all pairs."""
        return "\n\n".join(map(repr, self.cells))

    def _repr_html_(self) -> str:
        """Return the tables of all pairs for notebooks."""
        return "".join(cell._repr_html_() for cell in self.cells)  # notebooks ask for it by this name

    def __iter__(self) -> Iterator[Compared]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, metric: str) -> Difference:
        """Return the difference of a metric if there is only one pair of cells; raises KeyError otherwise."""
        return self._only[metric]

    @property
    def _only(self) -> Compared:
        if len(self.cells) != 1:
            raise KeyError(f"{len(self.cells)} pairs of cells were compared: choose one of `.cells`")
        return self.cells[0]

    @property
    def repeats(self) -> bool:
        """Whether all requests of all cells that were simulated again did the same."""
        return all(cell.repeats for cell in self.cells)

    def table(self, *, complete: bool = False, width: int = TABLE_WIDTH) -> Table:
        """Return the table of the only pair."""
        return self._only.table(complete=complete, width=width)

    def sentences(self, *, complete: bool = False) -> list[str]:
        """Return the sentences about all pairs, one pair after the other."""
        return [line for cell in self.cells for line in cell.sentences(complete=complete)]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the only pair."""
        return self._only.plot(ax)

    def judge(self, condition: str) -> Ruling:
        """Judge a condition over all pairs: met if it certainly holds in one, missed if it certainly holds in none."""
        rulings = {cell.judge(condition).ruling for cell in self.cells}
        return next(ruling for ruling in (Ruling.met, Ruling.inconclusive, Ruling.missed) if ruling in rulings)

    def summary(self, conditions: Sequence[Condition] = (), exit_code: int | None = None) -> dict[str, Any]:
        """Return the comparison for JSON: no paths, times or hosts.

        `comparisons` has one entry a pair of cells: `a` and `b` (name, cell, seed, digest, requests, engine, versions),
        `differing` (key, a, b), `paired`, `basis`, `warnings`, and `differences`, by metric: `a`, `b`, `difference`,
        `low` and `high` in `unit`, `relative` (the difference as a share of A's value), and `verdict`: better, worse,
        differs, same or inconclusive. `fail_if` has an entry for each of the `conditions` and each pair: `condition`,
        `cell` of B, `verdict` (holds, does not hold, inconclusive), `reason`. `exit_code` is that of the command.
        """
        judged = [(one, condition.judge(one.differences)) for one in self.cells for condition in conditions]
        return {
            "schema": SUMMARY_SCHEMA,
            **({"exit_code": exit_code} if exit_code is not None else {}),
            "fail_if": [
                {
                    "condition": found.condition.text,
                    "cell": one.b.id,
                    "verdict": SAID[found.ruling],
                    "reason": found.reason,
                }
                for one, found in judged
            ],
            "comparisons": [cell.summary() for cell in self.cells],
        }

    def summary_json(self, conditions: Sequence[Condition] = (), exit_code: int | None = None) -> str:
        """Return the text of the JSON file; the same results give the same text."""
        return json.dumps(self.summary(conditions, exit_code), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def compare(
    a: CellResult | Result,
    b: CellResult | Result,
    *,
    names: tuple[str, str] | None = None,
    origins: tuple[Origin, Origin] | None = None,
) -> Comparison:
    """Compare B with A: two cells, or two results that have one cell each or cells of the same ids.

    `names` stand for A and B in tables, sentences and pictures; by default they are the names of the cells. Differences
    are B - A. `origins` say by what single cells were made, which results know. Raises NotComparable if the two cannot
    be compared.
    """
    first, second = (Origin() if isinstance(one, CellResult) else Origin.of(one) for one in (a, b))
    return Comparison([_compared(*pair, names, origins or (first, second)) for pair in _pairs(a, b)])


def _pairs(a: CellResult | Result, b: CellResult | Result) -> list[tuple[CellResult, CellResult]]:
    cells_a, cells_b = ((one,) if isinstance(one, CellResult) else one.cells for one in (a, b))
    if len(cells_a) == len(cells_b) == 1:
        return [(cells_a[0], cells_b[0])]
    by_id = {cell.id: cell for cell in cells_b}
    if {cell.id for cell in cells_a} != by_id.keys():
        here, there = (", ".join(cell.id for cell in cells) for cells in (cells_a, cells_b))
        raise NotComparable(f"their cells differ, so choose one of each: A has {here}; B has {there}")
    return [(cell, by_id[cell.id]) for cell in cells_a]


def _compared(a: CellResult, b: CellResult, names: tuple[str, str] | None, origins: tuple[Origin, Origin]) -> Compared:
    one, other = a.cell.scenario, b.cell.scenario
    if one.world != other.world:
        raise NotComparable(
            f"A is a world of kind {one.world}, but B one of kind {other.world}: "
            "requests that meet one another cannot be compared with requests that do not"
        )
    for name, cell in (("A", a), ("B", b)):
        if not len(cell.metrics):
            raise NotComparable(f"no request of {name} ('{cell.cell.name}') counts, so there is nothing to compare")
    changed = differing(one, other)
    determined = not changed and len(a.metrics) == len(b.metrics)
    unpaired = _why_unpaired(a, b, changed)
    differences = Differences(
        a.metrics,
        b.metrics,
        _requests_of(a, b) if not unpaired else None,
        paired=not unpaired,
        determined=determined,
    )
    first, second = names or _names(a, b)
    warnings = (*_unrepeated((a, first), (b, second)), *_warnings(changed))
    pair = Pair(first, second, differences, _basis(a, unpaired, determined=determined), warnings)
    return Compared(a, b, pair, what_differs(changed, (a, b), origins), origins)


def _requests_of(a: CellResult, b: CellResult) -> tuple[Requests, Requests] | None:
    """Return the requests of two paired cells; None if other requests count in one, so that rows do not correspond."""
    one, other = a.requests, b.requests  # cells of histograms have none, but they are never paired
    same = np.array_equal(one.number, other.number) and np.array_equal(one.replication, other.replication)
    return (one, other) if same else None


def _names(a: CellResult, b: CellResult) -> tuple[str, str]:
    one, other = a.cell.name, b.cell.name
    return (one, other) if one != other else (f"{one} (A)", f"{other} (B)")


def _why_unpaired(a: CellResult, b: CellResult, changed: Mapping[str, tuple[Any, Any]]) -> str:
    """Say why requests of equal number did not meet the same chance; empty if they did."""
    one, other = a.cell.scenario, b.cell.scenario
    if one.seed != other.seed:
        return f"their seeds differ ({one.seed} and {other.seed})"
    shared = one.world == "shared"
    if binned := [name for name, cell in (("A", a), ("B", b)) if cell.metrics.within]:
        return f"only histograms are kept of {' and '.join(binned)}"
    if "requests.arrivals" in changed or "measure" in changed or (shared and "requests.count" in changed):
        return "other requests arrive, or count"
    sizes = [cell.metrics.replications if shared else len(cell.metrics) for cell in (a, b)]
    if sizes[0] != sizes[1]:
        return f"they have {sizes[0]:,} and {sizes[1]:,} {'replications' if shared else 'requests'}"
    return ""


def _basis(a: CellResult, unpaired: str, *, determined: bool) -> str:
    shared = a.cell.scenario.world == "shared"
    if determined:
        return "Both are the same simulation: same scenario, same seed, so nothing can differ."
    if unpaired:
        kind = "replications" if shared else "requests"
        return (
            f"Not paired, since {unpaired}: the intervals are those of independent {kind}, wider than those of pairs."
        )
    seed = a.cell.scenario.seed
    if shared:
        return (
            f"Paired by replication: both ran {a.metrics.replications:,} replications of seed {seed}, "
            "and replication n of both met the same weather and the same latencies."
        )
    return (
        f"Paired by request: both ran {len(a.metrics):,} requests of seed {seed}, "
        "and request n of both met the same weather and the same latencies."
    )


def _unrepeated(*sides: tuple[CellResult, str]) -> Iterator[str]:
    """Warn if requests of one side did something else when they were simulated again."""
    yield from repeat_sentences([(name, cell.unrepeated) for cell, name in sides])


def _warnings(changed: Mapping[str, tuple[Any, Any]]) -> Iterator[str]:
    warned = {key: pair for key, pair in changed.items() if key not in NO_WARNING}
    others = [f"{key} ({text_of(one)} | {text_of(other)})" for key, (one, other) in warned.items()]
    if others:
        named = others[:MOST_NAMED] + ([f"{len(others) - MOST_NAMED} more"] if len(others) > MOST_NAMED else [])
        yield f"Careful: not only the policies differ, but also (A | B): {', '.join(named)}."


def _identity(cell: CellResult, name: str, origin: Origin) -> dict[str, Any]:
    scenario = cell.cell.scenario
    made_by = {"engine": origin.engine, "versions": dict(origin.versions)} if origin.versions is not None else {}
    identity = {"name": name, "cell": cell.id, "seed": scenario.seed, "digest": digest(scenario)}
    return {**identity, "requests": len(cell.metrics), **made_by}
