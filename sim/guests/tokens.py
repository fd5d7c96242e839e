"""What asks the operating system for chance, inside guests: it gets the bits of the request's own sequence.

`os.urandom` is below nearly all of it: `secrets`, `uuid.uuid4`, `random.SystemRandom`, and the seeds of generators of
NumPy that are given none. UUIDs of versions 1, 6 and 7 carry the simulated time; in the host they also depend on the
UUIDs made before, which a request must not.
"""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any, Final

from sim.guests.inside import EPOCH_NS, INSIDE
from sim.guests.randomness import bits, random_bytes
from sim.guests.stand_ins import instead_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.guests.inside import Inside
    from sim.guests.stand_ins import Home

_GREGORIAN: Final = 0x01B21DD213814000
"""100 ns between 1582-10-15 and 1970-01-01 (RFC 9562, section 5.1)."""
_NODE: Final = 0x02_00_00_00_00_01
"""The number of the machine's network card, as guests see it: one that is given out locally."""
_MULTICAST: Final = 1 << 40
"""Marks a number that is of no network card (RFC 9562, section 6.10)."""


def replaced_functions() -> dict[Any, Any]:
    """Return the functions that ask the operating system for chance, each with the one that takes its place."""
    made: dict[Any, Callable[..., Any]] = {
        os.urandom: _bytes(os.urandom),
        uuid.uuid1: _asked(uuid.uuid1, version_1),
        uuid.getnode: _asked(uuid.getnode, lambda _: _NODE),
    }
    if hasattr(os, "getrandom"):  # Linux
        made[os.getrandom] = _bytes(os.getrandom)
    if hasattr(uuid, "uuid7"):  # Python 3.14
        for name, simulated in (("uuid6", version_6), ("uuid7", version_7)):
            made[getattr(uuid, name)] = _asked(getattr(uuid, name), simulated)
    try:
        import ssl
    except ImportError:  # Python was built without it
        pass
    else:
        made[ssl.RAND_bytes] = _bytes(ssl.RAND_bytes)
    return {real: instead_of(real, function) for real, function in made.items()}


def _bytes(real: Callable[..., bytes]) -> Callable[..., Any]:
    def of_the_system(_: Home, size: int, *flags: int, **more: Any) -> bytes:
        inside = INSIDE.get()
        return real(size, *flags, **more) if inside is None else random_bytes(inside, size)

    return of_the_system


def _asked(real: Callable[..., Any], simulated: Callable[..., Any]) -> Callable[..., Any]:
    def function(_: Home, *args: Any, **more: Any) -> Any:
        inside = INSIDE.get()
        return real(*args, **more) if inside is None else simulated(inside, *args, **more)

    return function


def _ticks(inside: Inside) -> int:
    return (EPOCH_NS + inside.now_ns()) // 100 + _GREGORIAN


def version_1(inside: Inside, node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    """Return a UUID of the simulated time; its sequence and node are drawn."""
    ticks = _ticks(inside)
    sequence = bits(inside, 14) if clock_seq is None else clock_seq & 0x3FFF
    node = bits(inside, 48) | _MULTICAST if node is None else node
    fields = ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF
    return uuid.UUID(fields=(*fields, sequence >> 8, sequence & 0xFF, node), version=1)


def version_6(inside: Inside, node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    """Return a UUID that sorts by the simulated time (RFC 9562, section 5.6)."""
    ticks = _ticks(inside)
    sequence = bits(inside, 14) if clock_seq is None else clock_seq & 0x3FFF
    node = bits(inside, 48) | _MULTICAST if node is None else node & 0xFFFFFFFFFFFF
    return _of(6, ticks >> 12, ticks & 0xFFF, sequence << 48 | node)


def version_7(inside: Inside) -> uuid.UUID:
    """Return a UUID that sorts by the simulated time in ms (RFC 9562, section 5.7)."""
    ms = (EPOCH_NS + inside.now_ns()) // 10**6
    return _of(7, ms, bits(inside, 12), bits(inside, 62))


def _of(version: int, first_48: int, next_12: int, last_62: int) -> uuid.UUID:
    return uuid.UUID(int=first_48 << 80 | version << 76 | next_12 << 64 | 0b10 << 62 | last_62)
