"""Which attempts belong to one request, and their numbers within it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def by_request(key: NDArray[np.uint64], known: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return rows in order of their keys, those of one key in order, and at which of these another key begins.

    A row whose key is not `known` stands alone.
    """
    # Of ten million rows an array of int64 takes 80 MB: rows are numbered in int32, and what is used up is let go.
    order = np.argsort(key, kind="stable").astype(np.int32)
    ordered = key[order]
    begins = np.ones(len(key), np.bool_)
    begins[1:] = ordered[1:] != ordered[:-1]
    alone = ~known[order]
    begins |= alone
    begins[1:] |= alone[:-1]
    return order, begins


def requests_of(
    order: NDArray[np.int32], begins: NDArray[np.bool_], attempt: NDArray[np.int32] | None
) -> tuple[NDArray[np.int32], NDArray[np.int32], list[str]]:
    """Return the number of each row's request, and of its attempt, from what `by_request` found.

    Requests count from 0 in order of their first rows, attempts from 1. `attempt` is what the log says of each row,
    from 1, or None: then attempts count in order. If a key begins anew, another request does: an attempt of number n
    continues the oldest request of its key that has come to n - 1. Returns sentences about what is odd, too.
    """
    count = len(order)
    if not count:
        return np.zeros(0, np.int32), np.zeros(0, np.int32), []
    group = np.cumsum(begins, dtype=np.int32)
    group -= 1
    told: list[str] = []
    if attempt is None:
        nth = np.arange(count, dtype=np.int32)
        nth -= np.maximum.accumulate(np.where(begins, nth, np.int32(0)))
        nth += 1
    else:
        nth = attempt[order]
        by_attempt = np.lexsort((nth, group)).astype(np.int32)
        again = np.diff(group[by_attempt], prepend=np.int32(-1)) == 0
        again &= np.diff(nth[by_attempt], prepend=np.int32(-1)) == 0
        odd = np.unique(group[by_attempt][again])
        del by_attempt, again
        if len(odd):
            group = _split(group, nth, np.flatnonzero(begins), odd)
        least = np.full(int(group.max()) + 1, np.iinfo(np.int32).max, np.int32)
        np.minimum.at(least, group, nth)
        late = int(np.count_nonzero((least > 1) & (least < np.iinfo(np.int32).max)))
        if late:
            told.append(f"The log does not have the first attempt of {_count(late, 'request')}.")
        del least
    # Requests are numbered by their first rows: of several rows written to one place the last one stays.
    first = np.empty(int(group.max()) + 1, np.int32)
    first[group[::-1]] = order[::-1]
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first), dtype=np.int32)
    del first
    numbered = np.empty(count, np.int32)
    numbered[order] = nth
    del nth
    request = np.empty(count, np.int32)
    request[order] = rank[group]
    return request, numbered, told


def _split(
    group: NDArray[np.int32], nth: NDArray[np.int32], starts: NDArray[np.intp], odd: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Give rows of keys that begin anew requests of their own."""
    made = group.copy()
    following = int(group[-1]) + 1
    ends = np.append(starts[1:], len(group))
    for number in odd.tolist():
        reached: dict[int, int] = {}
        for row in range(int(starts[number]), int(ends[number])):
            one = int(nth[row])
            before = next((request for request, last in reached.items() if last == one - 1), None)
            if before is None and one > 1:
                before = next((request for request, last in reached.items() if last < one), None)
            if before is None:
                before = number if not reached else following
                following += bool(reached)
            reached[before] = one
            made[row] = before
    return made


def behind_success(request: NDArray[np.int32], succeeded: NDArray[np.bool_]) -> int:
    """Count the rows that come after a success of their own request; rows are in order of their starts."""
    rows = np.flatnonzero(succeeded)[::-1].astype(np.int32)
    first = np.full(int(request.max(initial=-1)) + 1, np.iinfo(np.int32).max, np.int32)
    first[request[rows]] = rows
    return int(np.count_nonzero(np.arange(len(request), dtype=np.int32) > first[request]))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
