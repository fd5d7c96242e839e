"""Those who ask, as a table of numbers: requests arrive, and each plays its policy.

The rules are those of `sim.clients.policy.machine`, for what `refusal` lets through: there a try is one call, which
begins as the try does. `Clients` plays policies of which the kind of an answer and the number of the try decide what
follows; `sim.engine.tables.judged` has those that need more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.clients.policy.delay_law import STOP
from sim.clients.policy.rules import NO_LIMIT
from sim.engine.tables.rows import Asked, Call
from sim.engine.tables.server import SUCCEEDS
from sim.engine.tables.timeline import OutOfBounds
from sim.engine.world import REPORT_EVERY
from sim.history.vocabulary import FAILED, NEVER, TIMED_OUT, Outcome
from sim.kernel.durations import RUNAWAY_NS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.clients.policy.rules import Rules
    from sim.engine.tables.arrivals import Asks
    from sim.engine.tables.server import Server
    from sim.engine.tables.timeline import Timeline
    from sim.kernel.choices import Choices

NO_STATE: Final[list[float]] = []
SUCCESS: Final = Outcome.success
GAVE_UP: Final = Outcome.gave_up


def is_plain(rules: Rules) -> bool:
    """Tell whether the kind of an answer and the number of the try decide alone what follows from it."""
    parts = (rules.hint, rules.deadline, rules.budget, rules.pickup_every)
    others = rules.delay_from_start, rules.due_floor_ns > 1, rules.sleeps_after_last, len(rules.cases) > 1
    return rules.laws[0].is_plain and not any(others) and all(part is None for part in parts)


class Clients:
    """The clients of a world, which all have one policy."""

    def __init__(self, rules: Rules, server: Server, timeline: Timeline, choices: Choices, asks: Asks) -> None:
        """Take a policy, whom it calls, and what its requests are."""
        self.rules = rules
        self.timeline = timeline
        self.choices = choices
        self.server = server
        server.callers = self
        self.asked: list[Asked] = []
        """The requests so far."""
        self.calls: list[Call] = []
        """The calls so far, in the order in which they were sent."""
        self._arrivals = asks.arrivals
        self._permanent = asks.permanent
        self._calls_at_most = asks.calls_at_most
        self._progress: Callable[[int], None] | None = None
        self._is_retried: dict[str, bool] = {}
        """By the kind of the answer, as far as it is known."""
        self._timeout_ns = rules.timeout_ns
        self._times_out = rules.timeout is not None

    # Arrivals.

    def open(self, progress: Callable[[int], None] | None = None) -> None:
        """Begin to ask; `progress` is called now and then with the number of a request."""
        self._progress = progress
        self._arrivals.start(self._take)

    def _take(self, number: int, client: int) -> None:
        """Take a request at the instant of its submission."""
        asked = self._new(number, client)
        self.asked.append(asked)
        if self._permanent:
            asked.permanent = self.choices.uniform("permanent", number) < self._permanent
        self.go_on(asked)
        if self._progress is not None and number % REPORT_EVERY == 0:
            self._progress(number)

    def _new(self, number: int, client: int) -> Asked:
        return Asked(number, client, self.timeline.now_ns)

    # Tries.

    def go_on(self, asked: Asked) -> None:
        """Begin a try, and another one for each that ends at once: in a loop, however many they are."""
        if asked.begins:
            asked.again = True
            return
        asked.begins = True
        while True:
            asked.again = False
            self._begin(asked)
            if not asked.again:
                break
        asked.begins = False

    def _begin(self, asked: Asked) -> None:
        """Begin a try: send its call."""
        number = asked.attempts
        if number >= self._calls_at_most:
            raise OutOfBounds("calls")
        asked.attempts = number = number + 1
        call = Call(asked, number, self.timeline.now_ns, asked.slept_ns)
        asked.slept_ns = 0
        asked.call = call
        self.calls.append(call)
        if self._times_out:
            if self._timeout_ns != NO_LIMIT:
                self.timeline.after_usual(self._timeout_ns, self._time_out, call)
            else:
                self.timeline.after(self._drawn_timeout_ns(asked), self._time_out, call)
        self.server.begin(call)

    def _drawn_timeout_ns(self, asked: Asked) -> int:
        law, tries = self.rules.timeout, asked.attempts
        assert law is not None  # noqa: S101  # asked only by what has one
        draws = [self.choices.uniform("timeout" + suffix, asked.number, tries) for suffix in law.streams]
        return law.delay_ns(tries, self.timeline.now_ns - asked.submitted_ns, law.start(), draws)

    # Answers.

    def hear(self, call: Call) -> None:
        """Take the answer of a call that its request waits for."""
        says = call.says
        if call.goes == SUCCEEDS:
            self._succeed(call.asked)
        elif says is None:
            self._fail(call.asked, FAILED, final=False, hint_ns=NEVER)
        else:
            self._fail(call.asked, says.kind, final=says.final, hint_ns=says.retry_after_ns)

    def _time_out(self, call: Call) -> None:
        if call.awaited:
            self._leave(call)
            self._fail(call.asked, TIMED_OUT, final=False, hint_ns=NEVER)

    def _leave(self, call: Call) -> None:
        """Give up on a call, which goes on."""
        call.awaited = False
        call.given_up_ns = self.timeline.now_ns

    def _succeed(self, asked: Asked) -> None:
        self._conclude(asked, SUCCESS)

    def _fail(self, asked: Asked, kind: str, *, final: bool, hint_ns: int) -> None:
        """Take the failure of a try."""
        del hint_ns
        wait_ns = self._wait_ns(asked, kind, final=final)
        if wait_ns == STOP:
            self._conclude(asked, GAVE_UP)
        elif wait_ns:
            self._sleep(asked, wait_ns, self._wake)
        else:
            self.go_on(asked)

    def _wait_ns(self, asked: Asked, kind: str, *, final: bool) -> int:
        """Return the wait before the next try, `STOP` if there is none."""
        rules, tries = self.rules, asked.attempts
        if final and not rules.final_retried:
            return STOP
        is_retried = self._is_retried.get(kind)
        if is_retried is None:
            is_retried = self._is_retried[kind] = rules.retries(kind)
        if not is_retried or tries >= rules.attempts != NO_LIMIT:
            return STOP
        law = rules.laws[0]
        draws = [self.choices.uniform("delay" + suffix, asked.number, tries) for suffix in law.streams]
        return law.delay_ns(tries, 0, NO_STATE, draws)

    # Sleeps and ends.

    def _sleep(self, asked: Asked, wait_ns: int, then: Callable[[Any], None]) -> None:
        """Sleep, and do something then."""
        if self.timeline.now_ns + wait_ns > RUNAWAY_NS:
            raise OutOfBounds("time")
        asked.is_asleep = True
        asked.slept_ns += wait_ns
        self.timeline.after(wait_ns, then, asked)

    def _wake(self, asked: Asked) -> None:
        asked.is_asleep = False
        self.go_on(asked)

    def _conclude(self, asked: Asked, outcome: Outcome) -> None:
        asked.is_over = True
        asked.outcome = outcome
        asked.settled_ns = self.timeline.now_ns
        asked.known_attempt_end_ns = asked.last_attempt_end_ns
        if self._arrivals.closed:
            self._arrivals.over(asked)

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

    def _is_busy(self, asked: Asked) -> bool:
        """Tell whether a request sleeps, or waits for a call that will end."""
        return asked.is_asleep or self._times_out or (asked.call is not None and not asked.call.hangs)

    def clear(self) -> None:
        """Forget requests and calls, which refer to each other."""
        for asked in self.asked:
            asked.call = asked.applied = None
        self.server.clear()
        self.asked.clear()
        self.calls.clear()


def _count(call: Call, end_ns: int | None) -> None:
    """Add the time of a call that has not ended to its request."""
    ends_ns = [] if end_ns is None else [end_ns]
    if call.hangs:
        ends_ns += [at_ns for at_ns in (call.given_up_ns, call.asked.settled_ns) if at_ns != NEVER]
    if ends_ns:
        call.asked.action_ns += max(0, min(ends_ns) - call.sent_ns)
