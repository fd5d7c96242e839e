"""The description of a run in its results file: scenario, cells and the data of files, so that no other file is needed.

`describe` makes it of a plan, `plan_of` makes a plan of it again. Reading results never imports code: a retrier that
does not come with this package is replaced by a stand-in, which has its kind and options but cannot be run, and so is a
service of the user's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import ConfigDict

from sim.experiment.chunks import chunk_counts
from sim.experiment.engines import Choice
from sim.experiment.findings import Findings
from sim.experiment.plan import Plan, held_text, identity_of
from sim.laws.columns import Column
from sim.laws.distributions import Empirical
from sim.options.model import Options, file_rules
from sim.promises.promises import Promises
from sim.retriers.base import ClientRetrier, LoopRetrier, Retrier, ScheduledRetrier
from sim.retriers.registry import KINDS
from sim.scenario.cells import Cell, cells
from sim.scenario.checks import Surroundings
from sim.scenario.data_files import DataFiles
from sim.scenario.identity import resolved
from sim.scenario.parts.retrier import RetrierChoice
from sim.scenario.schema import Scenario, scenario_of
from sim.world.arrivals import Recorded
from sim.world.counted import Counted
from sim.world.outcomes import OutcomesOptions
from sim.world.services.options import FrontOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT: Final = "4"
"""Of results files; grows if an older retrysim cannot read them any more."""
READ: Final = ("1", "2", "3", FORMAT)
"""The formats that can be read; in 1 no duplicate is charged to `repeated`, before 3 there are no callers, before 4 no
checks of histories, and parts are `.npz` files."""
HELD: Final = "held"
"""In the metadata: of each cell the invariants that its histories are checked against, if they are."""
CODE: Final = "code"
"""In the metadata: the digest of the user's own code that made the numbers."""
FINDINGS: Final = "findings"
"""In the metadata of a finished run: what the check has found."""
PLACES: Final = "places"
"""In the metadata: of each cell the name of its variant and the keys of the sweep, if there are any."""
_COLUMNS: Final[dict[str, type[Column | Counted]]] = {"empirical": Empirical, "file": Recorded, "outcomes": Counted}

Row = tuple[Any, ...]


class Unreadable(ValueError):
    """A description that this version of retrysim cannot read."""


@dataclass(frozen=True, slots=True)
class Description:
    """Rows of three tables; two runs have equal rows if nothing but their numbers may differ."""

    meta: tuple[tuple[str, str], ...]
    """Names and values, in order of name."""
    cells: tuple[Row, ...]
    """Position, id, name, params as JSON, number of chunks, scenario as JSON."""
    data: tuple[Row, ...]
    """Columns of files: kind, file, column, digest, rows, values in ns as little-endian int64."""

    def checksum(self) -> str:
        """Return the SHA-256 of all rows, in hexadecimal."""
        made = hashlib.sha256()
        for row in (*self.meta, *self.cells, *self.data):
            for value in row:
                text = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
                made.update(b"%d " % len(text))
                made.update(text)
            made.update(b"\n")
        return made.hexdigest()

    def value(self, name: str) -> str:
        """Return one value of the metadata; raises Unreadable if there is none."""
        for key, value in self.meta:
            if key == name:
                return value
        raise Unreadable(f"it does not say its {name}")

    @property
    def identity(self) -> str:
        """All that the numbers depend on, as `Plan.identity` gives it."""
        engine, version = self.value("engine"), self.value("engine version")
        return identity_of(self.value("digest"), engine, version, self.value_or(HELD), self.value_or(CODE))

    @property
    def findings(self) -> Findings | None:
        """What the check of the run has found; None if there was none, or if it has not finished."""
        found = self.value_or(FINDINGS)
        return Findings.from_json(found) if found else None

    def with_findings(self, findings: Findings | None) -> Description:
        """Return this description of a run whose check has found this."""
        meta = dict(self.meta)
        meta.pop(FINDINGS, None)
        if findings is not None:
            meta[FINDINGS] = findings.to_json()
        return replace(self, meta=tuple(sorted(meta.items())))

    def value_or(self, name: str, otherwise: str = "") -> str:
        """Return one value of the metadata, or this if there is none."""
        return dict(self.meta).get(name, otherwise)

    @property
    def versions(self) -> dict[str, str]:
        """The versions of the packages that made the numbers."""
        return dict(json.loads(self.value("versions")))

    @property
    def chunks(self) -> list[int]:
        """How many chunks each cell has."""
        return [int(row[4]) for row in self.cells]

    def with_chunks(self, counts: Sequence[int]) -> Description:
        """Return this description of a run whose cells have these numbers of chunks."""
        cells = tuple((*row[:4], count, *row[5:]) for row, count in zip(self.cells, counts, strict=True))
        return replace(self, cells=cells)

    def with_versions_of(self, other: Description) -> Description:
        """Return this description with the versions of packages that another one states."""
        meta = tuple((key, other.value(key) if key == "versions" else value) for key, value in self.meta)
        return replace(self, meta=meta)


