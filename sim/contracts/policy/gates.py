"""Bulkheads and rate limits of callers, counted again."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Final

from sim.contracts.policy.course import muddled, steps
from sim.contracts.policy.steps import What
from sim.history.entities import when
from sim.kernel.durations import NS_PER_S, format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.contracts.policy.steps import Address, Run, Step
    from sim.promises.policy import BulkheadTerms, CallerRateTerms
    from sim.promises.view import View

BULKHEAD: Final = "bulkhead"
RATE_LIMIT: Final = "rate_limit"
Who = tuple["Run", int, int]
"""A request, and which of its copies at which level."""


class _Places:
    """The places of one bulkhead, and who waits for one."""

    def __init__(self, terms: BulkheadTerms) -> None:
        self._terms = terms
        self._inside: set[Who] = set()
        self._queue: list[tuple[Who, int]] = []
        self._let_in: dict[Who, int] = {}
        """Who has had a place since when, but has not told yet."""
        self._waited_ns: dict[Who, int] = {}

    def take(self, step: Step) -> str:
        """Count a step; say what is wrong with it, nothing if nothing is."""
        who = step.run, step.level, step.number
        match step.what:
            case What.passed:
                return self._passes(who, step)
            case What.waits:
                return self._waits(who, step)
            case What.refused:
                return self._refused(who, step)
            case What.left:
                self._leaves(who, step.t_ns)
        return ""

    def _passes(self, who: Who, step: Step) -> str:
        if who in self._let_in:
            since_ns, waited_ns, most_ns = self._let_in.pop(who), self._waited_ns[who], self._terms.max_wait_ns
            if most_ns is not None and waited_ns > most_ns:
                return f"passes after {format_duration(waited_ns)}, but may wait only {format_duration(most_ns)}"
            return "" if since_ns == step.t_ns else f"is let in at {format_duration(since_ns)} by another that leaves"
        wrong = ""
        if len(self._inside) >= self._terms.at_most:
            wrong = f"passes although all {self._terms.at_most} places are taken"
            self._queue = [one for one in self._queue if one[0] != who]
        elif step.waited:
            wrong = "goes on although it was not its turn"
            self._queue = [one for one in self._queue if one[0] != who]
        self._inside.add(who)
        return wrong

    def _waits(self, who: Who, step: Step) -> str:
        inside, waiting, limit = len(self._inside), len(self._queue), self._terms.queue
        self._queue.append((who, step.t_ns))
        if inside < self._terms.at_most:
            return f"waits although only {inside} of {self._terms.at_most} places are taken"
        if limit is not None and waiting >= limit:
            return f"waits behind {waiting}, but the queue has {limit} places"
        return ""

    def _refused(self, who: Who, step: Step) -> str:
        inside, waiting, limit = len(self._inside), len(self._queue), self._terms.queue
        since_ns = next((since_ns for one, since_ns in self._queue if one == who), None)
        if since_ns is not None:
            self._queue = [one for one in self._queue if one[0] != who]
            most_ns = self._terms.max_wait_ns
            if most_ns is None or step.t_ns - since_ns != most_ns:
                most = "for ever" if most_ns is None else f"for {format_duration(most_ns)}"
                return f"is refused after {format_duration(step.t_ns - since_ns)}, but may wait {most}"
            return ""
        if inside < self._terms.at_most or limit is None or waiting < limit:
            return f"is refused although {inside} of {self._terms.at_most} places are taken and {waiting} wait"
        return ""

    def _leaves(self, who: Who, t_ns: int) -> None:
        if any(one == who for one, _ in self._queue):
            self._queue = [one for one in self._queue if one[0] != who]
            return
        self._let_in.pop(who, None)
        if who not in self._inside:
            return
        self._inside.remove(who)
        if self._queue and len(self._inside) < self._terms.at_most:
            first, since_ns = self._queue.pop(0)
            self._inside.add(first)
            self._let_in[first] = t_ns
            self._waited_ns[first] = t_ns - since_ns

    def overdue(self, view: View) -> Iterator[tuple[Who, str]]:
        """Yield who has waited for too long when the history ends, or was let in and does not know it."""
        for who, since_ns in self._let_in.items():
            if view.is_past(since_ns):
                yield who, f"is let in at {format_duration(since_ns)} and does not go on"
        most_ns = self._terms.max_wait_ns
        for who, since_ns in self._queue:
            if most_ns is not None and view.is_past(since_ns + most_ns):
                yield who, f"waits since {format_duration(since_ns)} for more than {format_duration(most_ns)}"


@invariant()
def bulkheads_hold(view: View) -> Iterator[Violation]:
    """Never more calls than a bulkhead has places, no call waits or is refused while one is free, first come first."""
    cells: dict[Address, _Places] = {}
    unknown = muddled(view)
    for step in steps(view):
        terms, address = step.run.terms.bulkhead, step.run.address(BULKHEAD)
        if terms is None or step.gate != BULKHEAD or address in unknown:
            continue
        if address not in cells:
            cells[address] = _Places(terms)
        wrong = cells[address].take(step)
        if wrong:
            yield breach(step.run.number, f"{step.run.request} {wrong}, {when(step.event)} at its bulkhead", step.event)
    for cell in cells.values():
        for (run, _, __), wrong in cell.overdue(view):
            yield breach(run.number, f"{run.request} {wrong} at its bulkhead", run.request.submit)


class _Bucket:
    """The tokens of one rate limit; below 0 those that are promised to who waits."""

    def __init__(self, terms: CallerRateTerms) -> None:
        self._terms = terms
        self._tokens = Fraction(terms.burst)
        self._at_ns = 0

    def take(self, t_ns: int) -> int:
        """Take a token; return in how many ns it will be there, and take none then if the limit refuses."""
        gained = self._terms.rate * Fraction(t_ns - self._at_ns, NS_PER_S)
        self._tokens, self._at_ns = min(self._tokens + gained, Fraction(self._terms.burst)), t_ns
        missing = 1 - self._tokens
        wait_ns = ceil(missing / self._terms.rate * NS_PER_S) if missing > 0 else 0
        if not (wait_ns and self._terms.refuses):
            self._tokens -= 1
        return wait_ns


@invariant()
def caller_rate_limits_hold(view: View) -> Iterator[Violation]:
    """A call passes the rate limit of its client if there is a token, and else waits for its own or is refused."""
    cells: dict[Address, _Bucket] = {}
    due: dict[Who, int] = {}
    unknown = muddled(view)
    for step in steps(view):
        terms, address = step.run.terms.rate_limit, step.run.address(RATE_LIMIT)
        if terms is None or step.gate != RATE_LIMIT or address in unknown:
            continue
        if address not in cells:
            cells[address] = _Bucket(terms)
        wrong = _at_limit(cells[address], step, due)
        if wrong:
            text = f"{step.run.request} {wrong}, {when(step.event)} at the rate limit of its client"
            yield breach(step.run.number, text, step.event)
    for (run, _, __), due_ns in due.items():
        if view.is_past(due_ns):
            text = f"{run.request} waits for a token beyond {format_duration(due_ns)}, when there is one"
            yield breach(run.number, text, run.request.submit)


def _at_limit(bucket: _Bucket, step: Step, due: dict[Who, int]) -> str:
    who = step.run, step.level, step.number
    if step.what == What.left:
        due.pop(who, None)
        return ""
    if step.what == What.passed and step.waited:
        due_ns = due.pop(who, None)
        return "" if due_ns == step.t_ns or due_ns is None else f"has its token at {format_duration(due_ns)}"
    wait_ns = bucket.take(step.t_ns)
    match step.what:
        case What.passed if wait_ns:
            return f"passes although there is no token for {format_duration(wait_ns)}"
        case What.refused if not wait_ns:
            return "is refused although there is a token"
        case What.waits:
            due[who] = step.t_ns + wait_ns
            if step.took_ns != wait_ns:
                told = format_duration(step.took_ns)
                return f"is told to wait {told} for a token that is there in {format_duration(wait_ns)}"
    return ""
