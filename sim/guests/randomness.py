"""Chance inside guests: the generators of `random` draw from the request's own sequence.

The module `random` has one generator for the whole process; code that imports its functions has that generator's
methods. So the methods of the class are replaced, which reaches every generator, wherever it is:

- A generator that nothing in the guest has seeded answers with the request's numbers, whether the guest or the host has
  made it, and whatever seed the host has given it. `random.random()` is the next number of the request itself, and
  whole numbers up to a limit n are `floor(n * number)`; the rest follows by the formulas of the class.
- A generator that guest code has made with a seed goes its own way, since it depends on nothing else.
- A generator of the host that guest code seeds is left as it is. Another stands for it, for this request only.

What cannot be reached: generators of classes derived from `_random.Random`, and of extensions with chance of their own.
NumPy's are in `numpy_chance`; what asks the operating system for chance, such as UUIDs, in `tokens`.
"""

from __future__ import annotations

import _random
import random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sim.guests.inside import INSIDE
from sim.guests.stand_ins import instead_of

if TYPE_CHECKING:
    from sim.guests.inside import Inside
    from sim.guests.stand_ins import Home

BITS: Final = 53
"""Of a number on [0, 1)."""
_OWNER: Final = "_retrysim_owner"
"""The attribute of a generator that guest code has made with a seed: the client process that it belongs to."""
_GLOBAL: Final[random.Random] = random._inst  # noqa: SLF001  # the generator of the module's functions
_Class: Final[Any] = random.Random
_C: Final = _random.Random
"""What it is derived from, with the methods that are written in C."""
_real: Final[dict[str, Any]] = {
    name: vars(_Class)[name] for name in ("seed", "gauss", "getstate", "setstate", "_randbelow")
}


class StateOfRequest(NamedTuple):
    """What `getstate` says of a generator that draws from the request's sequence: how far that is."""

    draws: int
    gauss_next: float | None


def bits(inside: Inside, count: int) -> int:
    """Draw so many bits: of each number drawn its first ones."""
    if count < 0:
        raise ValueError("number of bits must be non-negative")
    drawn = 0
    while count > 0:
        taken = min(count, BITS)
        drawn = (drawn << taken) | int(inside.uniform() * (1 << taken))
        count -= taken
    return drawn


def below(inside: Inside, limit: int) -> int:
    """Draw a whole number from 0 up to a limit, which is left out."""
    return int(inside.uniform() * limit) if limit <= 1 << BITS else bits(inside, limit.bit_length() + BITS) % limit


def random_bytes(inside: Inside, count: int) -> bytes:
    """Draw bytes."""
    if count < 0:
        raise ValueError("negative argument not allowed")
    return bits(inside, 8 * count).to_bytes(count, "big")


# Which generator answers.


def _bare() -> random.Random:
    """Return a generator without the work of seeding it from the host."""
    made: random.Random = _Class.__new__(_Class, 0)
    made.gauss_next = None  # type: ignore[attr-defined]  # as the class does
    return made


def _is_own(inside: Inside, generator: random.Random) -> bool:
    return vars(generator).get(_OWNER) is inside.process


def _seeded(inside: Inside, generator: random.Random) -> random.Random | None:
    """Return what answers for a generator that the guest has seeded; None if the request's sequence does."""
    if _is_own(inside, generator):
        return generator
    found = inside.seeded.get(id(generator)) if inside.seeded else None
    return found[1] if found is not None and found[2] else None


def _stand_in(inside: Inside, generator: random.Random, made: random.Random | None = None) -> random.Random:
    """Return what stands for a generator in this request, so that it keeps nothing of the request itself.

    `made` takes over from whatever did, and counts as seeded by the guest.
    """
    found = inside.seeded.get(id(generator))
    if found is None or made is not None:
        if made is not None:
            vars(made)[_OWNER] = inside.process
        # The generator is kept, so that no other gets its identity.
        found = inside.seeded[id(generator)] = generator, made or _bare(), made is not None
    stand_in: random.Random = found[1]
    return stand_in


def draws_from_requests(one: object) -> bool:
    """Tell whether something is a generator that no guest has seeded, so that it keeps no chance of its own."""
    return isinstance(one, _Class) and _OWNER not in vars(one)


# What takes the place of methods of `random.Random`.


def _float(self: random.Random) -> float:
    inside = INSIDE.get()
    if inside is None:
        return _C.random(self)
    own = _seeded(inside, self)
    return inside.uniform() if own is None else _C.random(own)


def _getrandbits(self: random.Random, k: int, /) -> int:
    inside = INSIDE.get()
    if inside is None:
        return _C.getrandbits(self, k)
    own = _seeded(inside, self)
    return bits(inside, k) if own is None else _C.getrandbits(own, k)


def _randbelow(self: random.Random, n: int) -> int:
    inside = INSIDE.get()
    own = self if inside is None else _seeded(inside, self)
    if inside is None or own is not None:
        return _real["_randbelow"](own, n)  # type: ignore[no-any-return]  # a number
    return below(inside, n)


