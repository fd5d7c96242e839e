"""What a policy makes of failures in arrays: which are retried, after which delay, by its deadline and its workers.

One column a request, as the machine keeps one number: `sim.clients.policy.judging` and `spent` have the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.clients.policy import judging
from sim.clients.policy.rules import NO_LIMIT, SHARED_COUNTER
from sim.clients.policy.spent import ALL, CALLS, SLEEPS
from sim.engine.vector.arrays import FOREVER
from sim.history.vocabulary import ASKS_TO_STOP, NEVER
from sim.kernel.choices import owned

if TYPE_CHECKING:
    from typing import Any

    from sim.clients.policy.delay_law import DelayLaw
    from sim.clients.policy.rules import DeadlineRules, Rules
    from sim.engine.vector.arrays import Bools, Ints, Rows
    from sim.engine.vector.block import Block
    from sim.kernel.draws import DrawsOf


NO_ATTEMPT = 0
"""In place of the number of an attempt: before all of them."""


class Kinds:
    """How answers of each kind are handled, by the kind's number."""

    def __init__(self, rules: Rules, kinds: list[str]) -> None:
        self._rules = rules
        self._retried = np.array([rules.retries(kind) for kind in kinds])
        cases = [rules.cases.index(judging.case_of(rules, kind)) for kind in kinds]
        self.case_of = np.array(cases, dtype=np.intp)
        """The place of its case."""
        self.counter_of = np.array([rules.cases[case].counter for case in cases], dtype=np.intp)
        self.laws = [case.law for case in rules.cases]
        """The place of the law of each case."""
        self.counters = [case.counter for case in rules.cases]
        self._attempts = np.array([rules.cases[case].attempts for case in cases], dtype=np.int64)
        self._needs_hint = np.array([rules.cases[case].needs_hint for case in cases])

    def allow(  # noqa: PLR0917  # failures, and what has been counted
        self, number: int, kinds: Rows, final: Bools, hints_ns: Ints, counters: Ints | None, rows: Rows
    ) -> tuple[Bools, Bools]:
        """Return which failures may be retried as far as their kinds and the tries go, and which are out of tries."""
        rules = self._rules
        allowed: Bools = self._retried[kinds]
        if rules.hint is not None:
            if rules.hint.decides:
                allowed |= hints_ns >= 0
            allowed &= hints_ns > ASKS_TO_STOP
        if not rules.final_retried:
            allowed &= ~final
        if self._needs_hint.any():
            allowed &= ~self._needs_hint[kinds] | (hints_ns >= 0)
        limits = self._attempts[kinds]
        made: Ints | int = number
        if counters is not None:
            own = self.counter_of[kinds]
            made = np.where(own == SHARED_COUNTER, number, counters[own, rows] + 1)
        out: Bools = (limits != NO_LIMIT) & (made >= limits)
        return allowed if rules.both_limits or rules.sleeps_after_last else allowed & ~out, out


