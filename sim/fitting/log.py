"""What a log of calls tells, as arrays: the waist between those who read logs and those who describe them by laws."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOT_KNOWN = -1
"""In `Log.latency_ns`: the log does not say how long this call took."""


@dataclass(frozen=True, slots=True)
class Log:
    """Calls as a log tells them, a row a call, in order of their starts if these are known, else in the file's order.

    All arrays of rows have the shape `(rows,)`. Rows of one instant keep the file's order.
    """

    source: str
    """The file as the user wrote it; outputs show its last part only."""
    rows: str
    """What a row is: "calls", or "attempts" of requests if there is a key that says which belong together."""
    latency_ns: NDArray[np.int64]
    """`NOT_KNOWN` if a cell was blank."""
    status: NDArray[np.int16]
    """Positions in `statuses`."""
    statuses: tuple[str, ...]
    """Words as the log has them, such as "200", "503", "timeout", the most frequent first; "" if a cell was blank."""
    failed: NDArray[np.bool_]
    """Whether each of `statuses` is a failure. Shape: (statuses,)."""
    started_ns: NDArray[np.int64] | None
    """From the first start, ascending; None if the log has no times."""
    request: NDArray[np.int32] | None
    """Number of the request that an attempt belongs to, from 0 in order of first rows; None without a key."""
    attempt: NDArray[np.int32] | None
    """From 1 within its request, by what the log says of it, else by order; None without a key."""
    told: tuple[str, ...]
    """Sentences: what was guessed, what was skipped, and what cannot be told."""
    final: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    """Whether no retry would mend a failure of this status, such as 404. Shape: (statuses,), or (0,) if no log says."""
    what: str = ""
    """What was called, if the log has several and one was chosen, such as "http.route=/pay"."""

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.latency_ns)
