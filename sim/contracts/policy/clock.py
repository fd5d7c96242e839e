"""How much of its deadline a request has used, counted again from its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sim.contracts.policy.steps import What

if TYPE_CHECKING:
    from sim.contracts.policy.steps import Step
    from sim.promises.policy import DeadlineTerms

DEADLINE: Final = "deadline"
CALLS, SLEEPS = "calls", "sleeps"
WAKES: Final = frozenset({What.begun, What.ended_at_start, What.over, What.cut})


class DeadlineClock:
    """Runs while the time counts."""

    def __init__(self, terms: DeadlineTerms) -> None:
        self._terms = terms
        self.is_on = False
        """Whether the moment has come from which on time counts."""
        self._used_ns = 0
        self._since_ns: int | None = None

    def take(self, step: Step) -> None:
        """Let a step start or stop it."""
        terms = self._terms
        if step.what in WAKES and terms.counts == SLEEPS:
            self._stop(step.t_ns)
        if step.what == What.failed and terms.counts == CALLS:
            self._stop(step.t_ns)
        if (step.what, terms.counted_from) in {
            (What.begun, "first_call"),
            (What.failed, "first_failure"),
        } or (step.what == What.passed and step.gate == DEADLINE and terms.counted_from == "submitted"):
            self.is_on = True
        runs = {CALLS: step.what == What.begun, SLEEPS: step.what == What.slept}.get(terms.counts, True)
        if self.is_on and runs and self._since_ns is None:
            self._since_ns = step.t_ns

    def _stop(self, t_ns: int) -> None:
        if self._since_ns is not None:
            self._used_ns += t_ns - self._since_ns
            self._since_ns = None

    def left_ns(self, t_ns: int) -> int:
        """Return how much is left; below 0 if it is past."""
        running_ns = 0 if self._since_ns is None else t_ns - self._since_ns
        return self._terms.after_ns - self._used_ns - running_ns

    @property
    def due_ns(self) -> int | None:
        """The instant at which it will be past, if it runs now."""
        return None if self._since_ns is None else self._since_ns + self._terms.after_ns - self._used_ns
