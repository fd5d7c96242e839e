"""Guests that never end: they call on although their calls succeed.

A guest is one request, which is over when its code returns. Code such as `while True: call()`, or one that catches
every error, goes on for ever. A request may make a million calls by default, since retrying against an outage takes
many, and that takes a minute of real time; but calls that *succeed* are few. So the number of these has a limit of its
own, which such a guest meets in the first tenths of a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sim.guests.inside import Inside

MOST_SUCCESSES: Final = 1000
"""How many calls of one request may succeed, if the guest says nothing else."""
ATTRIBUTE: Final = "most_successes"
"""By which a guest says something else: one that works a list off, or calls at intervals for an hour."""


def look_at_successes(inside: Inside, here: Inside) -> None:
    """Refuse that a guest calls once more, if as many of its calls have succeeded as may."""
    guest = inside.process.guest
    most: Any = getattr(getattr(guest, "__self__", guest), ATTRIBUTE, MOST_SUCCESSES)
    if not isinstance(most, int) or most < 1:
        here.refuse(f"says {ATTRIBUTE} = {most!r}: it is how many calls of one request may succeed")
    if inside.successes >= most:
        here.refuse(
            f"calls on although {inside.successes:,} calls of request {inside.request.number} have succeeded: "
            "a request is over when the guest returns, and this one seems to be in an endless loop. Return after a "
            f"success; or if so many are meant, give the guest an attribute {ATTRIBUTE} that says how many may be"
        )
