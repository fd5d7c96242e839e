"""What is done for many requests at once, dealt out among them.

A retrier may serve many requests with one job: the loop of a pool looks for all of them. Such work is charged to no
request while it happens. At the end each request gets the same share of it, so that sums and means are exact. What
cannot be divided is spread over them in their order, so that the means of a window of requests are as near as can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.history.request import Request

FIRST_OWN: Final = -2
"""The number of the first request that stands for a retrier itself; further ones have smaller numbers."""
DEALT: Final = ("polls", "conflicts", "mutations", "actions", "action_ns")
"""The columns that are dealt out."""


def share(total: int, count: int, place: int) -> int:
    """Return what the request at a place (0 first) gets of a total that is dealt out among `count` requests."""
    return (place + 1) * total // count - place * total // count


def deal_out(own: Request, requests: Sequence[Request]) -> None:
    """Give each of these requests its share of what was done for all, and nothing to a retrier without requests."""
    for column in DEALT:
        total = getattr(own, column)
        if total:
            for place, request in enumerate(requests):
                setattr(request, column, getattr(request, column) + share(total, len(requests), place))
        setattr(own, column, 0)
