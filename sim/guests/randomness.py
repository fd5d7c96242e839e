"""Chance inside guests: every generator of the standard library draws from the request's own sequence.

The module `random` has one generator for the whole process; whoever imports its functions has that generator's methods.
So the methods of the class are replaced, which reaches every generator, wherever it is. Only what a guest has made and
seeded itself goes its own way, since it depends on nothing else.
"""

from __future__ import annotations

import os
import random  # noqa: TID251  # it is what is replaced
import uuid  # noqa: TID251  # as above
from _random import Random as _C  # the methods that are written in C
from typing import Any, Final

from sim.guests.inside import EPOCH_NS, INSIDE, Inside

BITS: Final = 53
"""Of a number on [0, 1)."""
OWNER: Final = "_retrysim_owner"
_UUID_EPOCH: Final = 0x01B21DD213814000
"""100 ns between 1582-10-15 and 1970-01-01 (RFC 9562)."""


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


def _seeded(inside: Inside, generator: random.Random) -> random.Random | None:
    """Return what answers for a generator that the guest has seeded; None if the request's sequence does."""
    if vars(generator).get(OWNER) is inside.process:
        return generator
    return inside.seeded.get(id(generator))


class _Methods:
    """What takes the place of methods of `random.Random`; `real` has these."""

    def __init__(self) -> None:
        cls = random.Random
        self.real = {name: vars(cls).get(name) for name in ("random", "getrandbits")}
        self.changed = {name: vars(cls)[name] for name in ("__init__", "seed", "gauss", "getstate", "setstate")}
        self.below = [
            (kind, vars(kind)["_randbelow"]) for kind in (cls, *_subclasses(cls)) if "_randbelow" in vars(kind)
        ]
        system = random.SystemRandom
        self.system = {name: vars(system)[name] for name in ("random", "getrandbits", "randbytes")}

    def install(self) -> None:
        """Replace them."""
        cls: Any = random.Random
        c_random, c_bits = _C.random, _C.getrandbits
        changed = self.changed

        def simulated_random(self: random.Random) -> float:
            inside = INSIDE.get()
            if inside is None:
                return c_random(self)
            own = _seeded(inside, self)
            return inside.uniform() if own is None else c_random(own)

        def getrandbits(self: random.Random, k: int, /) -> int:
            inside = INSIDE.get()
            if inside is None:
                return c_bits(self, k)
            own = _seeded(inside, self)
            return bits(inside, k) if own is None else c_bits(own, k)

        def init(self: random.Random, x: Any = None) -> None:
            changed["__init__"](self, x)

        def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
            inside = INSIDE.get()
            if inside is None or type(self) is random.SystemRandom:
                changed["seed"](self, a, version)
                return
            is_new = "gauss_next" not in vars(self)
            if is_new or vars(self).get(OWNER) is inside.process:
                if a is None:
                    vars(self).pop(OWNER, None)
                    self.gauss_next = None  # type: ignore[attr-defined]  # as the class does
                else:
                    vars(self)[OWNER] = inside.process
                    changed["seed"](self, a, version)
            elif a is None:
                inside.seeded.pop(id(self), None)
            else:
                stand_in = inside.seeded[id(self)] = _bare()
                changed["seed"](stand_in, a, version)

        def stood_for(name: str) -> Any:
            method = changed[name]

            def simulated(self: random.Random, *args: Any, **more: Any) -> Any:
                inside = INSIDE.get()
                if inside is None or vars(self).get(OWNER) is inside.process:
                    return method(self, *args, **more)
                own = inside.seeded.get(id(self))
                if own is None:
                    if name in {"getstate", "setstate"}:
                        inside.refuse(f"asks for random.{name}: a request's numbers come by address, without a state")
                    own = inside.seeded.get("unseeded")
                    if own is None:
                        own = inside.seeded["unseeded"] = _bare()
                return method(own, *args, **more)

            simulated.__name__ = name
            return simulated

        cls.random, cls.getrandbits, cls.__init__, cls.seed = simulated_random, getrandbits, init, seed
        for name in ("gauss", "getstate", "setstate"):
            setattr(cls, name, stood_for(name))
        for kind, real in self.below:
            kind._randbelow = _below(real)
        for name, real in self.system.items():
            setattr(random.SystemRandom, name, _of_system(name, real))

    def restore(self) -> None:
        """Put them back."""
        cls: Any = random.Random
        for name, real in self.real.items():
            if real is None:
                delattr(cls, name)
            else:
                setattr(cls, name, real)
        for name, real in self.changed.items():
            setattr(cls, name, real)
        for kind, real in self.below:
            kind._randbelow = real
        for name, real in self.system.items():
            setattr(random.SystemRandom, name, real)


