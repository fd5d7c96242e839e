"""Columns of numbers in little memory: a column of one value has no array, and others have a narrow one.

Whole numbers are kept as distances from a base, in the narrowest type that holds nearly all of them; the few that it
does not hold stand beside it with their places. A column that counts upwards has no array either. A column may be kept
as its differences from another one if that is narrower. All of this can be undone exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

Array = NDArray[Any]

AS_IS: Final = "array"
CONSTANT: Final = "constant"
COUNTING: Final = "counting"
OFFSET: Final = "offset"
PATCHED: Final = "patched"
FEW: Final = "few"

NARROW: Final = tuple(np.dtype(kind) for kind in ("u1", "u2", "u4", "u8"))
MOST_ROWS: Final = 2**31
"""More than any column has, so that a wrong number is refused and does not fill the memory."""
_MASK = 2**64 - 1
_MOST_COMPARED = 32
"""Up to so many different numbers are counted one by one, which compares 64 of them at a time."""


class WrongPacking(ValueError):
    """A packed column that `pack` does not make."""


class Packed(NamedTuple):
    """One column, packed.

    The numbers are `base` (constant); `base`, `base` + 1, ... (counting); `base` + `arrays[0]` (offset); the same with
    `arrays[2]` at the rows `arrays[1]` (patched); `base` with `arrays[1]` at the rows `arrays[0]` (few); or `arrays[0]`
    (array). Sums are modulo 2^64.
    """

    dtype: np.dtype[Any]
    kind: str
    rows: int
    base: int
    arrays: tuple[Array, ...] = ()
    of: str = ""
    """The column from which these are differences; empty if they are the numbers themselves."""

    @property
    def nbytes(self) -> int:
        """The bytes of its arrays."""
        return sum(array.nbytes for array in self.arrays)


def pack(values: Array, of: str = "", other: Array | None = None) -> Packed:
    """Pack a column; if another one of the same type and length is given by name, as differences if these are smaller.

    Arrays of anything but whole numbers, of no row or of several dimensions stay as they are.
    """
    if values.dtype.kind not in "iu" or values.ndim != 1 or not len(values):
        return Packed(values.dtype, AS_IS, len(values) if values.ndim else 0, 0, (values,))
    if other is None or other.shape != values.shape or other.dtype != values.dtype:
        return _packed(values)
    alone = _packed(values) if values[0] == values[-1] else None
    if alone is not None and alone.kind == CONSTANT:
        return alone
    with np.errstate(over="ignore"):
        near = _packed(values - other)._replace(of=of)
    if near.kind == CONSTANT:
        return near
    alone = alone or _packed(values)
    return near if near.nbytes < alone.nbytes else alone


def _packed(values: Array) -> Packed:
    dtype, rows = values.dtype, len(values)
    low, high = (int(values[0]),) * 2 if not values.strides[0] else (int(values.min()), int(values.max()))
    if low == high:
        return Packed(dtype, CONSTANT, rows, low)
    if high - low == rows - 1 and int(values[0]) == low and bool((values[1:] > values[:-1]).all()):
        return Packed(dtype, COUNTING, rows, low)
    base, offsets, width, apart = _smallest(values, low, high)
    if apart is None:
        return Packed(dtype, OFFSET, rows, base, (_fixed(_narrowed(offsets, width)),))
    places = np.flatnonzero(apart)
    patches = _fixed(places.astype(_place_type(rows))), _fixed(values[places])
    if not width:
        return Packed(dtype, FEW, rows, base, patches)
    narrow = _narrowed(offsets, width)
    narrow[places] = 0
    return Packed(dtype, PATCHED, rows, base, (_fixed(narrow), *patches))


def _smallest(values: Array, low: int, high: int) -> tuple[int, Array, int, NDArray[np.bool_] | None]:
    """Return the base, the offsets, the bytes of each, and which do not fit (None: all do) of the smallest packing."""
    rows, size = len(values), values.dtype.itemsize
    each = _place_type(rows).itemsize + size
    found: tuple[int, Array, int, NDArray[np.bool_] | None]
    width = next(dtype.itemsize for dtype in NARROW if high - low <= np.iinfo(dtype).max)
    offsets = _offsets(values, low)
    found, least = (low, offsets, width, None), rows * width
    # Differences are often 0, or not far above it, but for those from a moment that never came.
    for base in (low, 0) if low < 0 <= high else (low,):
        offsets = offsets if base == low else _offsets(values, base)
        for narrower in (4, 2, 1, 0):
            if narrower >= (width if base == low else size):
                continue
            apart: NDArray[np.bool_] = offsets > ((1 << (8 * narrower)) - 1)
            extra = int(np.count_nonzero(apart)) * each
            if rows * narrower + extra < least:
                found, least = (base, offsets, narrower, apart), rows * narrower + extra
            if extra >= least:  # narrower types hold still fewer
                break
    return found


def _offsets(values: Array, base: int) -> Array:
    with np.errstate(over="ignore"):
        offsets = values - values.dtype.type(base) if base else values
    unsigned: Array = np.ascontiguousarray(offsets).view(f"u{values.dtype.itemsize}")
    return unsigned


def _narrowed(offsets: Array, width: int) -> Array:
    return offsets.astype(f"u{width}", casting="unsafe")


def _fixed(array: Array) -> Array:
    """Let nothing write into an array, which may be handed out as it is."""
    array.flags.writeable = False
    return array


def _place_type(rows: int) -> np.dtype[Any]:
    return NARROW[1] if rows <= 1 << 16 else NARROW[2]


def unpack(packed: Packed, column: Callable[[str], Array]) -> Array:
    """Return the numbers of a packed column, which may not be writable; `column` returns another one by its name.

    A constant column takes no memory.
    """
    dtype, kind, rows, base, arrays, of = packed
    match kind:
        case "constant":
            values = np.broadcast_to(np.array(base, dtype), rows)
        case "counting":
            values = np.arange(base, base + rows, dtype=dtype)
        case "offset":
            values = _sums(arrays[0], base, dtype)
        case "patched":
            values = arrays[0].astype(dtype) if not base else _sums(arrays[0], base, dtype)
            values[arrays[1]] = arrays[2]
        case "few":
            values = np.full(rows, base, dtype)
            values[arrays[0]] = arrays[1]
        case _:
            values = arrays[0]
    if of:
        if kind == CONSTANT and not base:
            return column(of)
        with np.errstate(over="ignore"):
            values = values + column(of)
    return values


def _sums(narrow: Array, base: int, dtype: np.dtype[Any]) -> Array:
    if not base:
        return narrow.astype(dtype, copy=False)
    if dtype == np.int64 and narrow.dtype.itemsize < dtype.itemsize:
        return narrow + np.int64(base)
    # In 64 bits, modulo 2^64: right whatever the type was, as the sum fits it.
    return (narrow.astype(np.uint64) + np.uint64(base & _MASK)).astype(dtype)


def counts(packed: Packed, column: Callable[[str], Packed]) -> dict[int, int] | None:
    """Return how often each number occurs, ascending, if that can be told of the packed column; else None.

    `column` returns another packed column by its name.
    """
    dtype, kind, rows, base, arrays, of = packed
    if kind == CONSTANT:
        if not of:
            return {base: rows}
        found = counts(column(of), column)
        return None if found is None else {number + base: times for number, times in found.items()}
    if of or dtype.kind not in "iu":
        return None
    if kind == FEW:
        numbers, times = np.unique(arrays[1], return_counts=True)
        found = dict(zip(numbers.tolist(), times.tolist(), strict=True))
        found[base] = rows - len(arrays[1])
        return dict(sorted(found.items()))
    if kind != OFFSET or arrays[0].dtype != np.uint8:
        return None
    most = int(arrays[0].max())
    each = (
        [int(np.count_nonzero(arrays[0] == number)) for number in range(most + 1)]
        if most < _MOST_COMPARED
        else np.bincount(arrays[0]).tolist()
    )
    return {base + number: count for number, count in enumerate(each) if count}


def check(packed: Packed) -> None:  # noqa: C901  # one question after the other
    """Raise WrongPacking if a column cannot be unpacked, whatever its arrays hold."""
    dtype, kind, rows, base, arrays, _ = packed
    if kind == AS_IS:
        if len(arrays) != 1 or arrays[0].dtype != dtype:
            raise WrongPacking("an array is missing or of another type")
        return
    if dtype.kind not in "iu" or type(base) is not int or type(rows) is not int or not 1 <= rows <= MOST_ROWS:
        raise WrongPacking("the manifest is wrong")
    limits = np.iinfo(dtype)
    if not limits.min <= base <= limits.max or (kind == COUNTING and base + rows - 1 > limits.max):
        raise WrongPacking("the manifest is wrong")
    narrow = arrays[: kind in {OFFSET, PATCHED}]
    patches = arrays[len(narrow) :]
    if len(narrow) != (kind in {OFFSET, PATCHED}) or len(patches) != (2 if kind in {PATCHED, FEW} else 0):
        raise WrongPacking("an array is missing or not known")
    if kind not in {CONSTANT, COUNTING, OFFSET, PATCHED, FEW}:
        raise WrongPacking("the manifest is wrong")
    if any(one.shape != (rows,) or one.dtype not in NARROW for one in narrow):
        raise WrongPacking("an array is of another shape")
    if patches:
        places, values = patches
        if (
            places.dtype != _place_type(rows)
            or places.ndim != 1
            or values.dtype != dtype
            or values.shape != places.shape
        ):
            raise WrongPacking("an array is of another shape")
        if len(places) and int(places.max()) >= rows:
            raise WrongPacking("a place is beyond the rows")
