"""What the errors of many attempts say: `sim.world.fates` for arrays, as far as a caller listens.

Answers have numbers: their positions in `Errors.kinds`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sim.engine.vector.outcomes import FIRST_SHARED_WAY
from sim.history.vocabulary import FAILED, NEVER, TIMED_OUT
from sim.laws.distributions import Constant
from sim.world.outcomes import SAYS_NOTHING, Says

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.engine.vector.arrays import Bools, Ints, Rows
    from sim.kernel.draws import DrawsOf
    from sim.world.actions import ActionOptions
    from sim.world.outcomes import Branch

FAILED_KIND: Final = 0
TIMED_OUT_KIND: Final = 1


class Errors:
    """What the attempts of an action say if they fail."""

    def __init__(self, action: ActionOptions) -> None:
        self._says = _by_way(action)
        self.kinds: list[str] = list(dict.fromkeys((FAILED, TIMED_OUT, *(says.kind for says in self._says))))
        """The answers that there can be; `FAILED_KIND` and `TIMED_OUT_KIND` are the places of the first two."""
        self._kind_of = np.array([self.kinds.index(says.kind) for says in self._says], dtype=np.intp)
        self._final = np.array([says.final for says in self._says])
        self.says_nothing = all(says == SAYS_NOTHING for says in self._says)
        """Whether all errors are alike, so that nothing has to be asked."""

    def told(self, ways: Rows, draws: DrawsOf, number: int) -> tuple[Rows, Bools, Ints]:
        """Return the kinds, which errors are final, and the waits they ask for (NEVER: none) of attempts `number`.

        `ways` are those of attempts that threw because they failed, shape (attempts,), `draws` those of their requests.
        """
        shares = self._final[ways]
        final = np.zeros(len(ways), dtype=np.bool_)
        if shares.any():
            final = draws.uniforms("final", number) < shares
        waits_ns = np.full(len(ways), NEVER, dtype=np.int64)
        for way in np.unique(ways).tolist():
            law = self._says[way].retry_after
            if law is not None:
                those = np.flatnonzero(ways == way)
                waits_ns[those] = law.sample_ns(draws.take(those).uniforms("retry_after", number))
        kinds: NDArray[np.intp] = self._kind_of[ways]
        return kinds, final, waits_ns


def _by_way(action: ActionOptions) -> list[Says]:
    """Return what is said by attempts of each way, in the numbers of `sim.engine.vector.outcomes`."""
    if action.script:
        return [
            Says(FAILED, float(step.final), None if step.retry_after is None else Constant(value_ns=step.retry_after))
            for step in action.script
        ]
    branches: list[Branch] = []
    for shared in (action.branches(), *action.bad_branches()):
        branches += [branch for branch in shared if branch.share]
    return [*[SAYS_NOTHING] * FIRST_SHARED_WAY, *(branch.says for branch in branches)]
