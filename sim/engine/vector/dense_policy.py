"""The dense way of policies: tries that succeed or fail at the end of their latency, well before any limit of time.

A request leaves it, and goes the long way from its start, if a try is none of these or outlasts the timeout, or as soon
as its time reaches the deadline: before that no kind of deadline changes anything, whatever time it counts. All answers
are plain failures then, so one case of the policy is for all of them, and its retries count alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.clients.policy import judging
from sim.clients.policy.delay_law import STOP
from sim.clients.policy.rules import NO_LIMIT
from sim.engine.vector.arrays import FOREVER
from sim.engine.vector.dense import Dense
from sim.history.vocabulary import FAILED, Outcome
from sim.kernel.durations import RUNAWAY_NS

if TYPE_CHECKING:
    from sim.clients.policy.rules import Rules
    from sim.engine.vector.arrays import Bools, Ints
    from sim.engine.vector.block import Block
    from sim.scenario.schema import Scenario

ALL = slice(None)


class DenseTries(Dense):
    """The tries to come of the requests of a block whose answers say nothing."""

    def __init__(self, cell: Scenario, block: Block, rules: Rules) -> None:
        """Take a policy that `plays` accepts."""
        timeout_ns = rules.timeout_ns
        super().__init__(
            cell,
            block,
            None if block.cancel_ns is None else block.cancel_ns < FOREVER,
            hosted=False,
            longest_ns=None if timeout_ns == NO_LIMIT else timeout_ns - 1,
        )
        case = judging.case_of(rules, FAILED)
        self._law = rules.laws[case.law]
        self._attempts_at_most: float = 1 if _ends_at_once(rules) else np.inf
        if self._attempts_at_most > 1 and case.attempts != NO_LIMIT and not rules.both_limits:
            self._attempts_at_most = case.attempts
        self._before_ns = RUNAWAY_NS if rules.deadline is None else rules.deadline.after_ns
        self._calls_at_most = cell.limits.polls_per_request

    @staticmethod
    def plays(rules: Rules) -> bool:
        """Tell whether sleeps follow from the number of a retry and what is drawn for it, and timeouts are constant."""
        law = rules.laws[judging.case_of(rules, FAILED).law]
        has_constant_timeout = rules.timeout is None or rules.timeout_ns != NO_LIMIT
        shifted = rules.delay_from_start or rules.due_floor_ns > 1 or rules.sleeps_after_last
        return law.is_plain and has_constant_timeout and rules.pickup_every is None and not shifted

    def follow(self) -> None:
        """Make one try after the other until no request goes on here."""
        at_ns: Ints = np.zeros(self.size, dtype=np.int64)
        number = 0
        while self.size:
            number += 1
            if number > self._calls_at_most:
                self.keep(np.zeros(0, dtype=np.intp))
                break
            self.start(ALL, number, at_ns)
            self._drop(self.end_ns >= self._before_ns)
            failed = self.failed
            self.settle(np.flatnonzero(~failed), Outcome.success, number)
            if number >= self._attempts_at_most:
                self.settle(np.flatnonzero(failed), Outcome.gave_up, number)
                break
            self.keep(np.flatnonzero(failed))
            at_ns = self._sleep(number)
        self.finish()

    def _sleep(self, number: int) -> Ints:
        """Return when the next tries begin; a table of delays may be at its end."""
        draws = [self.draws.uniforms("delay" + suffix, number) for suffix in self._law.streams]
        wait_ns = self._law.delays_at_ns(number, self.size, draws)
        if self._law.stops and self.size and wait_ns[0] == STOP:
            self.settle(np.arange(self.size), Outcome.gave_up, number)
            self.keep(np.zeros(0, dtype=np.intp))
            return wait_ns[:0]
        usual = wait_ns < self._before_ns - self.end_ns
        at_ns = self.end_ns + wait_ns
        return at_ns if self._drop(~usual) is None else at_ns[usual]

    def _drop(self, those: Bools) -> Bools | None:
        """Let some requests go the long way."""
        if not those.any():
            return None
        self.keep(np.flatnonzero(~those))
        return those


def _ends_at_once(rules: Rules) -> bool:
    """Tell whether a plain failure ends a request whatever has been."""
    return not rules.retries(FAILED) or judging.case_of(rules, FAILED).needs_hint