def _bare() -> random.Random:
    """Return a generator without the work of seeding it from the host."""
    made = random.Random.__new__(random.Random, 0)
    made.gauss_next = None  # type: ignore[attr-defined]  # as the class does
    return made


def _subclasses(kind: type) -> list[Any]:
    return [found for one in kind.__subclasses__() for found in (one, *_subclasses(one))]


def _below(real: Any) -> Any:
    def randbelow(self: random.Random, n: int) -> int:
        inside = INSIDE.get()
        own = None if inside is None else _seeded(inside, self)
        if inside is None or own is self:
            return real(self, n)  # type: ignore[no-any-return]  # a number
        return below(inside, n) if own is None else random.Random._randbelow_with_getrandbits(own, n)  # type: ignore[attr-defined, no-any-return]  # noqa: SLF001  # what the class does

    return randbelow


def _of_system(name: str, real: Any) -> Any:
    def simulated(self: random.SystemRandom, *args: Any) -> Any:
        inside = INSIDE.get()
        if inside is None:
            return real(self, *args)
        if name == "random":
            return inside.uniform()
        return bits(inside, *args) if name == "getrandbits" else random_bytes(inside, *args)

    simulated.__name__ = name
    return simulated


def random_bytes(inside: Inside, count: int) -> bytes:
    """Draw bytes."""
    return bits(inside, 8 * count).to_bytes(count, "big")


METHODS: Final = _Methods()


def replaced_functions() -> dict[Any, Any]:
    """Return the functions that draw from the host's chance, each with the one that takes its place."""
    real_random, real_bits, real_urandom, real_uuid1 = random.random, random.getrandbits, os.urandom, uuid.uuid1

    def module_random() -> float:
        inside = INSIDE.get()
        if inside is None:
            return real_random()
        own = _seeded(inside, _GLOBAL)
        return inside.uniform() if own is None else _C.random(own)  # type: ignore[no-any-return]  # a float

    def module_bits(k: int, /) -> int:
        return real_bits(k) if INSIDE.get() is None else _GLOBAL.getrandbits(k)

    def urandom(size: int, /) -> bytes:
        inside = INSIDE.get()
        return real_urandom(size) if inside is None else random_bytes(inside, size)

    def uuid1(node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
        inside = INSIDE.get()
        if inside is None:
            return real_uuid1(node, clock_seq)
        ticks = (EPOCH_NS + inside.now_ns()) // 100 + _UUID_EPOCH
        sequence = bits(inside, 14) if clock_seq is None else clock_seq
        node = bits(inside, 48) | (1 << 40) if node is None else node
        fields = ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF
        return uuid.UUID(fields=(*fields, sequence >> 8 & 0x3F, sequence & 0xFF, node), version=1)

    module_random.__name__, module_bits.__name__ = "random", "getrandbits"
    return {real_random: module_random, real_bits: module_bits, real_urandom: urandom, real_uuid1: uuid1}


_GLOBAL: Final[random.Random] = random._inst  # type: ignore[attr-defined]  # noqa: SLF001  # the generator of the module's functions
