"""All that a results file says besides numbers: scenario, cells and their data, so that no other file is needed.

Reading results never imports code: a retrier that does not come with this package is a stand-in there, which has a
kind and options and cannot be run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import ConfigDict

from sim.experiment.chunks import chunk_count
from sim.experiment.engines import Choice
from sim.laws.columns import Column
from sim.laws.distributions import Empirical
from sim.options.model import Options
from sim.results.result import PACKAGES
from sim.retriers.base import LoopRetrier, Retrier, ScheduledRetrier
from sim.retriers.registry import PORTS
from sim.scenario.cells import Cell
from sim.scenario.checks import Surroundings
from sim.scenario.data_files import DataFiles
from sim.scenario.identity import digest, resolved
from sim.scenario.parts.retrier import RetrierChoice
from sim.scenario.schema import Scenario, scenario_of
from sim.world.workload import Recorded

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT: Final = "1"
"""Of results files; grows when an older retrysim cannot read them any more."""
_COLUMNS: Final[dict[str, type[Column]]] = {"empirical": Empirical, "file": Recorded}

Row = tuple[Any, ...]


class Unreadable(ValueError):
    """A description that this version of retrysim cannot read."""


@dataclass(frozen=True, slots=True)
class Description:
    """Rows of three tables, equal where two runs are the same in all that people can see but the numbers."""

    meta: tuple[tuple[str, str], ...]
    """Names and values, in order of name."""
    cells: tuple[Row, ...]
    """Position, id, name, params as JSON, chunks, scenario as JSON."""
    data: tuple[Row, ...]
    """Columns of files: kind, file, column, digest, rows, values in ns as little-endian int64."""

    def seal(self) -> str:
        """Return a digest of all rows."""
        made = hashlib.sha256()
        for row in (*self.meta, *self.cells, *self.data):
            for value in row:
                text = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
                made.update(b"%d " % len(text))
                made.update(text)
            made.update(b"\n")
        return made.hexdigest()

    def value(self, name: str) -> str:
        """Return one value of the metadata; Unreadable where there is none."""
        for key, value in self.meta:
            if key == name:
                return value
        raise Unreadable(f"it does not say its {name}")

    @property
    def identity(self) -> str:
        """What the numbers depend on, as `identity_of` names it."""
        return f"{self.value('digest')} {self.value('engine')} {self.value('engine version')}"

    def made_by(self, other: Description) -> Description:
        """Return this description with the versions of another one."""
        meta = tuple((key, other.value(key) if key == "versions" else value) for key, value in self.meta)
        return replace(self, meta=meta)

    @property
    def chunks(self) -> list[int]:
        """How many chunks each cell has."""
        return [int(row[4]) for row in self.cells]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A run as its description tells it."""

    scenario: Scenario
    cells: tuple[Cell, ...]
    choice: Choice
    digest: str
    versions: dict[str, str]


def describe(scenario: Scenario, cells: Sequence[Cell], choice: Choice, rounds: int = 1) -> Description:
    """Describe the first rounds of a run; only with `precision` are there several."""
    meta = {
        "format": FORMAT,
        "digest": digest(scenario),
        "engine": choice.engine,
        "engine version": str(choice.version),
        "versions": _json({name: version(name) for name in PACKAGES}),
        "name": scenario.name,
        "seed": str(scenario.seed),
        "scenario": _json(_told(scenario, resolved(scenario))),
    }
    rows = tuple(
        (
            position,
            cell.id,
            cell.name,
            _json(cell.params),
            chunk_count(cell.scenario, choice.engine, rounds),
            _json(_told(cell.scenario, resolved(cell.scenario))),
        )
        for position, cell in enumerate(cells)
    )
    found: dict[Row, Row] = {}
    for cell in cells:
        for column in _columns(cell.scenario):
            key = (_kind(column), column.file, column.column, column.sha256, column.rows)
            if key not in found:
                found[key] = (*key, np.array(column.values_ns, "<i8").tobytes())
    return Description(tuple(sorted(meta.items())), rows, tuple(found[key] for key in sorted(found)))


def rebuild(description: Description) -> Rebuilt:
    """Make a run's scenario and cells out of its description. Raises Unreadable."""
    if description.value("format") != FORMAT:
        theirs = description.value("format")
        raise Unreadable(f"its format is {theirs}, and this version of retrysim reads format {FORMAT}")
    try:
        files = DataFiles(Path())
        for kind, file, column, sha256, rows, values in description.data:
            empty = _COLUMNS[kind](file=file, column=column, sha256=sha256, rows=rows)
            files.add(empty.with_values(np.frombuffer(values, "<i8").tolist(), sha256))
        surroundings = Surroundings(files)
        cells = []
        for _, cell_id, name, params, _, tree in description.cells:
            cells.append(Cell(cell_id, name, json.loads(params), _read(json.loads(tree), surroundings)))
        tree = json.loads(description.value("scenario"))
        scenario = _read(tree, surroundings)
        if not tree.get("variants"):
            scenario = cells[0].scenario
        engine: Any = description.value("engine")
        return Rebuilt(
            scenario,
            tuple(cells),
            Choice(engine, "as these results were made"),
            description.value("digest"),
            json.loads(description.value("versions")),
        )
    except Unreadable:
        raise
    except Exception as error:  # whatever a scenario of another version stumbles on
        raise Unreadable(f"its scenario is none that this version of retrysim can read ({error})") from error


class RecordedOptions(Options):
    """Options of a retrier that is not there: whatever they were."""

    model_config = ConfigDict(extra="allow")


class RecordedChoice(RetrierChoice):
    """Stands for a retrier whose code is not read with its results."""

    outside: bool
    """Whether it ran outside of the deployment."""

    def make(self) -> Retrier:
        """Return a retrier of the same shape that does nothing."""
        return LoopRetrier() if self.outside else ScheduledRetrier()


_OUTSIDE = "outside"


def _told(scenario: Scenario, tree: dict[str, Any]) -> dict[str, Any]:
    """Add to a resolved form what cannot be known without the retrier's code."""
    choice = scenario.retrier
    if choice.kind in PORTS:
        return tree
    outside = choice.outside if isinstance(choice, RecordedChoice) else isinstance(choice.make(), LoopRetrier)
    return {**tree, _OUTSIDE: outside}


def _read(tree: dict[str, Any], surroundings: Surroundings) -> Scenario:
    outside = tree.pop(_OUTSIDE, None)
    if outside is not None:
        kind, options = tree["retrier"]["kind"], {**tree["retrier"]}
        del options["kind"]
        made = RecordedOptions.model_validate(options)
        tree["retrier"] = RecordedChoice(kind=kind, options=made, trusted=True, outside=outside)
    return scenario_of(tree, surroundings)


def _columns(node: Any) -> Iterator[Column]:
    """Find the columns of files anywhere in a scenario."""
    if isinstance(node, Column):
        yield node
    elif isinstance(node, Options):
        for name in type(node).model_fields:
            yield from _columns(getattr(node, name))
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _columns(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _columns(value)


def _kind(column: Column) -> str:
    return next(name for name, model in _COLUMNS.items() if isinstance(column, model))


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
