"""When a policy goes on: sleeps that last as decided, timeouts at their instant, deliveries again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sim.contracts.policy.course import steps
from sim.contracts.policy.delays import at_first, delay_ns, drawn
from sim.contracts.policy.steps import COPY, REQUEST, TRY, What
from sim.history.entities import when
from sim.history.policy_events import Decided
from sim.history.vocabulary import TIMED_OUT
from sim.kernel.durations import RUNAWAY_NS, format_duration
from sim.promises.invariant import Violation, breach, invariant
from sim.promises.policy import TokensTerms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.contracts.policy.steps import Run, Step
    from sim.promises.policy import PolicyTerms
    from sim.promises.view import View

RETRY, ATTEMPTS, BUDGET = "retry", "attempts", "budget"
TIMEOUT: Final = "timeout"
STREAMS: Final = {"u": "timeout", "u2": "timeout.second"}
GOES_ON: Final = frozenset({What.begun, What.ended_at_start})
ENDS: Final = frozenset({What.cut, What.over})
AT_GATES: Final = frozenset({What.passed, What.waits, What.refused})


@invariant()
def sleeps_as_decided(view: View) -> Iterator[Violation]:  # noqa: C901  # one branch a step
    """A policy sleeps for the wait that it decided on, and goes on at the end of it, or at once without one."""
    due: dict[Run, tuple[Step, int]] = {}
    for step in steps(view):
        run, event = step.run, step.event
        if step.what == What.decided and isinstance(event, Decided):
            if event.reason == RETRY or _sleeps_and_ends(step, event):
                due[run] = step, step.t_ns + event.wait_ns
        elif step.what == What.slept and run not in due:
            yield breach(run.number, f"{run.request} sleeps {when(event)}, but has decided on none", event)
        elif run in due:
            decided, by_ns = due[run]
            if step.what == What.slept and step.t_ns + step.took_ns != by_ns:
                text = f"{run.request} sleeps {format_duration(step.took_ns)} {when(event)}"
                text += f", but waits {format_duration(by_ns - decided.t_ns)}"
                yield breach(run.number, text, decided.event, event)
            if step.what in GOES_ON or step.what in ENDS:
                del due[run]
                early = step.what in GOES_ON and step.t_ns < by_ns
                if early or step.t_ns > by_ns:
                    text = f"{run.request} goes on {when(event)}, but waits until {format_duration(by_ns)}"
                    yield breach(run.number, text, decided.event, event)
    for run, (decided, by_ns) in due.items():
        if view.is_past(by_ns) and by_ns <= RUNAWAY_NS:
            text = f"{run.request} does not go on at {format_duration(by_ns)}, the end of its wait"
            yield breach(run.number, text, decided.event)


def _sleeps_and_ends(step: Step, event: Decided) -> bool:
    """Tell whether a policy that gives up for this reason sleeps before it does."""
    terms = step.run.terms
    if event.reason == ATTEMPTS:
        return terms.sleeps_after_last and event.n > 0
    return event.reason == BUDGET and isinstance(terms.budget, TokensTerms) and terms.budget.sleeps_if_empty


@invariant()
def timeouts_on_time(view: View) -> Iterator[Violation]:  # noqa: C901, PLR0912  # one branch a step
    """A policy gives a call, a try or a request up at the instant of its timeout, neither sooner nor later."""
    due: dict[tuple[Run, int, int], int] = {}
    tries: dict[Run, int] = {}
    of_try: dict[tuple[Run, int], int] = {}
    for step in steps(view):
        run, t_ns = step.run, step.t_ns
        if run.terms.timeout is None:
            continue
        who = run, step.level, step.number
        if step.what == What.begun:
            tries[run] = step.number
        late = [place for place, by_ns in due.items() if place[0] is run and by_ns < t_ns]
        for place in late:
            text = f"{run.request} waits on {when(step.event)}, after the timeout at {format_duration(due.pop(place))}"
            yield breach(run.number, text, step.event)
        if step.what == What.passed and step.gate == TIMEOUT:
            number = tries.get(run, 0)
            if (run, number) not in of_try:
                of_try[run, number] = _timeout_ns(view, step, number)
            due[who] = t_ns + of_try[run, number]
        elif step.what == What.left and step.gate == TIMEOUT:
            by_ns = due.pop(who, None)
            # A try that is given up as a whole leaves the gates of its copies without an answer.
            gave_up = step.kind == TIMED_OUT and step.level == COPY
            if gave_up and by_ns is not None and by_ns != t_ns:
                text = f"{run.request} gives a call up {when(step.event)}, but its timeout is at"
                yield breach(run.number, f"{text} {format_duration(by_ns)}", step.event)
            elif step.kind == TIMED_OUT and step.level == TRY and by_ns is not None and by_ns != t_ns:
                # The last copy's own answer may be such a timeout as well, but not this one.
                text = f"{run.request} gives a try up {when(step.event)}, but its timeout is at"
                yield breach(run.number, f"{text} {format_duration(by_ns)}", step.event)
        elif step.what == What.cut and isinstance(step.event, Decided) and step.event.reason == TIMEOUT:
            by_ns = due.pop((run, REQUEST, 0), None)
            if by_ns != t_ns:
                yield breach(
                    run.number, f"{run.request} is given up {when(step.event)}, not at its timeout", step.event
                )
    for (run, _, __), by_ns in due.items():
        if view.is_past(by_ns) and run.request.settled is None and run.request.runaway is None:
            text = f"{run.request} waits on after the timeout at {format_duration(by_ns)}"
            yield breach(run.number, text, run.request.submit)


def _timeout_ns(view: View, step: Step, tries: int) -> int:
    """Return the timeout of a try that begins to count now, by the numbers that were drawn for it last."""
    run, law = step.run, step.run.terms.timeout
    assert law is not None  # noqa: S101  # asked only with one
    draws = {}
    for name in drawn(law):
        # A request draws its timeout behind its submission, before anything else happens to it.
        values = [
            event.value
            for at, event in view.draws
            if (at < step.at or step.level == REQUEST) and event.request == run.number and event.stream == STREAMS[name]
        ]
        draws[name] = values[-1] if values else 0.0
    found = delay_ns(law, max(tries, 1), step.t_ns - run.request.submitted_ns, at_first(law), draws)
    return RUNAWAY_NS if found is None else found


@invariant()
def deliveries_on_time(view: View) -> Iterator[Violation]:  # noqa: C901  # one branch a step
    """A try is delivered again when it has not ended by then, counted from its start or from when it was put back."""
    due: dict[Run, int] = {}
    back: dict[Run, int] = {}
    tries: dict[Run, int] = {}
    again: dict[Run, int] = {}
    for step in steps(view):
        run, t_ns, terms = step.run, step.t_ns, step.run.terms
        after_ns = terms.redeliver_ns
        if after_ns is None:
            continue
        by_ns = due.get(run)
        if by_ns is not None and t_ns > by_ns:
            del due[run]
            text = f"{run.request} is not delivered again at {format_duration(by_ns)}"
            yield breach(run.number, text, step.event)
        match step.what:
            case What.asked | What.decided:
                back[run] = t_ns
                due.pop(run, None)
            case What.again:
                tries[run] = tries.get(run, 0) + terms.redeliver_counts
                again[run] = again.get(run, 0) + 1
                if due.pop(run, None) != t_ns:
                    yield breach(
                        run.number, f"{run.request} is delivered again {when(step.event)}, too soon", step.event
                    )
                back[run] = t_ns
            case What.begun:
                tries[run] = tries.get(run, 0) + 1
            case What.over | What.cut | What.failed | What.succeeded:
                due.pop(run, None)
            case What.answered if step.kind == "success":
                due.pop(run, None)
            case _ if run not in due and _is_sent(step) and _comes_again(terms, tries[run], again.get(run, 0)):
                due[run] = max((back[run] if terms.redeliver_from_end else t_ns) + after_ns, t_ns)
    for run, by_ns in due.items():
        if view.is_past(by_ns) and run.request.settled is None and run.request.runaway is None:
            text = f"{run.request} is not delivered again at {format_duration(by_ns)}"
            yield breach(run.number, text, run.request.submit)


def _comes_again(terms: PolicyTerms, tries: int, again: int) -> bool:
    """Tell whether a try that does not end is delivered again, after so many tries and deliveries beside them."""
    if terms.redeliver_counts and terms.attempts is not None and tries >= terms.attempts:
        return False
    return terms.redeliver_at_most is None or again < terms.redeliver_at_most


def _is_sent(step: Step) -> bool:
    """Tell whether a copy was sent, to its gates or as a call."""
    return step.what == What.called or (step.what in AT_GATES and step.level == COPY)
