"""Which attempts belong to one request, and their numbers within it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEEN_AGAIN: Final = 0.05
"""With more rows than this share behind a success of their own request, a key does not name attempts of one request."""


def requests_of(
    key: NDArray[np.uint64], known: NDArray[np.bool_], attempt: NDArray[np.int32] | None
) -> tuple[NDArray[np.int32], NDArray[np.int32], list[str]]:
    """Return the number of each row's request, and of its attempt; rows are in order of their starts.

    Requests count from 0 in order of their first rows, attempts from 1. A row whose key is not `known` is a request of
    its own. `attempt` is what the log says, from 1, or None: then attempts count in order. If a key begins anew,
    another request does: an attempt of number n continues the oldest request of its key that has come to n - 1.
    Returns sentences about what is odd, too.
    """
    count = len(key)
    if not count:
        return np.zeros(0, np.int32), np.zeros(0, np.int32), []
    order = np.argsort(key, kind="stable")
    begins = _begins(key[order], known[order])
    starts = np.flatnonzero(begins)
    group = (np.cumsum(begins) - 1).astype(np.int32)
    told: list[str] = []
    if attempt is None:
        lengths = np.diff(np.append(starts, count))
        nth = (np.arange(count, dtype=np.int64) - np.repeat(starts, lengths) + 1).astype(np.int32)
    else:
        nth = attempt[order]
        by_attempt = np.lexsort((nth, group))
        again = np.diff(group[by_attempt], prepend=-1) == 0
        again &= np.diff(nth[by_attempt], prepend=-1) == 0
        odd = np.unique(group[by_attempt][again])
        if len(odd):
            group = _split(group, nth, starts, odd)
        least = np.full(int(group.max()) + 1, np.iinfo(np.int32).max, np.int32)
        np.minimum.at(least, group, nth)
        late = int(np.count_nonzero((least > 1) & (least < np.iinfo(np.int32).max)))
        if late:
            told.append(f"The log does not have the first attempt of {_count(late, 'request')}.")
    # Requests are numbered by their first rows, in the order of rows.
    request = np.empty(count, np.int32)
    request[order] = group
    numbered = np.empty(count, np.int32)
    numbered[order] = nth
    _, first, which = np.unique(request, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first), dtype=np.int32)
    return rank[which], numbered, told


def _begins(key: NDArray[np.uint64], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell at which rows, in order of their keys, another key begins; rows without one stand alone."""
    begins = np.append(True, key[1:] != key[:-1])  # a value of the array
    begins |= ~known
    begins[1:] |= ~known[:-1]
    return begins


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
    order = np.argsort(request, kind="stable")
    one, good = request[order], succeeded[order]
    if not len(one):
        return 0
    begins = np.append(True, one[1:] != one[:-1])
    before: NDArray[np.int64] = np.cumsum(good) - good
    base = np.maximum.accumulate(np.where(begins, before, 0))
    return int(np.count_nonzero(before > base))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
