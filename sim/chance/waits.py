"""Gathers the waits of a retrier and holds them against the laws that it promises.

A wait counts if nothing that depends on its length has chosen it. So these are left out: waits that an error asked for,
those whose law reaches beyond the deadline (a retrier gives up, or waits less), those after a failure after which some
request gave up early, and waits in pieces, if a cancel or the end may have cut some short. Waits in pieces that do not
all keep to their bounds are left out too: a retry that stands in a table waits for the next look at the table.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from sim.chance.overall import overall
from sim.chance.slots import FRESH, LAW, Slots
from sim.history.vocabulary import GAVE_UP
from sim.kernel.durations import NS_PER_MS
from sim.promises.observed_waits import (
    action_jobs,
    first_delay,
    first_look,
    is_between,
    looks,
    retries,
    slack_ns,
    wait_before,
)
from sim.promises.promises import bounds_after, poll_bounds_after
from sim.promises.waits import Wait

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.chance.evidence import Evidence
    from sim.chance.slots import Who
    from sim.chance.stated import Stated
    from sim.history.entities import Request
    from sim.promises.observed_waits import Retry
    from sim.promises.promises import Backoff, Bounds, Promises
    from sim.promises.view import View

SURELY: Final = 1.0 - 1e-9
"""A law fits before a deadline if its waits do with this probability."""
OF_ITS_OWN: Final = 2.0**-52
"""How likely a number that a retrier draws is to be met again, with rounding to spare."""


class _Row(NamedTuple):
    """A wait before a retry."""

    who: Who
    wait_ns: int
    before_ms: float | None
    """The wait before it; see `Wait.given`."""
    left_ns: float
    """From its beginning to the deadline; infinity without one."""
    pieces: int
    """Of how many sleeps or jobs it is made: if more than one, it is seen only once it is over."""


class Waits:
    """The waits before retries, looks and first attempts, by their numbers."""

    def __init__(self, stated: Stated) -> None:
        self._resubmits = stated.resubmits
        self._promises: Promises | None = None
        self._histories = 0
        self._cut = False
        """Whether a history ends, or a request is canceled, before all waits are over."""
        self._retries: dict[int, list[_Row]] = {}
        self._early: set[int] = set()
        """Failures after which a request gave up although it had attempts left."""
        self._firsts: list[tuple[Who, int]] = []
        self._looks: dict[tuple[int, int], list[tuple[Who, int]]] = {}
        """By waits before and failure handled, those before first looks by (-1, 0)."""
        self._drawn: list[tuple[int, int, float]] = []
        """(history, request, number drawn)."""

    def look(self, view: View) -> None:
        """Take the waits of a history, of requests that the scenario's own retrier serves.

        If callers submit requests again, those with the longest waits and the most failures are: the waits of the
        others do not follow the law.
        """
        if not self._resubmits:
            self._take(view.of_scenarios_retrier())

    def _take(self, view: View) -> None:
        promises = view.terms.promises
        if self._promises is None:
            self._promises = promises
        self._histories = here = self._histories + 1
        self._cut = self._cut or not view.terms.drained or any(one.cancels for one in view.requests.values())
        self._drawn += [(here, event.request, event.value) for _, event in view.draws]
        for request in view.requests.values():
            if isinstance(promises.first_ms, Wait) and (delay := first_delay(view, request)) is not None:
                self._firsts.append(((here, request.number), delay[0]))
            if isinstance(promises.first_poll_ms, Wait) and (first := first_look(view, request)) is not None:
                self._looks.setdefault((-1, 0), []).append(((here, request.number), first[1]))
        if promises.polls_ms is not None:
            for look in looks(view):
                rows = self._looks.setdefault((look.waits, look.failure), [])
                rows.append(((here, look.request.number), look.wait_ns))
        if promises.backoff_ms is not None and not promises.hedges:
            self._take_retries(view, promises)
            for request in view.requests.values():
                if request.outcome == GAVE_UP and _had_more(view, request, promises):
                    self._early.add(_failures(view, request))

    def _take_retries(self, view: View, promises: Promises) -> None:
        at_most, deadline_ns = promises.attempts_at_most, promises.deadline_ns
        before: Retry | None = None
        for retry in retries(view):
            before, last = retry, before
            request, says = retry.request, None if retry.failed is None else retry.failed.failure
            asked = says is not None and promises.heeded_ns(says.retry_after_ns) >= 0
            in_a_table = bool(request.jobs) and not retry.whole
            if asked or in_a_table or (at_most is not None and retry.failure >= at_most):
                continue
            left_ns = inf if deadline_ns is None else request.submitted_ns + deadline_ns - retry.from_ns
            who = self._histories, request.number
            row = _Row(
                who,
                retry.waits_ns[-1],
                wait_before(retry, last),
                left_ns,
                retry.pieces,
            )
            self._retries.setdefault(retry.failure, []).append(row)

    def state(self) -> Any:
        """Return all that was gathered; see `Gatherer`."""
        return {
            "histories": self._histories,
            "cut": self._cut,
            "retries": list(self._retries.items()),
            "early": sorted(self._early),
            "firsts": self._firsts,
            "looks": list(self._looks.items()),
            "drawn": self._drawn,
        }

    def add(self, state: Any, promises: Promises) -> None:
        """Take what was gathered from the histories behind these; see `Gatherer`."""
        before = self._histories

        def waits(rows: Any) -> list[tuple[Who, int]]:
            return [((before + history, request), wait_ns) for (history, request), wait_ns in rows]

        if state["histories"]:
            self._promises = promises
        self._histories += state["histories"]
        self._cut = self._cut or state["cut"]
        for failure, rows in state["retries"]:
            ours = self._retries.setdefault(failure, [])
            ours += [_Row((before + history, request), *rest) for (history, request), *rest in rows]
        self._early.update(state["early"])
        self._firsts += waits(state["firsts"])
        for (number, failure), rows in state["looks"]:
            self._looks.setdefault((number, failure), []).extend(waits(rows))
        self._drawn += [(before + history, request, value) for history, request, value in state["drawn"]]

    def close(self, evidence: Evidence) -> None:
        """Hold all waits against their laws, and against each other."""
        promises = self._promises
        if promises is None:
            return
        slots = Slots(evidence)
        if isinstance(promises.first_ms, Wait):
            rows = [(*row, promises.first_ms) for row in self._firsts]
            slots.hold(("first attempts", 0, 0), "the delays before first attempts", rows)
        if promises.backoff_ms is not None and self._is_seen_whole(promises.backoff_ms):
            for failure, found in sorted(self._retries.items()):
                promised = bounds_after(promises.backoff_ms, failure)
                if isinstance(promised, Wait) and failure not in self._early:
                    slots.hold(("retries", 0, failure), f"the waits after failure {failure}", _of_law(found, promised))
        for (waits, failure), seen in sorted(self._looks.items()):
            if isinstance(law := _law_of_look(promises, waits, failure), Wait):
                what = f"the waits before look {waits + 2}"
                if failure:
                    what = f"the waits before the look behind failure {failure}"
                slots.hold(("looks", waits, failure), what, [(*row, law) for row in seen])
        slots.pair()
        self._close_numbers(evidence)

    def _is_seen_whole(self, law: Backoff) -> bool:
        """Tell whether waits are seen as they were drawn: in one piece, or in pieces of which none is missing."""
        rows = [(failure, row) for failure, found in self._retries.items() for row in found]
        if not any(row.pieces > 1 for _, row in rows):
            return True
        return not self._cut and all(is_between(row.wait_ns, bounds_after(law, failure)) for failure, row in rows)

    def _close_numbers(self, evidence: Evidence) -> None:
        numbers = np.array([value for _, _, value in self._drawn])
        if len(np.unique(numbers)) < len(numbers):
            # A mutation that threw may draw its numbers again, but no two requests draw the same.
            numbers = np.unique(np.array(self._drawn), axis=0)[:, 2]
        evidence.alike((FRESH, "the numbers that requests draw"), numbers, np.full(len(numbers), OF_ITS_OWN))


def _law_of_look(promises: Promises, waits: int, failure: int) -> Bounds | None:
    if waits < 0:
        return promises.first_poll_ms
    return None if promises.polls_ms is None else poll_bounds_after(promises.polls_ms, waits, failure)


def _failures(view: View, request: Request) -> int:
    return len(action_jobs(view, request)) if request.jobs else len(request.attempts)


def _had_more(view: View, request: Request, promises: Promises) -> bool:
    """Tell whether a request that gave up had attempts and time left, so that the next wait may have been too long."""
    failures, at_most = _failures(view, request), promises.attempts_at_most
    if not failures or (at_most is not None and failures >= at_most) or request.cancels:
        return False
    last = request.attempts[-1].failure if request.attempts else None
    if last is not None and (last.final or last.retry_after_ns >= 0):
        return False
    if promises.deadline_ns is None or promises.backoff_ms is None or request.settled is None:
        return True
    left_ns = request.submitted_ns + promises.deadline_ns - request.settled.t_ns
    law = bounds_after(promises.backoff_ms, failures)
    return not isinstance(law, Wait) or _fits(law, left_ns)


def _fits(law: Wait, left_ns: float) -> bool:
    """Tell whether a wait is over before the deadline, however long it is."""
    most_ms = (left_ns - slack_ns(abs(left_ns))) / NS_PER_MS
    if law[1] < most_ms or left_ns == inf:
        return True
    return law[1] == inf and bool(law.up_to(np.array([most_ms]))[0] >= SURELY)


def _of_law(rows: Sequence[_Row], law: Wait) -> list[tuple[Who, int, Wait]]:
    """Return the waits that nothing has chosen by their length, each with its law."""
    laws = [(row, law.given(row.before_ms)) for row in rows]
    return [(row.who, row.wait_ns, given) for row, given in laws if given is not None and _fits(given, row.left_ns)]


waits_follow_law = overall(
    LAW, "retrier", "Waits are spread between their bounds as the law says that the retrier promises.", Waits
)
waits_drawn_anew = overall(
    FRESH, "retrier", "One wait says nothing of another, of the same request or of another one.", Waits
)
