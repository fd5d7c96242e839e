"""What others did that a request's story needs: a retrier of the deployment may serve many requests with one job.

Documents name the requests that they serve, but the commits that write them belong to the retrier's own request
(`sim.history.dealing`) or to a neighbor. So the history of one request keeps them beside its own events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.history.dealing import FIRST_OWN
from sim.kernel.durations import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

Raw = tuple[int, str, int, int, str, Any]
Beside = tuple[tuple[int, Raw], ...]
"""Tuples of others, each behind how many of the request's own come before it."""
AFTER_NS: Final = 10 * NS_PER_S
"""So long after a request's last event others may still do something for it, such as to free its slot."""
KINDS: Final = frozenset({"write", "state"})


def beside(raws: Sequence[Raw], request: int) -> Beside:
    """Return the writes and the steps of jobs of others while a request was there; none if no request serves many.

    Documents that were there before come first, each as it was.
    """
    if not any(raw[2] <= FIRST_OWN for raw in raws):
        return ()
    own = [raw[0] for raw in raws if raw[2] == request]
    if not own:
        return ()
    first_ns, last_ns = own[0], own[-1] + AFTER_NS
    there: dict[str, Raw] = {}
    found: list[tuple[int, Raw]] = []
    before = 0
    for raw in raws:
        if raw[0] > last_ns:
            break
        if raw[2] in {request, -1}:
            before += 1
        elif raw[1] not in KINDS:
            continue
        elif raw[0] >= first_ns:
            found.append((before, raw))
        elif raw[1] == "write":
            there.pop(raw[4], None)
            if raw[5] is not None:
                there[raw[4]] = raw
    return (*((0, raw) for raw in there.values()), *found)
