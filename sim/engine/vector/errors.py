"""What the errors of many attempts say: `sim.world.fates` for arrays, as far as a caller listens.

Answers have numbers: their positions in `Errors.kinds`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sim.engine.vector.outcomes import FIRST_SHARED_WAY
from sim.history.vocabulary import FAILED, NEVER, TIMED_OUT
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
    """What the attempts of an action say if they fail, by the numbers of the ways that `Outcomes.ways` has."""

    def __init__(self, action: ActionOptions) -> None:
        says, fixed_ns = _of_script(action) if action.script else _of_shares(action)
        self.kinds: list[str] = list(dict.fromkeys((FAILED, TIMED_OUT, *(one.kind for one in says))))
        """The answers that there can be; `FAILED_KIND` and `TIMED_OUT_KIND` are the places of the first two."""
        self._kind_of = np.array([self.kinds.index(one.kind) for one in says], dtype=np.intp)
        self._final = np.array([one.final for one in says])
        self._fixed_ns = np.array(fixed_ns, dtype=np.int64)
        self._laws = {way: one.retry_after for way, one in enumerate(says) if one.retry_after is not None}
        self.says_nothing = all(one == SAYS_NOTHING for one in says) and set(fixed_ns) == {NEVER}
        """Whether all errors are alike, so that nothing has to be asked."""

    def told(self, ways: Rows, draws: DrawsOf, number: int) -> tuple[Rows, Bools, Ints]:
        """Return the kinds, which errors are final, and the waits they ask for (NEVER: none) of attempts `number`.

        `ways` are those of attempts that threw because they failed, shape (attempts,), `draws` those of their requests.
        """
        shares = self._final[ways]
        final = np.zeros(len(ways), dtype=np.bool_)
        if shares.any():
            final = draws.uniforms("final", number) < shares
        waits_ns = self._fixed_ns[ways]
        for way, law in self._laws.items():
            (those,) = np.nonzero(ways == way)
            if those.size:
                waits_ns[those] = law.sample_ns(draws.take(those).uniforms("retry_after", number))
        kinds: NDArray[np.intp] = self._kind_of[ways]
        return kinds, final, waits_ns


def _of_script(action: ActionOptions) -> tuple[list[Says], list[int]]:
    """Return what each scripted attempt says, and the wait that it asks for."""
    errors = action.script_errors()
    says = [SAYS_NOTHING if error is None else Says(error.kind, float(error.final)) for error in errors]
    return says, [NEVER if error is None else error.retry_after_ns for error in errors]


def _of_shares(action: ActionOptions) -> tuple[list[Says], list[int]]:
    """Return what attempts of each way say, and the waits that they always ask for."""
    branches: list[Branch] = []
    for shared in (action.branches(), *action.bad_branches()):
        branches += [branch for branch in shared if branch.share]
    says = [*[SAYS_NOTHING] * FIRST_SHARED_WAY, *(branch.says for branch in branches)]
    return says, [NEVER] * len(says)
