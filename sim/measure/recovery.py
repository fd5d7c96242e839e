"""Whether the replications of a shared world recover from what has struck them: `recover(...)`, a yes or no for each.

A replication recovers if from some instant no later than `after + within` on, in every window the number of requests
that become known to have succeeded is at least a share of the number of requests submitted in it. Windows are
[w, w + window) for every w, not only for round ones. If they are all good from an earlier instant on, then also from
`after + within` on, so those that begin at `after + within` or later decide.

Behind the last submission nothing is offered, so only windows that end by then are judged: by the last submission, or
by the end of observation if that comes first. A replication that has no such window is neither recovered nor collapsed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RecoveryTerms:
    """What recovery is."""

    after_ns: int
    """When the trigger is over."""
    within_ns: int
    """How long after that the system may take."""
    share: float
    """Of the offered rate, which goodput reaches."""
    window_ns: int
    """Over which both are counted."""

    @property
    def from_ns(self) -> int:
        """The instant from which on every window must be good."""
        return self.after_ns + self.within_ns


def recovers(submitted_ns: Ints, succeeded_ns: Ints, observed_ns: int, terms: RecoveryTerms) -> bool | None:
    """Tell whether one replication recovers; None if no window can be judged.

    `submitted_ns` and `succeeded_ns` are the instants at which its requests were submitted, and became known to have
    succeeded, in any order.
    """
    if not len(submitted_ns):
        return None
    submitted, succeeded = np.sort(submitted_ns), np.sort(succeeded_ns)
    last = min(observed_ns, int(submitted[-1])) - terms.window_ns
    first = terms.from_ns
    if last < first:
        return None
    # Going along, a window gets worse only when a success drops out behind or a submission comes in ahead.
    begins = np.concatenate([[first], succeeded + 1, submitted - terms.window_ns + 1])
    begins = begins[(begins >= first) & (begins <= last)]
    ends = begins + terms.window_ns
    offered = np.searchsorted(submitted, ends) - np.searchsorted(submitted, begins)
    good = np.searchsorted(succeeded, ends) - np.searchsorted(succeeded, begins)
    return bool((good >= terms.share * offered).all())