def describe(plan: Plan) -> Description:
    """Describe a run, with the chunks of its first round."""
    scenario = plan.scenario
    places = [[cell.variant, list(cell.levels)] for cell in plan.cells]
    meta = {
        "format": FORMAT,
        "digest": plan.digest,
        "engine": plan.choice.engine,
        "engine version": str(plan.choice.version),
        "versions": _json(plan.versions),
        "name": scenario.name,
        "seed": str(scenario.seed),
        "scenario": _json(_tree(scenario)),
        **({HELD: held_text(plan.held)} if plan.held else {}),
        **({CODE: plan.code} if plan.code else {}),
        **({PLACES: _json(places)} if any(variant or keys for variant, keys in places) else {}),
    }
    rows = tuple(
        (position, cell.id, cell.name, _json(cell.params), chunks, _json(_tree(cell.scenario)))
        for position, (cell, chunks) in enumerate(zip(plan.cells, chunk_counts(plan), strict=True))
    )
    found: dict[Row, Row] = {}
    for cell in plan.cells:
        for column in _columns(cell.scenario):
            key = (_kind(column), column.file, _column_text(column), column.sha256, column.rows)
            if key not in found:
                found[key] = (*key, np.array(column.values_ns, "<i8").tobytes())
    return Description(tuple(sorted(meta.items())), rows, tuple(found[key] for key in sorted(found)))


def plan_of(description: Description) -> Plan:
    """Make the plan that a description describes. Raises Unreadable."""
    if description.value("format") not in READ:
        theirs = description.value("format")
        raise Unreadable(f"its format is {theirs}, but this version of retrysim reads formats up to {FORMAT}")
    try:
        files = DataFiles(Path())
        for kind, file, column, sha256, rows, values in description.data:
            told = json.loads(column) if column.startswith("{") else {"column": column}
            options = {"file": file, "sha256": sha256, "rows": rows, **told}
            empty = _COLUMNS[kind].model_validate(options)
            files.add(empty.with_values(np.frombuffer(values, "<i8").tolist(), sha256))
        surroundings = Surroundings(files)
        cells = []
        places = json.loads(description.value_or(PLACES, "null")) or [["", []]] * len(description.cells)
        for (_, cell_id, name, text, _, tree), (variant, keys) in zip(description.cells, places, strict=True):
            params = json.loads(text)
            levels = {key: params[key] for key in keys}
            cells.append(Cell(cell_id, name, params, _read(json.loads(tree), surroundings), variant, levels))
        tree = json.loads(description.value("scenario"))
        scenario = _read(tree, surroundings)
        if not tree.get("variants"):
            scenario = cells[0].scenario
        engine: Any = description.value("engine")
        return Plan(
            scenario,
            tuple(cells),
            Choice(engine, "as these results were made"),
            known_digest=description.value("digest"),
            versions=description.versions,
        )
    except Unreadable:
        raise
    except Exception as error:  # whatever a scenario of another version stumbles on
        raise Unreadable(f"this version of retrysim cannot read its scenario ({error})") from error


class RecordedOptions(Options):
    """Options of a retrier whose code is not there; any are allowed."""

    model_config = ConfigDict(extra="allow")


