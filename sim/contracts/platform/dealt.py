"""What each request gets of the work that a retrier does for many at once, computed from the events alone.

Such work is charged to a request of the retrier's own, with a number that no caller's has. A caller's request is served
by the retrier whose tables its submission touches; if that has not committed, by the one of others of its class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sim.history.dealing import FIRST_OWN, share

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.history.entities import Commit, Request
    from sim.promises.view import View

SUBMIT: Final = "submit"


def served_by(view: View) -> Iterator[tuple[Request, list[Request]]]:
    """Yield each request of a retrier's own with the requests that it serves, in the order of their numbers."""
    owns = [request for number, request in sorted(view.requests.items(), reverse=True) if number <= FIRST_OWN]
    if not owns:
        return
    tables = [{name for commit in view.commits_of(own.number) for name in _tables(commit)} for own in owns]
    submitted = [view.requests[number] for number in sorted(view.requests) if view.requests[number].submit is not None]
    touched = {request.number: _touched(view, request) for request in submitted}
    of_class: dict[str | None, set[str]] = {}
    for request in submitted:
        if request.submit is not None and touched[request.number]:
            of_class.setdefault(request.submit.caller_class, touched[request.number])
    for own, known in zip(owns, tables, strict=True):
        yield own, [one for one in submitted if known & (touched[one.number] or _of_its_class(one, of_class))]


def _of_its_class(request: Request, of_class: dict[str | None, set[str]]) -> set[str]:
    return set() if request.submit is None else of_class.get(request.submit.caller_class, set())


def _touched(view: View, request: Request) -> set[str]:
    first = next((commit for commit in view.commits_of(request.number) if commit.event.function == SUBMIT), None)
    return set() if first is None else _tables(first)


def _tables(commit: Commit) -> set[str]:
    """Name the tables of the documents that a mutation wrote, and of the ranges that it read."""
    written = {row.rpartition(":")[0] for row in commit.event.writes if isinstance(row, str)}
    return written | {read.table for read in commit.event.ranges}


def dealt(total: tuple[int, int], served: Sequence[Request]) -> Iterator[tuple[Request, tuple[int, int]]]:
    """Yield what each of these requests gets of a total, of which the least and the most are known."""
    low, high = total
    for place, request in enumerate(served):
        yield request, (share(low, len(served), place), share(high, len(served), place))
