"""What the engine owes: a request's record says what its history says, and limits stop what comes to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sim.contracts.platform.columns import NO_CAUSES, allows, causes_of, columns_of, polls_of
from sim.history.entities import NOT_YET, Request, when
from sim.history.policy_events import TryRefused
from sim.history.records import COLUMNS, Requests
from sim.history.vocabulary import CANCELED, NEVER, Cause, Outcome
from sim.kernel.durations import RUNAWAY_NS, format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.contracts.platform.columns import Right
    from sim.history.events import Event
    from sim.history.request import Request as LiveRequest
    from sim.promises.view import View

CAUSES: Final = tuple(cause.name for cause in Cause)
FLAT: Final = tuple(name for name, column in COLUMNS.items() if not column.width)
FEW: Final = 8
"""Of more numbers the first are named, of more events the first are quoted."""


@invariant(owed_by="platform")
def records_tell_the_history(view: View) -> Iterator[Violation]:
    """Every column of a request's record is what its history says; checked if the terms give the records."""
    records = view.terms.records
    if records is None:
        return
    submitted = {number: request for number, request in view.requests.items() if request.submit is not None}
    columns, duplicates = _columns(view, records)
    numbers = columns["number"]
    if numbers != sorted(submitted):
        few = next(iter(sorted(set(numbers) ^ set(submitted))), numbers[0] if numbers else 0)
        text = f"there are records of {len(numbers)} requests, in the order {_few(numbers)}; submitted were"
        request = submitted.get(few)
        yield breach(few, f"{text} {_few(sorted(submitted))}", None if request is None else request.submit)
        return
    for row, number in enumerate(numbers):
        request = submitted[number]
        for name, right in columns_of(view, request).items():
            says = columns[name][row]
            if says != right and not allows(right, says):
                yield _wrong(request, name, says, right)
        counts = causes_of(request)
        if tuple(duplicates[row]) == counts:
            continue
        for cause, says, right in zip(CAUSES, duplicates[row], counts, strict=True):
            if says != right:
                yield _wrong(request, f"duplicates with the cause {cause}", says, right)


def _columns(view: View, records: Requests | Sequence[LiveRequest]) -> tuple[dict[str, list[int]], list[Sequence[int]]]:
    """Return the flat columns by their names, and the duplicates by their causes; those of a table, or still live."""
    if isinstance(records, Requests):
        return {name: getattr(records, name).tolist() for name in FLAT}, records.duplicates.tolist()
    columns = {name: [getattr(record, name) for record in records] for name in FLAT if name != "replication"}
    columns["replication"] = [view.terms.replication] * len(records)
    return columns, [NO_CAUSES if record.duplicates is None else record.duplicates for record in records]


@invariant(owed_by="platform")
def limits_stop_what_runs_away(view: View) -> Iterator[Violation]:
    """A request is stopped at a limit of the simulation when it comes to that, and neither sooner nor later.

    Tries that the request's own client refuses count as calls that are none; when such a request is stopped is not
    judged. Timers of a guest count as sleeps, and those that it calls off do not show. What a retrier does for many
    requests at once counts for none of them.
    """
    most = view.terms.polls_per_request
    if most is None:
        return
    refused = {event.request for event in view.events if isinstance(event, TryRefused)}
    for request in view.requests.values():
        if request.number < 0:
            continue  # a retrier's own works for many requests
        late = _is_late(request)
        many = max(len(request.jobs), len(request.attempts), len(request.sleeps)) > most
        if request.runaway is None and not (late or many):
            continue
        if request.runaway is not None and request.number in refused:
            continue
        calls = sum(attempt.job < 0 for attempt in request.attempts)
        polls = polls_of(view, request)
        polled = polls if isinstance(polls, int) else polls[0]
        counts = {"polls": polled, "calls": calls, "sleeps": len(request.sleeps) - 1}
        unseen = view.terms_of(request).promises.concurrent and request.runaway is not None
        wrong = next((f"makes {count} {name}" for name, count in counts.items() if count > most), "")
        if request.runaway is not None:
            limit = request.runaway.limit
            reached = late if limit == "time" else polls if limit == "polls" else counts[limit]
            at_limit = reached if isinstance(reached, bool) else allows(reached, most)
            at_limit |= unseen and limit == "sleeps" and counts[limit] <= most
            if not at_limit:
                wrong = f"is stopped at the limit of {limit} {when(request.runaway)}, to which it has not come"
        elif late:
            wrong = f"is to go on after {format_duration(RUNAWAY_NS)}, the end of all time, but is not stopped"
        if wrong:
            text = f"{request} {wrong}; a request may poll, call or sleep {most} times"
            yield breach(request.number, text, request.submit, request.runaway)


def _is_late(request: Request) -> bool:
    """Tell whether anything of a request is to happen after the end of all time."""
    asleep = any(event.t_ns + event.duration_ns > RUNAWAY_NS for _, event in request.sleeps[-1:])
    return asleep or any(job.asked_ns > RUNAWAY_NS and job.born != CANCELED for job in request.jobs)


def _few(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:FEW]))
    return f"{shown}, ..." if len(numbers) > FEW else shown or "none"


def _wrong(request: Request, name: str, says: int, right: Right) -> Violation:
    text = f"the record of {request} has {_value(name, says)} as its {name}, but its history says"
    if isinstance(right, tuple):
        low, high = right
        told = f"{_value(name, low)} or more" if high >= NOT_YET else f"{_value(name, low)} to {_value(name, high)}"
    elif isinstance(right, frozenset):
        told = " or ".join(_value(name, one) for one in sorted(right))
    else:
        told = _value(name, right)
    return breach(request.number, f"{text} {told}", *_proof(request, name))


def _proof(request: Request, name: str) -> Sequence[Event | None]:
    if "effect" in name or name.startswith(("duplicates", "suppressed")):
        return [request.submit, *(event for _, event, _ in request.effects)][:FEW]
    if name in {"attempts", "action_ns", "actions"} or name.endswith("attempt_end_ns"):
        ends = [event for attempt in request.attempts for event in (attempt.start, attempt.end)]
        return [*ends[:FEW], request.settled]
    return [request.submit, request.settled]


def _value(name: str, value: int) -> str:
    if name == "outcome":
        return repr(Outcome(value).name)
    if name.endswith("_ns"):
        return "nothing" if value == NEVER else format_duration(value)
    return str(value)
