"""Waits of guest code that nothing ends: where the code waits, and how many requests are stuck there.

A guest may wait for a call that hangs, which the story of the request shows. What it shows nowhere is what code waits
for that is no call: an event that nothing sets, an empty queue, a lock that is never free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class LastingWait(NamedTuple):
    """A line of guest code at which requests wait for ever."""

    place: str
    """The line, as `file:line`; empty if the guest has no line of its own that waits."""
    requests: int
    """How many requests wait there."""
    request: int
    """The first of them, as the number that `replay` takes."""


def merged(waits: Iterable[LastingWait]) -> tuple[LastingWait, ...]:
    """Put waits together, one of each line; that of the lowest request comes first."""
    found: dict[str, LastingWait] = {}
    for one in waits:
        other = found.get(one.place)
        found[one.place] = (
            one
            if other is None
            else LastingWait(one.place, one.requests + other.requests, min(one.request, other.request))
        )
    return tuple(sorted(found.values(), key=lambda one: (one.request, one.place)))
