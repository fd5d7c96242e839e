"""What a scenario states of its services: the part of the terms that histories with calls are held to.

Plain values, so that what judges a service reads no options and asks no code that plays one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

Span = tuple[int, int]
"""The least and the most, in ns."""
AT_ONCE: Final[Span] = (0, 0)
NO_LIMIT: Final = 1 << 62
"""Servers, or places in a queue, without a limit."""


@dataclass(frozen=True, slots=True)
class SlowdownTerms:
    """How work gets slower: so much for each other call in progress, or a factor by points (calls, factor)."""

    per_call_ns: int = 0
    curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeTerms:
    """A change of servers, slow-down or both; None leaves what there is."""

    servers: int | None = None
    slowdown: SlowdownTerms | None = None
    planned_ns: Span | None = None
    """From when to when; None: it comes and goes at random."""
    up_ns: Span = AT_ONCE
    """The least and the most until it comes, and from its end on until it comes again."""
    down_ns: Span = AT_ONCE
    """The least and the most that it stays."""


@dataclass(frozen=True, slots=True)
class RateTerms:
    """A token bucket in front of a service."""

    rate: Fraction
    """Tokens a second."""
    burst: int
    retry_after: Span | str | None = None
    """What a call that is rejected is asked to wait: as long as a law says, `next`, or nothing."""


@dataclass(frozen=True, slots=True)
class ShedTerms:
    """When a service rejects calls since there is too much to do."""

    quantity: str
    at_least: int
    classes: tuple[str, ...] | None = None
    """The classes that it is for; None: all."""
    always: bool = True
    """Whether it rejects all calls that it is for, and not only a share of them."""


@dataclass(frozen=True, slots=True)
class LayerTerms:
    """A call that a service makes in the course of its work."""

    service: str
    timeout_ns: int | None = None
    once: bool = True
    """Whether one failure is the end of it: its retrier never retries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTerms:
    """What a scenario states of one service."""

    is_row: bool = False
    """Whether it is a versioned row, which has no servers and no queue."""
    request_ns: Span = AT_ONCE
    """The least and the most that a call is on its way."""
    reply_ns: Span = AT_ONCE
    """The least and the most that an answer is on its way."""
    servers: int = NO_LIMIT
    limit: int = NO_LIMIT
    """The most calls that wait."""
    order: str = "fifo"
    max_wait_ns: int | None = None
    drops: bool = False
    """Whether a call whose caller has given up is dropped at its turn."""
    slowdown: SlowdownTerms = SlowdownTerms()
    changes: tuple[ChangeTerms, ...] = ()
    rate: RateTerms | None = None
    shed: ShedTerms | None = None
    effect_at: float = 1.0
    window_ns: int = 0
    """For how long a repeated effect is recognized; 0: never."""
    latencies_ns: tuple[Mapping[str, Span], ...] = ()
    """The least and the most that work with an outcome takes, without slow-down; of a script one by one."""
    script: tuple[str, ...] = ()
    outages_ns: tuple[tuple[int, int, frozenset[str]], ...] = ()
    """Intervals [from, to) in which all work fails that starts there."""
    layers: tuple[LayerTerms, ...] = ()
