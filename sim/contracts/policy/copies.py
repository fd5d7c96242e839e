"""Further copies of a try: how many, when, and none once the try has its answer."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Final

from sim.contracts.policy.course import muddled, steps
from sim.contracts.policy.delays import at_first, delay_ns, drawn
from sim.contracts.policy.steps import COPY, What, is_retried
from sim.history.entities import when
from sim.history.vocabulary import SUCCESS
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.contracts.policy.steps import Address, Run, Step
    from sim.promises.policy import HedgeTerms
    from sim.promises.view import View

HEDGE: Final = "hedge"
STREAMS: Final = {"u": "hedge", "u2": "hedge.second"}
OVER: Final = frozenset({What.failed, What.cut, What.over, What.succeeded})
AT_ONCE: Final = -1
NO_COPY: Final = None


class _Latencies:
    """How long the last successes took."""

    def __init__(self, terms: HedgeTerms) -> None:
        self._terms = terms
        self._last_ns: list[int] = []

    def add(self, latency_ns: int) -> None:
        self._last_ns = [*self._last_ns, latency_ns][-self._terms.remembers :]

    def percentile_ns(self) -> int | None:
        percentile = self._terms.percentile or Fraction(0)
        count, share = len(self._last_ns), percentile / 100
        if count * (1 - share) < 1:
            return None
        return sorted(self._last_ns)[max(ceil(count * share) - 1, 0)]


class _Try:
    """The copies of one try."""

    def __init__(self, terms: HedgeTerms) -> None:
        self.more = terms.at_most
        self.sent = 0
        self.under_way: set[int] = set()
        self.due_ns: int | None = NO_COPY
        """When the next one goes; None if nothing is known of that."""
        self.is_over = False


class _Hedges:
    """The copies of all tries of one request."""

    def __init__(self, view: View, run: Run, terms: HedgeTerms, latencies: _Latencies | None) -> None:
        self._view = view
        self._run = run
        self._terms = terms
        self._latencies = latencies
        self._try = _Try(terms)

    @property
    def due_ns(self) -> int | None:
        """When the next copy goes."""
        return self._try.due_ns

    def take(self, step: Step) -> str:  # noqa: C901, PLR0912  # one branch a kind of step
        """Count a step; say what is wrong with it, nothing if nothing is."""
        one, t_ns, wrong = self._try, step.t_ns, ""
        if one.due_ns is not None and t_ns > one.due_ns and not one.is_over:
            wrong = f"sends no further copy at {format_duration(one.due_ns)}"
            one.due_ns = NO_COPY
        match step.what:
            case What.begun:
                one = self._try = _Try(self._terms)
            case What.sent:
                wrong = wrong or self._sends(one, t_ns)
            case What.unsent:
                one.more, one.due_ns = 0, NO_COPY
            case What.again:
                one.sent += 1
                self._plan(one, t_ns)
            case What.called:
                if step.number == 1 and not one.sent:
                    self._plan(one, t_ns)
                if step.attempt is not None:
                    one.under_way.add(step.attempt.number)
            case What.passed | What.waits if step.level == COPY and step.number == 1 and not one.sent:
                one.sent = max(one.sent, 1)
                self._plan(one, t_ns)
            case What.answered if step.attempt is not None:
                one.under_way.discard(step.attempt.number)
                if step.kind == SUCCESS:
                    if self._latencies is not None:
                        self._latencies.add(t_ns - step.attempt.start.t_ns)
                    one.is_over = True
                elif is_retried(self._run.terms, step):
                    self._failed(one, step)
                else:
                    one.due_ns = NO_COPY
            case What.refused if step.level == COPY and is_retried(self._run.terms, step):
                self._failed(one, step)
            case _ if step.what in OVER:
                one.is_over, one.due_ns = True, NO_COPY
        return wrong

    def _sends(self, one: _Try, t_ns: int) -> str:
        due_ns, one.more = one.due_ns, one.more - 1
        one.sent += 1
        self._plan(one, t_ns)
        if one.is_over:
            return "sends a further copy of a try that has its answer"
        if one.more < 0:
            return f"sends more than {self._terms.at_most} further copies of a try"
        if due_ns is None:
            return "sends a further copy for no reason"
        return "" if due_ns == t_ns else f"sends a further copy that is due at {format_duration(due_ns)}"

    def _plan(self, one: _Try, t_ns: int) -> None:
        """Say when the copy after the one that goes now is due."""
        terms = self._terms
        after_ns = terms.after_ns
        if terms.percentile is not None:
            after_ns = None if self._latencies is None else self._latencies.percentile_ns()
        one.sent = max(one.sent, 1)
        one.due_ns = t_ns + after_ns if after_ns is not None and one.more > 0 else NO_COPY

    def _failed(self, one: _Try, step: Step) -> None:
        if not one.more:
            return
        if self._terms.at_failure == "next":
            one.due_ns = step.t_ns
        elif self._terms.at_failure == "delay":
            law = self._run.terms.delays[0]
            draws = {name: self._drawn(STREAMS[name], step.at) for name in drawn(law)}
            elapsed_ns = step.t_ns - self._run.request.submitted_ns
            wait_ns = delay_ns(law, one.sent, elapsed_ns, at_first(law), draws)
            if wait_ns is not None:
                one.due_ns = step.t_ns + wait_ns

    def _drawn(self, stream: str, at: int) -> float:
        """Return the number that was drawn for an answer, right behind it."""
        return next(
            (
                event.value
                for place, event in self._view.draws
                if place > at and event.request == self._run.number and event.stream == stream
            ),
            0.0,
        )


@invariant()
def copies_as_stated(view: View) -> Iterator[Violation]:
    """A try has at most so many further copies, each at its time or when a failure sends it, and none is left out."""
    hedges: dict[Run, _Hedges | None] = {}
    latencies: dict[Address, _Latencies] = {}
    unknown = muddled(view)
    for step in steps(view):
        run, terms = step.run, step.run.terms.hedge
        if terms is None:
            continue
        if run not in hedges:
            address = run.address(HEDGE)
            known = terms.percentile is None or address not in unknown
            shared = latencies.setdefault(address, _Latencies(terms)) if terms.percentile is not None else None
            hedges[run] = _Hedges(view, run, terms, shared) if known else None
        found = hedges[run]
        wrong = "" if found is None else found.take(step)
        if wrong:
            yield breach(run.number, f"{run.request} {wrong}, {when(step.event)}", step.event)
    for run, found in hedges.items():
        if found is None or found.due_ns is None or run.request.settled is not None or run.request.runaway is not None:
            continue
        if view.is_past(found.due_ns):
            text = f"{run.request} sends no further copy at {format_duration(found.due_ns)}"
            yield breach(run.number, text, run.request.submit)


@invariant()
def no_copy_after_answer(view: View) -> Iterator[Violation]:
    """No copy of a try is sent once one has succeeded, or has failed with an answer that is not retried."""
    ended: dict[Run, Step] = {}
    for step in steps(view):
        run = step.run
        match step.what:
            case What.begun:
                ended.pop(run, None)
            case What.answered if step.kind == SUCCESS or not is_retried(run.terms, step):
                ended.setdefault(run, step)
            case What.sent | What.called | What.again if run in ended:
                answer = ended[run]
                text = f"{run.request} sends a copy {when(step.event)} although its try has the answer {answer.kind}"
                yield breach(run.number, f"{text} {when(answer.event)}", answer.event, step.event)
