"""How much the quantiles of two cells have in common, whose requests of equal number met the same chance.

The count of values below a quantile decides how far a sample's quantile lies from the true one. Of two cells the counts
are correlated as the indicators of one pair are: A below its quantile, B below its. At the quantile itself few pairs of
related cells disagree, often none, so their number is averaged over `PLACES` places within a standard deviation of the
rank, and `UNSEEN` pairs are added that disagree either way.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sim.history.vocabulary import NEVER
from sim.measure.contrasts import Column
from sim.measure.estimates import quantile_rank

PLACES = 17
UNSEEN = 0.25


@dataclass(frozen=True, slots=True)
class PairRanks:
    """Of each pair, how many values lie below it in each cell; enough to correlate any quantile of the two."""

    below_a: NDArray[np.int64]
    """Shape (pairs,), ascending: of each request, how many values of A lie below its own."""
    below_b: NDArray[np.int64]
    below_both: NDArray[np.int64]
    """Shape (pairs,), ascending: the larger of the two numbers of each pair."""
    share_of_pairs: float
    """Pairs over the geometric mean of the numbers of requests that count in A and in B."""

    @classmethod
    def of(cls, a: Column, b: Column) -> Self:
        """Rank the pairs that count in both cells."""
        both = a.counted & b.counted
        below = [_before(column.values[both]) for column in (a, b)]
        sizes = float(a.counted.sum()) * float(b.counted.sum())
        share = int(both.sum()) / math.sqrt(sizes) if sizes else 0.0
        return cls(np.sort(below[0]), np.sort(below[1]), np.sort(np.maximum(*below)), share)

    def correlation(self, share: Fraction) -> float:
        """Return the correlation, over pairs, of not lying above the quantile of a share in A and in B.

        It is smaller if not every request counts in both cells.
        """
        pairs = len(self.below_a)
        if pairs < 2:
            return 0.0
        rank = quantile_rank(pairs, share)
        reach = math.sqrt(pairs * float(share) * (1 - float(share)))
        places = np.unique(np.clip(np.rint(np.linspace(rank - reach, rank + reach, PLACES)), 1, pairs - 1))
        # A value does not lie above that of a rank if fewer values than the rank lie below it.
        in_a, in_b, in_both = (
            float(np.searchsorted(ascending, places, side="left").mean())
            for ascending in (self.below_a, self.below_b, self.below_both)
        )
        only_a, only_b, neither = in_a - in_both + UNSEEN, in_b - in_both + UNSEEN, pairs - in_a - in_b + in_both
        margins = (in_both + only_a) * (only_b + neither) * (in_both + only_b) * (only_a + neither)
        found = (in_both * neither - only_a * only_b) / math.sqrt(margins) if margins > 0 else 0.0
        return found * self.share_of_pairs


def _before(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each value how many are below it; `NEVER` is above all others."""
    numbers = np.where(values == NEVER, np.iinfo(np.int64).max, values)
    return np.searchsorted(np.sort(numbers), numbers, side="left")
