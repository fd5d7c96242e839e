"""Tables of requests and histories made by hand."""

from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
import pytest

from sim.contracts.catalogue import INVARIANTS, Invariant, Terms, check
from sim.expect.expectations import parse
from sim.history.deployment_events import RangeRead
from sim.history.failure import Failure
from sim.history.recorder import Committed, History, Raw, Start
from sim.history.records import COLUMNS, Requests
from sim.history.vocabulary import NEVER, Cause, Outcome
from sim.measure.metrics import CellMetrics, measure
from sim.measure.possible import NOTHING_KNOWN, Bounds, Possible
from sim.promises.promises import Promises
from sim.text.reported import Cell

MS = 1_000_000
Row = dict[str, object]
MakeRequests = Callable[..., Requests]
MakeCell = Callable[..., Cell]

DEFAULTS: dict[str, int] = {
    "replication": 0,
    "client": 0,
    "caller_class": 0,
    "submissions": 1,
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


def _requests(rows: Sequence[Row]) -> Requests:
    columns = {
        name: np.array([row.get(name, default) for row in rows], dtype=COLUMNS[name].dtype)
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


SIXTEEN_ATTEMPTS = Possible({"attempts": Bounds(0.0, 16.0), "duplicates": Bounds(0.0, 15.0)})


@pytest.fixture(scope="session")
def make_metrics() -> Callable[..., CellMetrics]:
    """Measure rows as above."""

    def make(rows: Sequence[Row], *, shared: bool = False, possible: Possible = NOTHING_KNOWN) -> CellMetrics:
        return measure(_requests(rows), shared=shared, possible=possible)

    return make


@pytest.fixture(scope="session")
def make_cell() -> MakeCell:
    """Build a cell from (count, row) groups and the expectations it is judged by."""

    def make(name: str, *groups: tuple[int, Row], shared: bool = False, expect: Sequence[str] = ()) -> Cell:
        requests = _requests([row for count, row in groups for _ in range(count)])
        metrics = measure(requests, shared=shared, possible=SIXTEEN_ATTEMPTS)
        return Cell(name, metrics, tuple(parse(text).judge(metrics) for text in expect))

    return make


@pytest.fixture(scope="session")
def stuck() -> Row:
    """Return a request without an effect that will never settle."""
    return {"outcome": "stuck", "first_effect_ns": NEVER, "settled_ns": NEVER, "known_attempt_end_ns": NEVER}


class Tale:
    """A history told by hand: `at` sets the clock, everything else adds what happens then. Times are ms."""

    def __init__(self) -> None:
        self.raw: list[Raw] = []
        self.names: dict[int, str] = {}
        self.t_ns = 0
        self.ts = 0

    def at(self, at_ms: float) -> Self:
        self.t_ns = round(at_ms * MS)
        return self

    def add(self, kind: str, subject: int = -1, name: str = "", detail: object = None, request: int = 0) -> Self:
        self.raw.append((self.t_ns, kind, request, subject, name, detail))
        return self

    def submit(self, request: int = 0) -> Self:
        return self.add("submit", name="told", request=request)

    def submit_again(self, submission: int, reason: str = "failed") -> "Tale":
        return self.add("resubmit", submission, reason)

    def attempt(
        self,
        number: int,
        outcome: str = "success",
        *,
        job: int = -1,
        effect: float | None = None,
        latency: float | None = None,
        request: int = 0,
    ) -> Self:
        due_ns, latency_ns = (-1 if ms is None else round(ms * MS) for ms in (effect, latency))
        return self.add("attempt", number, outcome, Start(job, due_ns, latency_ns), request)

    def ends(self, number: int, how: str, detail: Failure | None = None, request: int = 0) -> Self:
        return self.add("attempt_end", number, how, detail, request)

    def effect(self, number: int, name: str = "applied") -> Self:
        return self.add("effect", number, name)

    def lost(self, number: int) -> Self:
        return self.add("lost", number)

    def timed_out(self, number: int) -> Self:
        return self.add("timed_out", number)

    def sleep(self, for_ms: float) -> Self:
        return self.add("sleep", detail=round(for_ms * MS))

    def settles(self, outcome: str, request: int = 0) -> Self:
        return self.add("settled", name=outcome, detail=self.t_ns, request=request)

    def restart(self, inflight: str = "continues") -> Self:
        self.add("restart", name=inflight, detail=0, request=-1)
        return self.add("boot", request=-1)

    def job(self, number: int, name: str, due: float = 0, state: str = "pending", request: int = 0) -> Self:
        self.names[number] = name
        return self.add("job", number, name, (round(due * MS), state), request)

    def step(self, number: int, before: str, after: str) -> Self:
        self.ts += 1
        return self._step(number, before, after)

    def _step(self, number: int, before: str, after: str) -> Self:
        return self.add("state", number, self.names.get(number, ""), (before, after))

    def starts(self, number: int) -> Self:
        return self.step(number, "pending", "inProgress")

    def commit(
        self,
        name: str = "call",
        own: int = -1,
        *,
        begin: float | None = None,
        begin_ts: int | None = None,
        ts: int | None = None,
        caller: int = -1,
        jobs: Sequence[tuple[object, ...]] = (),
        cancels: Sequence[tuple[int, str]] = (),
        writes: dict[str, object] | None = None,
        reads: Sequence[tuple[int | str, object]] = (),
        ranges: Sequence[RangeRead] = (),
        notes: Sequence[tuple[str, str]] = (),
        request: int = 0,
    ) -> Self:
        """Commit a mutation: jobs it creates are (number, name, due, state), jobs it cancels (number, state before)."""
        snapshot_ts = self.ts if begin_ts is None else begin_ts
        for number, function, *rest in jobs:
            self.job(number, function, *rest, request=request)  # type: ignore[arg-type]
        for document_id, document in (writes or {}).items():
            self.add("write", name=document_id, detail=document, request=request)
        for number, before in cancels:
            self._step(number, before, "canceled")
        for kind, note in notes:
            self.add(kind, name=note, request=request)
        if own >= 0:
            self._step(own, "pending", "success")
        ids = [*([own] if own >= 0 else []), *(writes or {}), *(n for n, _ in cancels), *(n for n, *_ in jobs)]
        if ts is None:
            ts = self.ts + 1 if ids else 0
        self.ts = max(self.ts, ts)
        begin_ns = self.t_ns if begin is None else round(begin * MS)
        detail = Committed(begin_ns, snapshot_ts, ts, tuple(reads), tuple(ranges), tuple(ids), caller)  # type: ignore[arg-type]
        return self.add("commit", own, self.names.get(own, name), detail, request)

    def broken(self, *invariants: Invariant, **terms: object) -> list[str]:
        """Say what breaks the invariants; `terms` are those of `Terms`, and of its promises."""
        promised = {name: terms.pop(name) for name in list(terms) if name in Promises.__slots__}
        promises = Promises(**{"action_jobs": ("action",), "poll_jobs": ("retry",), **promised})  # type: ignore[arg-type]
        found = check(History(self.raw), Terms(promises, **terms), invariants or INVARIANTS)  # type: ignore[arg-type]
        return [violation.text for violation in found]


@pytest.fixture
def tale() -> type[Tale]:
    """Return the class: each test tells its own."""
    return Tale
