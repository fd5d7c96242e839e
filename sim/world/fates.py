"""What an attempt is given as it starts: how it goes, how long it takes, and what its error says.

`Fates` draws it for the user's action, and for the calls of a service: a service gives its name as the owner, which is
a part of the addresses of all its draws, so that its numbers are its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from sim.history.failure import Failure
from sim.history.vocabulary import FAIL, HANG, NEVER, SUCCESS
from sim.kernel.choices import owned
from sim.world.fate import Fate
from sim.world.outcomes import SAYS_NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.history.request import Request
    from sim.history.vocabulary import AttemptOutcome
    from sim.kernel.choices import Choices, DelayOf
    from sim.world.actions import WorkOptions
    from sim.world.outcomes import Branch, Says
    from sim.world.weather import WeatherPath

Error = Callable[[int, int], Failure]
"""From a request and the number of its attempt to what the error says."""
NEVER_HEALS = 1 << 200
"""After every instant."""


class _Way(NamedTuple):
    """One way in which an attempt can go."""

    outcome: AttemptOutcome
    delay_of: DelayOf
    error: Error | None = None
    """What its error says if it fails; None if it says nothing."""


_HANGS: Final = Fate(HANG, NEVER, None)
_new: Final = tuple.__new__
"""Makes a `Fate` twice as fast as its own constructor; every attempt needs one."""
MOST_MIXES: Final = 4096
"""Sets of sources down at the same time whose ways are kept in memory."""


class Fates:
    """Draws the fates of attempts: by the script, by a permanent failure, or by shares, those of the weather first.

    From `heals_at_ns` on attempts succeed. A permanent failure takes the common latency, and its error says nothing.
    `owner` is the name of a service, empty for the action.
    """

    def __init__(
        self, choices: Choices, options: WorkOptions, *, heals_at_ns: int | None = None, owner: str = ""
    ) -> None:
        self._choices = choices
        self._heals_at_ns = NEVER_HEALS if heals_at_ns is None else heals_at_ns
        self._outcome, self._final, self._latency, self._retry_after = (
            owned(stream, owner) for stream in ("outcome", "final", "latency", "retry_after")
        )
        delay_of = choices.delays(options.latency, self._latency)
        self._success = _Way(SUCCESS, delay_of)
        self._permanent = _Way(FAIL, delay_of)
        self._script = [
            _Way(outcome, choices.delays(law, self._latency), None if says is None else _always(says))
            for (outcome, law), says in zip(options.scripted(), options.script_errors(), strict=True)
        ]
        self._bad = [self._ways(branches) for branches in options.bad_branches()]
        self._fair = self._ways(options.branches())
        self._mixes = {0: self._mix(0)}

    def draw(self, request: Request, number: int, now_ns: int, weather: WeatherPath | None) -> Fate:
        """Draw the fate of attempt `number` (1 first) of a request, which starts now in this weather."""
        healed = now_ns >= self._heals_at_ns
        if script := self._script:
            outcome, delay_of, error = script[number - 1] if number < len(script) else script[-1]
            if healed:
                outcome = SUCCESS
        elif request.permanent:
            outcome, delay_of, error = self._permanent
        elif healed:
            outcome, delay_of, error = self._success
        else:
            down = 0 if weather is None else weather.down(now_ns)
            cumulative, ways = self._mixes.get(down) or self._mix(down)
            way = self._choices.choose(cumulative, self._outcome, request.number, number) if cumulative else 0
            outcome, delay_of, error = ways[way]
        if outcome == HANG:
            return _HANGS
        latency_ns = delay_of(request.number, number, 0)
        failure = None if error is None or outcome != FAIL else error(request.number, number)
        return _new(Fate, (outcome, latency_ns, failure))

    @property
    def fair(self) -> tuple[list[float], list[_Way]]:
        """The ways in good weather: their running shares, and the ways, of which the last one has the rest.

        Each is an outcome, the law of its latency, and what its error says (None: nothing).
        """
        return self._mixes[0]

    def _mix(self, down: int) -> tuple[list[float], list[_Way]]:
        """Return the running shares of the ways that attempts can go, and the ways, while these sources are down.

        The sources in their order, and then fair weather, divide what those before them have left. Success has the
        rest.
        """
        cumulative: list[float] = []
        ways: list[_Way] = []
        for shared in (*(bad for position, bad in enumerate(self._bad) if down >> position & 1), self._fair):
            taken = cumulative[-1] if cumulative else 0.0
            cumulative += [taken + (1.0 - taken) * upto for upto, _ in shared]
            ways += [way for _, way in shared]
        mix = cumulative, [*ways, self._success]
        if down:
            if len(self._mixes) >= MOST_MIXES:
                self._mixes = {0: self._mixes[0]}
            self._mixes[down] = mix
        return mix

    def _ways(self, branches: Sequence[Branch]) -> list[tuple[float, _Way]]:
        """Return the ways with a share, each with the sum of the shares up to it."""
        total, ways = 0.0, []
        for outcome, share, law, says in branches:
            if share:
                total += share
                error = None if says == SAYS_NOTHING else self._error(says)
                ways.append((total, _Way(outcome, self._choices.delays(law, self._latency), error)))
        return ways

    def _error(self, says: Says) -> Error:
        """Return a function that draws what the error of an attempt says."""
        kind, share, law = says
        if not share and law is None:
            return _always(Failure(final=False, retry_after_ns=NEVER, kind=kind))
        choose, final_stream, shares = self._choices.choose, self._final, (share,)
        wait_of = None if law is None else self._choices.delays(law, self._retry_after)

        def draw(entity: int, number: int) -> Failure:
            final = share > 0 and not choose(shares, final_stream, entity, number)
            return Failure(final, NEVER if wait_of is None else wait_of(entity, number, 0), kind)

        return draw


def _always(failure: Failure) -> Error:
    return lambda _entity, _number: failure
