"""Exact sums of whole numbers, which depend neither on the order of these nor on their split into parts."""

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 16
LIMB = 21
"""Bits of a limb: 2^16 products of two limbs fit in 63 bits, and three limbs in an int64."""
_MASK = (1 << LIMB) - 1
_MODEST = 1 << 41
"""36 minutes, in ns."""
_MASK_64 = (1 << 64) - 1


def exact_sums(values: NDArray[np.int64]) -> tuple[int, int]:
    """Return the sum of non-negative values, shape (n,), and the sum of their squares."""
    total = squares = 0
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        if 1 << LIMB <= block.max() < _MODEST:
            total += int(block.sum())
            squares += _squares_of_modest(block)
            continue
        limbs = _limbs(block)
        for low, limb in enumerate(limbs):
            total += int(limb.sum()) << (LIMB * low)
            squares += int(limb @ limb) << (2 * LIMB * low)
            for high in range(low + 1, len(limbs)):
                squares += int(limb @ limbs[high]) << (LIMB * (low + high) + 1)
    return total, squares


def _squares_of_modest(values: NDArray[np.int64]) -> int:
    """Return the sum of the squares of up to 2^16 values below 2^41.

    Integers give it modulo 2^64. Floats give it to 2^16 roundings of 2^-53 of at most 2^98, so to less than 2^62, which
    tells the multiple of 2^64.
    """
    low = int(values @ values) & _MASK_64
    floats = values.astype(np.float64)
    return low + ((int(np.einsum("i,i->", floats, floats)) - low + (1 << 63)) >> 64 << 64)


def _limbs(values: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Split values into the fewest limbs of 21 bits, the lowest first."""
    count = max(1, -(-int(values.max()).bit_length() // LIMB))
    if count == 1:
        return [np.ascontiguousarray(values)]
    return [*((values >> (LIMB * place)) & _MASK for place in range(count - 1)), values >> (LIMB * (count - 1))]
