"""What stands in front of a queue: a token bucket, and load shedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.contracts.services.floor import Floor, Step, class_of, walk
from sim.history.entities import when
from sim.history.service_events import CallArrived, CallQueued, CallRejected, WorkStarted
from sim.history.vocabulary import NEVER
from sim.kernel.durations import NS_PER_S, format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.entities import Call
    from sim.promises.services import RateTerms
    from sim.promises.view import View

RATE_LIMIT = "rate_limit"
SHED = "shed"


class _Bucket:
    """Tokens in parts of which each nanosecond brings back a whole number."""

    def __init__(self, terms: RateTerms) -> None:
        self.terms = terms
        self.token = terms.rate.denominator * NS_PER_S
        self.gain = terms.rate.numerator
        self.level = terms.burst * self.token
        self.at_ns = 0

    def come_to(self, t_ns: int) -> None:
        """Let the tokens come back that do so until an instant."""
        self.level = min(self.terms.burst * self.token, self.level + (t_ns - self.at_ns) * self.gain)
        self.at_ns = t_ns

    @property
    def wait_ns(self) -> int:
        """In how many ns there will be a token."""
        return -((self.level - self.token) // self.gain)


@invariant(owed_by="platform")
def rate_limits_hold(view: View) -> Iterator[Violation]:
    """A call takes a token if there is one, and is rejected if there is none; then it is asked to wait as is stated."""
    buckets: dict[str, _Bucket | None] = {}
    for _, event, call, floor in walk(view):
        if call is None or not isinstance(event, CallArrived) or not floor.stated:
            continue
        if floor.name not in buckets:
            buckets[floor.name] = None if floor.terms.rate is None else _Bucket(floor.terms.rate)
        wrong = _passes_wrong(buckets[floor.name], event, call)
        if wrong:
            yield breach(call.request.number, f"{call} {wrong}, {when(event)}", event, call.rejected)
    for call in view.calls.values():
        rejected = call.rejected
        if rejected is not None and rejected.reason != RATE_LIMIT and rejected.retry_after_ns != NEVER:
            text = f"{call} is rejected {when(rejected)} and asked to wait, which only a limit of the rate does"
            yield breach(call.request.number, text, rejected)


def _passes_wrong(bucket: _Bucket | None, event: CallArrived, call: Call) -> str:
    """Let a call take its token; say what is wrong with that, nothing if nothing is."""
    rejected = call.rejected
    limited = rejected is not None and rejected.reason == RATE_LIMIT
    if bucket is None:
        return "is rejected by a limit of its rate, which its service does not have" if limited else ""
    bucket.come_to(event.t_ns)
    whole = bucket.level // bucket.token
    wrong = ""
    if event.tokens != whole:
        wrong = f"finds {event.tokens} tokens, but there are {whole}"
    elif limited and whole:
        wrong = f"is rejected although there are {whole} tokens"
    elif not (limited or whole) and (call.rejected or call.queued or call.work) is not None:
        wrong = "is let through although there is no token"
    elif limited and rejected is not None:
        wrong = _asks(bucket, rejected)
    if whole and not limited:
        bucket.level -= bucket.token
    return wrong


def _asks(bucket: _Bucket, rejected: CallRejected) -> str:
    """Say what is wrong with the wait that a call is asked for, if anything is."""
    law, asked_ns = bucket.terms.retry_after, rejected.retry_after_ns
    if law is None:
        return "" if asked_ns == NEVER else f"is asked to wait {format_duration(asked_ns)}, which nothing states"
    low_ns, high_ns = (bucket.wait_ns, bucket.wait_ns) if isinstance(law, str) else law
    if low_ns <= asked_ns <= high_ns:
        return ""
    asked = "nothing" if asked_ns == NEVER else format_duration(asked_ns)
    expected = format_duration(low_ns) + ("" if low_ns == high_ns else f" to {format_duration(high_ns)}")
    return f"is asked to wait {asked}; expected {expected}"


@invariant(owed_by="platform")
def load_shed_as_stated(view: View) -> Iterator[Violation]:
    """Load is shed only while there is too much to do and only of the classes named: of these all, or a share."""
    for step in walk(view):
        event, call = step.event, step.call
        if call is None or not step.floor.stated:
            continue
        if isinstance(event, CallRejected) and event.reason == SHED:
            wrong = _may_not_shed(step.floor, call)
            if wrong:
                yield breach(call.request.number, f"{call} is shed {when(event)} although {wrong}", call.arrived, event)
        elif _lets_through(step) and not _may_not_shed(step.floor, call):
            shed = step.floor.terms.shed
            if shed is not None and shed.always:
                text = f"{call} is let through {when(event)}, but is to be shed: {_level(step.floor, shed.quantity)}"
                yield breach(call.request.number, f"{text} {shed.quantity}", call.arrived, event)


def _lets_through(step: Step) -> bool:
    """Tell whether an event says that a call that has just arrived is not shed."""
    event, call = step.event, step.call
    if isinstance(event, WorkStarted):
        return call is not None and call.queued is None
    return isinstance(event, CallQueued) or (isinstance(event, CallRejected) and event.reason == "queue")


def _may_not_shed(floor: Floor, call: Call) -> str:
    """Say why a call must not be shed; nothing if it may be."""
    shed = floor.terms.shed
    if shed is None:
        return "its service sheds no load"
    level = _level(floor, shed.quantity)
    if level < shed.at_least:
        return f"only {level} are {shed.quantity}, not {shed.at_least}"
    if shed.classes is not None and class_of(call.request) not in shed.classes:
        return "calls of its class are not shed"
    return ""


def _level(floor: Floor, quantity: str) -> int:
    working = len(floor.working)
    return {"in_queue": floor.waiting, "in_progress": working}.get(quantity, floor.waiting + working)
