"""The per-request record: what one simulated request leaves behind, as columns of arrays.

Engines fill it, `sim.analysis` reads it, and two engines agree when these columns are equal bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sim.history.vocabulary import NEVER, Cause


@dataclass(frozen=True, slots=True)
class Requests:
    """One row a request, in order of (replication, number); a column has shape (requests,) unless it says otherwise.

    Times are ns of simulated time, `NEVER` (-1) where the thing did not happen.
    """

    replication: NDArray[np.int32]
    number: NDArray[np.int64]
    """The request's number in its cell (isolated) or in its replication (shared), from 0."""
    submitted_ns: NDArray[np.int64]
    first_effect_ns: NDArray[np.int64]
    settled_ns: NDArray[np.int64]
    known_attempt_end_ns: NDArray[np.int64]
    """Real end of the last attempt that had ended when the request settled; -1 if it has not settled or none had."""
    last_attempt_end_ns: NDArray[np.int64]
    attempts: NDArray[np.int32]
    effects: NDArray[np.int32]
    """Effects applied, the first included."""
    suppressed: NDArray[np.int32]
    """Effects that the receiver recognised by their idempotency key."""
    polls: NDArray[np.int32]
    conflicts: NDArray[np.int32]
    mutations: NDArray[np.int32]
    """Committed mutations."""
    actions: NDArray[np.int32]
    """Started action jobs."""
    action_ns: NDArray[np.int64]
    """Time during which action executions ran."""
    outcome: NDArray[np.uint8]
    duplicates: NDArray[np.int32]
    """Shape (requests, causes): applied effects after the first, by `Cause`."""

    def __len__(self) -> int:
        return len(self.number)

    @classmethod
    def blank(cls, numbers: range) -> Self:
        """Return records of requests to which nothing has happened yet, of replication 0 and submitted at 0."""
        count = len(numbers)

        def column(dtype: type, value: int = 0, shape: tuple[int, ...] = (count,)) -> Any:
            return np.full(shape, value, dtype=dtype) if value else np.zeros(shape, dtype=dtype)

        return cls(
            replication=column(np.int32),
            number=np.arange(numbers.start, numbers.stop, dtype=np.int64),
            submitted_ns=column(np.int64),
            first_effect_ns=column(np.int64, NEVER),
            settled_ns=column(np.int64, NEVER),
            known_attempt_end_ns=column(np.int64, NEVER),
            last_attempt_end_ns=column(np.int64, NEVER),
            attempts=column(np.int32),
            effects=column(np.int32),
            suppressed=column(np.int32),
            polls=column(np.int32),
            conflicts=column(np.int32),
            mutations=column(np.int32),
            actions=column(np.int32),
            action_ns=column(np.int64),
            outcome=column(np.uint8),
            duplicates=column(np.int32, 0, (count, len(Cause))),
        )

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Self:
        """Return the chosen rows; those of a slice share their memory with these."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def put(self, rows: NDArray[np.intp], others: Self) -> None:
        """Write other records over those at `rows`."""
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(others, field.name)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join the rows of several tables in the given order; at least one is needed."""
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))
