"""Those who ask, as a table of numbers: requests arrive, and each plays its policy.

The rules are those of `sim.clients.policy.machine`, for what `refusal` lets through: there a try is one call, which
begins as the try does. What follows from an answer `sim.clients.policy.judging` decides, as for that machine, unless
the kind of the answer and the number of the try decide alone; then it is decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from sim.clients.around import Around
from sim.clients.cells import Cells
from sim.clients.place import Place
from sim.clients.policy import judging
from sim.clients.policy.delay_law import STOP
from sim.clients.policy.judging import Answer
from sim.clients.policy.rules import NO_LIMIT
from sim.clients.policy.shared import Shared, state_of_delays
from sim.clients.policy.spent import CALLS, SLEEPS, Spent
from sim.engine.tables.rows import Asked, Call
from sim.engine.tables.server import SUCCEEDS
from sim.engine.tables.timeline import OutOfBounds
from sim.history.vocabulary import FAILED, NEVER, TIMED_OUT, Outcome
from sim.kernel.durations import RUNAWAY_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.clients.policy.machine import Run
    from sim.clients.policy.rules import Rules
    from sim.engine.tables.server import Server
    from sim.engine.tables.timeline import Timeline
    from sim.kernel.choices import Choices
    from sim.kernel.clock import Clock

NO_STATE: Final[list[float]] = []


def is_plain(rules: Rules) -> bool:
    """Tell whether the kind of an answer and the number of the try decide alone what follows from it."""
    parts = (rules.hint, rules.deadline, rules.budget, rules.pickup_every)
    others = rules.delay_from_start, rules.due_floor_ns > 1, rules.sleeps_after_last, len(rules.cases) > 1
    return rules.laws[0].is_plain and not any(others) and all(part is None for part in parts)


class Clients:
    """The clients of a world, which all have one policy."""

    def __init__(  # noqa: PLR0917  # one place makes it
        self,
        rules: Rules,
        server: Server,
        timeline: Timeline,
        choices: Choices,
        times_ns: Sequence[int],
        client_of: Callable[[int], int],
        service: str = "",
    ) -> None:
        """Take a policy, whom it calls, when requests arrive, and which client has which."""
        self.rules = rules
        self.timeline = timeline
        self.choices = choices
        self.asked: list[Asked] = []
        """The requests so far."""
        self.calls: list[Call] = []
        """The calls so far, in the order in which they were sent."""
        self.calls_at_most = RUNAWAY_NS
        self.permanent = 0.0
        """The share of the requests that never succeed."""
        self.told: Callable[[int], None] | None = None
        """Called with the number of each request that has been taken."""
        # What stands on a clock needs no more of it than a timeline has.
        self.around = Around(cast("Clock", timeline), choices, cells=Cells())
        self.server = server
        server.clients = self
        self._times_ns = times_ns
        self._client_of = client_of
        self._place = Place("", 0, service, server.position)
        self._is_plain = is_plain(rules)
        self._is_retried: dict[str, bool] = {}
        """By the kind of the answer, as far as it is known."""
        self._timeout_ns = rules.timeout_ns
        self._waits_for_ever = rules.timeout is None
        deadline = rules.deadline
        self._rings = deadline is not None and deadline.hard

    def place_of(self, client: int) -> Place:
        """Return where a client stands."""
        return self._place._replace(client=client)

    # Arrivals.

    def open(self) -> None:
        """Plan the first arrival."""
        if self._times_ns:
            self.timeline.after(self._times_ns[0], self._arrive, 0)

    def _arrive(self, number: int) -> None:
        timeline, times_ns = self.timeline, self._times_ns
        asked = Asked(self, number, self._client_of(number), timeline.now_ns)
        self.asked.append(asked)
        if self.permanent:
            asked.permanent = self.choices.uniform("permanent", number) < self.permanent
        if not self._is_plain:
            self._prepare(asked)
        self.go_on(asked)
        if self.told is not None:
            self.told(number)
        if number + 1 < len(times_ns):
            timeline.after(times_ns[number + 1] - timeline.now_ns, self._arrive, number + 1)

    def _prepare(self, asked: Asked) -> None:
        """Give a request what rules that are not plain ask for."""
        rules, run = self.rules, cast("Run", asked)
        asked.counters = [0] * rules.counters
        asked.states = [state_of_delays(run, law) for law in range(len(rules.laws))]
        if rules.shares:
            asked.shared = Shared(run)
        if rules.deadline is not None:
            asked.spent = Spent(rules.deadline, self.around.clock, lambda: self._end(asked))
        if asked.shared.budget is not None:
            asked.shared.budget.request_started(self.timeline.now_ns)
        self._start_deadline(asked, "submitted")

    def _start_deadline(self, asked: Asked, moment: str) -> None:
        deadline = self.rules.deadline
        if asked.spent is not None and deadline is not None and deadline.counted_from == moment:
            asked.spent.start()

    # Tries.

    def go_on(self, asked: Asked) -> None:
        """Begin a try, and another one for each that ends at once: in a loop, however many they are."""
        if asked.begins:
            asked.again = True
            return
        asked.begins = True
        while True:
            asked.again = False
            if self._is_plain or self._may_begin(asked):
                self._send(asked)
            if not asked.again:
                break
        asked.begins = False

    def _may_begin(self, asked: Asked) -> bool:
        """Look whether a try may begin; the request is over if not."""
        now_ns, budget, spent = self.timeline.now_ns, asked.shared.budget, asked.spent
        if asked.attempts:
            if self._is_past(asked) or (
                budget is not None and budget.takes_at_start and not budget.allows(now_ns, asked.said)
            ):
                self._conclude(asked, Outcome.gave_up)
                return False
            if budget is not None and budget.takes_at_start:
                asked.last_cost = budget.take(now_ns, asked.said)
        asked.tried_ns = now_ns
        if spent is not None and asked.attempts < self.calls_at_most:
            self._start_deadline(asked, "first_call")
            spent.enter(CALLS)
        if budget is not None and asked.attempts:
            asked.is_counted = True
            budget.retry_started(now_ns, asleep=asked.is_owed)
            asked.is_owed = False
        return True

    def _is_past(self, asked: Asked) -> bool:
        """Tell whether a soft deadline is past, and ends the request."""
        deadline, spent = self.rules.deadline, asked.spent
        if deadline is None or spent is None or not deadline.soft or not spent.started or spent.left_ns > 0:
            return False
        return not self.rules.both_limits or judging.out_of_attempts(cast("Run", asked))

    def _send(self, asked: Asked) -> None:
        number = asked.attempts
        if number >= self.calls_at_most:
            raise OutOfBounds("calls")
        asked.attempts = number = number + 1
        call = Call(asked, number, self.timeline.now_ns, asked.slept_ns)
        asked.slept_ns = 0
        asked.call = call
        self.calls.append(call)
        if not self._waits_for_ever:
            if self._timeout_ns != NO_LIMIT:
                self.timeline.after_usual(self._timeout_ns, self._time_out, call)
            else:
                self.timeline.after(self._drawn_timeout_ns(asked), self._time_out, call)
        self.server.begin(call)

    def _drawn_timeout_ns(self, asked: Asked) -> int:
        law = self.rules.timeout
        assert law is not None  # noqa: S101  # asked only by what has one
        draws = [asked.draw("timeout" + suffix, asked.attempts) for suffix in law.streams]
        return law.delay_ns(asked.attempts, self.timeline.now_ns - asked.submitted_ns, law.start(), draws)

    # Answers.

    def hear(self, call: Call) -> None:
        """Take the answer of a call that its request waits for."""
        asked = call.asked
        if call.goes == SUCCEEDS:
            self._succeed(asked)
        elif call.says is None:
            self._fail(asked, FAILED, final=False, hint_ns=NEVER)
        else:
            final, hint_ns, kind = call.says
            self._fail(asked, kind, final=final, hint_ns=hint_ns)

    def _time_out(self, call: Call) -> None:
        if call.awaited:
            call.awaited = False
            call.given_up_ns = self.timeline.now_ns
            self._fail(call.asked, TIMED_OUT, final=False, hint_ns=NEVER)

    def _succeed(self, asked: Asked) -> None:
        budget = asked.shared.budget
        if budget is not None:
            self._call_is_over(asked)
            retried = asked.last_cost > 0 or asked.retries > 0
            budget.succeeded(self.timeline.now_ns, retried=retried, last_cost=asked.last_cost)
        self._conclude(asked, Outcome.success)

    def _call_is_over(self, asked: Asked) -> None:
        """Let the budget know that a retry is not in flight any more."""
        if asked.is_counted and asked.shared.budget is not None:
            asked.is_counted = False
            asked.shared.budget.retry_ended(self.timeline.now_ns)

    def _fail(self, asked: Asked, kind: str, *, final: bool, hint_ns: int) -> None:
        """Take the failure of a try."""
        if self._is_plain:
            wait_ns = self._wait_ns(asked, kind, final=final)
            if wait_ns == STOP:
                self._conclude(asked, Outcome.gave_up)
            else:
                self._sleep(asked, wait_ns, self._wake)
            return
        answer = Answer(kind, asked.attempts, final, hint_ns)
        budget = asked.shared.budget
        if budget is not None:
            self._call_is_over(asked)
            budget.failed(self.timeline.now_ns, kind, retryable=judging.is_retried(self.rules, answer))
        self._judge(asked, answer)

    def _wait_ns(self, asked: Asked, kind: str, *, final: bool) -> int:
        """Return the wait before the next try of a plain policy, `STOP` if there is none."""
        rules, tries = self.rules, asked.attempts
        if final and not rules.final_retried:
            return STOP
        is_retried = self._is_retried.get(kind)
        if is_retried is None:
            is_retried = self._is_retried[kind] = rules.retries(kind)
        if not is_retried or tries >= rules.cases[-1].attempts != NO_LIMIT:
            return STOP
        law = rules.laws[0]
        draws = [self.choices.uniform("delay" + suffix, asked.number, tries) for suffix in law.streams]
        return law.delay_ns(tries, 0, NO_STATE, draws)

    def _judge(self, asked: Asked, answer: Answer) -> None:
        if asked.spent is not None:
            asked.spent.leave(CALLS)
            self._start_deadline(asked, "first_failure")
        asked.said = answer.kind
        verdict = judging.judge(cast("Run", asked), answer, asked.spent)
        if verdict.reason and not verdict.sleeps:
            self._conclude(asked, Outcome.gave_up)
            return
        asked.retries += 1
        if verdict.wait_ns:
            if asked.shared.budget is not None and not verdict.reason:
                asked.is_owed = True
                asked.shared.budget.retry_asleep(self.timeline.now_ns)
            if asked.spent is not None:
                asked.spent.enter(SLEEPS)
        self._sleep(asked, verdict.wait_ns, self._give_up if verdict.reason else self._wake)

    # Sleeps and ends.

    def _sleep(self, asked: Asked, wait_ns: int, then: Callable[[Any], None]) -> None:
        """Sleep, and do something then; a sleep of 0 takes no event."""
        asked.is_asleep = True
        if not wait_ns:
            then(asked)
            return
        if self.timeline.now_ns + wait_ns > RUNAWAY_NS:
            raise OutOfBounds("time")
        asked.slept_ns += wait_ns
        self.timeline.after(wait_ns, then, asked)

    def _wake(self, asked: Asked) -> None:
        if asked.is_over:
            return
        asked.is_asleep = False
        if asked.spent is not None:
            asked.spent.leave(SLEEPS)
        self.go_on(asked)

    def _give_up(self, asked: Asked) -> None:
        if not asked.is_over:
            self._conclude(asked, Outcome.gave_up)

    def _end(self, asked: Asked) -> None:
        """End everything at a hard deadline."""
        call = asked.call
        if call is not None and call.awaited:
            call.awaited = False
            call.given_up_ns = self.timeline.now_ns
            self._call_is_over(asked)
        self._conclude(asked, Outcome.gave_up)

    def _conclude(self, asked: Asked, outcome: Outcome) -> None:
        now_ns, budget = self.timeline.now_ns, asked.shared.budget
        asked.is_over = True
        asked.outcome = outcome
        asked.settled_ns = now_ns
        asked.known_attempt_end_ns = asked.last_attempt_end_ns
        if asked.spent is not None:
            asked.spent.stop()
        if budget is not None:
            if asked.is_owed:
                asked.is_owed = False
                budget.retry_canceled(now_ns)
            budget.request_ended(now_ns)

    # The end of the world.

    def conclude(self, *, cut: bool, end_ns: int | None) -> None:
        """Give requests that are open the outcome that the world proves, and count the time of calls that go on.

        As `sim.engine.world` and `sim.engine.unended` do; `end_ns` is the end of the observation.
        """
        for asked in self.asked:
            if not asked.is_over:
                asked.outcome = Outcome.open if cut and self._is_busy(asked) else Outcome.stuck
        for call in self.calls:
            if call.over_ns == NEVER:
                _count(call, end_ns)

    def clear(self) -> None:
        """Forget requests and calls, which refer to each other and to this."""
        for asked in self.asked:
            asked.call = asked.applied = asked.spent = None
        self.asked.clear()
        self.calls.clear()
        self.around.cells.clear()

    def _is_busy(self, asked: Asked) -> bool:
        """Tell whether a request sleeps, or waits for a call that will end."""
        if asked.is_asleep or self._rings or not self._waits_for_ever:
            return True
        return asked.call is not None and not asked.call.hangs


def _count(call: Call, end_ns: int | None) -> None:
    """Add the time of a call that has not ended to its request."""
    ends_ns = [end_ns]
    if call.hangs:
        asked = call.asked
        ends_ns += [at_ns for at_ns in (call.given_up_ns, asked.settled_ns) if at_ns != NEVER]
    known = [at_ns for at_ns in ends_ns if at_ns is not None]
    if known:
        call.asked.action_ns += max(0, min(known) - call.sent_ns)
