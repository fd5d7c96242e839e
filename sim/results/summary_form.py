"""The form of `summary.json`, schema 2: what each key holds, as types that programs can be checked against.

`Result.summary` returns a `Summary`. `json_schema` gives the same as a JSON Schema (draft 2020-12). Keys that are not
required are left out where there is nothing to say. Schema 1 had a tree of metrics (`cells[].time_to_effect.mean`) and
the text "inf"; here all metrics of a cell stand in `metrics` by their path (`time_to_effect.mean`).
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

_CLOSED = ConfigDict(extra="forbid", use_attribute_docstrings=True)
Number = float | None
"""Null if it is infinite (`infinite` names it then) or not known."""
End = Literal["value", "low", "high"]


@with_config(_CLOSED)
class MetricSummary(TypedDict):
    """A metric of a cell with its 95 % interval."""

    value: Number
    low: Number
    high: Number
    unit: str
    """`ms` for times, `1` for shares and counts, `1/s` for rates, else the unit that the scenario states for costs."""
    infinite: NotRequired[list[End]]
    """Which of the three are infinite: an event that never comes, or an interval without an upper end."""
    reason: NotRequired[str]
    """Why no interval can be given, if that does not follow from the number of requests."""


@with_config(_CLOSED)
class Duplicates(TypedDict):
    """Effects after the first."""

    requests: int
    """Requests with at least one."""
    by_cause: dict[str, int]
    """Such effects by their cause, every cause present."""


@with_config(_CLOSED)
class Counts(TypedDict):
    """Requests and events in whole numbers."""

    requests: int
    """How many requests count: those submitted in the measuring window."""
    outcomes: dict[str, int]
    """Requests by outcome, every outcome present."""
    duplicates: Duplicates
    attempts: dict[str, int]
    """Requests by number of attempts; only numbers that occur."""
    suppressed: int
    """Effects that the receiver recognized by their idempotency key."""
    conflicts: int
    """Mutations that were refused because of a conflict."""


@with_config(_CLOSED)
class VerdictSummary(TypedDict):
    """An expectation of the scenario, judged."""

    expect: str
    verdict: Literal["met", "missed", "inconclusive"]
    value: Number
    low: Number
    high: Number
    unit: str
    infinite: NotRequired[list[End]]
    requests_needed: int | None
    """If inconclusive: about how many requests would settle it."""
    replications_needed: int | None
    reason: str


@with_config(_CLOSED)
class UnrepeatedSummary(TypedDict):
    """A request that did something else when it was simulated again."""

    request: int
    differs: dict[str, list[int]]
    """By column of its record: the value, and the value the second time."""


@with_config(_CLOSED)
class CellSummary(Counts):
    """One cell."""

    id: str
    name: str
    params: dict[str, Any]
    """What sets the cell apart: dotted keys and their values as the file has them."""
    replications: NotRequired[int]
    """Of a shared world: how many replications have requests that count."""
    percentiles_within: float
    """The share of themselves by which quantiles of times may be off: 0 unless only histograms are kept."""
    metrics: dict[str, MetricSummary]
    """Every metric of the cell by its path, such as `time_to_effect.p99` or `service.db.queue.mean`."""
    classes: NotRequired[dict[str, Counts]]
    """The counts of each class of callers, by its name."""
    expect: list[VerdictSummary]
    examples: dict[str, int]
    """Requests worth a replay: `stuck`, `duplicated`, `slowest`."""
    unrepeated: NotRequired[list[UnrepeatedSummary]]


@with_config(_CLOSED)
class PrecisionSummary(TypedDict):
    """How narrow an interval is that `precision` names."""

    cell: str
    target: str
    half_width: Number
    unit: str
    infinite: NotRequired[list[Literal["half_width"]]]
    reached: bool


@with_config(_CLOSED)
class BrokenSummary(TypedDict):
    """An invariant that is broken in a cell."""

    cell: str
    invariant: str
    owed_by: Literal["retrier", "platform"]
    requests: int
    """How many requests break it."""
    first: int | None
    """The first of them, as `replay` takes it; null if only all requests together break it."""
    text: str
    """The first violation, in one sentence."""


@with_config(_CLOSED)
class UnseenSummary(TypedDict):
    """Something that should be seen at least once, but was not."""

    cell: str
    invariant: str


@with_config(_CLOSED)
class ProbeSummary(TypedDict):
    """What the probe of the platform found in small worlds of its own."""

    broken: list[str]


@with_config(_CLOSED)
class CheckedSummary(TypedDict):
    """What the check of all histories found."""

    holds: bool
    invariants: int
    histories: int
    broken: list[BrokenSummary]
    unseen: list[UnseenSummary]
    probe: ProbeSummary | None


@with_config(_CLOSED)
class Summary(TypedDict):
    """The whole of `summary.json`."""

    schema: Literal[2]
    scenario: str
    digest: str
    """The identity of the scenario, a SHA-256 in hexadecimal."""
    seed: int
    engine: Literal["event", "vector", "tables"]
    versions: dict[str, str]
    """Of the packages that made the numbers."""
    precision: NotRequired[list[PrecisionSummary]]
    checked: NotRequired[CheckedSummary]
    """If histories were checked (`--check`, or `check` in the scenario)."""
    cells: list[CellSummary]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of `summary.json`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **TypeAdapter(Summary).json_schema()}
