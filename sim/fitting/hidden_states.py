"""The likelihood of calls that meet two states of the weather, up and down, which no log shows.

The states are a Markov chain in continuous time: each lasts for an exponential time. A call that starts in a state
fails with the share of that state, whatever became of the calls before it; so it does not matter how calls are spread
over time, nor that retries follow failures. This is a hidden Markov model (L. E. Baum, T. Petrie, G. Soules and N.
Weiss, Annals of Mathematical Statistics 41(1), 1970), whose steps are as long as the gaps between the calls.

The likelihood is a product of matrices, one a call, which is multiplied in pairs: halves, then halves of these, so that
whole arrays are worked on at once. Calls that come close together may stand in one group.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.laws.elementary import Floats


class TwoStates(NamedTuple):
    """The weather: how long each state lasts in the mean, in the unit of the gaps, and the share that fails in each."""

    up: float
    down: float
    fail_up: float
    fail_down: float

    @property
    def down_share(self) -> float:
        """The share of time spent down in the long run."""
        return self.down / (self.up + self.down)

    @property
    def fail_share(self) -> float:
        """The share of calls that fail in the long run."""
        return self.fail_up + self.down_share * (self.fail_down - self.fail_up)


@dataclass(frozen=True, slots=True)
class Groups:
    """Calls in order of time, in groups that are short beside the states; all arrays have the shape (groups,)."""

    gaps: Floats
    """From the group before to this one, in any unit; 0 for the first."""
    failures: Floats
    successes: Floats

    @classmethod
    def of(cls, started_ns: NDArray[np.int64], failed: NDArray[np.bool_], size: int, unit_ns: float) -> Groups:
        """Put so many calls in order of their starts into each group; a group lies at the middle of its calls."""
        firsts = np.arange(0, len(failed), size)
        failures = np.add.reduceat(failed, firsts, dtype=np.int64).astype(np.float64)
        lasts = np.minimum(firsts + size, len(failed)) - 1
        middles = (started_ns[firsts] + started_ns[lasts]) / (2 * unit_ns)
        gaps = np.diff(middles, prepend=middles[:1])
        return cls(gaps, failures, (lasts - firsts + 1) - failures)


def log_likelihood(groups: Groups, states: TwoStates) -> float:
    """Return the logarithm of the likelihood of all calls; the chain starts in its long-run shares."""
    down = states.down_share
    decay = np.exp(-groups.gaps * (1.0 / states.up + 1.0 / states.down))
    up_logs, down_logs = _emissions(groups, states)
    shift = np.maximum(up_logs, down_logs)
    total = float(shift.sum())
    emit_up, emit_down = np.exp(up_logs - shift), np.exp(down_logs - shift)
    # Of a step: from up to up, from up to down, from down to up, from down to down, times what is then seen.
    matrices = np.empty((4, len(decay)))
    matrices[0] = (1 - down + down * decay) * emit_up
    matrices[1] = down * (1 - decay) * emit_down
    matrices[2] = (1 - down) * (1 - decay) * emit_up
    matrices[3] = (down + (1 - down) * decay) * emit_down
    # The first gap is 0, so its matrix holds only what is seen; the long-run shares stand before it.
    while matrices.shape[1] > 1:
        odd = matrices[:, -1:] if matrices.shape[1] % 2 else None
        pairs = matrices.shape[1] // 2
        a, b = matrices[:, : 2 * pairs : 2], matrices[:, 1 : 2 * pairs : 2]
        product = np.empty((4, pairs))
        product[0] = a[0] * b[0] + a[1] * b[2]
        product[1] = a[0] * b[1] + a[1] * b[3]
        product[2] = a[2] * b[0] + a[3] * b[2]
        product[3] = a[2] * b[1] + a[3] * b[3]
        size = product.max(axis=0)
        product /= size
        total += float(np.log(size).sum())
        matrices = product if odd is None else np.concatenate([product, odd], axis=1)
    one = matrices[:, 0]
    return total + math.log((1 - down) * (one[0] + one[1]) + down * (one[2] + one[3]))


def _emissions(groups: Groups, states: TwoStates) -> tuple[Floats, Floats]:
    """Return the logarithms of the probabilities of what is seen of each group in either state."""
    up, down = (
        groups.failures * math.log(share) + groups.successes * math.log1p(-share)
        for share in (states.fail_up, states.fail_down)
    )
    return up, down


def down_probabilities(groups: Groups, states: TwoStates) -> Floats:
    """Return the probability that each group met the state down, given all that is seen. Shape: (groups,)."""
    down = states.down_share
    decay = np.exp(-groups.gaps * (1.0 / states.up + 1.0 / states.down))
    up_logs, down_logs = _emissions(groups, states)
    # What is seen counts only by its odds, which are kept from overflowing.
    odds = np.exp(np.clip(down_logs - up_logs, -600.0, 600.0)).tolist()
    stay_up, stay_down = (1 - down + down * decay).tolist(), (down + (1 - down) * decay).tolist()
    forward, share = [], down
    for up_stays, down_stays, odd in zip(stay_up, stay_down, odds, strict=True):
        before = share * down_stays + (1 - share) * (1 - up_stays)
        weight = before * odd
        share = weight / (weight + 1 - before)
        forward.append(share)
    # Backwards: the ratio of the likelihoods of all that follows, if down and if up.
    smoothed, ratio = [0.0] * len(odds), 1.0
    for at in range(len(odds) - 1, -1, -1):
        share = forward[at]
        weight = share * ratio
        smoothed[at] = weight / (weight + 1 - share) if weight + 1 - share > 0 else share
        next_odds = odds[at] * ratio
        up_stays, down_stays = stay_up[at], stay_down[at]
        from_up = up_stays + (1 - up_stays) * next_odds
        from_down = (1 - down_stays) + down_stays * next_odds
        ratio = from_down / from_up if math.isfinite(from_down) else 1e300
    return np.array(smoothed)
