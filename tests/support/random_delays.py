"""Random laws of delays for property tests, and requests that follow them."""

from typing import Any

from hypothesis import strategies as st
from random_formulas import DRAWS, NUMBERS, trees

from sim.clients.policy.delay_law import DelayLaw
from sim.clients.policy.delays import (
    ConstantDelay,
    DecorrelatedDelay,
    ExponentialDelay,
    LinearDelay,
    TableDelay,
    delay_law,
)
from sim.clients.policy.shaping import EqualJitter, FullJitter, NoJitter, PlusJitter, SpreadJitter
from sim.kernel.durations import RUNAWAY_NS
from sim.laws.formulas.tree import Apply, Number, Tree

NAMES = ("n", "u", "u2", "u_previous", "previous", "elapsed", "entry", "last_f", "last_g")
DURATIONS = st.integers(1, 10**13)
PERHAPS = st.none() | DURATIONS


def at_least_nothing(tree: Tree) -> Tree:
    return Apply("max", (tree, Number(0.0)))


@st.composite
def laws(draw: st.DrawFn) -> DelayLaw:
    return DelayLaw(
        body=at_least_nothing(draw(trees((*NAMES, "f", "g")))),
        lets=(("f", draw(trees(NAMES))), ("g", draw(trees((*NAMES, "f"))))),
        starts=tuple((name, value) for name in ("u_previous", "previous", "f") if (value := draw(NUMBERS))),
        entries=(entries := draw(st.lists(NUMBERS, max_size=4).map(tuple))),
        stops=bool(entries) and draw(st.booleans()),
        first_ns=draw(PERHAPS),
        overflow_ns=draw(st.just(RUNAWAY_NS) | DURATIONS),
        state=draw(st.sampled_from(["request", "client"])),
    )


JITTERS = st.one_of(
    st.sampled_from([NoJitter(), FullJitter(), EqualJitter()]),
    st.floats(0, 1).map(lambda share: SpreadJitter(share=share)),
    DURATIONS.map(lambda most: PlusJitter(most=most)),
)


@st.composite
def options(draw: st.DrawFn) -> Any:
    keys: dict[str, Any] = {name: draw(PERHAPS) for name in ("at_least", "floor", "round", "first", "cap", "overflow")}
    keys["jitter"] = draw(JITTERS)
    if keys["cap"] is not None:
        keys["cap_applies"] = draw(st.sampled_from(["before", "after"]))
    kind = draw(st.sampled_from([ConstantDelay, LinearDelay, ExponentialDelay, DecorrelatedDelay, TableDelay]))
    if kind is ConstantDelay:
        return ConstantDelay(delay=draw(DURATIONS), **keys)
    if kind is LinearDelay:
        return LinearDelay(initial=draw(DURATIONS), step=draw(DURATIONS), **keys)
    if kind is ExponentialDelay:
        return ExponentialDelay(initial=draw(DURATIONS), factor=draw(st.floats(0.1, 1000)), **keys)
    if kind is TableDelay:
        return TableDelay(delays=tuple(draw(st.lists(DURATIONS, min_size=1, max_size=4))), **keys)
    if keys["cap"] is not None:
        keys["cap"] += 10**13
    return DecorrelatedDelay(base=draw(DURATIONS), factor=draw(st.floats(1, 1000)), **keys)


ANY_LAW = laws() | options().map(delay_law)
REQUESTS = st.lists(
    st.lists(st.tuples(DRAWS, DRAWS, st.integers(0, 10**15)), min_size=3, max_size=3), min_size=1, max_size=5
)
FIRST_NUMBERS = st.sampled_from([1, 2, 7, 1000])


def one_by_one(law: DelayLaw, requests: list[Any], first: int) -> list[list[int]]:
    found = []
    for request in requests:
        state = law.start()
        found.append(
            [
                law.delay_ns(n, elapsed_ns, state, [u, u2][: len(law.streams)])
                for n, (u, u2, elapsed_ns) in enumerate(request, first)
            ]
        )
    return found
