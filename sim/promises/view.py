"""An indexed history with its terms: the argument of every invariant."""

from __future__ import annotations

from bisect import bisect
from copy import copy
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from sim.history.deployment_events import RowsCollected
from sim.history.entities import NOT_YET
from sim.history.index import Index
from sim.history.vocabulary import ANSWERED
from sim.promises.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.entities import Attempt, Request
    from sim.history.recorder import History

_place = itemgetter(0)
BY_CLASS: Final = "by_class"
ONCE: Final = "once"


class View(Index):
    """A history with its terms, indexed; what invariants ask of both is answered here."""

    def __init__(self, history: History, terms: Terms | None = None) -> None:
        super().__init__(history)
        self.terms = Terms() if terms is None else terms
        self.known: dict[str, Any] = {}
        """What several invariants ask for, computed once."""

    def attempts(self) -> Iterator[Attempt]:
        """Yield all attempts, request by request."""
        for request in self.requests.values():
            yield from request.attempts

    def is_client(self, request: Request) -> bool:
        """Tell whether a request is that of a client outside, which has no jobs; if it has no attempts, by promises."""
        if request.jobs:
            return False
        if request.attempts:
            return request.attempts[0].job < 0
        promises = self.terms_of(request).promises
        return bool(request.sleeps) or not (promises.action_jobs or promises.poll_jobs)

    def terms_of(self, request: Request) -> Terms:
        """Return the terms of a request's class, or those of all."""
        name = None if request.submit is None else request.submit.caller_class
        return self.terms if name is None else self.terms.classes.get(name, self.terms)

    def by_class(self) -> list[View]:
        """Return a view of the requests of each class, under the terms of that class; this one if there are none.

        Everything but requests and terms is that of the whole history.
        """
        if not self.terms.classes:
            return [self]
        found: list[View] | None = self.known.get(BY_CLASS)
        if found is None:
            found = self.known[BY_CLASS] = [
                self.part({number: one for number, one in self.requests.items() if self.terms_of(one) is terms}, terms)
                for terms in self.terms.classes.values()
            ]
        return found

    def submitted_once(self) -> list[View]:
        """Return the views of `by_class` without the requests that are submitted again.

        Their submissions go on side by side, and a history does not say of which a client's call, sleep or draw is.
        """
        found: list[View] | None = self.known.get(ONCE)
        if found is None:
            found = self.known[ONCE] = [_once(view) for view in self.by_class()]
        return found

    def of_scenarios_retrier(self) -> View:
        """Return a view of the requests whose class has no retrier of its own; this one if there are no classes."""
        if not self.terms.classes:
            return self
        served = {number: one for number, one in self.requests.items() if not self.terms_of(one).own_retrier}
        return self.part(served, replace(self.terms, classes={}))

    def part(self, requests: dict[int, Request], terms: Terms) -> View:
        """Return a view of some of the requests, under some terms."""
        part = copy(self)
        part.requests, part.terms, part.known = requests, terms, {}
        return part

    def is_past(self, t_ns: int) -> bool:
        """Tell whether all that is due at an instant has happened by the end of this history."""
        terms = self.terms
        return terms.drained or t_ns < self.last_ns or (terms.end_ns is not None and t_ns <= terms.end_ns)

    def restarted_between(self, after_at: int, before_at: int) -> bool:
        """Tell whether the server died between two places."""
        restarts = self.restarts
        return bool(restarts) and bisect(restarts, before_at, key=_place) > bisect(restarts, after_at, key=_place)

    def collected_between(self, after_at: int, before_at: int) -> bool:
        """Tell whether rows of ended jobs were deleted between two places, so a look for one may find nothing."""
        return any(isinstance(event, RowsCollected) and after_at < at < before_at for at, event in self.ledger)

    def heard_at(self, attempt: Attempt) -> int:
        """Return the place from which on the retrier could know what the attempt answered, `NOT_YET` for never.

        A client knows when the attempt ends, if it still waits then. In the deployment the job that hosts the attempt
        has to end after it, with no restart and no lost mutation in between. It is no excuse if the mutation that
        should report the end loses against others too often: the retrier has to handle that.
        """
        end_at = attempt.end_at
        if attempt.how not in ANSWERED or attempt.lost_at < end_at or attempt.given_up_at < end_at:
            return NOT_YET
        job = self.jobs.get(attempt.job)
        if job is None:
            return end_at
        if job.end_at < end_at or self.restarted_between(end_at, job.end_at):
            return NOT_YET
        if len(job.attempts) > 1 and any(one.end_at > end_at and one.how not in ANSWERED for one in job.attempts):
            # One that dies takes its execution along, reports of others included that have not begun to commit.
            told = (
                commit.event.caller == job.id and commit.at > end_at
                for commit in self.commits_of(attempt.request.number)
            )
            if not any(told):
                return NOT_YET
        for at, event in job.errors:
            # A mutation that is to report the end goes on when its job is cut off at the time limit meanwhile.
            if at > end_at and (event.struck.startswith("mutation") or (at < job.end_at and event.struck != "end")):
                return NOT_YET
        return job.end_at


def _once(view: View) -> View:
    if not any(request.resubmits for request in view.requests.values()):
        return view
    return view.part({number: one for number, one in view.requests.items() if not one.resubmits}, view.terms)
