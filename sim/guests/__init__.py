"""Unmodified Python code, with the retry library of its choice, in simulated time. May import `retriers` and below.

`GuestRetrier` is the class to derive from, `guest_of` makes one of a plain function. `transports` lets HTTP libraries
send by the simulation.
"""

from sim.guests import transports
from sim.guests.refused import GuestRefused
from sim.guests.retrier import GuestRetrier, guest_of

__all__ = ["GuestRefused", "GuestRetrier", "guest_of", "transports"]
