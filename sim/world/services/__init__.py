"""Services: what many requests call at once, and what gets slow or fails because of the calls it gets.

`options` is what a scenario says of one; `service` plays it, with `waiting` (its queue), `tokens` (its rate limit),
`capacity` (its servers over time) and `slowdown`; `versioned_row` is the other kind of service. `own` lets a class of
the user's own do the work. The same imports as `world`.
"""

from sim.world.services.own import HandledCall, OwnService, ServiceContext, ServiceFailed

__all__ = ["HandledCall", "OwnService", "ServiceContext", "ServiceFailed"]
