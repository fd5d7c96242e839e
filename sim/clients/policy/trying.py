"""The calls of one try: the first, further copies of it, deliveries beside it, and what their answers make of the try.

A try creates its timers in this order: what its gates need, the timeout of a copy, the call, then the timer of the next
copy and that of the delivery again. So of a timeout and an answer of one instant the timeout counts, and of an answer
and the next copy the answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from sim.clients.policy import judging
from sim.clients.policy.call import Call
from sim.clients.policy.judging import Answer, Verdict
from sim.clients.policy.passage import Level, Passage
from sim.clients.policy.rules import NO_LIMIT
from sim.clients.policy.shared import NOTHING_SHARED
from sim.history.policy_events import AT_COPY
from sim.history.traffic import CallEnd
from sim.history.vocabulary import NEVER, REFUSED
from sim.kernel.alarm import Alarm

if TYPE_CHECKING:
    from sim.clients.around import Around
    from sim.clients.place import Place
    from sim.clients.policy.rules import Rules
    from sim.history.request import Request
    from sim.world.hosts import External


class Trying(ABC):
    """What a request of a policy does in a try; `sim.clients.policy.machine.Run` says when it tries."""

    __slots__ = (
        "_copy_alarm",
        "_delivery_alarm",
        "_is_asleep",
        "_recorder",
        "action",
        "around",
        "clock",
        "connections",
        "copies",
        "deliveries",
        "entering",
        "last_cost",
        "more",
        "pauses",
        "place",
        "put_back_ns",
        "request",
        "rules",
        "said",
        "shared",
        "slept_ns",
        "started_ns",
        "timeout",
        "tried_ns",
        "tries",
        "waiting",
    )

    def __init__(self, around: Around, action: External, rules: Rules, request: Request, place: Place) -> None:
        """Take a request that has not been tried yet."""
        self.around = around
        self.clock = around.clock
        self._recorder = around.recorder
        self.action = action
        self.rules = rules
        self.request = request
        self.place = place
        self.connections: list[Call] = []
        """Calls whose attempts have not ended, whether anything waits for them or not."""
        self.waiting: list[Call] = []
        """Calls of the present try that it waits for."""
        self.entering: list[Passage] = []
        """Copies of the present try that have not passed their gates."""
        self.tries = 0
        self.copies = 0
        """Copies of the present try that have been sent, the first included."""
        self.more = 0
        """Copies that may still be sent in the present try."""
        self.deliveries = 0
        """Tries that began beside the present one, since it had not ended."""
        self.pauses = 0
        """Failures of copies after which the next one waited for a delay."""
        self.slept_ns = NEVER
        """How long it slept since its last call; `NEVER` before the first."""
        self.last_cost = 0
        """What its last retry has taken from the budget."""
        self.timeout = NEVER, 0
        """The number of the try for which a timeout was drawn last, and that timeout; all its copies have it."""
        self.started_ns = self.tried_ns = self.put_back_ns = around.clock.now_ns
        self.shared = NOTHING_SHARED
        self.said: Answer | None = None
        """The answer that the present try has so far."""
        self._copy_alarm: Alarm | None = None
        self._delivery_alarm: Alarm | None = None
        self._is_asleep = False
        """Whether a budget counts a retry that sleeps, or waits for its call at gates."""

    # What the course of the request says, and makes of a try.

    retries: int
    counters: list[int]
    shift: int
    states: list[list[float]]

    @property
    @abstractmethod
    def is_trying(self) -> bool:
        """Whether calls of the present try are under way."""

    @abstractmethod
    def succeeded(self, call: Call, attempt: int) -> None:
        """Take the success of a call."""

    @abstractmethod
    def fail(self, answer: Answer) -> None:
        """End the present try with a failure."""

    @abstractmethod
    def level_timed_out(self, passage: Passage) -> None:
        """Give up what is behind the gates of a request, a try or a copy."""

    @abstractmethod
    def start_deadline(self, moment: str) -> None:
        """Let the deadline begin to count if this is its moment."""

    @abstractmethod
    def run_away(self, limit: str) -> None:
        """Note that the request ran into a limit of the simulation."""

    # Calls.

    def _send(self) -> None:
        """Send one copy more, through its gates, and plan the next."""
        rules = self.rules
        self._plan_no_copy()
        self.copies += 1
        number = self.copies
        if not rules.copy_gates:
            self._call(None)
        else:
            passage = Passage(self, Level.copy, rules.copy_gates, self._call, self._refuse_copy, self.copies)
            self.entering.append(passage)
            passage.go_on()
        if self.is_trying:
            if rules.redeliver_ns != NO_LIMIT and self._delivery_alarm is None:
                self._plan_delivery()
            # A copy that fails at once has seen to the next one.
            if self.more and self._runs and self._copy_alarm is None and self.copies == number:
                self._plan_copy()

    def _call(self, passage: Passage | None) -> None:
        request, rules, number = self.request, self.rules, self.copies
        if passage is not None:
            number = passage.number
            self.entering.remove(passage)
        if request.attempts >= self.around.calls_at_most:
            self.run_away("calls")
            return
        call = Call(self, self.slept_ns if number == 1 or self.slept_ns == NEVER else 0)
        call.passage = passage
        call.is_copy = self.copies > 1
        self.slept_ns = 0
        request.actions += 1
        self.connections.append(call)
        self.waiting.append(call)
        if rules.copy_times_out:
            call.limit(self.timeout_ns())
        if number > 1 or self.tries > 1:
            self._count_retry(call, number)
        self.action.begin(call, request)

    def _count_retry(self, call: Call, number: int) -> None:
        """Let the budget know of a call that is not the first of its request."""
        if number > 1:
            self.record("copy", "", number, subject=self.request.attempts + 1)
        if self.shared.budget is not None:
            call.is_retry = True
            self.shared.budget.retry_started(self.clock.now_ns, asleep=self._is_asleep)
            self._is_asleep = False

    def _refuse_copy(self, passage: Passage) -> None:
        self.entering.remove(passage)
        self._log_refusal()
        self._answered(Answer(REFUSED, NEVER))

    def timeout_ns(self) -> int:
        """Return the timeout of the present try."""
        law, timeout_ns = self.rules.timeout, self.rules.timeout_ns
        if timeout_ns != NO_LIMIT:
            return timeout_ns
        if self.timeout[0] != self.tries:
            assert law is not None  # noqa: S101  # asked only by what has one
            draws = self._draw("timeout", law.streams, self.tries)
            elapsed_ns = self.clock.now_ns - self.started_ns
            self.timeout = self.tries, law.delay_ns(max(self.tries, 1), elapsed_ns, law.start(), draws)
        return self.timeout[1]

    def _plan_copy(self) -> None:
        after_ns = self.shared.copy_after_ns(self.rules)
        if after_ns is None:
            return
        if after_ns == 0:
            self._send_next()
        else:
            self._copy_alarm = Alarm(self.clock, after_ns, self._copy_is_due)

    def _plan_no_copy(self) -> None:
        if self._copy_alarm is not None:
            self._copy_alarm.cancel()
            self._copy_alarm = None

    def _copy_is_due(self) -> None:
        self._copy_alarm = None
        if not self._send_next() and not self._runs and self.said is not None:
            self.fail(self.said)

    def _send_next(self) -> bool:
        """Send the next copy if the budget allows it; returns whether it does."""
        self._plan_no_copy()
        budget, now_ns = self.shared.budget, self.clock.now_ns
        if budget is not None:
            kind = self._said_kind
            if not budget.allows(now_ns, kind):
                self.more = 0
                level = budget.level(now_ns)
                self.record("decided", judging.COPY, Verdict(level=level).detail(kind, AT_COPY))
                return False
            self.last_cost = budget.take(now_ns, kind)
        self.more -= 1
        self._send()
        return True

    def _plan_delivery(self) -> None:
        rules = self.rules
        is_last_try = rules.redeliver_counts and judging.out_of_attempts(self)
        if is_last_try or (rules.redeliver_at_most != NO_LIMIT and self.deliveries >= rules.redeliver_at_most):
            return
        since_ns = self.put_back_ns if self.rules.redeliver_from_end else self.clock.now_ns
        wait_ns = max(since_ns + self.rules.redeliver_ns - self.clock.now_ns, 0)
        self._delivery_alarm = Alarm(self.clock, wait_ns, self._deliver_again)

    def _deliver_again(self) -> None:
        self._delivery_alarm = None
        self.deliveries += 1
        self.put_back_ns = self.clock.now_ns
        self.record("redelivered", "", self.tries + self.deliveries)
        self._send()

    # Answers.

    def failed(self, call: Call, attempt: int, kind: str, *, final: bool = False, hint_ns: int = NEVER) -> None:
        """Take the failure of a call."""
        now_ns = self.clock.now_ns
        self.waiting.remove(call)
        self._over(call)
        answer = Answer(kind, attempt, final, hint_ns)
        if not judging.is_retried(self.rules, answer):
            self._leave_entering()
        if call.passage is not None:
            took_ns = now_ns - call.passage.started_ns
            call.passage.leave(answered=True, failed=True, kind=kind, took_ns=took_ns)
        if self.shared.budget is not None:
            self.shared.budget.failed(now_ns, kind, retryable=judging.is_retried(self.rules, answer))
        if self.is_trying:
            self._answered(answer)

    def _answered(self, answer: Answer) -> None:
        """Take the failure of a copy: the try fails with it, unless other copies run or are to come."""
        hedge = self.rules.hedge
        if (hedge is not None or self._runs) and judging.is_retried(self.rules, answer):
            self.said = answer
            if self.more and hedge is not None and hedge.at_failure != "wait":
                if hedge.at_failure == "next":
                    if self._send_next():
                        return
                else:
                    self._send_after_delay()
            if self._runs or (self.more and self._copy_alarm is not None):
                return
        self.fail(answer)

    def _send_after_delay(self) -> None:
        law = self.rules.laws[0]
        self.pauses += 1
        draws = self._draw("hedge", law.streams, self.pauses)
        wait_ns = law.delay_ns(self.copies, self.clock.now_ns - self.started_ns, law.start(), draws)
        if wait_ns >= 0:
            self._plan_no_copy()
            self._copy_alarm = Alarm(self.clock, wait_ns, self._copy_is_due)

    @property
    def _said_kind(self) -> str:
        """The kind of the answer that the present try has so far; empty if it has none."""
        return "" if self.said is None else self.said.kind

    # Leaving.

    def _over(self, call: Call) -> None:
        """Note that the present try does not wait for a call any more."""
        if call.is_retry and self.shared.budget is not None:
            self.shared.budget.retry_ended(self.clock.now_ns)

    def _give_up(self, call: Call) -> None:
        attempt = call.attempt
        call.give_up()
        if attempt is not None:
            self.record("timed_out", "", self.clock.now_ns - call.started_ns, subject=attempt.number)

    def _leave_others(self) -> None:
        """Wait no more for the calls of the present try, and send no more of them."""
        self._plan_nothing()
        # The copies that wait first: none of them is to have the place that another one leaves.
        self._leave_entering()
        cancels = self.rules.hedge is not None and self.rules.hedge.cancels
        for call in self.waiting:
            attempt = call.attempt
            call.give_up()
            self._over(call)
            if call.passage is not None:
                call.passage.leave(answered=False)
            if cancels and attempt is not None:
                self.action.cancel(attempt)
        self.waiting.clear()

    def _plan_nothing(self) -> None:
        """Call off the next copy and the delivery again."""
        for alarm in (self._copy_alarm, self._delivery_alarm):
            if alarm is not None:
                alarm.cancel()
        self._copy_alarm = self._delivery_alarm = None

    def _leave_entering(self) -> None:
        """Let go of copies that have not passed their gates; none is to have the place that another one leaves."""
        entering, self.entering = self.entering, []
        for passage in sorted(entering, key=lambda one: not one.waits_for_place):
            passage.leave(answered=False)

    @property
    def _runs(self) -> bool:
        """Whether a copy of the present try is under way."""
        return bool(self.waiting or self.entering)

    # Numbers and records.

    def _draw(self, stream: str, suffixes: tuple[str, ...], index: int) -> list[float]:
        return [self.draw(stream + suffix, index) for suffix in suffixes]

    def draw(self, stream: str, index: int) -> float:
        """Draw the number on [0, 1) of this address for this request."""
        request = self.request
        value = self.around.choices.uniform(stream, request.number, index, request.first_rerun)
        self.record("draw", stream, value)
        return value

    def record(self, kind: str, name: str, detail: Any, *, subject: int = NEVER) -> None:
        """Add an event to the history, if there is one."""
        if self._recorder is not None:
            self._recorder.add((self.clock.now_ns, kind, self.request.number, subject, name, detail))

    def _log_refusal(self) -> None:
        """Add a try without a call to the traffic, if that is recorded."""
        calls, request, now_ns = self.around.calls, self.request, self.clock.now_ns
        if calls is not None:
            call = calls.send(request.number, 0, now_ns, self.place.receiver, request.caller)
            calls.over(call, CallEnd.refused, now_ns)
