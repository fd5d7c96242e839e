"""Breakers, counted again: which answers they have seen, when they open, what they let through while half open."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

from sim.contracts.policy.course import muddled, steps
from sim.contracts.policy.delays import at_first, delay_ns, drawn
from sim.contracts.policy.steps import NO_ANSWER, Address, What, fits
from sim.history.entities import when
from sim.history.policy_events import BreakerChanged
from sim.history.vocabulary import SUCCESS
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.contracts.policy.steps import Run, Step
    from sim.promises.policy import BreakerTerms
    from sim.promises.services import Span
    from sim.promises.view import View

BREAKER: Final = "breaker"
CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"
LAST_UNIFORM: Final = 1.0 - 2.0**-53
"""The largest of the numbers that are drawn."""


class _Seen(NamedTuple):
    """An answer that a breaker has seen."""

    t_ns: int
    failed: bool
    slow: bool


class _Change(NamedTuple):
    """A change of its state: noticed at an instant, and in force since one."""

    t_ns: int
    state: str
    since_ns: int


class _Recount:
    """One breaker."""

    def __init__(self, terms: BreakerTerms) -> None:
        self._terms = terms
        self.state = CLOSED
        self.since_ns = 0
        self._turn = 0
        """Counts the changes: a call belongs to the state in which it began."""
        self._seen: list[_Seen] = []
        self._slot_ns = 0
        """When the present slot of answers began, if slots begin with answers."""
        self._tried: list[_Seen] = []
        self._places = 0
        self._openings = 0
        self.until_ns: Span = (0, 0)
        """Between which instants the open time is over."""
        self._memory = at_first(terms.open)
        self.changes: list[_Change] = []

    def come_to(self, t_ns: int) -> None:
        """Open again if it was half open for too long."""
        most_ns = self._terms.half_open_max_wait_ns
        if self.state == HALF_OPEN and most_ns is not None and t_ns >= self.since_ns + most_ns:
            self._change(OPEN, t_ns, self.since_ns + most_ns)

    def ask(self, t_ns: int, *, passed: bool) -> tuple[int, str]:
        """Let a call pass or not, as it did; return its turn, and what is wrong with that."""
        self.come_to(t_ns)
        low_ns, high_ns = self.until_ns
        if self.state == OPEN and t_ns >= (low_ns if passed else high_ns):
            self._change(HALF_OPEN, t_ns, t_ns)
        full = self.state == HALF_OPEN and self._places >= self._terms.half_open_calls
        may_pass = self.state != OPEN and not full
        if passed and self.state == HALF_OPEN:
            self._places += 1
        if may_pass is passed:
            return self._turn, ""
        if full:
            state = f"half open, with all {self._terms.half_open_calls} calls under way"
        else:
            state = {CLOSED: CLOSED, OPEN: f"open since {format_duration(self.since_ns)}", HALF_OPEN: "half open"}[
                self.state
            ]
        return self._turn, state

    def left(self, t_ns: int, turn: int, kind: str, took_ns: int) -> None:
        """Count the end of a call."""
        self.come_to(t_ns)
        terms = self._terms
        failed = fits(kind, terms.counts) and kind != SUCCESS
        counts = kind != NO_ANSWER and (failed or kind == SUCCESS or terms.others_succeed)
        if not counts:
            if turn == self._turn and self.state == HALF_OPEN and not terms.keeps:
                self._places -= 1
        elif turn == self._turn or terms.late_counts:
            slow = terms.slow_over_ns is not None and took_ns > terms.slow_over_ns
            self._count(_Seen(t_ns, failed, slow))

    def _count(self, seen: _Seen) -> None:
        terms, t_ns = self._terms, seen.t_ns
        if self.state == HALF_OPEN:
            self._tried.append(seen)
            if len(self._tried) >= terms.half_open_at_least:
                state = OPEN if self._too_many(self._tried, terms.closes_below) else CLOSED
                self._change(state, t_ns, t_ns)
        elif self.state == CLOSED:
            self._seen.append(self._in_slot(seen))
            self._seen = recent = self._recent(t_ns)
            silent = terms.judged_at_failure and not (seen.failed or seen.slow)
            if len(recent) >= terms.at_least and not silent and self._too_many(recent, terms.opens_at):
                self._change(OPEN, t_ns, t_ns)

    def _in_slot(self, seen: _Seen) -> _Seen:
        """Return an answer with the instant at which its slot began, if slots begin with answers."""
        terms = self._terms
        if terms.window != "slots_from_answer":
            return seen
        if not self._seen or seen.t_ns - self._slot_ns >= terms.size // terms.slots:
            self._slot_ns = seen.t_ns
        return seen._replace(t_ns=self._slot_ns)

    def _recent(self, t_ns: int) -> list[_Seen]:
        """Return the answers that the window has."""
        terms, seen = self._terms, self._seen
        match terms.window:
            case "calls":
                return seen[-terms.size :]
            case "time" | "slots_from_answer":
                return [one for one in seen if one.t_ns > t_ns - terms.size]
            case "slots":
                width_ns = terms.size // terms.slots
                return [one for one in seen if one.t_ns // width_ns > t_ns // width_ns - terms.slots]
            case "consecutive":
                last = next((place for place, one in enumerate(reversed(seen)) if not one.failed), len(seen))
                return seen[len(seen) - last :]
            case _:
                return seen

    def _too_many(self, seen: list[_Seen], share: Fraction) -> bool:
        failed, slow = sum(one.failed for one in seen), sum(one.slow for one in seen)
        if self._terms.slow_over_ns is not None and Fraction(slow, len(seen)) >= self._terms.slow_opens_at:
            return True
        return Fraction(failed, len(seen)) >= share

    def _change(self, state: str, t_ns: int, since_ns: int) -> None:
        self.state, self.since_ns = state, since_ns
        self._turn += 1
        self._seen, self._tried, self._places = [], [], 0
        if state == OPEN:
            self._openings += 1
            low_ns, high_ns = self._open_ns(t_ns)
            self.until_ns = since_ns + low_ns, since_ns + high_ns
        elif state == CLOSED:
            self._openings = 0
        self.changes.append(_Change(t_ns, state, since_ns))

    def _open_ns(self, t_ns: int) -> Span:
        """Return the least and the most of the open time; the numbers it draws are not told."""
        law = self._terms.open
        names = drawn(law)
        found = [
            delay_ns(law, self._openings, t_ns, dict(self._memory), dict.fromkeys(names, u)) or 0
            for u in (0.0, LAST_UNIFORM)
        ]
        delay_ns(law, self._openings, t_ns, self._memory, dict.fromkeys(names, 0.0))
        if not names:
            return found[0], found[0]
        return (min(found), max(found)) if law.law != "formula" and not law.starts else (0, 1 << 62)


def _recounted(view: View) -> Iterator[tuple[Step, str]]:
    """Yield the calls that breakers let through or refuse, with what is wrong with that."""
    cells: dict[Address, _Recount] = {}
    turns: dict[tuple[Run, int, int], int] = {}
    unknown = muddled(view)
    changed: dict[Address, list[BreakerChanged]] = {}
    for event in view.events:
        if isinstance(event, BreakerChanged):
            owner = event.request if event.scope == "request" else event.owner
            address = Address(event.policy, event.part, event.scope, owner)
            changed.setdefault(address, []).append(event)
    last: dict[Address, Step] = {}
    for step in steps(view):
        terms = step.run.terms.breaker
        address = step.run.address(BREAKER)
        if terms is None or step.gate != BREAKER or address in unknown:
            continue
        cell = cells.get(address)
        if cell is None:
            cell = cells[address] = _Recount(terms)
        call = step.run, step.level, step.number
        if step.what == What.left:
            cell.left(step.t_ns, turns.pop(call, -1), step.kind, step.took_ns)
        elif step.what in {What.passed, What.refused}:
            turns[call], state = cell.ask(step.t_ns, passed=step.what == What.passed)
            if state:
                way = "is let through" if step.what == What.passed else "is refused"
                yield step, f"{way} {when(step.event)} by its breaker, which is {state}"
        last[address] = step
    for address, cell in cells.items():
        told = [event for event in changed.get(address, ()) if view.is_past(event.t_ns)]
        yield from _changes_told(view, last[address], cell, told)


def _changes_told(view: View, step: Step, cell: _Recount, told: list[BreakerChanged]) -> Iterator[tuple[Step, str]]:
    """Yield where the history tells of other changes of a breaker than those that its calls make."""
    for place, change in enumerate(cell.changes):
        if place >= len(told):
            if not view.is_past(change.t_ns):
                return
            yield step, f"should find its breaker {change.state} since {format_duration(change.since_ns)}"
            return
        event = told[place]
        if (event.t_ns, event.state, event.since_ns) != change:
            text = f"has a breaker that says {when(event)} to be {event.state} since {format_duration(event.since_ns)}"
            yield step, f"{text}, but it is {change.state} since {format_duration(change.since_ns)}"
            return
    if len(told) > len(cell.changes):
        event = told[len(cell.changes)]
        yield step, f"has a breaker that is {event.state} {when(event)} for no reason"


@invariant()
def breakers_recounted(view: View) -> Iterator[Violation]:
    """A breaker opens, is half open and closes exactly as its answers say, and refuses calls only meanwhile."""
    for step, wrong in _recounted(view):
        yield breach(step.run.number, f"{step.run.request} {wrong}", step.event)
