"""What a pool owes of its works: slots, segments, retries, ends, and what the caller is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.contracts.pool.ledger import pools, request_of, row, rows, running, short, table_of
from sim.history.entities import when
from sim.kernel.durations import format_duration, ns_of_ms
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sim.contracts.pool.ledger import Pool, Turn
    from sim.promises.view import View

    Document = Mapping[str, Any]

DEFAULT_PARALLELISM: Final = 10
"""Of a pool without settings."""
SLACK_NS: Final = 1_000
"""What the rounding of a backoff in ms, by floats, may move it."""
KINDS: Final = {"success": "success", "gave_up": "failed", "canceled": "canceled"}
"""The result that onComplete is told, by the outcome of the request."""


def started(turn: Turn) -> list[str]:
    """Name the works that a turn puts into slots."""
    before = {entry["workId"] for entry in running(turn.before)}
    return [entry["workId"] for entry in running(turn.after) if entry["workId"] not in before]


@invariant()
def pool_slots_hold(view: View) -> Iterator[Violation]:
    """A pool starts no work unless all that runs then fits into the parallelism in force, and none twice at a time.

    A parallelism that is lowered only stops starts: what runs goes on.
    """
    for pool in pools(view):
        for turn in pool.turns:
            most = row(turn.before, "globals").get("maxParallelism", DEFAULT_PARALLELISM)
            slots = [entry["workId"] for entry in running(turn.after)]
            if started(turn) and (len(slots) > most or len(set(slots)) < len(slots)):
                text = f"the pool starts works {when(turn.event)}, so that {len(slots)} run; its parallelism is {most}"
                yield breach(turn.event.request, text, turn.event)


@invariant()
def pool_starts_in_segment(view: View) -> Iterator[Violation]:
    """A work starts in or after the segment that it waits for, and waits no more then."""
    for pool in pools(view):
        for turn in pool.turns:
            taken = {waits["workId"]: waits for _, waits in turn.deleted("pendingStart")}
            for work in started(turn):
                waits = taken.get(work)
                due_ns = None if waits is None else waits["segment"] * pool.promises.segment_ns - pool.epoch_ns
                if due_ns is None or turn.event.begin_ns < due_ns:
                    text = f"the work of request {_number(turn, pool, work)} starts {when(turn.event)}"
                    text += (
                        ", but waits for nothing" if due_ns is None else f", but is due at {format_duration(due_ns)}"
                    )
                    yield breach(_number(turn, pool, work), text, turn.event)


@invariant()
def pool_retries_in_law(view: View) -> Iterator[Violation]:
    """A retry waits for the segment in which its backoff ends: `initial * base^(n-1) * (0.5 + drawn)`."""
    for pool in pools(view):
        for turn, work, waits in _retried(pool):
            behavior, n = work.get("retryBehavior"), work["attempts"]
            drawn = turn.draws.get(request_of(work))
            if behavior is None or drawn is None:
                continue
            backoff_ns = ns_of_ms(behavior["initialBackoffMs"] * behavior["base"] ** (n - 1) * (0.5 + drawn))
            due_ns, segment_ns = pool.now_ns(turn) + backoff_ns, pool.promises.segment_ns
            if not (due_ns - SLACK_NS) // segment_ns <= waits["segment"] <= (due_ns + SLACK_NS) // segment_ns:
                text = f"request {request_of(work)} is to be tried again in segment {waits['segment']}, but its backoff"
                text += f" of {format_duration(backoff_ns)} behind attempt {n} ends in {due_ns // segment_ns}"
                yield breach(request_of(work), text, turn.event)


@invariant()
def pool_retries_in_budget(view: View) -> Iterator[Violation]:
    """A work waits for a retry only with attempts left, and ends as failed only without, unless an error is final."""
    for pool in pools(view):
        for turn, work, _ in _retried(pool):
            most = work.get("retryBehavior", {}).get("maxAttempts", 0)
            if work["attempts"] >= most:
                text = f"request {request_of(work)} is to be tried again {when(turn.event)} after {work['attempts']} of"
                yield breach(request_of(work), f"{text} {most} attempts", turn.event)
        for turn in pool.turns:
            for _, work in turn.deleted("work"):
                yield from _given_up_too_soon(view, turn, work)


def _given_up_too_soon(view: View, turn: Turn, work: Document) -> Iterator[Violation]:
    number, most = request_of(work), work.get("retryBehavior", {}).get("maxAttempts", 0)
    gave_up = any(one.request == number and one.outcome == "gave_up" for one in turn.settled)
    request = view.requests.get(number)
    final = request is not None and any(one.failure is not None and one.failure.final for one in request.attempts)
    if gave_up and work["attempts"] < most and not final:
        text = f"request {number} gives up {when(turn.event)} after {work['attempts']} of {most} attempts"
        yield breach(number, text, turn.event)


@invariant()
def pool_attempts_counted(view: View) -> Iterator[Violation]:
    """Each end of an attempt counts once, and tells the loop of the slot unless the work was canceled."""
    for pool in pools(view):
        for turn in pool.turns:
            for name, now in dict(turn.writes).items():
                before = turn.before.get(name)
                if table_of(name) != "work" or before is None:
                    continue
                ended = now is None
                versions = [one for other, one in turn.writes if other == name and one is not None]
                last = versions[-1] if versions else before
                more = last["attempts"] - before["attempts"]
                told = any(one["workId"].endswith(name) for one in rows(turn.after, "pendingCompletion"))
                canceled = any(one.request == request_of(before) and one.outcome == "canceled" for one in turn.settled)
                if more != int(ended or more > 0) or (more and not (told or canceled)):
                    text = f"attempts of request {request_of(before)} go from {before['attempts']} to"
                    text += f" {last['attempts']} {when(turn.event)}, the work {'ends' if ended else 'stays'},"
                    text += f" and the loop is {'' if told else 'not '}told"
                    yield breach(request_of(before), text, turn.event)


@invariant()
def pool_works_end_once(view: View) -> Iterator[Violation]:
    """A request settles with the commit that deletes its work, and no work is deleted without that."""
    for pool in pools(view):
        for turn in pool.turns:
            ended = [request_of(work) for _, work in turn.deleted("work")]
            concluded = [event.request for event in turn.settled]
            for number in sorted({*ended, *concluded}):
                if ended.count(number) != concluded.count(number):
                    text = f"{ended.count(number)} works of request {number} end {when(turn.event)}, but it settles"
                    yield breach(number, f"{text} {concluded.count(number)} times", turn.event, *turn.settled)


@invariant()
def pool_callbacks_once(view: View) -> Iterator[Violation]:
    """OnComplete runs in the commit that ends its work, or is scheduled by it, and never both; it is lost if it throws.

    Nothing calls it for a kind of result that it excludes, or for an attempt that is retried. It throws twice at most:
    its job is not tried again, and a job that an operator cancels is lost.
    """
    for pool in pools(view):
        for turn in pool.turns:
            ends = {request_of(work): work for _, work in turn.deleted("work")}
            outcomes = {event.request: event.outcome for event in turn.settled}
            own = view.jobs.get(turn.event.job)
            if own is not None and own.name == pool.promises.on_complete:
                continue
            ran = [event.request for event in turn.callbacks]
            scheduled = [job.request.number for job in turn.commit.created if job.name == pool.promises.on_complete]
            for number in sorted({*ends, *ran, *scheduled}):
                told = (ends.get(number) or {}).get("onComplete")
                kind = KINDS.get(outcomes.get(number, ""), "")
                due = int(told is not None and kind not in told["excludeKinds"])
                if ran.count(number) + scheduled.count(number) != due:
                    text = f"onComplete of request {number} runs {ran.count(number)} times {when(turn.event)} and is"
                    text += f" scheduled {scheduled.count(number)} times; expected {'one' if due else 'none'} of both"
                    yield breach(number, text, turn.event)


@invariant()
def pool_cancels_hold(view: View) -> Iterator[Violation]:
    """The loop marks a work whose cancel it takes, and no marked work starts or waits for a retry any more."""
    for pool in pools(view):
        for turn in pool.turns:
            after = turn.after
            waiting = {waits["workId"] for waits in rows(after, "pendingStart")}
            marked = {
                pool.namespace + name for name, one in after.items() if table_of(name) == "work" and one.get("canceled")
            }
            wrong = [(work, "starts") for work in started(turn) if work in marked]
            wrong += [(work, "waits for a start") for work in sorted(marked & waiting)]
            for _, cancel in turn.deleted("pendingCancelation"):
                work = cancel["workId"]
                if short(pool, work) in after and work not in marked:
                    wrong.append((work, "is not marked"))
            for work, what in wrong:
                number = _number(turn, pool, work)
                yield breach(number, f"the canceled work of request {number} {what} {when(turn.event)}", turn.event)


def _retried(pool: Pool) -> Iterator[tuple[Turn, Document, Document]]:
    """Yield each wait for a retry that begins: its turn, the work as the turn found it, and the wait."""
    for turn in pool.turns:
        for _, waits in turn.inserted("pendingStart"):
            work = turn.before.get(short(pool, waits["workId"]))
            if work is not None:
                yield turn, work, waits


def _number(turn: Turn, pool: Pool, work: str) -> int:
    found = turn.before.get(short(pool, work))
    return turn.event.request if found is None else request_of(found)
