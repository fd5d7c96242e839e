"""What tables, sentences and pictures report on, made by hand: candidates of a search, and pairs of cells."""

from collections.abc import Callable, Sequence

import pytest

from sim.history.records import Requests
from sim.history.vocabulary import NEVER
from sim.measure.differences import Differences
from sim.measure.metrics import measure
from sim.text.comparison import Pair
from sim.text.reported import Cell
from sim.text.tried import Role, Tried

MS = 1_000_000
Row = dict[str, object]
Groups = Sequence[tuple[int, Row]]
MakePair = Callable[..., Pair]
MakeTried = Callable[..., Tried]

OBJECTIVES = ["time_to_effect.p99", "cost.actions"]
CONSTRAINTS = ["success.rate >= 99%", "amplification <= 3"]

GONE: Row = {"outcome": "stuck", "first_effect_ns": NEVER, "settled_ns": NEVER, "known_attempt_end_ns": NEVER}
SPREAD: Groups = [
    (1, {"first_effect_ns": (100 + number % 89) * MS, "attempts": 1 + number % 3}) for number in range(400)
]
LATER: Groups = [
    (1, {"first_effect_ns": (150 + number % 97) * MS, "attempts": 1 + number % 3}) for number in range(400)
]


@pytest.fixture
def tried(make_cell: Callable[..., Cell], stuck: Row) -> MakeTried:
    """Make a candidate of a search; `lost` of its 400 requests are stuck."""

    def make(
        role: Role,
        p99_ms: float,
        actions: int = 1,
        *,
        number: int = 0,
        lost: int = 0,
        params: dict[str, str] | None = None,
        expect: Sequence[str] = CONSTRAINTS,
    ) -> Tried:
        row = {"first_effect_ns": round(p99_ms * MS), "actions": actions, "attempts": actions}
        cell = make_cell("x", (400 - lost, row), (lost, {**stuck, "actions": actions}), expect=expect)
        named = {"initial_backoff": "1s", "base": "2"} if params is None else params
        return Tried(role, named, cell.metrics, cell.verdicts, number)

    return make


@pytest.fixture
def found(tried: MakeTried) -> list[Tried]:
    """Make what a search has found: two points, and all else that a candidate can be."""
    return [
        tried(Role.point, 100, 3, number=1),
        tried(Role.point, 900, 2, number=2),
        tried(Role.dominated, 1000, 3),
        tried(Role.as_written, 200, 1, lost=40),
        tried(Role.tried, 500, 9),
        tried(Role.tried, 500, 1, lost=200),
    ]


@pytest.fixture(scope="session")
def make_pair(make_requests: Callable[[Sequence[Row]], Requests]) -> MakePair:
    """Pair two cells made of (count, row) groups."""

    def make(a: Groups, b: Groups, *, paired: bool = True, shared: bool = False, names: Sequence[str] = "ab") -> Pair:
        first, second = (make_requests([row for count, row in groups for _ in range(count)]) for groups in (a, b))
        measured = [measure(one, shared=shared) for one in (first, second)]
        differences = Differences(*measured, (first, second) if paired else None)
        return Pair(names[0], names[1], differences, "They are paired.", ("Careful: not the policy alone.",))

    return make
