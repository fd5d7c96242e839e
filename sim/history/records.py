"""The per-request record: what one simulated request leaves behind, as columns of arrays.

Engines fill it, `sim.measure` reads it, and two engines agree when these columns are equal bit for bit. A column is
written down once, in `Requests`; what else needs to know its type, its unit or its name reads `COLUMNS`.
"""

# ruff: noqa: RUF009  # each field carries the description of its column

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from sim.history.shown import cut, html_table, more_text, text_table
from sim.history.vocabulary import NEVER, Cause, Outcome
from sim.kernel.durations import format_duration

Unit = Literal["number", "instant", "count", "duration", "code"]
"""`number`: a name of the row; `instant` and `duration`: ns; `code`: of an enumeration, or a place in a list."""


class Column(NamedTuple):
    """One column of `Requests`."""

    dtype: type[np.generic]
    unit: Unit
    blank: int
    """Its value for a request to which nothing has happened yet."""
    width: tuple[int, ...]
    """Its shape is (requests, *width)."""


def _column(dtype: type[np.generic], unit: Unit, blank: int = 0, width: tuple[int, ...] = ()) -> Any:
    return field(metadata={"column": Column(dtype, unit, blank, width)})


@dataclass(frozen=True, slots=True, repr=False)
class Requests:
    """One row a request, in order of (replication, number); a column has shape (requests,) unless it says otherwise.

    Times are ns of simulated time, and `NEVER` (-1) if the thing did not happen.

    A caller who is told of a failure, or of nothing, may submit a request again (`resubmit` of a scenario). All its
    submissions are one row: `submitted_ns` is the first, `outcome`, `settled_ns` and `known_attempt_end_ns` are of its
    last conclusion. The first success or cancel stands, whichever submission it is of. A failure counts if its
    submission is the newest; once the request is submitted again, it is open until the next conclusion.
    """

    replication: NDArray[np.int32] = _column(np.int32, "number")
    number: NDArray[np.int64] = _column(np.int64, "number")
    """The request's number in its cell (isolated) or in its replication (shared), from 0."""
    client: NDArray[np.int32] = _column(np.int32, "number")
    """The number of the client that asks, from 0; always 0 in isolated worlds."""
    caller_class: NDArray[np.int16] = _column(np.int16, "code")
    """The place of its class among the scenario's `classes`, from 0; 0 if there are none."""
    submitted_ns: NDArray[np.int64] = _column(np.int64, "instant")
    first_effect_ns: NDArray[np.int64] = _column(np.int64, "instant", NEVER)
    settled_ns: NDArray[np.int64] = _column(np.int64, "instant", NEVER)
    known_attempt_end_ns: NDArray[np.int64] = _column(np.int64, "instant", NEVER)
    """Real end of the last attempt that had ended when the request settled; -1 if it has not settled or none had."""
    last_attempt_end_ns: NDArray[np.int64] = _column(np.int64, "instant", NEVER)
    attempts: NDArray[np.int32] = _column(np.int32, "count")
    effects: NDArray[np.int32] = _column(np.int32, "count")
    """Effects applied, the first included."""
    suppressed: NDArray[np.int32] = _column(np.int32, "count")
    """Effects that the receiver recognized by their idempotency key."""
    polls: NDArray[np.int32] = _column(np.int32, "count")
    """Executions of functions that poll (`sim.convex.functions.Function.poll`) that committed or threw."""
    conflicts: NDArray[np.int32] = _column(np.int32, "count")
    mutations: NDArray[np.int32] = _column(np.int32, "count")
    """Committed mutations."""
    actions: NDArray[np.int32] = _column(np.int32, "count")
    """Started action jobs."""
    action_ns: NDArray[np.int64] = _column(np.int64, "duration")
    """Time during which executions of its action, or a client's calls of it, ran: each from its start to its end.

    An attempt that was given up counts all the same, until it really ends or is cut off; if it dies, until its job is
    marked failed. If it has not ended it counts up to `until`. A hang that no time limit cuts off has no end of its
    own: it counts until its client gives up on it, its request settles, or `until`; not at all if none of these comes.
    """
    outcome: NDArray[np.uint8] = _column(np.uint8, "code")
    submissions: NDArray[np.int32] = _column(np.int32, "count", 1)
    """How often its caller submitted it, the first time included."""
    duplicates: NDArray[np.int32] = _column(np.int32, "count", width=(len(Cause),))
    """Shape (requests, causes): applied effects after the first, by `Cause`."""

    def __len__(self) -> int:
        return len(self.number)

    def __repr__(self) -> str:
        """Return the first requests as a table of what matters most of them."""
        shown = cut(len(self))
        lines = [f"{len(self):,} requests"]
        if shown:
            numbers = frozenset({0, *range(2, len(_HEADINGS))})
            lines.append(text_table(_HEADINGS, self._shown_rows(shown), right=numbers))
        return "\n".join([*lines, *filter(None, [more_text(len(self), shown, "requests")])])

    def _repr_html_(self) -> str:
        """Return the first requests as a table for notebooks."""
        shown = cut(len(self))
        note = more_text(len(self), shown, "requests")
        return html_table(_HEADINGS, self._shown_rows(shown), caption=f"{len(self):,} requests", note=note)

    def _shown_rows(self, count: int) -> list[list[str]]:
        first = self.select(slice(count))
        return [
            [_shown(name, int(first[name][row])) for name in _SHOWN] + [f"{first.duplicates[row].sum():,}"]
            for row in range(count)
        ]

    @property
    def request(self) -> NDArray[np.int64]:
        """The request's number, under the name that it has in tables (`sim.results.columns`)."""
        return self.number

    def __getitem__(self, column: str) -> NDArray[Any]:
        """Return a column by the name that it has in tables, such as `settled_ns` or `duplicates_ack_lost`.

        As here, and not as in tables, a time that never came is -1, and words are codes. Raises KeyError.
        """
        if column in FLAT_COLUMNS or column == "request":
            found: NDArray[Any] = getattr(self, column)
            return found
        name, _, cause = column.partition("_")
        if name == "duplicates" and cause in Cause.__members__:
            return self.duplicates[:, Cause[cause]]
        raise KeyError(f"requests have no column '{column}'")

    @classmethod
    def blank(cls, numbers: range) -> Self:
        """Return records of requests to which nothing has happened yet, of replication 0 and submitted at 0."""
        count = len(numbers)
        columns: dict[str, Any] = {
            # Zeros take no time until they are written to.
            name: np.full((count, *of.width), of.blank, of.dtype)
            if of.blank
            else np.zeros((count, *of.width), of.dtype)
            for name, of in COLUMNS.items()
        }
        columns["number"] = np.arange(numbers.start, numbers.stop, dtype=np.int64)
        return cls(**columns)

    def pieces(self) -> Iterator["Requests"]:
        """Yield all rows in order, as records that are cheap to read one after the other."""
        yield self

    def counts(self, name: str) -> dict[int, int]:
        """Return how often each number occurs in a column other than `duplicates`, ascending."""
        return counts_of(getattr(self, name))

    def duplicates_by_cause(self) -> NDArray[np.int64]:
        """Return the sums of the columns of `duplicates`, shape (causes,)."""
        return np.array([column.sum(dtype=np.int64) for column in self.duplicates.T], dtype=np.int64)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "Requests":
        """Return the chosen rows; those of a slice share their memory with these."""
        return Requests(*(getattr(self, name)[rows] for name in COLUMNS))

    def put(self, rows: NDArray[np.intp], others: "Requests") -> None:
        """Write other records over those at `rows`."""
        for name in COLUMNS:
            getattr(self, name)[rows] = getattr(others, name)

    @staticmethod
    def concatenate(parts: Sequence["Requests"]) -> "Requests":
        """Join the rows of several tables in the given order; at least one is needed."""
        if len(parts) == 1:
            return parts[0]
        return Requests(*(np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS))


def counts_of(numbers: NDArray[Any]) -> dict[int, int]:
    """Return how often each number of a column occurs, ascending."""
    found, counts = np.unique(numbers, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


_SHOWN: Final = ("request", "outcome", "submitted_ns", "first_effect_ns", "settled_ns", "attempts", "effects")
_HEADINGS: Final = ("request", "outcome", "submitted", "first effect", "settled", "attempts", "effects", "duplicates")


def _shown(name: str, value: int) -> str:
    """Return a value for people: words, times with their unit, `-` for what never came."""
    if name == "outcome":
        return Outcome(value).name
    if name.endswith("_ns"):
        return "-" if value == NEVER else format_duration(value)
    return f"{value:,}"


COLUMNS: Final[dict[str, Column]] = {one.name: one.metadata["column"] for one in fields(Requests)}
"""Every column by its name, in their order."""

FLAT_COLUMNS: Final[tuple[str, ...]] = tuple(name for name, column in COLUMNS.items() if not column.width)
"""The columns of shape (requests,), in their order; `duplicates` has one for each cause besides."""