def _seed(self: random.Random, a: Any = None, version: int = 2) -> None:
    inside = INSIDE.get()
    if inside is None:
        _real["seed"](self, a, version)
    elif a is None:
        _unseed(inside, self)
    elif _is_own(inside, self) or _is_new(self):
        _real["seed"](self, a, version)
        vars(self)[_OWNER] = inside.process
    else:
        made = _bare()
        _real["seed"](made, a, version)
        _stand_in(inside, self, made)


def _is_new(generator: random.Random) -> bool:
    """Tell whether a generator is under construction: its constructor seeds it first."""
    return "gauss_next" not in vars(generator)


def _unseed(inside: Inside, generator: random.Random) -> None:
    """Let a generator draw from the request's sequence from now on."""
    inside.seeded.pop(id(generator), None)
    if _is_own(inside, generator) or _is_new(generator):
        vars(generator).pop(_OWNER, None)
        generator.gauss_next = None  # type: ignore[attr-defined]  # as the class does


def _gauss(self: random.Random, mu: float = 0.0, sigma: float = 1.0) -> float:
    inside = INSIDE.get()
    if inside is None or _is_own(inside, self):
        return _real["gauss"](self, mu, sigma)  # type: ignore[no-any-return]  # a float
    stand_in = _seeded(inside, self) or _stand_in(inside, self)
    return _real["gauss"](stand_in, mu, sigma)  # type: ignore[no-any-return]  # a float


def _getstate(self: random.Random) -> Any:
    inside = INSIDE.get()
    if inside is None:
        return _real["getstate"](self)
    own = _seeded(inside, self)
    if own is not None:
        return _real["getstate"](own)
    return StateOfRequest(inside.draws, _stand_in(inside, self).gauss_next)  # type: ignore[attr-defined]  # as the class does


def _setstate(self: random.Random, state: Any) -> None:
    inside = INSIDE.get()
    if inside is None:
        _real["setstate"](self, state)
    elif isinstance(state, StateOfRequest):
        if state.draws != inside.draws:
            inside.refuse(
                "sets back its generator of random numbers to ones that it has drawn already: each draw of a request "
                "has an address of its own. Seed a generator with a number, to draw the same again"
            )
        _unseed(inside, self)
        _stand_in(inside, self).gauss_next = state.gauss_next  # type: ignore[attr-defined]  # as the class does
    elif _is_own(inside, self):
        _real["setstate"](self, state)
    else:
        made = _bare()
        _real["setstate"](made, state)
        _stand_in(inside, self, made)


def _system_random(self: random.SystemRandom) -> float:
    inside = INSIDE.get()
    return _system_real["random"](self) if inside is None else inside.uniform()


def _system_randbelow(self: random.SystemRandom, n: int) -> int:
    inside = INSIDE.get()
    if inside is None:
        return _system_real["_randbelow"](self, n)  # type: ignore[no-any-return]  # a number
    return below(inside, n)


_system_real: Final[dict[str, Any]] = {name: vars(random.SystemRandom)[name] for name in ("random", "_randbelow")}


class Methods:
    """Lets the generators of `random` draw inside guests, and puts their methods back."""

    def install(self) -> None:
        """Replace the methods. A class derived from them keeps its own ones."""
        _Class.random, _Class.getrandbits, _Class._randbelow = _float, _getrandbits, _randbelow  # noqa: SLF001  # what is replaced
        _Class.seed, _Class.gauss = _seed, _gauss
        _Class.getstate, _Class.setstate = _getstate, _setstate
        system: Any = random.SystemRandom
        system.random, system._randbelow = _system_random, _system_randbelow  # noqa: SLF001  # as above

    def restore(self) -> None:
        """Put them back."""
        for name in {"random", "getrandbits"} & vars(_Class).keys():
            delattr(_Class, name)  # it has them of the class that it is derived from
        for name, method in _real.items():
            setattr(_Class, name, method)
        for name, method in _system_real.items():
            setattr(random.SystemRandom, name, method)


METHODS: Final = Methods()


def kept_methods() -> list[tuple[Any, Any]]:
    """Return the methods in C that are replaced, each with the one that takes its place."""
    return [(_C.random, _float), (_C.getrandbits, _getrandbits)]


def replaced_functions() -> dict[Any, Any]:
    """Return the functions of `random` that keep the methods replaced here, each with what takes its place."""
    real_random, real_bits = random.random, random.getrandbits

    def module_random(_: Home) -> float:
        inside = INSIDE.get()
        if inside is None:
            return real_random()
        own = _seeded(inside, _GLOBAL)
        return inside.uniform() if own is None else _C.random(own)

    def module_bits(_: Home, k: int, /) -> int:
        return real_bits(k) if INSIDE.get() is None else _getrandbits(_GLOBAL, k)

    return {
        real_random: instead_of(real_random, module_random),
        real_bits: instead_of(real_bits, module_bits),
        # Methods bound of these, such as `random.seed`, are found with them.
        _real["seed"]: _seed,
        _real["gauss"]: _gauss,
        _real["getstate"]: _getstate,
        _real["setstate"]: _setstate,
    }
