"""The law of a delay as it is run: from the number of a retry, what was drawn and what is remembered to nanoseconds.

A law is a formula with values named before it (`let`). It may ask for these as they were at the delay before
(`last_NAME`), for that delay (`previous`) and for what was drawn for it (`u_previous`). All that depends on the number
of the retry alone is worked out once a number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from sim.clients.policy.delay_names import ENTRY, LAST
from sim.clients.policy.delay_waits import wait_of
from sim.kernel.durations import NS_PER_MS, RUNAWAY_NS, ms_of_ns
from sim.laws.formulas.machine import Code, decode, encode, evaluate, evaluate_arrays
from sim.laws.formulas.tree import Number, Tree, folded, names_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sim.laws.elementary import Floats
    from sim.promises.promises import Bounds

    Whole = NDArray[np.int64]

STOP: Final = -1
"""A delay that is none: there is no further retry."""
STREAMS: Final = {"u": "", "u2": ".second"}
"""What is drawn, and the suffix of its stream."""
_MOST_KEPT: Final = 4096
"""Numbers of retries for which what they alone decide is kept."""


class NegativeDelay(ValueError):
    """A law gave a delay of less than 0: `value_ms` before retry `n`; `place` is where the law is written."""

    def __init__(self, value_ms: float, n: int, place: str) -> None:
        self.reason = f"the delay before retry {n} is negative, {value_ms:.6g} ms; write max(0, ...) if 0 is meant"
        super().__init__(f"{place}: {self.reason}")
        self.value_ms = value_ms
        self.n = n
        self.place = place


class EncodedDelay(NamedTuple):
    """A law as plain numbers; codes as in `sim.laws.formulas.machine`, times in ms unless they say ns.

    The values of names stand in this order: n, elapsed, entry, u, u2, u_previous, previous, the values of the lets as
    they were before the last retry, the lets.
    """

    lets: tuple[Code, ...]
    body: Code
    starts: tuple[float, ...]
    """Of u_previous, of previous, and of each let as it was before."""
    entries: tuple[float, ...]
    stops: int
    """1 if there is no retry beyond the entries, 0 if there are none or the last one repeats."""
    first_ns: int
    """-1: the first delay is no other than by the formula."""
    overflow_ns: int
    of_client: int
    """1 if a client's requests share what is remembered, 0 if each has its own."""


class _AtN(NamedTuple):
    """A law at one number of a retry; places of names are those of `_order`."""

    lets: tuple[Code, ...]
    body: Code
    needs_draws_alone: bool


