"""What a scenario states of chance: the laws and shares that a run is held against."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING, Final, NamedTuple

from sim.history.vocabulary import FAIL, FAILED, SUCCESS
from sim.laws.distributions import Constant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.history.vocabulary import AttemptOutcome
    from sim.laws.law import Distribution


BEHIND_A_CONFLICT: Final = "of refused mutations"
BEHIND_A_CALL: Final = "of refused calls"
BEHIND_AN_ERROR: Final = "of jobs that are put back"
BEHIND_AN_END: Final = "of writes of an end"
"""What the platform backs off for: a scheduled mutation, one that is called, a job, the end of an action."""


class Way(NamedTuple):
    """One way in which an attempt can go."""

    outcome: AttemptOutcome
    share: float
    latency: Distribution
    kind: str = FAILED
    """What its failure is answered as."""
    final: float = 0.0
    """Share of its failures that are marked as final."""
    retry_after: Distribution | None = None
    """How long its failures ask to wait."""

    @property
    def is_told(self) -> bool:
        """Whether its error says anything."""
        return (self.kind, self.final, self.retry_after) != (FAILED, 0.0, None)


class Source(NamedTuple):
    """A source of bad weather: an outage, or up and down in turns."""

    ways: tuple[Way, ...]
    """The ways to go while it is down; what they leave goes on to the source behind it."""
    outage_ns: tuple[int, int] | None = None
    """(from, to) of an outage."""
    turns: tuple[Distribution, Distribution] | None = None
    """Laws of up and of down."""

    @property
    def only_fails(self) -> bool:
        """Whether it does nothing but let attempts fail."""
        return all(way.outcome == FAIL for way in self.ways)

    @property
    def down_share(self) -> float:
        """The share of time for which it is down, if it comes in turns."""
        if self.turns is None:
            return 0.0
        up, down = self.turns
        return down.mean_ns / (up.mean_ns + down.mean_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """Laws and shares, as the scenario has them."""

    alone: bool = True
    """Whether each request has a world of its own, with weather at a phase of its own."""
    latency: Distribution = Constant(value_ns=0)  # noqa: RUF009  # frozen
    outcomes: tuple[Way, ...] = ()
    """The ways to go in good weather; success has the rest, and `latency`."""
    script: tuple[AttemptOutcome, ...] = ()
    """What attempts do one after the other, instead of outcomes by chance; the last repeats."""
    permanent: float = 0.0
    """Share of requests whose attempts all fail."""
    weather: tuple[Source, ...] = ()
    """Sources of bad weather, in their order."""
    repeats_answers: bool = False
    """Whether a repeated key gets the first answer again."""
    heals_at_ns: int | None = None
    """From this instant on attempts succeed."""
    resubmits: bool = False
    """Whether callers submit requests again, so that waits say which requests are left to look at."""
    mean_gap_ns: float | None = None
    """Mean of the exponential gaps between submissions; None if they are not left to chance."""
    backoffs_ns: tuple[tuple[str, tuple[int, int]], ...] = ()
    """(what it is of, (initial, max)) of each backoff of the platform."""

    @property
    def turns(self) -> bool:
        """Whether weather comes in turns."""
        return any(source.turns is not None for source in self.weather)

    @property
    def outages_ns(self) -> list[tuple[int, int]]:
        """(from, to) of each outage, in the order of the sources."""
        return [source.outage_ns for source in self.weather if source.outage_ns is not None]

    def ways(self, down: Sequence[bool], *, anywhere: bool = True) -> list[tuple[float, Way]]:
        """Return the ways that a first attempt can go, each with its share, while some of the outages are down.

        `down` has one entry for each outage. `anywhere`: it meets what comes in turns at any phase, and its request may
        be one that fails for good; if not, neither happens.
        """
        left = 1.0
        found: list[tuple[float, Way]] = []
        if anywhere and self.permanent:
            found.append((self.permanent, Way(FAIL, 1.0, self.latency)))
            left -= self.permanent
        outages = iter(down)
        for source in self.weather:
            share = source.down_share * anywhere if source.outage_ns is None else float(next(outages))
            if share:
                found += [(left * share * way.share, way) for way in source.ways]
                left *= max(1.0 - share * fsum(way.share for way in source.ways), 0.0)
        found += [(left * way.share, way) for way in self.outcomes]
        fair = max(1.0 - fsum(way.share for way in self.outcomes), 0.0)
        return [*(one for one in found if one[0]), (left * fair, Way(SUCCESS, fair, self.latency))]