class Delays:
    """The policy's own delays, with what they count and remember; columns of shape (requests,)."""

    def __init__(self, rules: Rules, count: int) -> None:
        self._laws = rules.laws
        resets = rules.hint is not None and rules.hint.resets
        self.counters: Ints | None = None
        """Retries by counter, shape (counters, requests); None if all retries count alike."""
        if rules.counters > 1 or resets:
            self.counters = np.zeros((rules.counters, count), dtype=np.int64)
        self._shift = np.zeros(count, dtype=np.int64) if resets else None
        self._states = [[np.full(count, start) for start in law.start()] for law in rules.laws]

    def own_ns(  # noqa: PLR0917  # failures, and how they are handled
        self, number: int, rows: Rows, at_ns: Ints, cases: Rows, kinds: Kinds, draws: DrawsOf
    ) -> Ints:
        """Return the delays before the retries after try `number`."""
        if self.counters is None and len(kinds.laws) == 1:
            return self._by_law(0, number, rows, at_ns, draws)
        own_ns = np.zeros(len(rows), dtype=np.int64)
        for case in np.unique(cases).tolist():
            (those,) = np.nonzero(cases == case)
            some, counter = rows[those], kinds.counters[case]
            n: Ints = np.full(len(some), number, dtype=np.int64)
            if self.counters is not None:
                n = self.counters[counter, some] + 1
                if self._shift is not None and counter == SHARED_COUNTER:
                    n -= self._shift[some]
            own_ns[those] = self._by_law(kinds.laws[case], n, some, at_ns[those], draws, number)
        return own_ns

    def _by_law(  # noqa: PLR0917  # as above
        self, place: int, n: Ints | int, rows: Rows, at_ns: Ints, draws: DrawsOf, index: int | None = None
    ) -> Ints:
        law, state = self._laws[place], self._states[place]
        number = n if isinstance(n, int) else index
        drawn = numbers_drawn(law, "delay", number, draws.take(rows)) if law.streams else []
        if isinstance(n, int):
            if law.is_plain:
                return law.delays_at_ns(n, len(rows), drawn)
            n = np.full(len(rows), n, dtype=np.int64)
        remembered = [column[rows] for column in state]
        own_ns = law.delays_ns(n, at_ns, remembered, drawn)
        for column, values in zip(state, remembered, strict=True):
            column[rows] = values
        return own_ns

    def count(self, rows: Rows, counters: Rows, hints_ns: Ints | None) -> None:
        """Count a retry of each request, after answers that ask for these waits (None: the policy does not listen)."""
        if self.counters is None:
            return
        self.counters[counters, rows] += 1
        if self._shift is not None and hints_ns is not None:
            named = rows[hints_ns >= 0]
            self._shift[named] = self.counters[SHARED_COUNTER, named]


class Deadline:
    """How much time requests have used of their deadlines: `sim.clients.policy.spent` for arrays."""

    def __init__(self, rules: DeadlineRules, count: int) -> None:
        self._rules = rules
        self._from_failure = rules.counted_from == "first_failure"
        starts = NEVER if self._from_failure else 0
        self._since_ns = np.full(count, starts, dtype=np.int64) if rules.counts == ALL else None
        """Since when all time counts, NEVER if it does not yet."""
        self._used_ns = np.zeros(count, dtype=np.int64) if rules.counts != ALL else None

    def left_in_try_ns(self, rows: Rows, at_ns: Ints) -> Ints | None:
        """Return after how much of a try a hard deadline ends it; None if it ends none."""
        if not self._rules.hard or self._rules.counts == SLEEPS:
            return None
        if self._used_ns is not None:
            return self._rules.after_ns - self._used_ns[rows]
        assert self._since_ns is not None  # noqa: S101  # it has one of the two
        since_ns = self._since_ns[rows]
        return np.where(since_ns == NEVER, FOREVER, since_ns + self._rules.after_ns - at_ns)

    def attempts_before_alarm(self, number: int, *, sleeping: bool) -> int:
        """Return the first attempt whose timers are younger than the alarm that ends try `number`, or the sleep."""
        if self._rules.counts != ALL:
            return number + 1 if sleeping else number
        return 2 if self._from_failure else NO_ATTEMPT

    def answered(self, rows: Rows, at_ns: Ints, answered_ns: Ints) -> None:
        """Note the failures of tries that began at `at_ns`."""
        if self._rules.counts == CALLS and self._used_ns is not None:
            self._used_ns[rows] += answered_ns - at_ns
        elif self._from_failure and self._since_ns is not None:
            since_ns = self._since_ns[rows]
            self._since_ns[rows] = np.where(since_ns == NEVER, answered_ns, since_ns)

    def slept(self, rows: Rows, wait_ns: Ints) -> None:
        """Note sleeps that end."""
        if self._rules.counts == SLEEPS and self._used_ns is not None:
            self._used_ns[rows] += wait_ns

    def _left_ns(self, rows: Rows, at_ns: Ints) -> Ints:
        if self._used_ns is not None:
            return self._rules.after_ns - self._used_ns[rows]
        assert self._since_ns is not None  # noqa: S101  # it has one of the two
        return self._rules.after_ns - (at_ns - self._since_ns[rows])

    def _started(self, rows: Rows) -> Bools | None:
        """Return whose deadlines count by now; None for all."""
        return None if self._used_ns is None else self._used_ns[rows] > 0

    def within(self, rows: Rows, at_ns: Ints, wait_ns: Ints, out: Bools | None) -> tuple[Ints, Bools]:
        """Return the waits that deadlines leave after failures at instants, and which requests go on.

        `out`: the requests that are out of tries, if only both limits together end them; else None.
        """
        rules = self._rules
        left_ns = self._left_ns(rows, at_ns)
        ends = np.zeros(len(rows), dtype=np.bool_)
        past = left_ns <= 0
        if rules.after_attempt or rules.cut_sleep:
            ends |= past
        # A soft deadline by itself lets those past it sleep, and then starts no try.
        untouched = past if rules.soft else np.zeros(len(rows), dtype=np.bool_)
        if rules.before_sleep:
            counted_ns = 0 if rules.counts == CALLS else wait_ns
            ends |= ~untouched & (counted_ns > left_ns)
        cut_ns = wait_ns
        if rules.cut_sleep and rules.counts != CALLS:
            cut_ns = np.minimum(wait_ns, left_ns)
        if out is None and (started := self._started(rows)) is not None:
            ends &= started
            cut_ns = np.where(started, cut_ns, wait_ns)
        return np.where(ends, wait_ns, cut_ns), ~ends if out is None else ~(ends & out)

    def ends_sleep_ns(self, rows: Rows, from_ns: Ints) -> Ints | None:
        """Return when a hard deadline ends sleeps that begin at instants; None if it ends none."""
        if not self._rules.hard or self._rules.counts == CALLS:
            return None
        if self._used_ns is not None:
            return from_ns + np.maximum(self._rules.after_ns - self._used_ns[rows], 0)
        assert self._since_ns is not None  # noqa: S101  # it has one of the two
        return self._since_ns[rows] + self._rules.after_ns

    def starts_no_try(self, rows: Rows, at_ns: Ints) -> Bools | None:
        """Return which requests are past a soft deadline at the end of their sleeps; None if it is not soft."""
        if not self._rules.soft:
            return None
        closed = self._left_ns(rows, at_ns) <= 0
        started = self._started(rows)
        return closed if started is None else closed & started


