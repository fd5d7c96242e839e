"""What requests cost: the price of each thing that is counted, and the money that comes of it.

Money is counted in whole millionths of a millionth of the currency (`PICO`), as durations are in nanoseconds, so that
sums are exact. A request that costs more than `MOST` of these, 4.6 million of the currency, counts as that much.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.history.vocabulary import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from sim.history.records import Requests

PICO: Final = 10**12
"""So many parts has one of the currency."""
MOST: Final = 2**62
_NS_PER_S: Final = 1e9
FAILED: Final = (Outcome.gave_up, Outcome.stuck, Outcome.open, Outcome.runaway)
"""The outcomes for which `failure` is paid."""


@dataclass(frozen=True, slots=True)
class Prices:
    """The price of each thing, in one currency; 0 for what costs nothing."""

    currency: str
    mutation: Fraction = Fraction(0)
    """A committed mutation."""
    action: Fraction = Fraction(0)
    """A started action, or a client's call."""
    action_second: Fraction = Fraction(0)
    """A second for which executions of the action ran."""
    attempt: Fraction = Fraction(0)
    """An attempt of the work."""
    effect: Fraction = Fraction(0)
    """An applied effect, repeated ones too."""
    duplicate: Fraction = Fraction(0)
    """An applied effect after the first."""
    failure: Fraction = Fraction(0)
    """A request that ends neither in success nor by a cancel."""

    @property
    def known(self) -> Mapping[str, Fraction]:
        """The prices that are not 0, by what they are of."""
        every = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "currency"}
        return {name: price for name, price in every.items() if price}

    def of(self, requests: Requests) -> NDArray[np.int64]:
        """Return what each request costs in `PICO` parts of the currency, shape (requests,)."""
        total = np.zeros(len(requests), dtype=np.float64)
        for name, price in self.known.items():
            total += float(price * PICO) * _COUNTS[name](requests)
        return np.rint(np.minimum(total, float(MOST))).astype(np.int64)


def _duplicates(requests: Requests) -> NDArray[np.int64]:
    totals: NDArray[np.int64] = requests.duplicates.sum(axis=1, dtype=np.int64)
    return totals


_COUNTS: Final[Mapping[str, Callable[[Requests], NDArray[Any]]]] = {
    "mutation": lambda requests: requests.mutations,
    "action": lambda requests: requests.actions,
    "action_second": lambda requests: requests.action_ns / _NS_PER_S,
    "attempt": lambda requests: requests.attempts,
    "effect": lambda requests: requests.effects,
    "duplicate": _duplicates,
    "failure": lambda requests: np.isin(requests.outcome, FAILED),
}
"""How much of each thing a request has."""
