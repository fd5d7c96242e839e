"""What the law of a delay promises of a wait: its distribution if that can be told, otherwise its bounds.

A law of one draw alone is uniform if it is linear in it, and given by its quantiles if it only grows or only falls with
it; what follows from delays before has bounds, but for decorrelated jitter, which says how each wait follows the last.
Bounds hold if the numbers of a request's retries are 1, 2, 3 and so on, each once.
"""

from __future__ import annotations

from math import inf
from sys import float_info
from typing import TYPE_CHECKING, Final, Protocol

from sim.clients.policy.delay_names import ENTRY, LAST
from sim.kernel.durations import NS_PER_MS, RUNAWAY_NS, ms_of_ns, ns_of_ms
from sim.laws.formulas.ranges import ANYTHING, DRAWN, LAST_DRAW, Range, range_of
from sim.laws.formulas.tree import Apply, Name, Number, Tree, folded, names_of
from sim.promises.waits import Decorrelated, Quantiles, Sum, Uniform, Wait

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.promises.promises import Bounds

_RUNAWAY_MS: Final = RUNAWAY_NS / NS_PER_MS
_RISING: Final = Range(0.0, LAST_DRAW, "rises")
_LEAST_MS: Final = -1e-6
_LARGEST: Final = float_info.max
_LONGEST: Final = 60
"""Numbers, names and operations of a formula whose distribution is sought by its form."""
_MOST_NUMBER: Final = 2.0**53
_MOST_FOLLOWED: Final = 64
"""Up to this retry each delay is followed from the one before."""
_PASSES: Final = 64
"""In so many delays a law that is shared by requests has reached its bounds, if it has any."""


class Law(Protocol):
    """What is asked of a law; `DelayLaw` in `sim.clients.policy.delay_law` says what each of these is."""

    @property
    def body(self) -> Tree: ...  # noqa: D102  # as said above

    @property
    def lets(self) -> tuple[tuple[str, Tree], ...]: ...  # noqa: D102  # as said above

    @property
    def starts(self) -> tuple[tuple[str, float], ...]: ...  # noqa: D102  # as said above

    @property
    def entries(self) -> tuple[float, ...]: ...  # noqa: D102  # as said above

    @property
    def stops(self) -> bool: ...  # noqa: D102  # as said above

    @property
    def first_ns(self) -> int | None: ...  # noqa: D102  # as said above

    @property
    def overflow_ns(self) -> int: ...  # noqa: D102  # as said above

    @property
    def state(self) -> str: ...  # noqa: D102  # as said above

    @property
    def drawn(self) -> tuple[str, ...]: ...  # noqa: D102  # as said above

    @property
    def is_plain(self) -> bool: ...  # noqa: D102  # as said above

    def folded_at(self, n: int) -> tuple[tuple[Tree, ...], Tree]: ...  # noqa: D102  # as said above

    def delay_ns(self, n: int, elapsed_ns: int, state: list[float], draws: Sequence[float]) -> int: ...  # noqa: D102  # as said above


def wait_of(law: Law, n: int) -> Bounds | None:
    """Return the law or the bounds, in ms, of the wait before retry n; None if there is no such retry."""
    if law.stops and n > len(law.entries):
        return None
    if n == 1 and law.first_ns is not None:
        return Uniform(law.first_ns / NS_PER_MS, law.first_ns / NS_PER_MS)
    if not law.is_plain:
        return _decorrelated(law, n) or _within(law, _range_with_state(law, n))
    _, found = _next(law, {}, n, _RISING)
    if found.is_finite and found.low >= 0.0 and found.high < _RUNAWAY_MS:
        return _distribution(law, n, found) or _within(law, found)
    return _within(law, found)


def _distribution(law: Law, n: int, found: Range) -> Wait | None:
    """Return how likely the waits of a formula of draws are, if it is of a form for which that can be told."""
    tree = _in_one(law, n)
    if tree is not None and (not names_of(tree) or _is_linear(tree)):
        return _uniform(tree)
    if found.trend in {"rises", "falls"} and law.drawn == ("u",):
        return Quantiles(lambda u: law.delay_ns(n, 0, [], [u]) / NS_PER_MS)
    match tree:
        case Apply("+", (x, y)) if _is_linear(x) and _is_linear(y) and names_of(x) != names_of(y):
            return Sum(_uniform(x), _uniform(y))
    return None


def _uniform(tree: Tree) -> Uniform:
    """Return the law of a formula that is linear in the one draw that it has, or has none."""
    ends = range_of(tree, {"u": Range(0.0, 1.0), "u2": Range(0.0, 1.0)})
    return Uniform(ends.low, ends.high)


