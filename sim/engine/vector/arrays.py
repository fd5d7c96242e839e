"""Types of the vector engine's arrays, and the two instants that are none."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.retriers.backoff import jitter

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]
"""Positions in a block."""
SomeRows = Rows | slice
"""Positions in a block, or all of them as a slice, which costs no copies."""

FOREVER: Final = np.int64(2**63 - 1)
"""The instant of what never comes: behind every other; nothing may be added to it."""
BEFORE: Final = np.int64(-1)
"""Before the clock runs."""


def rounded_ns(delay_ms: Floats) -> Ints:
    """Turn ms into whole ns as a deployment does; delays past 2^62 ns come out as just more than that."""
    exact_ns = delay_ms * 1e6
    np.rint(exact_ns, out=exact_ns)
    np.minimum(exact_ns, 2.0**62 + 2.0**20, out=exact_ns)
    return exact_ns.astype(np.int64)


def jittered_ns(delay_ms: Floats | float, uniforms: Floats) -> Ints:
    """Spread delays as `sim.retriers.backoff.jitter` does, which reads arrays as well, and round them to ns."""
    spread_ms: Floats = jitter(delay_ms, uniforms)  # type: ignore[arg-type,assignment]
    return rounded_ns(spread_ms)
