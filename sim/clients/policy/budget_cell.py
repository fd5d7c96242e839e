"""What every budget of retries is to the machine that asks it: one object is one cell, shared by all who have it.

    request_started   request_ended      a request begins, is over
    failed                               a call failed, the last one too; before any decision about a retry
    allows, take                         may a retry or a copy go now; it does, and pays
    retry_asleep      retry_started      it sleeps before its call; its call begins
    retry_canceled    retry_ended        it will not begin after all; its call is over
    succeeded                            a request succeeded

A budget draws nothing, and it knows time only as the instants that it is told, which never go back. A step that
contradicts the steps before it raises InternalError and changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from sim.kernel.errors import InternalError


class Level(NamedTuple):
    """How a budget stands, for stories: `3.2 of 5 tokens`."""

    have: float
    of: float
    unit: str


class Budget(ABC):
    """A cell of a budget; a budget that does not care about a step leaves it out."""

    __slots__ = ("_now_ns", "sleeps_if_empty", "takes_at_start")

    def __init__(self, *, takes_at_start: bool = False, sleeps_if_empty: bool = False) -> None:
        self.takes_at_start = takes_at_start
        """A retry pays as its call begins, not as it is decided."""
        self.sleeps_if_empty = sleeps_if_empty
        """A retry without budget sleeps its delay all the same before its request fails."""
        self._now_ns = 0

    @abstractmethod
    def allows(self, now_ns: int, kind: str) -> bool:
        """Whether a retry after an answer of this kind, or a copy, may go; only time changes."""

    @abstractmethod
    def level(self, now_ns: int) -> Level:
        """Return how it stands."""

    def take(self, now_ns: int, kind: str) -> int:
        """Let a retry or a copy go that is allowed now; return what it paid, in thousandths of a token."""
        if not self.allows(now_ns, kind):
            raise InternalError("a retry went that its budget does not allow")
        return 0

    def for_request(self) -> Budget:
        """Return what one request asks: the budget itself unless it bounds each request, too."""
        return self

    def request_started(self, now_ns: int) -> None:
        """Note that a request begins."""
        self._step(now_ns)

    def request_ended(self, now_ns: int) -> None:
        """Note that a request is over."""
        self._step(now_ns)

    def failed(self, now_ns: int, kind: str, *, retryable: bool) -> None:
        """Note that a call failed; `retryable` if its kind is one that is retried."""
        del kind, retryable
        self._step(now_ns)

    def succeeded(self, now_ns: int, *, retried: bool, last_cost: int) -> None:
        """Note that a request succeeded; `last_cost` is what its last retry paid, 0 without one."""
        del retried, last_cost
        self._step(now_ns)

    def retry_asleep(self, now_ns: int) -> None:
        """Note that a retry sleeps before its call."""
        self._step(now_ns)

    def retry_started(self, now_ns: int, *, asleep: bool) -> None:
        """Note that the call of a retry or of a copy begins; `asleep` if it has slept until now."""
        del asleep
        self._step(now_ns)

    def retry_canceled(self, now_ns: int) -> None:
        """Note that a retry that sleeps will not begin."""
        self._step(now_ns)

    def retry_ended(self, now_ns: int) -> None:
        """Note that the call of a retry or of a copy is over."""
        self._step(now_ns)

    def _step(self, now_ns: int) -> None:
        if now_ns < self._now_ns:
            raise InternalError(f"the time of a budget goes back, from {self._now_ns} ns to {now_ns} ns")
        self._now_ns = now_ns
