"""Callers who submit a request again on their own: after a failure, or when they have heard nothing.

Each submission is heard of once: by a conclusion, or by silence for too long. If that is no success the caller asks
again, with the scenario's probability, some time later; all submissions go on side by side. A caller who has canceled
does not ask again, nor does one whose request ran into a limit of the simulation.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sim.history.vocabulary import FAILED, NEVER, SILENT, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.history.request import Request, Resubmission
    from sim.kernel.choices import Choices
    from sim.kernel.clock import Clock
    from sim.world.callers import ResubmitOptions


class Resubmissions:
    """Decides which requests are submitted again, and when."""

    def __init__(
        self,
        options: ResubmitOptions,
        clock: Clock,
        choices: Choices,
        submit: Callable[[Resubmission, str], None],
    ) -> None:
        """Take the scenario's `resubmit`; `submit` is called with each further submission and its reason.

        Numbers come from stream `resubmit`, entity the request, index 2 (s - 1) for the word of the failure of
        submission s and one more for its silence, and from stream `resubmit_after`, index s - 1.
        """
        self._options = options
        self._clock = clock
        self._choices = choices
        self._submit = submit
        self._shares = (options.share,)
        self._after = choices.delays(options.after, "resubmit_after")
        self._planned: dict[int, int] = {}
        """By request, the submission behind which another is planned."""
        self._silences: dict[int, int] = {}
        """By request, how many patiences are still to run out."""
        self.further: dict[int, list[Resubmission]] = {}
        """The further submissions of each request, in their order."""

    def reset(self) -> None:
        """Forget everything, for the next world."""
        self._planned.clear()
        self._silences.clear()
        self.further.clear()

    def to_come(self) -> set[int]:
        """Return the numbers of the requests that may still be submitted again."""
        return {*self._planned, *self._silences}

    def submitted(self, request: Request, submission: int) -> None:
        """Note that a submission begins: from now on its caller waits for a word."""
        silent_ns = self._options.silent_after
        if silent_ns is not None and submission <= self._options.at_most and self._asks_again(request, submission, 1):
            self._silences[request.number] = self._silences.get(request.number, 0) + 1
            self._clock.call_after(silent_ns, partial(self._silent, request, submission))

    def told(self, request: Request, outcome: Outcome) -> bool:
        """Note a conclusion that counts. Returns whether the caller leaves it at that."""
        if outcome != Outcome.gave_up or request.canceled:
            return True
        submission = request.submissions
        if self._planned.get(request.number) == submission:
            return False  # out of patience already
        if submission > self._options.at_most or not self._asks_again(request, submission, 0):
            return True
        self._plan(request, submission, FAILED)
        return False

    def _asks_again(self, request: Request, submission: int, silent: int) -> bool:
        index = 2 * (submission - 1) + silent
        return self._choices.choose(self._shares, "resubmit", request.number, index) == 0

    def _silent(self, request: Request, submission: int) -> None:
        number = request.number
        self._silences[number] -= 1
        if not self._silences[number]:
            del self._silences[number]
        heard = request.settled_ns != NEVER or request.submissions != submission or number in self._planned
        if not (heard or request.canceled or request.runaway):
            self._plan(request, submission, SILENT)

    def _plan(self, request: Request, submission: int, reason: str) -> None:
        self._planned[request.number] = submission
        delay_ns = self._after(request.number, submission - 1, 0)
        self._clock.call_after(delay_ns, partial(self._ask, request, reason))

    def _ask(self, request: Request, reason: str) -> None:
        del self._planned[request.number]
        if request.canceled or request.runaway or request.outcome not in (Outcome.open, Outcome.gave_up):
            return
        again = request.submit_again()
        self.further.setdefault(request.number, []).append(again)
        self._submit(again, reason)
        self.submitted(request, again.submission)
