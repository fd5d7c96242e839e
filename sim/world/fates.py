"""What an attempt is given as it starts: how it goes, how long it takes, and what its error says.

`Fates` draws it for the user's action, and for the calls of a service: a service gives its name as the owner, which is
a part of the addresses of all its draws, so that its numbers are its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sim.history.events import Failure
from sim.history.vocabulary import FAIL, HANG, NEVER, SUCCESS
from sim.kernel.choices import owned

if TYPE_CHECKING:
    from sim.history.request import Request
    from sim.history.vocabulary import AttemptOutcome
    from sim.kernel.choices import Choices, DelayOf
    from sim.world.actions import WorkOptions
    from sim.world.weather import WeatherPath

NEVER_HEALS = 1 << 200
"""After every instant."""


class Fate(NamedTuple):
    """What one attempt is given."""

    outcome: AttemptOutcome
    latency_ns: int
    """NEVER for a hang."""
    failure: Failure | None
    """What its error says; None if it says nothing."""


_HANGS: Final = Fate(HANG, NEVER, None)
_new: Final = tuple.__new__
"""Makes a `Fate` twice as fast as its own constructor; every attempt needs one."""


class Fates:
    """Draws the fates of attempts: by the script, by a permanent failure, by the weather, or by shares.

    From `heals_at_ns` on attempts succeed. `owner` is the name of a service, empty for the action.
    """

    def __init__(
        self, choices: Choices, options: WorkOptions, *, heals_at_ns: int | None = None, owner: str = ""
    ) -> None:
        self._choices = choices
        self._heals_at_ns = NEVER_HEALS if heals_at_ns is None else heals_at_ns
        self._outcome, self._final_stream, latency, wait = (
            owned(stream, owner) for stream in ("outcome", "final", "latency", "retry_after")
        )
        fail = options.outcomes.fail
        self._final = (fail.final,) if fail.final else None
        self._retry_after = None if fail.retry_after is None else choices.delays(fail.retry_after, wait)
        self._script_errors = options.script_errors()
        self._cumulative: list[float] = []
        self._branches: list[tuple[AttemptOutcome, DelayOf]] = []
        total = 0.0
        branches = options.branches()
        for outcome, share, law in branches:
            if share:
                total += share
                self._cumulative.append(total)
                self._branches.append((outcome, choices.delays(law, latency)))
        self._branches.append((SUCCESS, choices.delays(options.latency, latency)))
        fails = [law for outcome, _, law in branches if outcome == FAIL]
        self._failed: tuple[AttemptOutcome, DelayOf] = (FAIL, choices.delays(fails[0], latency))
        self._script = [(outcome, choices.delays(law, latency)) for outcome, law in options.scripted()]

    def draw(self, request: Request, number: int, now_ns: int, weather: WeatherPath | None) -> Fate:
        """Draw the fate of attempt `number` (1 first) of a request, which starts now in this weather."""
        healed = now_ns >= self._heals_at_ns
        if script := self._script:
            outcome, delay_of = script[number - 1] if number < len(script) else script[-1]
            if healed:
                outcome = SUCCESS
        elif request.permanent:
            outcome, delay_of = self._failed
        elif healed or (not self._cumulative and weather is None):
            outcome, delay_of = self._branches[-1]
        else:
            outcome, delay_of = self._choose(request.number, number, now_ns, weather)
        if outcome == HANG:
            return _HANGS
        latency_ns = delay_of(request.number, number, 0)
        failure = self._failure(request, number) if outcome == FAIL else None
        return _new(Fate, (outcome, latency_ns, failure))

    def _choose(
        self, entity: int, number: int, now_ns: int, weather: WeatherPath | None
    ) -> tuple[AttemptOutcome, DelayOf]:
        cumulative, branches = self._cumulative, self._branches
        if weather is not None:
            share = weather.fail_share(now_ns)
            if share:
                # The weather fails its share of all attempts; the shares of outcomes divide the rest.
                cumulative = [share, *(share + (1.0 - share) * fair for fair in cumulative)]
                branches = [self._failed, *branches]
        return branches[self._choices.choose(cumulative, self._outcome, entity, number)]

    def _failure(self, request: Request, number: int) -> Failure | None:
        """Draw what the error of a failing attempt says; None if it says nothing."""
        if self._script_errors:
            errors = self._script_errors
            return errors[number - 1] if number < len(errors) else errors[-1]
        if self._final is None and self._retry_after is None:
            return None
        final = self._final is not None and not self._choices.choose(
            self._final, self._final_stream, request.number, number
        )
        wait_ns = NEVER if self._retry_after is None else self._retry_after(request.number, number, 0)
        return Failure(final, wait_ns)
