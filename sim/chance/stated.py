"""What a scenario states of chance: the laws and shares that a run is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.laws.distributions import Constant

if TYPE_CHECKING:
    from sim.history.vocabulary import AttemptOutcome
    from sim.laws.law import Distribution


BEHIND_A_CONFLICT: Final = "of refused mutations"
BEHIND_A_CALL: Final = "of refused calls"
BEHIND_AN_ERROR: Final = "of jobs that are put back"
BEHIND_AN_END: Final = "of writes of an end"
"""What the platform backs off for: a scheduled mutation, one that is called, a job, the end of an action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """Laws and shares, as the scenario has them."""

    alone: bool = True
    """Whether each request has a world of its own, with weather at a phase of its own."""
    latency: Distribution = Constant(value_ns=0)  # noqa: RUF009  # frozen
    outcomes: tuple[tuple[AttemptOutcome, float, Distribution], ...] = ()
    """(outcome, share, law of its latency); success has the rest, and `latency`."""
    script: tuple[AttemptOutcome, ...] = ()
    """What attempts do one after the other, instead of outcomes by chance; the last repeats."""
    permanent: float = 0.0
    """Share of requests whose attempts all fail."""
    final: float = 0.0
    """Share of the failures that are marked as final."""
    retry_after: Distribution | None = None
    """How long failures ask to wait."""
    outages: tuple[tuple[int, int, float], ...] = ()
    """(from ns, to ns, share that fails meanwhile)."""
    turns: tuple[tuple[Distribution, Distribution, float], ...] = ()
    """Weather up and down in turns: (law of up, law of down, share that fails while it is down)."""
    heals_at_ns: int | None = None
    """From this instant on attempts succeed."""
    resubmits: bool = False
    """Whether callers submit requests again, so that waits say which requests are left to look at."""
    mean_gap_ns: float | None = None
    """Mean of the exponential gaps between submissions; None if they are not left to chance."""
    backoffs_ns: tuple[tuple[str, tuple[int, int]], ...] = ()
    """(what it is of, (initial, max)) of each backoff of the platform."""
