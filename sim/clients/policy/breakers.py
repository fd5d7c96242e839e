"""`breaker`: no calls for a while after too many have failed, then a few to see whether it is over.

    state       step                                                    then
    closed      asked                                                   passes
                answered: the window has at least `at_least` answers
                and a share of `opens_at` or more failed, or of
                `slow.opens_at` or more was slow                        open
    open        asked before the end of the open time                   refused
                asked at its end or after                               half_open, and this one passes
    half_open   asked, a place is free                                  passes
                asked, `calls` have places                              refused
                answered: the last of `at_least` answers, a share of
                `closes_at` or more failed (or `slow.opens_at`: slow)   open
                the same, and less failed                               closed, with an empty window
                `max_wait` is over                                      open

The open time is a law of n, the number of openings since it was last closed, 1 first. The end of the open time alone
changes nothing: the state stays open until it is asked. The end of `max_wait` is noticed at the next step, but the
change has its own instant.
Answers to calls of an earlier state count nothing, unless `late: counts`: then they count as those of the present
state, and nothing while it is open. A share is reached exactly as written (2 of 10 are 20%).

Who does it so:

- resilience4j (`CircuitBreakerConfig`, `CircuitBreakerStateMachine`, `CircuitBreakerMetrics`): `window: {calls: 100}`,
  `opens_at: 50%`, `at_least: 100` (cut to the size of the window), `open: 60s`, `half_open: {calls: 10}`. By time:
  `{window: {time: 60s}, slots: 60}`. It judges at successes as well as at failures. Slow is longer than `over`, not as
  long. In half-open it decides after min(minimumNumberOfCalls, calls) answers, so `half_open.at_least`; ignored errors
  give their place back, but an error that is neither recorded nor ignored is a success: `others: success`.
  maxWaitDurationInHalfOpenState is `half_open.max_wait`. An answer goes to the state that there is as it comes:
  `late: counts`.
- Polly v8 (`CircuitStateController`, `AdvancedCircuitBehavior`, `RollingHealthMetrics`): `{window: {time: 30s},
  slots: 10, slots_from: answer, opens_at: 10%, at_least: 100, open: 5s, judged: at_failure, late: counts}`, one call in
  half-open. Its window runs on while it is open, but is emptied as it closes.
  An error that it does not handle leaves half-open for good, for no answer ever comes: `half_open.uncounted: keep`.
- cockatiel (`ConsecutiveBreaker`) and Polly v7 (`ConsecutiveCountCircuitController`): `window: {consecutive: 5}`, one
  call in half-open. Other calls wait for that one in cockatiel; here they are refused.
- The outlier detection of Envoy (`consecutive_5xx`: 5): `window: {consecutive: 5}`, open for base_ejection_time times
  the number of ejections. It has no half-open, but takes the host back; many `half_open.calls` come close to that.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from sim.clients.policy.answer_windows import Counts, empty_window
from sim.clients.policy.answers import name_that_fits
from sim.clients.policy.breaker_options import NONE, BreakerOptions, EncodedBreaker
from sim.history.vocabulary import SUCCESS
from sim.kernel.errors import InternalError

__all__ = ["REFUSED", "Breaker", "BreakerOptions", "EncodedBreaker", "State"]

REFUSED: Final = -1
"""In place of a ticket: no call."""
NO_ANSWERS: Final = Counts(0, 0, 0)

State = Literal["closed", "open", "half_open"]
_CHANGES: Final[Mapping[tuple[State, str], State]] = {
    ("closed", "too many failed"): "open",
    ("open", "asked after its time"): "half_open",
    ("half_open", "too many failed"): "open",
    ("half_open", "waited for too long"): "open",
    ("half_open", "enough succeeded"): "closed",
}


class Breaker:
    """One cell, shared by all who have it. `open_ns` is the open time by the number of the opening, 1 first.

    `changed` is told each new state and since when, also of the past: a change by time is noticed at the next step.
    """

    __slots__ = (
        "_changed",
        "_now_ns",
        "_open_ns",
        "_openings",
        "_outstanding",
        "_places",
        "_rules",
        "_ticket",
        "_tried",
        "_until_ns",
        "_window",
        "decided_by",
        "since_ns",
        "state",
    )

    def __init__(
        self,
        rules: EncodedBreaker,
        open_ns: Callable[[int], int],
        changed: Callable[[State, int], None] | None = None,
    ) -> None:
        self._rules = rules
        self._open_ns = open_ns
        self._changed = changed
        self._now_ns = 0
        self.state: State = "closed"
        self.since_ns = 0
        """Since when it is in this state."""
        self._ticket = 0
        """The number of the state: that of the calls which pass now."""
        self._outstanding: dict[int, int] = {}
        """Calls without an answer, by their ticket."""
        self._window = empty_window(rules.window, rules.size, rules.slots)
        self._openings = 0
        self._until_ns = 0
        self._places = 0
        """Calls that have a place in half-open."""
        self._tried = NO_ANSWERS
        """Answers in half-open."""
        self.decided_by = NO_ANSWERS
        """The answers that made it open or close, for stories; none if time did."""

    def failed(self, answer: str) -> bool | None:
        """Whether this answer is a failure, False if it is a success, None if it does not count."""
        if answer == SUCCESS:
            return False
        if name_that_fits(answer, self._rules.counts) is not None:
            return True
        return False if self._rules.others_succeed else None

    def ask(self, now_ns: int) -> int:
        """Ask for a call; return its ticket, or `REFUSED`."""
        self._step(now_ns)
        if self.state == "open" and now_ns >= self._until_ns:
            self._change("asked after its time", now_ns)
        if self.state == "open" or (self.state == "half_open" and self._places >= self._rules.half_open_calls):
            return REFUSED
        self._places += self.state == "half_open"
        self._outstanding[self._ticket] = self._outstanding.get(self._ticket, 0) + 1
        return self._ticket

    def answered(self, now_ns: int, ticket: int, *, failed: bool, took_ns: int) -> None:
        """Note the answer to a call: a success, or one that counts as a failure."""
        self._give_back(now_ns, ticket)
        if ticket != self._ticket and not self._rules.late:
            return
        slow = self._rules.slow_over_ns != NONE and took_ns > self._rules.slow_over_ns
        if self.state == "closed":
            self._window.add(now_ns, failed=failed, slow=slow)
            counts = self._window.counts(now_ns)
            silent = self._rules.judged_at_failure and not failed and not slow
            if counts.answers >= self._rules.at_least and not silent and self._too_bad(counts, self._rules.opens):
                self._change("too many failed", now_ns, counts)
        elif self.state == "half_open":
            tried = self._tried
            self._tried = counts = Counts(tried.answers + 1, tried.failures + failed, tried.slow + slow)
            if counts.answers >= self._rules.half_open_at_least:
                bad = self._too_bad(counts, self._rules.half_open_opens)
                self._change("too many failed" if bad else "enough succeeded", now_ns, counts)

    def uncounted(self, now_ns: int, ticket: int) -> None:
        """Note that a call is over without an answer that counts: given up, canceled, or of another kind."""
        self._give_back(now_ns, ticket)
        if ticket == self._ticket and self.state == "half_open" and not self._rules.keeps:
            self._places -= 1

    def answers(self, now_ns: int) -> Counts:
        """Return what the window has, or in half-open the answers there, for stories."""
        self._step(now_ns)
        return self._tried if self.state == "half_open" else self._window.counts(now_ns)

    def _give_back(self, now_ns: int, ticket: int) -> None:
        if not self._outstanding.get(ticket):
            raise InternalError(f"no call of the breaker's ticket {ticket} is without an answer")
        self._step(now_ns)
        self._outstanding[ticket] -= 1
        if not self._outstanding[ticket]:
            del self._outstanding[ticket]

    def _step(self, now_ns: int) -> None:
        if now_ns < self._now_ns:
            raise InternalError(f"the time of a breaker goes back, from {self._now_ns} ns to {now_ns} ns")
        self._now_ns = now_ns
        max_wait_ns = self._rules.half_open_max_wait_ns
        if self.state == "half_open" and max_wait_ns != NONE and now_ns >= self.since_ns + max_wait_ns:
            self._change("waited for too long", self.since_ns + max_wait_ns)

    def _too_bad(self, counts: Counts, opens: tuple[int, int]) -> bool:
        share, whole = opens
        slow_share, slow_whole = self._rules.slow_opens
        return counts.failures * whole >= share * counts.answers or (
            self._rules.slow_over_ns != NONE and counts.slow * slow_whole >= slow_share * counts.answers
        )

    def _change(self, why: str, since_ns: int, counts: Counts = NO_ANSWERS) -> None:
        if (self.state, why) not in _CHANGES:
            raise InternalError(f"a breaker that is {self.state} cannot change because it has {why}")
        state = _CHANGES[self.state, why]
        open_ns = self._open_ns(self._openings + 1) if state == "open" else 0
        if open_ns < 0:
            raise InternalError(f"a breaker cannot be open for {open_ns} ns")
        self.state = state
        self.since_ns = since_ns
        self._ticket += 1
        self._places = 0
        self._tried = NO_ANSWERS
        self.decided_by = counts
        self._window = empty_window(self._rules.window, self._rules.size, self._rules.slots)
        if self.state == "open":
            self._openings += 1
            self._until_ns = since_ns + open_ns
        elif self.state == "closed":
            self._openings = 0
        if self._changed is not None:
            self._changed(self.state, since_ns)