class RecordedChoice(RetrierChoice):
    """A stand-in for a retrier whose code is not there."""

    outside: bool
    """Whether the retrier ran outside of the deployment."""
    attempts_at_most: int | None = None
    """What it promised, on which intervals of means rest; None in results of earlier versions."""

    @property
    def found(self) -> type[Retrier]:
        """A class of the same shape: that of the retrier is not there."""
        return LoopRetrier if self.outside else ScheduledRetrier

    def make(self) -> Retrier:
        """Return a retrier of the same shape that does nothing and promises the same number of attempts."""
        promised = Promises(attempts_at_most=self.attempts_at_most)
        made: Retrier = type("Recorded", (self.found,), {"promises": lambda _: promised})()
        return made


class RecordedService(FrontOptions):
    """A stand-in for a service whose code is not there: its kind, what stands in front of it, and its options."""

    model_config = ConfigDict(extra="allow")

    kind: str


_OUTSIDE = "outside"
_AT_MOST = "attempts_at_most"
_OF_CLASSES = "retriers_of_classes"
_OF_LAYERS = "retriers_of_layers"


def _recorded(retrier: Mapping[str, Any], known: Mapping[str, Any]) -> RecordedChoice:
    options = {name: value for name, value in retrier.items() if name != "kind"}
    made = RecordedOptions.model_validate(options)
    return RecordedChoice(kind=retrier["kind"], options=made, trusted=True, **known)


def _tree(scenario: Scenario) -> dict[str, Any]:
    """Return the resolved form of a scenario, with facts that only the code of its retrier knows."""
    tree = resolved(scenario)
    scenario = cells(scenario)[0].scenario  # the one that is written out
    if scenario.retrier.kind not in KINDS:
        tree |= _known(scenario.retrier)
    of_classes = {
        one.name: _known(one.retrier)
        for one in scenario.callers
        if one.retrier is not None and one.retrier.kind not in KINDS
    }
    of_layers = {
        f"{name}.{position}": _known(layer.retrier)
        for name, service in scenario.services.items()
        for position, layer in enumerate(getattr(service, "calls", ()))
        if layer.retrier.kind not in KINDS
    }
    tree |= {_OF_CLASSES: of_classes} if of_classes else {}
    return {**tree, _OF_LAYERS: of_layers} if of_layers else tree


def _known(choice: RetrierChoice) -> dict[str, Any]:
    retrier = choice.make()
    return {_OUTSIDE: isinstance(retrier, ClientRetrier), _AT_MOST: retrier.promises().attempts_at_most}


def _read(tree: dict[str, Any], surroundings: Surroundings) -> Scenario:
    """Make a scenario of what `_tree` returned."""
    known = {name: tree.pop(name, None) for name in (_OUTSIDE, _AT_MOST)}
    if known[_OUTSIDE] is not None:
        tree["retrier"] = _recorded(tree["retrier"], known)
    for name, known_of_class in tree.pop(_OF_CLASSES, {}).items():
        of_class = tree["classes"][name]
        of_class["retrier"] = _recorded(of_class["retrier"], known_of_class)
    for name, known_of_layer in tree.pop(_OF_LAYERS, {}).items():
        service, _, position = name.rpartition(".")
        layer = tree["services"][service]["calls"][int(position)]
        layer["retrier"] = _recorded(layer["retrier"], known_of_layer)
    services = tree.get("services", {})
    for name, written in services.items():
        if ":" in str(written.get("kind", "")):
            services[name] = RecordedService.model_validate(written, **file_rules(surroundings))
    return scenario_of(tree, surroundings)


def _columns(node: Any) -> Iterator[Column | Counted]:
    """Find the columns of files anywhere in a scenario."""
    if isinstance(node, Column):
        yield node
    elif isinstance(node, Options):
        if isinstance(node, OutcomesOptions) and node.counted is not None:
            yield node.counted
        for name in type(node).model_fields:
            yield from _columns(getattr(node, name))
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _columns(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _columns(value)


def _column_text(column: Column | Counted) -> str:
    """Return the name of a column, as JSON with all that is said of it if that is more; DataFiles tell by it, too."""
    told = column.model_dump(mode="json", exclude={"file", "sha256", "rows"})
    return _json(told) if len(told) > 1 or column.column.startswith("{") else column.column


def _kind(column: Column | Counted) -> str:
    return next(name for name, model in _COLUMNS.items() if isinstance(column, model))


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
