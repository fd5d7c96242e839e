"""Unmodified Python code, with the retry library of its choice, in simulated time. May import `retriers` and below.

`GuestRetrier` is the class to derive from, `guest_of` makes one of a plain function. `transports` lets HTTP libraries
send by the simulation. All are imported when first used: most commands meet no guest, and guests need asyncio, greenlet
and a copy of much of the standard library.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
