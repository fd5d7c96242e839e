"""Budgets, counted again: what a request, a success, a failure, a retry and time do to what is left."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

from sim.contracts.policy.course import muddled, steps
from sim.contracts.policy.steps import COPY, ELSE, What, is_retried
from sim.history.entities import when
from sim.history.policy_events import Decided
from sim.kernel.durations import NS_PER_S
from sim.promises.invariant import Violation, breach, invariant
from sim.promises.policy import ActiveTerms, FailuresTerms, TokensTerms, WindowTerms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.contracts.policy.steps import Address, Run, Step
    from sim.promises.policy import BudgetTerms
    from sim.promises.view import View

KNOWN: Final = "budgets of policies"
THOUSANDTHS: Final = 1000
BUDGET: Final = "budget"
RETRY: Final = "retry"


class Level(NamedTuple):
    """What a budget has at a decision, counted again."""

    allows: bool
    have: float
    of: float
    unit: str


class _Recount:
    """A budget; what it does not count it leaves out."""

    def requested(self, t_ns: int) -> None:
        """A request begins."""

    def asked(self, t_ns: int) -> None:
        """A retry or a copy asks whether it may go."""

    def most_of_one(self, t_ns: int) -> int | None:
        """Return how many retries and copies a request may have that begins; None if all that others leave it."""
        del t_ns
        return None

    def ended(self, t_ns: int) -> None:
        """A request is over."""

    def failed(self, t_ns: int, kind: str, *, retried: bool) -> None:
        """A call fails with an answer that is retried, or not."""

    def succeeded(self, t_ns: int, *, retried: bool, paid: Fraction) -> None:
        """A request succeeds; `paid` is what its last retry has cost."""

    def asleep(self, by: int) -> None:
        """More or fewer retries sleep."""

    def in_flight(self, by: int) -> None:
        """More or fewer retries are in flight."""

    def pay(self, t_ns: int, kind: str) -> Fraction:
        """A retry goes; return what it costs."""
        del t_ns, kind
        return Fraction(0)

    def level(self, t_ns: int, kind: str) -> Level:
        """Return what is left, and whether a retry may go."""
        raise NotImplementedError


class _Tokens(_Recount):
    def __init__(self, terms: TokensTerms) -> None:
        self._terms = terms
        self._left = terms.start
        """With what time has brought, of which only whole thousandths count."""
        self._at_ns = 0

    def _come_to(self, t_ns: int) -> None:
        self._bring(self._terms.per_second * Fraction(t_ns - self._at_ns, NS_PER_S))
        self._at_ns = t_ns

    def _bring(self, tokens: Fraction) -> None:
        self._left = min(self._left + tokens, self._terms.capacity)

    def _tokens(self) -> Fraction:
        return Fraction(self._left * THOUSANDTHS // 1, THOUSANDTHS)

    def _cost(self, kind: str) -> Fraction:
        costs = self._terms.costs
        return costs.get(kind, costs.get(kind.partition(".")[0], costs[ELSE]))

    def _charge(self, kind: str) -> Fraction:
        cost, there = self._cost(kind), self._tokens()
        self._left = self._left - cost if there >= cost else Fraction(0)
        return min(cost, there)

    def requested(self, t_ns: int) -> None:
        self._come_to(t_ns)
        self._bring(self._terms.on_request)

    def failed(self, t_ns: int, kind: str, *, retried: bool) -> None:
        self._come_to(t_ns)
        if retried and self._terms.on_failure:
            self._charge(kind)

    def succeeded(self, t_ns: int, *, retried: bool, paid: Fraction) -> None:
        self._come_to(t_ns)
        if not retried:
            self._bring(self._terms.clean)
        else:
            self._bring(paid if self._terms.retried is None else self._terms.retried)

    def pay(self, t_ns: int, kind: str) -> Fraction:
        self._come_to(t_ns)
        return Fraction(0) if self._terms.on_failure else self._charge(kind)

    def level(self, t_ns: int, kind: str) -> Level:
        self._come_to(t_ns)
        there, above = self._tokens(), self._terms.above
        allows = there >= self._cost(kind) if above is None else there > above
        return Level(allows, float(there), float(self._terms.capacity), "tokens")


class _Times:
    """When things happened, as far back as they count."""

    def __init__(self, of_ns: int | None) -> None:
        self._of_ns = of_ns
        self._times: deque[int] = deque()

    def add(self, t_ns: int) -> None:
        self._times.append(t_ns)

    def count(self, t_ns: int) -> int:
        while self._of_ns is not None and self._times and self._times[0] <= t_ns - self._of_ns:
            self._times.popleft()
        return len(self._times)


class _Window(_Recount):
    """Every request and retry with its instant; slots are told from the instants at which they began."""

    def __init__(self, terms: WindowTerms) -> None:
        self._terms = terms
        self._requests: list[int] = []
        self._retries: list[int] = []
        self._slots: list[tuple[int, bool]] = []
        """Where slots began, the latest last, and whether anything could happen in them."""

    def asked(self, t_ns: int) -> None:
        terms = self._terms
        if not terms.slots:
            return
        if not self._slots:
            self._slots.append((t_ns, True))
        lengths = Fraction((t_ns - self._slots[-1][0]) * terms.slots, terms.of_ns)
        if lengths >= 1:
            begun = math.ceil(lengths) if terms.slot_rule == "tower" else math.floor(lengths)
            self._slots += [(t_ns, False)] * min(begun - 1, terms.slots + 1) + [(t_ns, True)]

    def requested(self, t_ns: int) -> None:
        self.asked(t_ns)
        self._requests.append(t_ns)

    def pay(self, t_ns: int, kind: str) -> Fraction:
        del kind
        self.asked(t_ns)
        self._retries.append(t_ns)
        return Fraction(0)

    def _since_ns(self, t_ns: int) -> int:
        """Return the first instant that counts."""
        if not self._terms.slots:
            return t_ns - self._terms.of_ns + 1
        counting = self._terms.slots + (self._terms.slot_rule == "tower")
        return next((began_ns for began_ns, is_real in self._slots[-counting:] if is_real), t_ns)

    def _most(self, t_ns: int) -> tuple[Fraction, int]:
        since_ns = self._since_ns(t_ns)
        requests, retries = (len(times) - bisect_left(times, since_ns) for times in (self._requests, self._retries))
        most = requests * self._terms.share + self._terms.reserve
        return Fraction(most // 1) if self._terms.whole else most, retries

    def level(self, t_ns: int, kind: str) -> Level:
        del kind
        most, retries = self._most(t_ns)
        return Level(retries < most, retries, float(most), "retries")

    def most_of_one(self, t_ns: int) -> int | None:
        if self._terms.per_request is None:
            return None
        most, retries = self._most(t_ns)
        return max(math.ceil(self._terms.per_request * math.floor(most - retries)), 0)


class _Active(_Recount):
    def __init__(self, terms: ActiveTerms) -> None:
        self._terms = terms
        self._requests = self._asleep = self._flying = 0

    def requested(self, t_ns: int) -> None:
        del t_ns
        self._requests += 1

    def ended(self, t_ns: int) -> None:
        del t_ns
        self._requests -= 1

    def asleep(self, by: int) -> None:
        self._asleep += by

    def in_flight(self, by: int) -> None:
        self._flying += by

    def level(self, t_ns: int, kind: str) -> Level:
        del t_ns, kind
        retries = self._flying + (self._asleep if self._terms.sleeping else 0)
        most = self._terms.share * self._requests
        most = max(Fraction(most // 1) if self._terms.whole else most, Fraction(self._terms.at_least))
        return Level(retries < most, retries, float(most), "retries in flight")


class _Failures(_Recount):
    def __init__(self, terms: FailuresTerms) -> None:
        self._terms = terms
        self._requests, self._failed = _Times(terms.of_ns), _Times(terms.of_ns)

    def requested(self, t_ns: int) -> None:
        self._requests.add(t_ns)

    def failed(self, t_ns: int, kind: str, *, retried: bool) -> None:
        del kind, retried
        self._failed.add(t_ns)

    def level(self, t_ns: int, kind: str) -> Level:
        del kind
        failed, most = self._failed.count(t_ns), self._terms.share * self._requests.count(t_ns)
        return Level(failed <= most, failed, float(most), "failed calls")


def _recount(terms: BudgetTerms) -> _Recount:
    match terms:
        case TokensTerms():
            return _Tokens(terms)
        case WindowTerms():
            return _Window(terms)
        case ActiveTerms():
            return _Active(terms)
        case FailuresTerms():
            return _Failures(terms)


class _Payer:
    """One request at its budget."""

    def __init__(self, budget: _Recount, *, pays_at_start: bool) -> None:
        self.budget = budget
        self._pays_at_start = pays_at_start
        self._retries = 0
        self._most: int | None = None
        """How many retries and copies it may have; None if all that others leave it."""
        self._used = 0
        self._paid = Fraction(0)
        self._sleeps = False
        self._flying: set[int] = set()

    def take(self, step: Step) -> Level | None:  # noqa: C901, PLR0912  # one branch a kind of step
        """Count a step; return what the budget has, if the step is a decision about it."""
        budget, t_ns, found = self.budget, step.t_ns, None
        match step.what:
            case What.asked:
                budget.requested(t_ns)
                self._most = budget.most_of_one(t_ns)
            case What.sent:
                found = self._ask(t_ns, step.paid)
                self._pay(t_ns, step.paid)
            case What.unsent:
                found = self._ask(t_ns, step.paid)
            case What.ended_at_start:
                found = budget.level(t_ns, step.paid)
            case What.begun if step.number > 1 and self._pays_at_start:
                found = budget.level(t_ns, step.paid)
                self._pay(t_ns, step.paid)
            case What.called if step.retry and step.attempt is not None:
                self._wake()
                self._flying.add(step.attempt.number)
                budget.in_flight(1)
            case What.answered | What.given_up if step.attempt is not None:
                if step.attempt.number in self._flying:
                    self._flying.remove(step.attempt.number)
                    budget.in_flight(-1)
                if step.what == What.answered and step.kind != "success":
                    budget.failed(t_ns, step.kind, retried=is_retried(step.run.terms, step))
            case What.failed:
                self._wake()
            case What.decided:
                if isinstance(step.event, Decided) and step.event.reason in {RETRY, BUDGET}:
                    found = self._ask(t_ns, step.kind)
                    self._decided(step)
            case What.succeeded:
                budget.succeeded(t_ns, retried=self._retries > 0 or self._paid > 0, paid=self._paid)
            case What.over:
                self._wake()
                budget.ended(t_ns)
        return found

    def _ask(self, t_ns: int, kind: str) -> Level:
        if self._most is not None and self._used >= self._most:
            return Level(allows=False, have=self._used, of=self._most, unit="retries of one request")
        self.budget.asked(t_ns)
        return self.budget.level(t_ns, kind)

    def _pay(self, t_ns: int, kind: str) -> None:
        self._paid = self.budget.pay(t_ns, kind)
        self._used += 1

    def _decided(self, step: Step) -> None:
        event = step.event
        if not isinstance(event, Decided) or event.reason != RETRY:
            return
        self._retries += 1
        if not self._pays_at_start:
            self._pay(step.t_ns, step.kind)
        if event.wait_ns:
            self._sleeps = True
            self.budget.asleep(1)

    def _wake(self) -> None:
        if self._sleeps:
            self._sleeps = False
            self.budget.asleep(-1)


def levels(view: View) -> dict[int, Level]:
    """Return what budgets have at the decisions about them, by the places of these.

    Nothing is said of a budget beside a bulkhead in front of copies: the place that one copy leaves another takes in
    the middle of what the first one does.
    """
    found: dict[int, Level] | None = view.known.get(KNOWN)
    if found is not None:
        return found
    found = view.known[KNOWN] = {}
    cells: dict[Address, _Recount] = {}
    payers: dict[Run, _Payer | None] = {}
    unknown = muddled(view)
    for step in steps(view):
        if step.run not in payers:
            payers[step.run] = _payer(step.run, cells, unknown)
        payer = payers[step.run]
        level = None if payer is None else payer.take(step)
        if level is not None:
            found[step.at] = level
    return found


def _payer(run: Run, cells: dict[Address, _Recount], unknown: set[Address]) -> _Payer | None:
    terms, address = run.terms, run.address(BUDGET)
    if terms.budget is None or address in unknown or "bulkhead" in terms.gates[COPY]:
        return None
    cell = cells.get(address)
    if cell is None:
        cell = cells[address] = _recount(terms.budget)
    return _Payer(cell, pays_at_start=isinstance(terms.budget, TokensTerms) and terms.budget.takes_at_start)


@invariant()
def budgets_recounted(view: View) -> Iterator[Violation]:
    """A retry or a further copy goes exactly if the budget has enough for it, counted again from what happened."""
    known = levels(view)
    for step in steps(view):
        level = known.get(step.at)
        if level is None or step.run.terms.budget is None:
            continue
        wrong = _wrong(step, level)
        if wrong:
            budget = f"its budget has {level.have:g} of {level.of:g} {level.unit}"
            yield breach(step.run.number, f"{step.run.request} {wrong} {when(step.event)}, but {budget}", step.event)


def _wrong(step: Step, level: Level) -> str:  # noqa: PLR0911  # one answer a kind of step
    """Say what a decision does that its budget does not; nothing if there is nothing."""
    event, budget = step.event, step.run.terms.budget
    at_start = isinstance(budget, TokensTerms) and budget.takes_at_start
    match step.what:
        case What.sent:
            return "" if level.allows else "sends a further copy"
        case What.begun:
            return "" if level.allows or not at_start or step.number == 1 else "tries again"
        case What.unsent | What.ended_at_start | What.decided if isinstance(event, Decided):
            pass
        case _:
            return ""
    ends = event.reason == BUDGET or step.what == What.unsent
    if step.what == What.ended_at_start and not at_start:
        return ""  # the end of a sleep, and not a question to the budget
    if ends and level.allows:
        return "has no budget for another"
    if event.reason == RETRY and not level.allows and not at_start:
        return "retries"
    said = event.have, event.of, event.unit
    if (ends or event.reason == RETRY) and said != level[1:]:
        return f"says that its budget has {event.have:g} of {event.of:g} {event.unit}"
    return ""
