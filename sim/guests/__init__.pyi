# The public names of the room: `__init__.py` imports from here when one is first used, type checkers read it.

from . import transports as transports
from .refused import GuestRefused as GuestRefused
from .retrier import GuestRetrier as GuestRetrier
from .retrier import guest_of as guest_of
