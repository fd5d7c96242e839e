"""The machine that plays a policy for one request: no coroutine, no exception, all state in a few fields.

| in state | on | it is then | and does |
| --- | --- | --- | --- |
| new | start | entering | passes the request's gates |
| entering | let_in | ready | begins the first try |
| entering | refuse | over | gives up |
| ready | begin | passing | passes the gates of a try |
| passing | let_in | trying | sends the first copy |
| passing | refuse | judging | has the answer `refused` |
| trying | succeed | over | leaves the gates, settles as success |
| trying | fail | judging | has the answer of the try |
| judging | retry | sleeping | sleeps for the delay; one of 0 takes no event |
| judging | leave_it | over | gives up |
| sleeping | wake | ready | begins the next try |
| ready, sleeping | leave_it | over | gives up: no time is left, or the budget was empty |
| any but over | stop | over | leaves the gates; calls in flight go on |

Nothing else is possible. At one instant events come by (class of event, order of creation), as everywhere in
`sim.kernel.clock`. A try creates its timers in this order: what its gates need, the timeout of a copy, the call, then
the timer of the next copy and that of the delivery again. So of a timeout and an answer of one instant the timeout
counts, and of an answer and the next copy the answer.

What an answer leads to is decided in this order: the case, whether its kind is retried, the tries, the delay and
Retry-After (`sim.clients.policy.judging`), the deadline, the budget, the sleep.

Random numbers: stream `delay` (and `delay.second`), entity the request, index the number of the retry, 1 first;
`timeout`, index the number of the try; `hint`, which a formula of `retry_after.as` draws, index as for `delay`;
`hedge`, index the number of the failure after which a copy waits for a delay, 1 first.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from sim.clients.policy import judging
from sim.clients.policy.judging import Answer, Verdict
from sim.clients.policy.passage import Level, Passage
from sim.clients.policy.shared import NOTHING_SHARED
from sim.clients.policy.sharing import shared_parts, state_of_delays
from sim.clients.policy.spent import CALLS, SLEEPS, Spent
from sim.clients.policy.trying import Trying
from sim.history.policy_events import AT_ANSWER, AT_ANY_TIME, AT_START
from sim.history.vocabulary import NEVER, REFUSED, TIMED_OUT, Outcome
from sim.kernel.durations import RUNAWAY_NS
from sim.kernel.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.clients.around import Around
    from sim.clients.place import Place
    from sim.clients.policy.call import Call
    from sim.clients.policy.rules import Rules
    from sim.history.request import Request
    from sim.world.hosts import External


class State(IntEnum):
    """Where a request is."""

    new = 0
    entering = 1
    ready = 2
    passing = 3
    trying = 4
    judging = 5
    sleeping = 6
    over = 7


class On(IntEnum):
    """What moves it on."""

    start = 0
    let_in = 1
    refuse = 2
    begin = 3
    succeed = 4
    fail = 5
    retry = 6
    leave_it = 7
    wake = 8
    stop = 9


TRANSITIONS: Final[dict[tuple[State, On], State]] = {
    (State.new, On.start): State.entering,
    (State.entering, On.let_in): State.ready,
    (State.entering, On.refuse): State.over,
    (State.ready, On.begin): State.passing,
    (State.passing, On.let_in): State.trying,
    (State.passing, On.refuse): State.judging,
    (State.trying, On.succeed): State.over,
    (State.trying, On.fail): State.judging,
    (State.judging, On.retry): State.sleeping,
    (State.judging, On.leave_it): State.over,
    (State.sleeping, On.wake): State.ready,
    (State.sleeping, On.leave_it): State.over,
    (State.ready, On.leave_it): State.over,
    **{(state, On.stop): State.over for state in State if state != State.over},
}


class Run(Trying):
    """One request of a policy, from its submission to its conclusion; it is the timer of its own sleep."""

    __slots__ = (
        "_again",
        "_goes_on",
        "_has_left",
        "callbacks",
        "concluded",
        "counters",
        "ends",
        "entry",
        "retries",
        "shift",
        "spent",
        "state",
        "states",
        "trial",
    )
    _ok = True
    loop = None
    """It has none; see `sim.clients.client.Client`."""

    def __init__(  # noqa: PLR0917  # the one signature of all clients
        self,
        around: Around,
        action: External,
        rules: Rules,
        request: Request,
        place: Place,
        concluded: Callable[[bool], None] | None = None,
    ) -> None:
        """Take a request; `concluded` is told whether it succeeded, in place of the request itself."""
        super().__init__(around, action, rules, request, place)
        self.concluded = concluded
        self.state = State.new
        self.retries = 0
        self.counters = [0] * rules.counters
        """Retries by counter."""
        self.shift = 0
        """Retries of the shared counter before the last Retry-After that reset it."""
        self.states = (
            [state_of_delays(self, law) for law in range(len(rules.laws))]
            if rules.remembers
            else [[]] * len(rules.laws)
        )
        """What the delay laws remember."""
        self.callbacks: Any = None
        self.spent = None if rules.deadline is None else Spent(rules.deadline, self.clock, self._deadline_passed)
        self.shared = shared_parts(self) if rules.shares else NOTHING_SHARED
        self.ends = ""
        """Why the request ends after the present sleep; empty if it does not."""
        self.entry: Passage | None = None
        self.trial: Passage | None = None
        self._goes_on = self._again = self._has_left = False

    # The course of a request.

    def _to(self, on: On) -> None:
        """Move on; an illegal move raises and changes nothing."""
        following = TRANSITIONS.get((self.state, on))
        if following is None:
            raise InternalError(f"a policy in state {self.state.name} cannot {on.name}")
        self.state = following

    def start(self) -> None:
        """Begin."""
        self._to(On.start)
        if self.shared.budget is not None:
            self.shared.budget.request_started(self.clock.now_ns)
        gates = self.rules.request_gates
        if not gates:
            self._entered(None)
        else:
            self.entry = Passage(self, Level.request, gates, self._entered, self._refused_at_entry)
            self.entry.go_on()

    def _entered(self, passage: Passage | None) -> None:
        del passage
        self._to(On.let_in)
        self._go_on()

    def _refused_at_entry(self, passage: Passage) -> None:
        del passage
        self._to(On.refuse)
        self._conclude(succeeded=False)

    def _go_on(self) -> None:
        """Begin a try, and another one for each that ends at once: in a loop, however many they are."""
        if self._goes_on:
            self._again = True
            return
        self._goes_on = True
        while True:
            self._again = False
            self._begin_try()
            if not self._again:
                break
        self._goes_on = False

    def _begin_try(self) -> None:
        rules, clock = self.rules, self.clock
        if self.tries:
            verdict = self._no_start()
            if verdict is not None:
                self.record("decided", verdict.reason, verdict.detail(self._said_kind, AT_START))
                self._leave_it()
                return
        if self.tries + self.deliveries >= self.around.calls_at_most:
            self.run_away("calls")
            return
        self._to(On.begin)
        self.tries += 1
        self.copies = 0
        self.more = 0 if rules.hedge is None else rules.hedge.at_most
        self.said = None
        self.tried_ns = clock.now_ns
        if self.spent is not None:
            self.start_deadline("first_call")
            self.spent.enter(CALLS)
        if not rules.try_gates:
            self._let_try_in(None)
        else:
            self.trial = Passage(self, Level.trial, rules.try_gates, self._let_try_in, self._refuse_try)
            self.trial.go_on()

    def _no_start(self) -> Verdict | None:
        """Return why the next try does not start although its sleep is over; None if it does."""
        deadline, budget = self.rules.deadline, self.shared.budget
        if deadline is not None and deadline.soft and self.spent is not None and self.spent.started:
            past = self.spent.left_ns <= 0
            if past and not (self.rules.both_limits and not judging.out_of_attempts(self)):
                return Verdict(judging.DEADLINE)
        if budget is not None:
            now_ns, kind = self.clock.now_ns, self._said_kind
            if budget.takes_at_start:
                level = budget.level(now_ns)
                if not budget.allows(now_ns, kind):
                    return Verdict(judging.BUDGET, level=level)
                self.last_cost = budget.take(now_ns, kind)
        return None

    def _let_try_in(self, passage: Passage | None) -> None:
        del passage
        self._to(On.let_in)
        self._send()

    def _refuse_try(self, passage: Passage) -> None:
        del passage
        self._log_refusal()
        self._to(On.refuse)
        self._judge(Answer(REFUSED, NEVER))

    # Answers.

    def succeeded(self, call: Call, attempt: int) -> None:
        """Take the success of a call: the others of its try do not count any more."""
        now_ns, shared = self.clock.now_ns, self.shared
        self.waiting.remove(call)
        self._over(call)
        if self._runs or self._copy_alarm is not None or self._delivery_alarm is not None:
            self._leave_others()
        if call.passage is not None:
            call.passage.leave(answered=True, took_ns=now_ns - call.passage.started_ns)
        if shared.latencies is not None:
            shared.latencies.add(now_ns - call.started_ns)
        trial, self.trial = self.trial, None
        if trial is not None:
            trial.leave(answered=True, took_ns=now_ns - trial.started_ns)
        if shared.budget is not None:
            shared.budget.succeeded(now_ns, retried=self.last_cost > 0 or self.retries > 0, last_cost=self.last_cost)
        self._to(On.succeed)
        self._conclude(succeeded=True, answer=attempt)

    def level_timed_out(self, passage: Passage) -> None:
        """Give up what is behind the gates of a request, a try or a copy: its timeout is over."""
        if passage.level == Level.copy:
            call = next((one for one in self.waiting if one.passage is passage), None)
            if call is None:
                self.entering.remove(passage)
                self.record("refused", "timeout", (int(Level.copy), passage.number))
                passage.leave(answered=True, failed=True, kind=TIMED_OUT)
                self._answered(Answer(TIMED_OUT, NEVER))
                return
            number = NEVER if call.attempt is None else call.attempt.number
            self._give_up(call)
            self.failed(call, number, TIMED_OUT)
            return
        for call in list(self.waiting):
            self._give_up(call)
            if self.shared.budget is not None and passage.level == Level.trial:
                retryable = judging.is_retried(self.rules, Answer(TIMED_OUT, NEVER))
                self.shared.budget.failed(self.clock.now_ns, TIMED_OUT, retryable=retryable)
        if passage.level == Level.request:
            self._end("timeout")
        elif self.state == State.passing:
            self.record("refused", "timeout", (int(Level.trial), 0))
            passage.leave(answered=True, failed=True, kind=TIMED_OUT)
            self._to(On.refuse)
            self._judge(Answer(TIMED_OUT, NEVER))
        else:
            self.fail(Answer(TIMED_OUT, NEVER))

    def fail(self, answer: Answer) -> None:
        """End the present try with a failure."""
        now_ns = self.clock.now_ns
        self._leave_others()
        trial, self.trial = self.trial, None
        if trial is not None:
            trial.leave(answered=True, failed=True, kind=answer.kind, took_ns=now_ns - trial.started_ns)
        self._to(On.fail)
        self._judge(answer)

    def _judge(self, answer: Answer) -> None:
        """Decide what follows from the answer of a try."""
        self._wakes_never()
        if self.spent is not None:
            self.spent.leave(CALLS)
            self.start_deadline("first_failure")
        self.said = answer
        verdict = judging.judge(self, answer, self.spent)
        if self._recorder is not None:
            detail = verdict.detail(answer.kind, AT_ANSWER)
            self.record("decided", verdict.reason or judging.RETRY, detail, subject=answer.attempt)
        if verdict.reason and not verdict.sleeps:
            self._leave_it()
            return
        self.retries += 1
        self.put_back_ns = self.clock.now_ns
        self._to(On.retry)
        self._sleep(verdict)

    def _sleep(self, verdict: Verdict) -> None:
        wait_ns, clock = verdict.wait_ns, self.clock
        if not wait_ns:
            self._wake_up(fails=bool(verdict.reason))
            return
        self.record("sleep", "", wait_ns)
        if clock.now_ns + wait_ns > RUNAWAY_NS:
            self.run_away("time")
            return
        self.slept_ns += wait_ns
        if self.shared.budget is not None and not verdict.reason:
            self._is_asleep = True
            self.shared.budget.retry_asleep(clock.now_ns)
        if self.spent is not None:
            self.spent.enter(SLEEPS)
        self.ends = verdict.reason
        self.callbacks = _FAIL_AWAKE if verdict.reason else _AWAKE
        clock.set_timer(self, wait_ns)

    def awake(self, *, fails: bool) -> None:
        """Go on after a sleep, if the request is not over meanwhile."""
        if self.state != State.sleeping:
            return
        if self.spent is not None:
            self.spent.leave(SLEEPS)
        if fails:
            self.record("decided", self.ends, Verdict(self.ends).detail(self._said_kind, AT_START))
        self._wake_up(fails=fails)

    def _wake_up(self, *, fails: bool) -> None:
        """Go on behind a sleep, or in place of one that takes no time."""
        if fails:
            self._leave_it()
        else:
            self._to(On.wake)
            self._go_on()

    def _leave_it(self) -> None:
        """Give up."""
        self._to(On.leave_it)
        self._conclude(succeeded=False)

    @property
    def is_trying(self) -> bool:
        """Whether calls of the present try are under way."""
        return self.state == State.trying

    # Deadlines and ends.

    def start_deadline(self, moment: str) -> None:
        """Let the deadline begin to count if this is its moment."""
        deadline = self.rules.deadline
        if deadline is not None and self.spent is not None and deadline.counted_from == moment:
            self.spent.start()

    def _deadline_passed(self) -> None:
        """End everything at a hard deadline."""
        for call in list(self.waiting):
            self._give_up(call)
        self._end(judging.DEADLINE)

    def _end(self, reason: str) -> None:
        self.record("decided", reason, Verdict(reason).detail("", AT_ANY_TIME))
        self.stop()
        self._conclude(succeeded=False)

    def stop(self) -> None:
        """Leave everything where it is; calls in flight go on."""
        if self.state == State.over:
            return
        self._to(On.stop)
        self._leave_gates()

    def _leave_gates(self) -> None:
        self._plan_nothing()
        self._leave_entering()
        for call in self.waiting:
            call.awaited = False
            self._over(call)
            if call.passage is not None:
                call.passage.leave(answered=False)
        self.waiting.clear()
        trial, self.trial = self.trial, None
        if trial is not None:
            trial.leave(answered=False)
        self._leave_entry(answered=False, failed=False)

    def _leave_entry(self, *, answered: bool, failed: bool) -> None:
        if self._has_left:
            return
        self._has_left = True
        if self.spent is not None:
            self.spent.stop()
        entry, self.entry = self.entry, None
        if entry is not None:
            kind = self.said.kind if failed and self.said is not None else ""
            entry.leave(answered=answered, failed=failed, kind=kind, took_ns=self.clock.now_ns - entry.started_ns)
        if self.shared.budget is not None:
            self._wakes_never()
            self.shared.budget.request_ended(self.clock.now_ns)

    def _wakes_never(self) -> None:
        """Let the budget know that a retry which it takes for asleep does not come."""
        if self._is_asleep and self.shared.budget is not None:
            self._is_asleep = False
            self.shared.budget.retry_canceled(self.clock.now_ns)

    def _conclude(self, *, succeeded: bool, answer: int = NEVER) -> None:
        self._leave_entry(answered=True, failed=not succeeded)
        concluded, self.concluded = self.concluded, None
        if concluded is not None:
            concluded(succeeded)
            return
        outcome = Outcome.success if succeeded else Outcome.gave_up
        counts = self.request.settle(outcome, self.clock.now_ns)
        if self._recorder is None:
            return
        if counts:
            self.record("settled", outcome.name, self.clock.now_ns, subject=answer)
        else:
            self.record("resettled", outcome.name, None)

    def run_away(self, limit: str) -> None:
        """Note that the request ran into a limit of the simulation; it never goes on."""
        self.request.runaway = limit
        self.record("runaway", limit, None)
        self.stop()

    @property
    def asleep(self) -> bool:
        """Whether its budget counts a retry that sleeps, or waits for its call at gates."""
        return self._is_asleep

    # As `sim.clients.client.Client`.

    @property
    def busy(self) -> bool:
        """Whether it sleeps, waits at a gate, or waits for a call that will end."""
        state = self.state
        if state in (State.new, State.over) or self.request.runaway:
            return False
        if state in (State.sleeping, State.entering, State.passing) or self._copy_alarm is not None:
            return True
        deadline = self.rules.deadline
        if (deadline is not None and deadline.hard) or self._delivery_alarm is not None:
            return True
        return bool(self.entering) or any(call.ends or call.passage is not None for call in self.waiting)

    def cancel(self) -> None:
        """Stop; calls in flight go on."""
        if self.request.settle(Outcome.canceled, self.clock.now_ns):
            self.stop()
            self.record("settled", Outcome.canceled.name, self.clock.now_ns)

    def give_up_calls(self) -> None:
        """Wait no longer for any call; they go on."""
        for call in self.connections:
            call.give_up()

    def end(self) -> None:
        """Stop, and forget the calls in flight, which refer to this: the world is over."""
        if self.state != State.over:
            self.state = State.over
        for call in self.connections:
            call.attempt = None
        self.connections.clear()
        self.waiting.clear()
        self.entering.clear()
        self.entry = self.trial = self._copy_alarm = self._delivery_alarm = self.spent = None
        self.shared = NOTHING_SHARED


_AWAKE: Final = (lambda run: run.awake(fails=False),)
_FAIL_AWAKE: Final = (lambda run: run.awake(fails=True),)