def _in_one(law: Law, n: int) -> Tree | None:
    """Return the formula at this number of a retry, with all lets put into it; None if that would be long.

    Lets that ask for each other twice would double a formula each.
    """
    lets, body = law.folded_at(n)
    known: dict[str, Tree] = {}
    for (name, _), tree in zip(law.lets, lets, strict=True):
        known[name] = folded(tree, known)
        if _size(known[name]) > _LONGEST:
            return None
    in_one = folded(body, known)
    return in_one if _size(in_one) <= _LONGEST else None


def _size(tree: Tree) -> int:
    return 1 + sum(map(_size, tree.arguments)) if isinstance(tree, Apply) else 1


def _is_linear(tree: Tree) -> bool:
    """Tell whether a formula has one draw in it, once, and is linear in it."""
    match tree:
        case Name():
            return True
        case Apply("negative", (x,)):
            return _is_linear(x)
        case Apply("+" | "-" | "*", (Number(), x)) | Apply("+" | "-" | "*" | "/", (x, Number())):
            return _is_linear(x)
    return False


def _decorrelated(law: Law, n: int) -> Decorrelated | None:
    tree, cap_ms = _in_one(law, n), inf
    match tree:
        case Apply("min", (x, Number(value))):
            tree, cap_ms = x, value
    match tree:
        case Apply(
            "+",
            (
                Number(base_ms),
                Apply(
                    "*",
                    (Name("u"), Apply("-", (Apply("*", (Number(factor), Name("previous"))), Number(taken_ms)))),
                ),
            ),
        ) if (
            base_ms == taken_ms
            and law.starts == (("previous", base_ms),)
            and (law.state, law.first_ns) == ("request", None)
            and factor >= 1.0
            and base_ms <= cap_ms
        ):
            return Decorrelated(base_ms, factor, cap_ms, n)
    return None


def _range_with_state(law: Law, n: int) -> Range:
    """Follow what is remembered from delay to delay: to the one before retry n, or to all that there can be."""
    starts = dict(law.starts)
    state = {"previous": starts.get("previous", 0.0), "u_previous": starts.get("u_previous", 0.0)}
    state |= {LAST + name: starts.get(name, 0.0) for name, _ in law.lets}
    ranges = {name: Range(value, value) for name, value in state.items()}
    if law.state == "request" and n <= _MOST_FOLLOWED:
        for before in range(1, n):
            ranges, _ = _next(law, ranges, before)
        return _next(law, ranges, n)[1]
    for _ in range(_PASSES):
        after, found = _next(law, ranges, None)
        both = {name: one.hull(after[name]) for name, one in ranges.items()}
        if both == ranges:
            return found
        ranges = both
    return ANYTHING


def _next(law: Law, state: dict[str, Range], n: int | None, u: Range = DRAWN) -> tuple[dict[str, Range], Range]:
    """Return the ranges of what is remembered after retry n, or after any retry, and that of the delay."""
    known = {**state, "u": u, "u2": DRAWN, "elapsed": Range(0.0, _RUNAWAY_MS)}
    entries = law.entries or (0.0,)
    known |= {"n": Range(1.0, _MOST_NUMBER), ENTRY: Range(min(entries), max(entries))}
    lets, body = (tuple(tree for _, tree in law.lets), law.body) if n is None else law.folded_at(n)
    for (name, _), tree in zip(law.lets, lets, strict=True):
        known[name] = range_of(tree, known)
    found = range_of(body, known)
    after = {LAST + name: known[name] for name, _ in law.lets}
    # A delay below 0 has stopped the run, unless `first` stood for it, and what is not finite has been replaced.
    least_ms = _LEAST_MS if law.first_ns is None else -_LARGEST
    previous = Range(max(found.low, least_ms), min(max(found.high, least_ms), _LARGEST))
    if not found.is_finite:
        overflow_ms = ms_of_ns(law.overflow_ns)
        previous = previous.hull(Range(overflow_ms, overflow_ms))
    return {**after, "previous": previous, "u_previous": DRAWN}, found


def _within(law: Law, found: Range) -> Bounds:
    """Return the bounds of a wait whose formula has this range."""
    low_ms, high_ms = max(found.low, 0.0), max(found.high, 0.0)
    if not found.is_finite:
        overflow_ms = ms_of_ns(law.overflow_ns)
        low_ms, high_ms = min(low_ms, overflow_ms), max(high_ms, overflow_ms)
    # To whole ns, and not beyond the last instant, as delays are.
    return _rounded(low_ms), _rounded(high_ms)


def _rounded(bound_ms: float) -> float:
    return ms_of_ns(ns_of_ms(min(bound_ms, _RUNAWAY_MS)))
