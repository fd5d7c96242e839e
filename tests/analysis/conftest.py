"""Tables of requests made by hand."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from sim.analysis.cells import Cell
from sim.analysis.expressions import parse
from sim.analysis.metrics import CellMetrics, measure
from sim.kernel.records import NEVER, Cause, Outcome, Requests

MS = 1_000_000
Row = dict[str, object]
MakeRequests = Callable[..., Requests]
MakeCell = Callable[..., Cell]

DEFAULTS: dict[str, int] = {
    "replication": 0,
    "submitted_ns": 0,
    "first_effect_ns": 100 * MS,
    "settled_ns": 150 * MS,
    "known_attempt_end_ns": 110 * MS,
    "last_attempt_end_ns": 110 * MS,
    "attempts": 1,
    "effects": 1,
    "suppressed": 0,
    "polls": 2,
    "conflicts": 0,
    "mutations": 3,
    "actions": 1,
    "action_ns": 110 * MS,
}
DTYPES = {
    "replication": np.int32,
    "submitted_ns": np.int64,
    "first_effect_ns": np.int64,
    "settled_ns": np.int64,
    "known_attempt_end_ns": np.int64,
    "last_attempt_end_ns": np.int64,
    "action_ns": np.int64,
}


def _requests(rows: Sequence[Row]) -> Requests:
    columns = {
        name: np.array([row.get(name, default) for row in rows], dtype=DTYPES.get(name, np.int32))
        for name, default in DEFAULTS.items()
    }
    duplicates = np.zeros((len(rows), len(Cause)), np.int32)
    for number, row in enumerate(rows):
        for cause, count in dict(row.get("duplicates", {})).items():  # type: ignore[call-overload]
            duplicates[number, Cause[cause]] = count
    outcome = np.array([Outcome[str(row.get("outcome", "success"))] for row in rows], np.uint8)
    return Requests(number=np.arange(len(rows)), outcome=outcome, duplicates=duplicates, **columns)


@pytest.fixture(scope="session")
def make_requests() -> MakeRequests:
    """Build a table from rows that say only what differs from a plain success after 100 ms, known after 150 ms."""
    return _requests


@pytest.fixture(scope="session")
def make_metrics() -> Callable[..., CellMetrics]:
    """Measure rows as above."""

    def make(rows: Sequence[Row], *, shared: bool = False) -> CellMetrics:
        return measure(_requests(rows), shared=shared)

    return make


@pytest.fixture(scope="session")
def make_cell() -> MakeCell:
    """Build a cell from (count, row) groups and the expectations it is judged by."""

    def make(name: str, *groups: tuple[int, Row], shared: bool = False, expect: Sequence[str] = ()) -> Cell:
        metrics = measure(_requests([row for count, row in groups for _ in range(count)]), shared=shared)
        return Cell(name, metrics, tuple(parse(text).judge(metrics) for text in expect))

    return make


@pytest.fixture(scope="session")
def stuck() -> Row:
    """Return a request that nobody will look at again and that had no effect."""
    return {"outcome": "stuck", "first_effect_ns": NEVER, "settled_ns": NEVER, "known_attempt_end_ns": NEVER}
