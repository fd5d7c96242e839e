"""NumPy's chance inside guests: its generators are seeded from the request's own sequence.

A generator that guest code makes without a seed gets one from `os.urandom`, and so from the request (see `tokens`); one
that it makes with a seed goes its own way. For a generator of the host, that of `numpy.random.uniform` and its like
included, another stands in each request, seeded from the request's sequence when it is first used. Its draws are
NumPy's own, so a request's addresses hold the seeds only.

A generator of the host has a lock of the host; one that is made inside a guest has a lock that shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.guests.entries import ClassEntries
from sim.guests.inside import INSIDE
from sim.guests.randomness import bits
from sim.guests.stand_ins import instead_of

if TYPE_CHECKING:
    from sim.guests.inside import Inside
    from sim.guests.stand_ins import Home

_SEED_BITS: Final = 128
_MODULE: Final = np.random.bit_generator
_LOCK: Final = "RLock" if hasattr(_MODULE, "RLock") else "Lock"
"""The name by which NumPy makes the lock of a generator; older versions make another kind."""
_GLOBAL: Final[Any] = np.random.mtrand._rand  # noqa: SLF001  # the generator of the module's functions


class OwnLock:
    """The lock of a generator that a guest has made: nothing else runs while it draws, so it locks nothing."""

    def acquire(self, *_: Any) -> bool:
        """Do nothing."""
        return True

    def release(self) -> None:
        """Do nothing."""

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        self.release()


_RealLock: Final[Any] = getattr(_MODULE, _LOCK)


def _made_lock() -> Any:
    return _RealLock() if INSIDE.get() is None else OwnLock()


def _is_own(generator: Any) -> bool:
    return isinstance(_bit_generator(generator).lock, OwnLock)


def _bit_generator(generator: Any) -> Any:
    return generator if isinstance(generator, np.random.BitGenerator) else generator._bit_generator  # noqa: SLF001  # the public name is missing in `RandomState`


def _stand_in(inside: Inside, generator: Any) -> Any:
    """Return what answers for a generator in this request."""
    if _is_own(generator):
        return generator
    found = inside.seeded.get(id(generator))
    if found is None:
        fresh = type(_bit_generator(generator))(bits(inside, _SEED_BITS))
        made = fresh if isinstance(generator, np.random.BitGenerator) else _plain_class(generator)(fresh)
        # The generator is kept, so that no other gets its identity.
        found = inside.seeded[id(generator)] = generator, made, True
    return found[1]


def _plain_class(generator: Any) -> Any:
    return np.random.RandomState if isinstance(generator, np.random.RandomState) else np.random.Generator


def _method(real: Any) -> Any:
    def method(self: Any, *args: Any, **more: Any) -> Any:
        inside = INSIDE.get()
        return real(self if inside is None else _stand_in(inside, self), *args, **more)

    method.__name__, method.__doc__ = real.__name__, real.__doc__
    return method


class Generators(ClassEntries):
    """Lets NumPy's generators draw inside guests, and puts their methods back."""

    def __init__(self) -> None:
        kinds = np.random.Generator, np.random.RandomState, np.random.BitGenerator
        super().__init__(
            {
                (kind, name): _method(real)
                for kind in kinds
                for name, real in vars(kind).items()
                if callable(real) and not name.startswith("_")
            }
        )

    def install(self) -> None:
        """Exchange the methods, and what makes locks."""
        super().install()
        setattr(_MODULE, _LOCK, _made_lock)

    def restore(self) -> None:
        """Put them back."""
        setattr(_MODULE, _LOCK, _RealLock)
        super().restore()


def replaced_functions() -> dict[Any, Any]:
    """Return the functions of `numpy.random` that draw from its global generator, each with what takes its place."""
    found = {id(real): real for real in vars(np.random).values() if getattr(real, "__self__", None) is _GLOBAL}
    return {real: instead_of(real, _function(real)) for real in found.values()}


def _function(real: Any) -> Any:
    name = real.__name__

    def function(_: Home, *args: Any, **more: Any) -> Any:
        inside = INSIDE.get()
        return real(*args, **more) if inside is None else getattr(_stand_in(inside, _GLOBAL), name)(*args, **more)

    return function
