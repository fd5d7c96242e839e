"""One of several attempts that an action runs at once: it hosts the attempt inside the action's execution.

An answer is the branch's own. A death takes the whole execution with it, as a machine takes all that runs on it, and so
do the time limit and a lost contact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from sim.convex.functions import ActionFailed
from sim.history.vocabulary import ANSWERED, CUT, DIED, NEVER, RETURNED, Cause
from sim.kernel.clock import Pending

if TYPE_CHECKING:
    from sim.convex.server import Server
    from sim.history.vocabulary import End
    from sim.world.attempt import Attempt


class Whole(Protocol):
    """The execution, as a branch sees it."""

    server: Server
    job_id: int
    deadline_ns: int | None

    def die(self) -> None:
        """Stop without a word."""
        ...

    def cut_off(self) -> None:
        """End at the time limit."""
        ...

    def attempt_lost(self) -> None:
        """Go on out of sight."""
        ...

    def hear(self, what: str, value: object) -> None:
        """Tell the witness what the handler learns."""
        ...


class Branch:
    """Hosts one attempt of an execution that runs several."""

    slept_ns: ClassVar[int] = NEVER
    is_copy: ClassVar[bool] = False
    __slots__ = ("_whole", "answer", "attempt", "deadline_ns", "job_id", "strike")

    def __init__(self, whole: Whole, strike: float | None) -> None:
        self._whole: Whole | None = whole
        self.job_id = whole.job_id
        self.deadline_ns = whole.deadline_ns
        self.strike = strike
        self.attempt: Attempt | None = None
        self.answer = Pending()
        """Completes when the action returns, or with `ActionFailed`."""

    def attempt_over(self, how: End) -> None:
        """Take the end of the attempt."""
        whole = self._whole
        if whole is None:
            return
        whole.hear("attempt", how)
        if how == RETURNED:
            self.answer.succeed()
        elif how in ANSWERED:
            self.answer.fail(ActionFailed.of(self.attempt.failure))  # type: ignore[union-attr]  # it is over, so it began
        elif how == CUT:
            whole.cut_off()
        else:
            whole.die()

    def attempt_lost(self) -> None:
        """Let the platform lose sight of the whole execution."""
        if self._whole is not None:
            self._whole.attempt_lost()

    def reported(self, *, heard: bool) -> None:
        """Note that the execution is done with the attempt; `heard`: what became of it is written down."""
        attempt, self.attempt, self._whole = self.attempt, None, None
        if attempt is not None:
            attempt.over(reported=heard)

    def lose(self) -> None:
        """Lose the attempt with the execution; an effect that is still ahead comes at its moment."""
        attempt, whole = self.attempt, self._whole
        if attempt is None or whole is None or (attempt.given_up and attempt.ended):
            return
        if not attempt.ended:
            whole.server.record("attempt_end", attempt.request.number, attempt.number, DIED)
        attempt.abandon(whole.server.clock.now_ns, Cause.crash_after_effect)

    def let_go(self) -> None:
        """Forget attempt and execution: they refer to this."""
        self.attempt = self._whole = None