@dataclass(frozen=True)
class DelayLaw:
    """The law of the delays before retries; immutable, what is remembered lies with the caller (`start`)."""

    body: Tree
    """The delay in ms, with all keys but `first`."""
    lets: tuple[tuple[str, Tree], ...] = ()
    starts: tuple[tuple[str, float], ...] = ()
    """Values of `previous`, `u_previous` and lets before the first retry; 0 for those that are not here."""
    entries: tuple[float, ...] = ()
    stops: bool = False
    """Whether there is no retry beyond the entries; otherwise the last one repeats."""
    first_ns: int | None = None
    overflow_ns: int = RUNAWAY_NS
    """Stands for a delay that is infinite or no number."""
    state: Literal["request", "client"] = "request"
    """Whose what is remembered is: each request's or all of a client's."""
    place: str = field(default="delay", compare=False)
    """Where the law is written, for messages."""

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that the formulas of this law have in them."""
        return frozenset(names_of(self.body).union(*(names_of(tree) for _, tree in self.lets)))

    @cached_property
    def _remembered(self) -> tuple[str, ...]:
        """The names of the state, in its order; the first two always are these, unless nothing is remembered."""
        lasts = [LAST + name for name, _ in self.lets if LAST + name in self.names]
        return ("u_previous", "previous", *lasts) if lasts or {"u_previous", "previous"} & self.names else ()

    @cached_property
    def drawn(self) -> tuple[str, ...]:
        """The names of what is drawn, in the order of `streams`."""
        used = self.names | ({"u"} if "u_previous" in self.names else set())
        return tuple(name for name in STREAMS if name in used)

    @cached_property
    def streams(self) -> tuple[str, ...]:
        """The suffixes of the streams from which the caller draws a number each, in order."""
        return tuple(STREAMS[name] for name in self.drawn)

    @cached_property
    def _order(self) -> tuple[str, ...]:
        """Where evaluation finds the values of names."""
        return (*self.drawn, *self._remembered, "elapsed", "n", ENTRY, *(name for name, _ in self.lets))

    @cached_property
    def _to_keep(self) -> tuple[int, ...]:
        """Where evaluation finds the lets that the next delay asks for."""
        return tuple(self._order.index(name.removeprefix(LAST)) for name in self._remembered[2:])

    @cached_property
    def is_plain(self) -> bool:
        """Whether a delay depends on the number of the retry and on what is drawn alone."""
        return not self._remembered and "elapsed" not in self.names

    @cached_property
    def _kept(self) -> dict[int, int | _AtN]:
        return {}

    def start(self) -> list[float]:
        """Return what is remembered before the first retry; a list that `delay_ns` changes."""
        starts = dict(self.starts)
        return [starts.get(name.removeprefix(LAST), 0.0) for name in self._remembered]

    def delay_ns(self, n: int, elapsed_ns: int, state: list[float], draws: Sequence[float]) -> int:
        """Return the delay before retry `n` (1 first), in whole ns: `STOP`, or 0 to `RUNAWAY_NS`.

        `elapsed_ns` is the time since the request began, `draws` has a number on [0, 1) for each of `streams`, `state`
        is what `start` made and earlier delays changed. Raises NegativeDelay, and changes nothing then.
        """
        at_n = self._kept.get(n)
        if at_n is None:
            at_n = self._keep(n)
        if isinstance(at_n, int):
            return at_n
        if at_n.needs_draws_alone:
            return self._whole_ns(evaluate(at_n.body, draws), n)
        values = [*draws, *state, ms_of_ns(elapsed_ns), float(n), self._entry(n)]
        for code in at_n.lets:
            values.append(evaluate(code, values))
        value_ms = evaluate(at_n.body, values)
        delay_ns = self.first_ns if n == 1 and self.first_ns is not None else self._whole_ns(value_ms, n)
        if state:
            previous = value_ms if math.isfinite(value_ms) else ms_of_ns(self.overflow_ns)
            state[:] = [draws[0] if "u" in self.drawn else 0.0, previous, *(values[place] for place in self._to_keep)]
        return delay_ns

    def delays_ns(self, n: Whole, elapsed_ns: Whole, state: list[Floats], draws: Sequence[Floats]) -> Whole:
        """Return the delays of many requests, in the bits of `delay_ns`; all arrays have shape (n,).

        `state` has an array for each number of `start`; its arrays are replaced, not changed. Raises NegativeDelay.
        """
        entries = np.array(self.entries or (0.0,))
        values = [
            *draws,
            *state,
            elapsed_ns / NS_PER_MS,
            n.astype(np.float64),
            entries[np.minimum(n, len(entries)) - 1],
        ]
        for _, tree in self.lets:
            values.append(evaluate_arrays(encode(tree, self._order), values, n.shape))
        value_ms = evaluate_arrays(encode(self.body, self._order), values, n.shape)
        is_over = n > len(self.entries) if self.stops else np.zeros(n.shape, np.bool_)
        is_first = n == 1 if self.first_ns is not None else np.zeros(n.shape, np.bool_)
        with np.errstate(over="ignore", invalid="ignore"):
            value_ns = np.rint(value_ms * 1e6)
            is_negative = (value_ns < 0.0) & ~(is_over | is_first)
        if is_negative.any():
            where = int(np.argmax(is_negative))
            raise NegativeDelay(float(value_ms[where]), int(n[where]), self.place)
        is_finite = np.isfinite(value_ms)
        if state:
            previous = np.where(is_finite, value_ms, ms_of_ns(self.overflow_ns))
            u = draws[0] if "u" in self.drawn else np.zeros(n.shape)
            new = [u, previous, *(values[place] for place in self._to_keep)]
            state[:] = [np.where(is_over, old, one) for old, one in zip(state, new, strict=True)]
        bounded_ns = np.minimum(np.where(is_finite, value_ns, 0.0), float(RUNAWAY_NS)).astype(np.int64)
        found = np.where(is_finite, bounded_ns, self.overflow_ns)
        if self.first_ns is not None:
            found[is_first] = self.first_ns
        found[is_over] = STOP
        return found

    def delays_at_ns(self, n: int, count: int, draws: Sequence[Floats]) -> Whole:
        """Return the delays of many requests before retry `n` of each, by a law that `is_plain`, shape (count,).

        Raises NegativeDelay.
        """
        at_n = self._kept.get(n)
        if at_n is None:
            at_n = self._keep(n)
        if isinstance(at_n, int):
            return np.full(count, at_n, dtype=np.int64)
        if not at_n.needs_draws_alone:
            return self.delays_ns(np.full(count, n), np.zeros(count, dtype=np.int64), [], draws)
        value_ms = evaluate_arrays(at_n.body, draws, (count,))
        with np.errstate(over="ignore", invalid="ignore"):
            value_ns = np.rint(value_ms * 1e6)
        if not (value_ns >= 0.0).all() or value_ns.max(initial=0.0) >= RUNAWAY_NS:
            return self.delays_ns(np.full(count, n), np.zeros(count, dtype=np.int64), [], draws)
        return value_ns.astype(np.int64)

    def wait(self, n: int) -> Bounds | None:
        """Return the law of the wait before retry n, in ms, or its bounds; None if there is no such retry.

        It supposes that retries of a request are numbered 1, 2, 3 and so on, and that nothing else changes a delay.
        """
        return wait_of(self, n)

    def _entry(self, n: int) -> float:
        return self.entries[min(n, len(self.entries)) - 1] if self.entries else 0.0

    def _keep(self, n: int) -> int | _AtN:
        """Work out what depends on the number of the retry alone."""
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[n] = found = self._at(n)
        return found

    def _at(self, n: int) -> int | _AtN:
        if self.stops and n > len(self.entries):
            return STOP
        if n == 1 and self.first_ns is not None and not self._remembered:
            return self.first_ns
        lets, body = self.folded_at(n)
        if self.is_plain and isinstance(body, Number):
            return self._whole_ns(body.value, n)
        order = self._order
        needs_draws_alone = self.is_plain and names_of(body) <= set(self.drawn)
        codes = () if needs_draws_alone else tuple(encode(tree, order) for tree in lets)
        return _AtN(codes, encode(body, order), needs_draws_alone)

    def folded_at(self, n: int) -> tuple[tuple[Tree, ...], Tree]:
        """Return the lets and the body at this number of a retry, with all worked out that depends on it alone."""
        known: dict[str, Tree] = {"n": Number(float(n)), ENTRY: Number(self._entry(n))}
        lets = []
        for name, tree in self.lets:
            lets.append(at_n := folded(tree, known))
            if isinstance(at_n, Number):
                known[name] = at_n
        return tuple(lets), folded(self.body, known)

    def _whole_ns(self, value_ms: float, n: int) -> int:
        """Round as `ns_of_ms` does; what is no number, infinite or beyond all instants has values of its own."""
        value_ns = value_ms * 1e6
        if -0.5 <= value_ns < RUNAWAY_NS:
            return round(value_ns)
        if value_ms < 0.0:
            raise NegativeDelay(value_ms, n, self.place)
        return RUNAWAY_NS if math.isfinite(value_ms) else self.overflow_ns

    def encoded(self) -> EncodedDelay:
        """Return the law as plain numbers."""
        names = _encoded_names([name for name, _ in self.lets])
        starts = dict(self.starts)
        return EncodedDelay(
            lets=tuple(encode(tree, names) for _, tree in self.lets),
            body=encode(self.body, names),
            starts=tuple(
                starts.get(name, 0.0) for name in ("u_previous", "previous", *(name for name, _ in self.lets))
            ),
            entries=self.entries,
            stops=int(self.stops),
            first_ns=-1 if self.first_ns is None else self.first_ns,
            overflow_ns=self.overflow_ns,
            of_client=int(self.state == "client"),
        )


def decoded(encoded: EncodedDelay, lets: Sequence[str]) -> DelayLaw:
    """Return the law that has this encoding, with these names for its lets."""
    names = _encoded_names(lets)
    starts = zip(("u_previous", "previous", *lets), encoded.starts, strict=True)
    return DelayLaw(
        body=decode(encoded.body, names),
        lets=tuple((name, decode(code, names)) for name, code in zip(lets, encoded.lets, strict=True)),
        starts=tuple((name, value) for name, value in starts if value),
        entries=encoded.entries,
        stops=bool(encoded.stops),
        first_ns=None if encoded.first_ns < 0 else encoded.first_ns,
        overflow_ns=encoded.overflow_ns,
        state="client" if encoded.of_client else "request",
    )


def _encoded_names(lets: Sequence[str]) -> tuple[str, ...]:
    return ("n", "elapsed", ENTRY, "u", "u2", "u_previous", "previous", *(LAST + name for name in lets), *lets)