class Pickup:
    """When the workers of requests look: `sim.clients.policy.shared.Looks` for arrays."""

    def __init__(self, rules: Rules, block: Block) -> None:
        assert rules.pickup_every is not None  # noqa: S101  # asked only by policies with `pickup`
        self._every = rules.pickup_every
        self._draws = block.draws
        self._stream = stream = owned("pickup", f"={rules.name}" if rules.name else "")
        self._number = np.zeros(block.count, dtype=np.int64)
        self._look_ns = np.full(block.count, rules.pickup_phase_ns, dtype=np.int64)
        if rules.pickup_phase_ns == NO_LIMIT:
            phases = block.draws.uniforms(f"{stream}.phase")
            every_ns = self._every.sample_ns(block.draws.uniforms(stream))
            self._look_ns = np.rint(phases * every_ns.astype(np.float64)).astype(np.int64)

    def next_ns(self, rows: Rows, from_ns: Ints) -> Ints:
        """Return the first looks at or after instants, which are later than those asked for before."""
        (behind,) = np.nonzero(self._look_ns[rows] < from_ns)
        while behind.size:
            some = rows[behind]
            self._number[some] += 1
            every_ns = self._every.sample_ns(self._draws.uniforms(self._stream, self._number[some], some))
            self._look_ns[some] += np.maximum(every_ns, 1)
            behind = behind[self._look_ns[some] < from_ns[behind]]
        looks_ns: Ints = self._look_ns[rows]
        return looks_ns


def numbers_drawn(law: DelayLaw, stream: str, index: int | None, draws: DrawsOf) -> list[Any]:
    """Return what a law draws, one array for each of its streams."""
    assert index is not None  # noqa: S101  # tries are counted
    return [draws.uniforms(stream + suffix, index) for suffix in law.streams]
