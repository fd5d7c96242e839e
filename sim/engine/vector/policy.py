"""`policy` for arrays: `sim.clients.policy.machine` try by try, if requests share nothing and a try is one call.

Most requests go the dense way (`sim.engine.vector.dense_policy`), those that leave it the long way here. In both, all
requests that go on are in the same try. What decides about a request lies in columns of the block; only the columns
that a policy needs are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.clients.policy import judging
from sim.clients.policy.delay_law import STOP
from sim.clients.policy.rules import NO_LIMIT, Gate
from sim.engine.vector.arrays import FOREVER
from sim.engine.vector.attempts import RETURNED_CODE, Attempts
from sim.engine.vector.dense_policy import DenseTries
from sim.engine.vector.errors import FAILED_KIND, TIMED_OUT_KIND, Errors
from sim.engine.vector.policy_waits import NO_ATTEMPT, Deadline, Delays, Kinds, Pickup, numbers_drawn
from sim.history.vocabulary import NEVER, Outcome
from sim.kernel.durations import NS_PER_MS, RUNAWAY_NS
from sim.laws.formulas.machine import evaluate_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.clients.policy.rules import HintRules, Rules
    from sim.engine.vector.arrays import Bools, Floats, Ints, Rows
    from sim.engine.vector.attempts import Ends
    from sim.engine.vector.block import Block
    from sim.scenario.schema import Scenario


def refusals(rules: Rules) -> Iterator[str]:
    """Yield what in a policy these arrays do not play, each in one line."""
    for part in ("budget", "breaker", "bulkhead", "rate_limit", "hedge"):
        if getattr(rules, part) is not None:
            yield f"retrier.{part} makes a try depend on more than the answers to its own request's tries"
    if rules.redeliver_ns != NO_LIMIT:
        yield "retrier.redeliver lets tries of a request run beside each other"
    if Gate.timeout in rules.request_gates:
        yield "retrier.order puts the timeout around all tries"
    if rules.pickup_every is not None and rules.deadline is not None and rules.deadline.cut_sleep:
        yield "retrier.deadline cuts the sleep that retrier.pickup has planned"


def simulate(cell: Scenario, block: Block, rules: Rules) -> None:
    """Try until one succeeds, or a rule of the policy says that it is enough."""
    errors = Errors(cell.action)
    if errors.says_nothing and DenseTries.plays(rules):
        DenseTries(cell, block, rules).follow()
    if block.unsettled().size:
        _Tries(cell, block, rules, errors).follow()


class _Tries:
    """The tries to come of the requests of a block."""

    def __init__(self, cell: Scenario, block: Block, rules: Rules, errors: Errors) -> None:
        self._block = block
        self._rules = rules
        self._errors = errors
        self._asks = not errors.says_nothing
        self._attempts = Attempts(cell, block, hosted=False, tells_ways=self._asks)
        self._calls_at_most = cell.limits.polls_per_request
        self._kinds = Kinds(rules, self._errors.kinds)
        self._deadline = None if rules.deadline is None else Deadline(rules.deadline, block.count)
        self._delays = Delays(rules, block.count)
        self._pickup = None if rules.pickup_every is None else Pickup(rules, block)
        self._ended_ns = np.full(block.count, NEVER, dtype=np.int64)
        """The end of the last attempt that was answered by its end."""
        self._before = np.zeros(block.count, dtype=np.int64)
        """Of a settled request: the attempts with smaller numbers that end as it settles have ended before."""
        self._unseen: list[tuple[int, Rows, Ints]] = []
        """(number, requests, ends) of attempts that go on after their callers have given them up."""
        if block.cancel_ns is not None:
            # What happens within the first step comes before a cancel of the same instant.
            block.left |= block.cancel_ns == 0

    def follow(self) -> None:
        """Make one try after the other until no request goes on."""
        block = self._block
        rows = block.unsettled()
        at_ns = np.zeros(len(rows), dtype=np.int64)
        number = 0
        while rows.size:
            number += 1
            if number > self._calls_at_most:
                self._run_away(rows)
                break
            waits_ns, limits_ns = self._limits(number, rows, at_ns)
            ends = self._attempts.start(rows, number, at_ns, waits_ns)
            failed = self._answer(number, rows, at_ns, ends, limits_ns)
            answered_ns, late = ends.visible_ns[failed], None if ends.late is None else ends.late[failed]
            rows = rows[failed]
            if self._deadline is not None:
                self._deadline.answered(rows, at_ns[failed], answered_ns)
            goes_on, wait_ns = self._judge(number, rows, at_ns[failed], answered_ns, late, failed)
            rows, at_ns = self._sleep(number, rows[goes_on], answered_ns[goes_on], wait_ns)
        self._finish()

    def _limits(self, number: int, rows: Rows, at_ns: Ints) -> tuple[Ints | np.int64, Ints | None]:
        """Return how long the callers wait in a try, and how much time their hard deadlines leave (None: enough)."""
        rules = self._rules
        waits_ns: Ints | np.int64 = FOREVER
        if rules.timeout_ns != NO_LIMIT:
            waits_ns = np.int64(rules.timeout_ns)
        elif rules.timeout is not None:
            law = rules.timeout
            draws = numbers_drawn(law, "timeout", number, self._block.draws.take(rows))
            state = [np.full(len(rows), start) for start in law.start()]
            waits_ns = law.delays_ns(np.full(len(rows), number), at_ns, state, draws)
        if self._deadline is None:
            return waits_ns, None
        left_ns = self._deadline.left_in_try_ns(rows, at_ns)
        return waits_ns if left_ns is None else np.minimum(waits_ns, left_ns), left_ns

    def _answer(self, number: int, rows: Rows, at_ns: Ints, ends: Ends, limits_ns: Ints | None) -> Rows:
        """Settle the requests that end in a try; returns the places of those whose try has failed."""
        block = self._block
        answered_ns = ends.visible_ns
        success = ends.how == RETURNED_CODE
        by_end = np.ones(len(rows), dtype=np.bool_)
        if ends.lost is not None:
            by_end &= ~ends.lost
        if ends.late is not None:
            by_end &= ~ends.late
        open_ones = answered_ns < FOREVER
        by_end &= open_ones
        if block.left.any():
            open_ones &= ~block.left[rows]
        if block.cancel_ns is not None:
            cancels_ns = block.cancel_ns[rows]
            canceled = (cancels_ns < FOREVER) & (cancels_ns <= answered_ns)
            self._settle(rows[canceled], Outcome.canceled, cancels_ns[canceled], NO_ATTEMPT)
            open_ones &= ~canceled
        if limits_ns is not None and ends.late is not None and self._deadline is not None:
            past = open_ones & ends.late & (answered_ns - at_ns == limits_ns)
            since = self._deadline.attempts_before_alarm(number, sleeping=False)
            self._settle(rows[past], Outcome.gave_up, answered_ns[past], since)
            open_ones &= ~past
        by_end &= open_ones
        those = rows[by_end]
        self._ended_ns[those] = ends.end_ns[by_end]
        unseen = open_ones & ~by_end & (ends.end_ns < FOREVER)
        if unseen.any():
            self._unseen.append((number, rows[unseen], ends.end_ns[unseen]))
        success &= by_end
        self._settle(rows[success], Outcome.success, answered_ns[success], number)
        return np.flatnonzero(open_ones & ~success)

    def _judge(  # noqa: PLR0917  # failed tries, and the places of their attempts
        self, number: int, rows: Rows, began_ns: Ints, at_ns: Ints, late: Bools | None, places: Rows
    ) -> tuple[Rows, Ints]:
        """Decide what follows from failures: returns the places of those that are tried again, and their waits.

        The tries began at `began_ns` and failed at `at_ns`; `places` are those of the failures among the attempts.
        """
        rules, count = self._rules, len(rows)
        kinds = np.full(count, FAILED_KIND, dtype=np.intp)
        final, hints_ns = np.zeros(count, dtype=np.bool_), np.full(count, NEVER, dtype=np.int64)
        ways = self._attempts.ways if self._asks else None
        if ways is not None:
            kinds, final, hints_ns = self._errors.told(ways[places], self._block.draws.take(rows), number)
        if late is not None:
            kinds[late], final[late], hints_ns[late] = TIMED_OUT_KIND, False, NEVER
        goes_on, out = self._kinds.allow(number, kinds, final, hints_ns, self._delays.counters, rows)
        chosen = np.flatnonzero(goes_on)
        rows_, at_, kinds_ = rows[chosen], at_ns[chosen], kinds[chosen]
        own_ns = self._delays.own_ns(number, rows_, at_, self._kinds.case_of[kinds_], self._kinds, self._block.draws)
        stays = own_ns != STOP
        wait_ns = own_ns
        if rules.delay_from_start:
            wait_ns = np.maximum(began_ns[chosen] + own_ns - at_, 0)
        hints_ = None
        if rules.hint is not None:
            hints_ = hints_ns[chosen]
            wait_ns, obeyed = self._obey(rules.hint, number, rows_, own_ns, hints_, wait_ns)
            stays &= obeyed
        if rules.due_floor_ns > 1:
            # The remainder of the sum, without the sum, which may be beyond all numbers.
            over_ns = (at_ % rules.due_floor_ns + wait_ns % rules.due_floor_ns) % rules.due_floor_ns
            wait_ns = np.maximum(wait_ns - over_ns, 0)
        last = np.zeros(count, dtype=np.bool_)
        if rules.sleeps_after_last:
            out_now = stays & out[chosen]
            last[chosen[out_now]] = True
            self._sleep_in_vain(number, rows_[out_now], at_[out_now], wait_ns[out_now])
            stays &= ~out_now
        if self._pickup is not None:
            wait_ns = self._pickup.next_ns(rows_, at_ + np.maximum(wait_ns, 0)) - at_
        if self._deadline is not None:
            wait_ns, within = self._deadline.within(rows_, at_, wait_ns, out[chosen] if rules.both_limits else None)
            stays &= within
        if not stays.all():
            chosen, wait_ns, kinds_ = chosen[stays], wait_ns[stays], kinds_[stays]
            hints_ = None if hints_ is None else hints_[stays]
        goes_on = np.zeros(count, dtype=np.bool_)
        goes_on[chosen] = True
        over = ~(goes_on | last)
        self._settle(rows[over], Outcome.gave_up, at_ns[over], number)
        self._delays.count(rows[chosen], self._kinds.counter_of[kinds_], hints_)
        return chosen, wait_ns

    def _obey(  # noqa: PLR0917  # failures, and what they are to wait without a hint
        self, hint: HintRules, number: int, rows: Rows, own_ns: Ints, hints_ns: Ints, wait_ns: Ints
    ) -> tuple[Ints, Bools]:
        """Return the waits that hints make of own delays, and which requests go on with them."""
        named = hints_ns >= 0
        if hint.at_most_ns != NO_LIMIT:
            above = hints_ns > hint.at_most_ns
            hints_ns = np.minimum(hints_ns, hint.at_most_ns)
            if hint.above == "ignore":
                named &= ~above
        goes_on = np.ones(len(rows), dtype=np.bool_)
        if hint.at_most_ns != NO_LIMIT and hint.above == "give_up":
            goes_on = ~above
        obeyed_ns = hints_ns
        if hint.code is not None and named.any():
            (places,) = np.nonzero(named & goes_on & (own_ns != STOP))
            u = np.zeros(len(places))
            if hint.draws:
                u = self._block.draws.uniforms(judging.HINT_STREAM, number, rows[places])
            values = [own_ns[places] / NS_PER_MS, hints_ns[places] / NS_PER_MS, u]
            made_ms = evaluate_arrays(hint.code, values, u.shape)
            obeyed_ns = hints_ns.copy()
            obeyed_ns[places] = _waits_ns(made_ms)
        return np.where(named, obeyed_ns, wait_ns), goes_on

    def _sleep(self, number: int, rows: Rows, from_ns: Ints, wait_ns: Ints) -> tuple[Rows, Ints]:
        """Let requests sleep; returns those that begin another try, and when."""
        deadline, rules = self._deadline, self._rules
        goes_on, at_ns = self._wake(number, rows, from_ns, wait_ns)
        if deadline is not None:
            deadline.slept(rows, wait_ns)
            closed = deadline.starts_no_try(rows, at_ns)
            if closed is not None and (not rules.both_limits or NO_LIMIT < rules.attempts <= number):
                closed &= goes_on
                self._settle(rows[closed], Outcome.gave_up, at_ns[closed], number + (wait_ns[closed] > 0))
                goes_on &= ~closed
        return (rows, at_ns) if goes_on.all() else (rows[goes_on], at_ns[goes_on])

    def _sleep_in_vain(self, number: int, rows: Rows, from_ns: Ints, wait_ns: Ints) -> None:
        """Let requests sleep after their last tries, and end then."""
        wakes, at_ns = self._wake(number, rows, from_ns, wait_ns)
        self._settle(rows[wakes], Outcome.gave_up, at_ns[wakes], number + (wait_ns[wakes] > 0))

    def _wake(self, number: int, rows: Rows, from_ns: Ints, wait_ns: Ints) -> tuple[Bools, Ints]:
        """Let requests sleep; returns which of them wake up, and when. A cancel or a hard deadline ends the others."""
        block, deadline = self._block, self._deadline
        beyond = wait_ns > RUNAWAY_NS - from_ns
        block.leave(rows, beyond)
        at_ns = from_ns + np.where(beyond, 0, wait_ns)
        wakes = ~beyond
        past_ns = None if deadline is None else deadline.ends_sleep_ns(rows, from_ns)
        if block.cancel_ns is not None:
            cancels_ns = block.cancel_ns[rows]
            canceled = wakes & (cancels_ns <= at_ns)
            if past_ns is not None:
                canceled &= (cancels_ns <= past_ns) | (wait_ns == 0)
            self._settle(rows[canceled], Outcome.canceled, cancels_ns[canceled], NO_ATTEMPT)
            wakes &= ~canceled
        if deadline is not None and past_ns is not None:
            past = wakes & (wait_ns > 0) & (past_ns <= at_ns)
            since = deadline.attempts_before_alarm(number, sleeping=True)
            self._settle(rows[past], Outcome.gave_up, past_ns[past], since)
            wakes &= ~past
        return wakes, at_ns

    def _settle(self, rows: Rows, outcome: Outcome, at_ns: Ints, before: Ints | int) -> None:
        """Settle requests; the attempts with numbers less than `before` that end at this instant have ended."""
        if rows.size:
            self._block.settle(rows, outcome, at_ns, self._ended_ns[rows])
            self._before[rows] = before

    def _run_away(self, rows: Rows) -> None:
        """Let requests end at the limit of calls; a cancel to come finds them there."""
        self._block.outcome[rows] = Outcome.runaway

    def _finish(self) -> None:
        """Note which ends of given up attempts have come before their requests settled."""
        block = self._block
        for number, rows, ends_ns in self._unseen:
            settled_ns = block.settled_ns[rows]
            known = (ends_ns < settled_ns) | ((ends_ns == settled_ns) & (number < self._before[rows]))
            those = rows[known]
            block.known_attempt_end_ns[those] = np.maximum(block.known_attempt_end_ns[those], ends_ns[known])


def _waits_ns(value_ms: Floats) -> Ints:
    """Round as `judging.wait_of_ms` does."""
    with np.errstate(over="ignore", invalid="ignore"):
        value_ns = np.rint(value_ms * 1e6)
    bounded_ns = np.clip(np.where(np.isfinite(value_ns), value_ns, 0.0), 0.0, float(RUNAWAY_NS)).astype(np.int64)
    return np.where(np.isnan(value_ns) | (value_ns == np.inf), RUNAWAY_NS, bounded_ns)
