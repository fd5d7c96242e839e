"""From the events of a request to the steps of its policy.

An event tells several steps: an attempt says that the gates before it were passed, and an answer that ends its try
says that nothing waits for the other copies. Which answer ends a try the decision says that follows. Steps of one
place come in their order; the place that a request leaves in a bulkhead is taken before the leaving request decides
anything, so that a decision has the place of its own event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sim.contracts.policy.steps import COPY, NO_ANSWER, REQUEST, TRY, Run, Step, What
from sim.history import events, policy_events
from sim.history.vocabulary import CANCELED, CUT, FAILED, REFUSED, RETURNED, SUCCESS, THREW, TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.contracts.policy.steps import Address
    from sim.history.entities import Attempt
    from sim.history.events import Event
    from sim.promises.view import View

KNOWN = "steps of policies"
BULKHEAD = "bulkhead"
TIMEOUT = "timeout"
AGAIN = "retry"


def steps(view: View) -> list[Step]:
    """Return the steps of all policies in their order; those of requests that are submitted again are not known."""
    found: list[Step] | None = view.known.get(KNOWN)
    if found is None:
        followed = {number: _Reader(view, run) for number, run in runs(view).items()}
        for at, event in enumerate(view.events):
            reader = followed.get(event.request)
            if reader is not None and isinstance(event, READ):
                reader.events.append((at, event))
        found = sorted((step for reader in followed.values() for step in reader.read()), key=lambda step: step.at)
        view.known[KNOWN] = found
    return found


def runs(view: View) -> dict[int, Run]:
    """Return the requests that policies serve, without those that are submitted again."""
    return {run.number: run for run in _all(view) if not run.request.resubmits}


def muddled(view: View) -> set[Address]:
    """Return the parts whose steps a history does not all tell: of requests submitted again, or of services."""
    found: set[Address] = set()
    for run in _all(view):
        parts = run.terms.scopes if run.request.resubmits else run.terms.unseen
        found.update(run.address(part) for part in parts)
    return found


def _all(view: View) -> Iterator[Run]:
    for request in view.requests.values():
        terms = view.terms_of(request).policy
        if terms is not None and request.submit is not None:
            yield Run(request, terms, max(request.submit.client, 0))


class _Passage:
    """One way through some gates."""

    def __init__(self, level: int, gates: tuple[str, ...], number: int = 0) -> None:
        self.level = level
        self.gates = gates
        self.number = number
        self.passed = 0
        """How many gates are behind it."""
        self.waits = False
        self.passed_ns: int | None = None
        """When it was behind the last one."""

    @property
    def waits_for_place(self) -> bool:
        """Whether it waits at a bulkhead."""
        return self.waits and self.gates[self.passed] == BULKHEAD


class _Reader:
    """Reads the events of one request."""

    def __init__(self, view: View, run: Run) -> None:
        self.view = view
        self.run = run
        self.events: list[tuple[int, Event]] = []
        self._found: list[Step] = []
        self._at = 0
        self._event: Event
        self._place = 0
        """The number of the present event among those of the request."""
        self._tries = 0
        self._copies = 0
        self._starts = False
        """Whether the next event of a call begins a try."""
        self._tries_now = False
        self._delivered = False
        """Whether the next copy is a try that is delivered again."""
        self._entry: _Passage | None = None
        self._trial: _Passage | None = None
        self._entering: dict[int, _Passage] = {}
        self._waiting: dict[int, tuple[Attempt, _Passage]] = {}
        """Attempts that the present try waits for, by their numbers."""
        self._said = NO_ANSWER
        """The kind of the last answer that is retried."""
        self._enders: set[tuple[int, int]] = set()
        """Attempts whose answer ends its try, each with the instant of the decision."""
        self._answers: dict[int, tuple[bool, int]] = {}
        """Whether the failures of attempts are final, and the waits that they ask for."""
        self._is_over = False

    def read(self) -> list[Step]:
        """Return the steps."""
        hedge, unsent = self.run.terms.hedge, False
        for _, event in self.events:
            late, unsent = unsent, isinstance(event, policy_events.Decided) and event.moment == policy_events.AT_COPY
            if late and hedge is not None and hedge.at_failure == "delay":
                continue
            if isinstance(event, policy_events.Decided) and event.moment == policy_events.AT_ANSWER:
                self._enders.add((event.attempt, event.t_ns))
        for place, (at, event) in enumerate(self.events):
            self._place, self._at, self._event = place, at, event
            if not self._is_over:
                TAKERS[type(event)](self, event)
            elif isinstance(event, events.AttemptStarted):
                self._step(What.called, number=event.attempt)
        return self._found

    def _step(self, what: What, **more: object) -> Step:
        step = Step(self._at, self._event.t_ns, self.run, what, self._event, **more)  # type: ignore[arg-type]  # by name
        self._found.append(step)
        return step

    def _following(self, *past: type[Event]) -> Event | None:
        """Return the next event that is none of these, nor the end of a call that was canceled meanwhile."""
        for _, event in self.events[self._place + 1 :]:
            is_cut = isinstance(event, events.AttemptEnded) and event.end == CUT
            if not is_cut and not isinstance(event, past):
                return event
        return None

    # The way in.

    def _submitted(self, _event: events.Submitted) -> None:
        self._step(What.asked)
        self._entry = _Passage(REQUEST, self.run.terms.gates[REQUEST])
        self._starts = True
        following = self._following()
        at_gate = isinstance(following, policy_events.TryRefused | policy_events.GateWaited)
        if not (at_gate and following.level == REQUEST):  # type: ignore[union-attr]  # as said
            self._pass_all(self._entry)

    def _pass_all(self, passage: _Passage) -> None:
        self._pass_to(passage, len(passage.gates))
        passage.passed_ns = self._event.t_ns

    def _pass_to(self, passage: _Passage, count: int) -> None:
        """Pass the gates up to this many."""
        for gate in passage.gates[passage.passed : count]:
            self._step(What.passed, gate=gate, level=passage.level, number=passage.number, waited=passage.waits)
            passage.waits = False
        passage.passed = max(count, passage.passed)

    def _enter_try(self) -> None:
        """Begin a try if this is its first event."""
        if not self._starts:
            return
        entry = self._entry
        if entry is not None and entry.passed_ns is None:
            self._pass_all(entry)
        self._starts, self._tries_now = False, True
        self._tries += 1
        self._copies = 0
        # The kind of the answer that a try pays for if it pays as it starts.
        self._step(What.begun, number=self._tries, paid=self._said)
        self._said = NO_ANSWER
        self._trial = _Passage(TRY, self.run.terms.gates[TRY])

    def _enter_copies(self) -> None:
        """Pass the gates of the present try: a copy is on its way."""
        self._enter_try()
        trial = self._trial
        if trial is not None and trial.passed_ns is None:
            self._pass_all(trial)

    def _copy(self, number: int) -> _Passage:
        """Return the way of a copy through its gates; a new one has just been sent."""
        self._enter_copies()
        found = self._entering.get(number)
        if found is None:
            found = self._entering[number] = _Passage(COPY, self.run.terms.gates[COPY], number)
            self._copies = max(self._copies, number)
            if number > 1 and not self._delivered:
                self._step(What.sent, number=number, paid=self._said)
            self._delivered = False
        return found

    def _passage(self, level: int, number: int) -> _Passage | None:
        if level == COPY:
            return self._copy(number)
        if level == TRY:
            self._enter_try()
            return self._trial
        return self._entry

    def _gate_waited(self, event: policy_events.GateWaited) -> None:
        passage = self._passage(event.level, event.number)
        if passage is not None and event.gate in passage.gates:
            self._pass_to(passage, passage.gates.index(event.gate))
            passage.waits = True
            self._step(What.waits, gate=event.gate, level=event.level, number=event.number, took_ns=event.wait_ns)

    def _refused(self, event: policy_events.TryRefused) -> None:
        passage = self._passage(event.level, event.number)
        if passage is None or event.gate not in passage.gates:
            return
        answer = REFUSED
        if event.gate == TIMEOUT:
            # It waits at a gate further in, and leaves those that it has passed with this answer.
            answer = TIMED_OUT
            self._step(What.refused, gate=event.gate, level=event.level, number=event.number, kind=answer)
            self._leave(passage, answer)
        else:
            self._pass_to(passage, passage.gates.index(event.gate))
            self._step(
                What.refused,
                gate=event.gate,
                level=event.level,
                number=event.number,
                kind=answer,
                waited=passage.waits,
            )
            passage.waits = False
            self._leave(passage)
        if event.level == REQUEST:
            self._entry = None
        elif event.level == TRY:
            self._trial = None
            self._fail(answer)
        else:
            self._entering.pop(event.number, None)
            following = self._following()
            is_about = isinstance(following, policy_events.Decided) and following.moment == policy_events.AT_ANSWER
            if is_about and following.attempt < 0 and following.answer == answer:  # type: ignore[union-attr]  # as said
                self._fail(answer)
            else:
                self._said = answer

    # Calls.

    def _attempt_started(self, event: events.AttemptStarted) -> None:
        request = self.run.request
        attempt = next((one for one in request.attempts if one.number == event.attempt), None)
        if attempt is None:
            return
        before = self.events[self._place - 1][1] if self._place else None
        number = 1
        if isinstance(before, policy_events.CopySent) and before.attempt == event.attempt:
            number = before.number
        passage = self._copy(number)
        self._pass_all(passage)
        self._entering.pop(number, None)
        self._waiting[attempt.number] = attempt, passage
        self._step(What.called, attempt=attempt, number=number, retry=number > 1 or self._tries > 1)

    def _copy_sent(self, event: policy_events.CopySent) -> None:
        self._copy(event.number)

    def _delivered_again(self, _event: policy_events.DeliveredAgain) -> None:
        self._step(What.again, number=self._tries)
        self._delivered = True

    # Answers.

    def _attempt_ended(self, event: events.AttemptEnded) -> None:
        failure = event.failure if event.end == THREW else None
        if event.end == RETURNED:
            self._answer(event.attempt, SUCCESS)
        elif failure is None:
            kind = FAILED if event.end == CUT or event.failure is None else event.failure.kind
            self._answer(event.attempt, kind)
        else:
            self._answer(event.attempt, failure.kind, final=failure.final, hint_ns=failure.retry_after_ns)

    def _contact_lost(self, event: events.ContactLost) -> None:
        self._answer(event.attempt, FAILED)

    def _call_given_up(self, event: events.CallGivenUp) -> None:
        following = self._following(events.CallGivenUp)
        ends = isinstance(following, policy_events.Decided) and following.moment != policy_events.AT_COPY
        if following is None or not (ends and following.attempt < 0 and self._is_now(following)):  # type: ignore[attr-defined]  # as said
            self._answer(event.attempt, TIMED_OUT)
        elif following.moment == policy_events.AT_ANY_TIME:  # type: ignore[attr-defined]  # as above
            self._abandon(event.attempt)
        else:
            # The timeout of the whole try: each call has failed by it, and their gates are left without an answer.
            entry = self._waiting.pop(event.attempt, None)
            if entry is not None:
                self._step(What.answered, attempt=entry[0], kind=TIMED_OUT)
                self._leave(entry[1])
            if not isinstance(self._following(), events.CallGivenUp):
                self._fail(TIMED_OUT)

    def _is_now(self, event: Event) -> bool:
        return event.t_ns == self._event.t_ns

    def _answer(self, number: int, kind: str, *, final: bool = False, hint_ns: int = -1) -> None:
        entry = self._waiting.pop(number, None)
        if entry is None:
            return  # nothing waits for it
        attempt, passage = entry
        self._step(What.answered, attempt=attempt, kind=kind, final=final, hint_ns=hint_ns)
        self._answers[number] = final, hint_ns
        ends = (number, self._event.t_ns) in self._enders
        if kind == SUCCESS:
            self._leave_copies()
        elif ends:
            self._leave_entering()
        self._leave(passage, kind)
        if kind == SUCCESS:
            self._leave_try(kind)
            if BULKHEAD in self.run.terms.gates[REQUEST]:
                self._succeed()
                self._leave_entry(SUCCESS)
        elif ends:
            self._fail(kind, final=final, hint_ns=hint_ns)
        else:
            self._said = kind

    def _fail(self, kind: str, *, final: bool = False, hint_ns: int = -1) -> None:
        self._leave_try(kind)
        self._said = kind
        self._step(What.failed, kind=kind, final=final, hint_ns=hint_ns, number=self._tries)

    def _leave_entering(self) -> None:
        entering, self._entering = self._entering, {}
        for passage in sorted(entering.values(), key=lambda one: not one.waits_for_place):
            self._leave(passage)

    def _leave_copies(self) -> None:
        """Wait no more for the copies of the present try: those at gates first."""
        self._leave_entering()
        for number in list(self._waiting):
            self._abandon(number)

    def _leave_try(self, kind: str) -> None:
        self._leave_copies()
        trial, self._trial = self._trial, None
        if trial is not None:
            self._leave(trial, kind)
        self._tries_now = False

    def _abandon(self, number: int) -> None:
        entry = self._waiting.pop(number, None)
        if entry is not None:
            self._step(What.given_up, attempt=entry[0])
            self._leave(entry[1])

    def _leave(self, passage: _Passage, kind: str = NO_ANSWER) -> None:
        """Leave the gates that were passed, the innermost first, and the one at which it waits."""
        more = {"level": passage.level, "number": passage.number}
        if passage.waits:
            passage.waits = False
            gate = passage.gates[passage.passed]
            self._step(What.left, gate=gate, waited=True, **more)
        took_ns = 0 if passage.passed_ns is None else self._event.t_ns - passage.passed_ns
        for gate in reversed(passage.gates[: passage.passed]):
            self._step(What.left, gate=gate, kind=kind, took_ns=took_ns, **more)
        passage.passed = 0
        passage.gates = ()

    # Decisions and ends.

    def _decided(self, event: policy_events.Decided) -> None:
        match event.moment:
            case policy_events.AT_COPY:
                self._step(What.unsent, paid=self._said)
                if self._fails_without_copy():
                    self._fail_late(self._following())  # type: ignore[arg-type]  # a decision
            case policy_events.AT_ANY_TIME:
                self._step(What.cut)
                self._stop()
            case policy_events.AT_START:
                self._step(What.ended_at_start, paid=self._said)
                self._starts = False
                self._leave_early()
            case _:
                if self._tries_now:
                    self._fail_late(event)
                self._step(What.decided, number=self._tries, kind=self._said)
                self._starts = event.reason == AGAIN
                if not self._starts and not isinstance(self._following(), events.SleepStarted):
                    self._leave_early()

    def _fails_without_copy(self) -> bool:
        """Tell whether a try fails only now, as the copy that it has waited for is not sent."""
        hedge, following = self.run.terms.hedge, self._following()
        waits = hedge is not None and hedge.at_failure == "delay" and self._tries_now
        return waits and isinstance(following, policy_events.Decided) and self._is_now(following)

    def _fail_late(self, event: policy_events.Decided) -> None:
        """Fail a try without a call in flight: the last answer counts, or that of a gate."""
        final, hint_ns = self._answers.get(event.attempt, (False, -1))
        self._fail(event.answer, final=final, hint_ns=hint_ns)

    def _leave_early(self) -> None:
        """Leave the gates of the request if they have a bulkhead: another has its place before the end is told."""
        if BULKHEAD in self.run.terms.gates[REQUEST]:
            self._leave_entry(self._said)

    def _slept(self, event: events.SleepStarted) -> None:
        self._step(What.slept, took_ns=event.duration_ns)

    def _cancel_asked(self, _event: events.CancelAsked) -> None:
        following = self._following()
        if isinstance(following, events.Settled) and following.outcome == CANCELED:
            self._stop()
            self._end()

    def _settled(self, event: events.Settled) -> None:
        if event.outcome == SUCCESS:
            if BULKHEAD not in self.run.terms.gates[REQUEST]:
                self._succeed()
                self._leave_entry(SUCCESS)
        else:
            self._leave_entry(self._said)
        self._end()

    def _ran_away(self, _event: events.RanAway) -> None:
        self._stop()
        self._end()

    def _succeed(self) -> None:
        self._step(What.succeeded)

    def _stop(self) -> None:
        """Leave everything without an answer."""
        self._leave_try(NO_ANSWER)
        self._leave_entry(NO_ANSWER)

    def _leave_entry(self, kind: str) -> None:
        entry, self._entry = self._entry, None
        if entry is not None:
            self._leave(entry, kind)

    def _end(self) -> None:
        self._is_over = True
        self._step(What.over)

    takers: ClassVar[dict[type[Event], Callable[..., None]]] = {
        events.Submitted: _submitted,
        policy_events.GateWaited: _gate_waited,
        policy_events.TryRefused: _refused,
        events.AttemptStarted: _attempt_started,
        policy_events.CopySent: _copy_sent,
        policy_events.DeliveredAgain: _delivered_again,
        events.AttemptEnded: _attempt_ended,
        events.ContactLost: _contact_lost,
        events.CallGivenUp: _call_given_up,
        policy_events.Decided: _decided,
        events.SleepStarted: _slept,
        events.CancelAsked: _cancel_asked,
        events.Settled: _settled,
        events.RanAway: _ran_away,
    }


TAKERS = _Reader.takers
READ = tuple(TAKERS)
