"""What one attempt is given as it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sim.history.failure import Failure
    from sim.history.vocabulary import AttemptOutcome


class Fate(NamedTuple):
    """What one attempt is given."""

    outcome: AttemptOutcome
    latency_ns: int
    """NEVER for a hang."""
    failure: Failure | None
    """What its error says; None if it says nothing."""
