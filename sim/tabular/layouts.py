"""Many cells read at once: cells of one layout, which differ in their digits only, are read by the same steps.

The layout of `12.5ms` is `00.0ms`. A column of a million cells has a handful of layouts; what a layout means is found
once, and the numbers come from the digits by whole-number arithmetic, so nothing is rounded on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

WIDEST: Final = 64
"""Characters of a cell that can be a number or an instant."""
MOST_DIGITS: Final = 18
"""So many digits fit into an int64."""
_ZERO, _NINE = ord("0"), ord("9")


def matrix_of(cells: Sequence[str]) -> NDArray[np.uint8]:
    """Return the characters of cells, shape (cells, width), filled with 0; those of odd cells are all 0.

    Odd are cells wider than `WIDEST` and those that are not ASCII.
    """
    try:
        if max(map(len, cells), default=0) <= WIDEST:
            return _matrix(np.array(cells, dtype=np.bytes_))
    except UnicodeEncodeError:
        pass
    return _matrix(np.array([cell if len(cell) <= WIDEST and cell.isascii() else "" for cell in cells], np.bytes_))


def _matrix(texts: NDArray[np.bytes_]) -> NDArray[np.uint8]:
    width = max(texts.dtype.itemsize, 1)
    return texts.view(np.uint8).reshape(len(texts), width)


def hashes_of(matrix: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return a 64-bit number for each row of characters, the same whatever the width of the matrix.

    Of 10^7 different rows two have the same number with a chance of 3 in a million (n^2 / 2^65). Each word of eight
    characters goes through the finalizer of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
    generators", 2014).
    """
    rows, width = matrix.shape
    padded = np.zeros((rows, -(-width // 8) * 8), np.uint8)
    padded[:, :width] = matrix
    found = np.full(rows, 0x9E3779B97F4A7C15, np.uint64)
    for word in np.ascontiguousarray(padded.view("<u8").T):
        mixed = found ^ word
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = (mixed ^ (mixed >> np.uint64(31))) + np.uint64(0x9E3779B97F4A7C15)
        found = np.where(word != 0, mixed, found)
    return found


def by_layout(matrix: NDArray[np.uint8]) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Yield each layout with the positions of its rows, ascending; layouts in order of their first rows."""
    digits = (matrix >= _ZERO) & (matrix <= _NINE)
    layouts = np.where(digits, np.uint8(_ZERO), matrix)
    _, first, which = np.unique(hashes_of(layouts), return_index=True, return_inverse=True)
    if len(first) == 1:
        groups = [np.arange(len(matrix), dtype=np.intp)]
    else:
        order = np.argsort(which, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(which[order])) + 1)
    for group in sorted(groups, key=lambda rows: int(rows[0])):
        yield bytes(layouts[group[0]]).rstrip(b"\0").decode("ascii"), group


def number_at(matrix: NDArray[np.uint8], start: int, stop: int) -> NDArray[np.int64]:
    """Return the whole numbers that digits form in the columns from `start` to before `stop`, at most 18 of them."""
    number = np.zeros(len(matrix), np.int64)
    for column in range(start, stop):
        number *= 10
        number += matrix[:, column].astype(np.int64) - _ZERO
    return number


def with_fraction(whole: NDArray[np.int64], fraction: NDArray[np.int64], digits: int, power: int) -> NDArray[np.int64]:
    """Return whole numbers plus a decimal fraction of so many digits times 10^power; halves go to the even sum."""
    if digits <= power:
        return whole + fraction * np.int64(10 ** (power - digits))
    divisor = 10 ** (digits - power)
    quotient, rest = np.divmod(fraction, divisor)
    found = whole + quotient
    found[(rest * 2 > divisor) | ((rest * 2 == divisor) & (found % 2 == 1))] += 1
    return found
