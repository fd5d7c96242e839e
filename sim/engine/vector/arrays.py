"""Types of the vector engine's arrays, and two instants outside of the clock."""

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
"""Positions in a block; all of them can be a slice, which makes no copies."""

FOREVER: Final = np.int64(2**63 - 1)
"""The instant of an event that never comes: after every other. Add nothing to it, since the sum overflows."""
BEFORE: Final = np.int64(-1)
"""An instant before the clock starts."""


def rounded_ns(delay_ms: Floats) -> Ints:
    """Round ms to ns as `sim.kernel.durations.ns_of_ms` does; delays past 2^62 ns become 2^62 + 2^20 ns."""
    exact_ns = delay_ms * 1e6
    np.rint(exact_ns, out=exact_ns)
    np.minimum(exact_ns, 2.0**62 + 2.0**20, out=exact_ns)
    return exact_ns.astype(np.int64)


def jittered_ns(delay_ms: Floats | float, uniforms: Floats) -> Ints:
    """Spread delays by `sim.retriers.backoff.jitter`, which also takes arrays, and round them to ns."""
    spread_ms: Floats = jitter(delay_ms, uniforms)  # type: ignore[arg-type,assignment]
    return rounded_ns(spread_ms)
