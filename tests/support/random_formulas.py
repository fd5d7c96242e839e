"""Random formulas for property tests, and what it means that two floats have the same bits."""

import math
import struct
from functools import cache

from hypothesis import strategies as st

from sim.laws.formulas.operations import OPERATIONS
from sim.laws.formulas.tree import Apply, Name, Number, Tree

NUMBERS = st.one_of(
    st.sampled_from([0.0, 1.0, 2.0, 0.5, 3.0, 1.5, 100.0, 1e-300, 1e300]),
    st.integers(0, 70).map(float),
    st.floats(0, 1e6),
    st.floats(0, allow_infinity=False, allow_nan=False),
)
"""What a formula can have in it as written."""
DRAWS = st.one_of(st.sampled_from([0.0, 0.5, 1.0 - 2.0**-53]), st.integers(0, 2**53 - 1).map(lambda k: k * 2.0**-53))
VALUES = st.one_of(NUMBERS, st.floats(), st.floats(-100, 100))
"""What a name can stand for, infinities and NaN included."""


@cache
def trees(names: tuple[str, ...], numbers: st.SearchStrategy[float] = NUMBERS) -> st.SearchStrategy[Tree]:
    """Trees of all operations on numbers and these names; made once, since each new strategy is checked anew."""
    leaves = st.one_of(numbers.map(Number), st.sampled_from(sorted(names)).map(Name))
    by_arity = {arity: [name for name, one in OPERATIONS.items() if one.arity == arity] for arity in (1, 2)}
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(Apply, st.sampled_from(by_arity[1]), st.tuples(inner)),
            st.builds(Apply, st.sampled_from(by_arity[2]), st.tuples(inner, inner)),
        ),
        max_leaves=12,
    )


def bits(value: float) -> bytes:
    """The bits of a float; all NaN count as one."""
    return struct.pack("<d", math.nan if math.isnan(value) else value)
