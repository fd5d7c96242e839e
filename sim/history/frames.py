"""Tables of named columns for other programs: numbers, numbers with gaps, and words; and a DataFrame made of them.

A gap is no number: nothing between the commas of CSV, null in Parquet, `<NA>` or NaN in pandas. A column of whole
numbers with gaps is `Int64` in pandas, so that nanoseconds stay exact (a float is exact to 2^53 ns, 104 days). A column
of floats has NaN. Words are categories, in their own order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


class NoPandas(ImportError):
    """A DataFrame was asked for but pandas is not installed."""


@dataclass(frozen=True, slots=True)
class Words:
    """A column of a few words; a negative code stands for none."""

    codes: NDArray[Any]
    """Shape (rows,)."""
    words: Sequence[str]

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of(cls, words: Sequence[str | None]) -> Words:
        """Make a column of words as they stand, in the order in which they come first."""
        known = list(dict.fromkeys(word for word in words if word is not None))
        place = {word: code for code, word in enumerate(known)}
        return cls(np.array([-1 if word is None else place[word] for word in words], np.int32), known)

    @classmethod
    def one(cls, word: str | None, rows: int, words: Sequence[str] = ()) -> Words:
        """Make a column of one word, among all the words that there can be."""
        words = words or (() if word is None else (word,))
        return cls(np.full(rows, -1 if word is None else words.index(word), np.int32), words)


@dataclass(frozen=True, slots=True)
class Gaps:
    """A column of numbers, some of which are missing."""

    numbers: NDArray[Any]
    """Shape (rows,)."""
    missing: NDArray[np.bool_]
    """Shape (rows,)."""

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def nan(cls, values: NDArray[np.float64]) -> Gaps:
        """Make a column in which NaN is missing."""
        return cls(values, np.isnan(values))


Frame = dict[str, "NDArray[Any] | Words | Gaps"]
"""Columns by name, all of one length."""


def joined(frames: Iterable[Frame]) -> Frame:
    """Return frames of equal columns one below the other; at least one is needed."""
    given = list(frames)
    return {name: _joined([frame[name] for frame in given]) for name in given[0]}


def _joined(columns: Sequence[Any]) -> Any:
    first = columns[0]
    if isinstance(first, Gaps):
        return Gaps(np.concatenate([one.numbers for one in columns]), np.concatenate([one.missing for one in columns]))
    if isinstance(first, Words):
        words = list(dict.fromkeys(word for one in columns for word in one.words))
        place = {word: code for code, word in enumerate(words)}
        codes = []
        for one in columns:
            ours = np.array([*(place[word] for word in one.words), -1], np.int32)
            codes.append(ours[np.where(one.codes < 0, len(one.words), one.codes)])
        return Words(np.concatenate(codes), words)
    return np.concatenate(columns)


def data_frame(frames: Iterable[Frame]) -> Any:
    """Return frames of equal columns, one below the other, as one pandas DataFrame. Raises NoPandas."""
    try:
        import pandas as pd  # type: ignore[import-untyped,import-not-found,unused-ignore]  # optional
    except ImportError:
        raise NoPandas(
            "a DataFrame needs pandas, which comes with the extra `pandas`: pip install 'retrysim[pandas]'"
        ) from None
    return pd.DataFrame({name: _series(pd, column) for name, column in joined(frames).items()})


def _series(pd: Any, column: NDArray[Any] | Words | Gaps) -> Any:
    if isinstance(column, Words):
        return pd.Categorical.from_codes(column.codes, list(column.words))
    if isinstance(column, Gaps):
        if column.numbers.dtype.kind == "f":
            return np.where(column.missing, np.nan, column.numbers)
        return pd.arrays.IntegerArray(column.numbers.astype(np.int64), column.missing)
    return column
