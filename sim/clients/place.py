"""Where a client stands: whose policy it has, which process it belongs to, and whom it calls."""

from __future__ import annotations

from typing import Final, NamedTuple


class Place(NamedTuple):
    """What says which state a client shares with others."""

    policy: str
    """The class of callers or the service whose retrier it has; empty for the scenario's own."""
    client: int | str
    """The number of the client; of a service that calls, its name."""
    service: str
    """The name of the service that is called; empty for an action that is none."""
    receiver: int
    """The position of that service, or -1."""


NO_PLACE: Final = Place("", 0, "", -1)
"""Of the only client of a world, which calls an action."""
