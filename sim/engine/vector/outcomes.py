"""Outcomes and latencies of many attempts: the first half of `sim.world.action_model` for arrays.

An attempt is usual if it succeeds or fails at the end of its latency, so that its outcome and its latency say all about
it. The usual outcomes have the first codes, and an attempt with one of them ends as the code says: SUCCESS_CODE is
RETURNED_CODE of `attempts`, FAIL_CODE is THREW_CODE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.engine.vector.arrays import Rows
from sim.engine.vector.weather import WeatherOf
from sim.history.vocabulary import (
    ATTEMPT_OUTCOMES,
    FAIL,
    SUCCESS,
)
from sim.kernel.durations import RUNAWAY_NS
from sim.laws.distributions import Constant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sim.engine.vector.arrays import Bools, Floats, Ints, SomeRows
    from sim.engine.vector.block import Block
    from sim.kernel.draws import DrawsOf
    from sim.scenario.schema import Scenario
    from sim.world.outcomes import Branch

Codes = NDArray[np.int8]
"""Outcomes of attempts by their positions in ATTEMPT_OUTCOMES."""

CODES: Final = {name: code for code, name in enumerate(ATTEMPT_OUTCOMES)}
SUCCESS_CODE: Final = CODES[SUCCESS]
FAIL_CODE: Final = CODES[FAIL]
FIRST_RARE_CODE: Final = 2
"""The outcomes with smaller codes are the usual ones."""
SUCCESS_WAY: Final = 0
PERMANENT_WAY: Final = 1
FIRST_SHARED_WAY: Final = 2
"""The numbers of ways to go: what the shares of the action and of each source of weather divide comes last."""
Shared = tuple[list[float], Rows]
"""Running shares of ways to go, and their numbers, with success behind them."""


class Outcomes:
    """Draws outcomes and latencies of the requests of a block, for each request in the order of its attempts."""

    def __init__(
        self, cell: Scenario, block: Block, *, hosted: bool, tells_ways: bool = False, at_once: bool = False
    ) -> None:
        """Take the action of a cell; `hosted`: the deployment runs it, and its time limit holds.

        `tells_ways`: it is asked for `ways`; `at_once`: its attempts take no time, whatever the action says.
        """
        action = cell.action
        self._block = block
        self._heals_at_ns = cell.heals_at
        self.effect_at = action.effect_at
        """The share of its latency after which an attempt has its effect."""
        self.limit_ns = cell.platform.action_time_limit if hosted else None
        self._script = [(CODES[one.outcome], 0 if at_once else one.latency) for one in action.script]
        fair = Ways(action.branches())
        ways = [(SUCCESS_CODE, action.latency), (FAIL_CODE, action.latency), *fair.listed]
        self._fair = fair.numbered(FIRST_SHARED_WAY)
        self._bad: list[Shared] = []
        for branches in () if self._script else action.bad_branches():
            bad = Ways(branches)
            self._bad.append(bad.numbered(len(ways)))
            ways += bad.listed
        self._codes = np.array([code for code, _ in ways], dtype=np.int8)
        if at_once:
            ways = [(code, Constant(value_ns=0)) for code, _ in ways]
        self._laws = laws = list(dict.fromkeys(law for _, law in ways))
        self._law_of = np.array([laws.index(law) for _, law in ways], dtype=np.intp)
        self.ways: Rows | None = None
        """The ways that the latest attempts went, or the places of their scripted attempts; None if all succeed."""
        simple = [code for code, _ in fair.listed] == [FAIL_CODE] and not self._bad and len(laws) == 1
        self._only_fails = simple and not tells_ways
        """Whether a code says all about an attempt, and is the result of one comparison."""
        self._permanent: Bools | None = None
        if action.permanent_failure and not self._script:
            self._permanent = block.draws.uniforms("permanent") < action.permanent_failure
        weather = action.weather if not self._script else ()
        self._weather = WeatherOf(weather, block.draws, block.count) if weather else None

    def draw(
        self, rows: SomeRows, draws: DrawsOf, number: int | Ints, at_ns: Ints
    ) -> tuple[Codes | None, Ints | np.int64]:
        """Draw outcomes (None: all succeed) and latencies in ns (one number if all are equal) of attempts at instants.

        `draws` are those of the requests at `rows`. The latency of a hang means nothing.
        """
        healed = None if self._heals_at_ns is None else at_ns >= self._heals_at_ns
        if self._script:
            return self._scripted(number, healed, len(at_ns))
        if self._only_fails:
            codes = (draws.uniforms("outcome", number) < self._fair[0][0]).view(np.int8)
            self._note_exceptions(codes, rows, healed, SUCCESS_CODE, FAIL_CODE)
            return codes, self._latencies(draws, number, None, len(at_ns))
        self.ways = ways = self._ways(rows, draws, number, at_ns, healed)
        return None if ways is None else self._codes[ways], self._latencies(draws, number, ways, len(at_ns))

    def rare(self, codes: Codes | None, latency_ns: Ints | np.int64, at_ns: Ints) -> Bools | None:
        """Return which attempts are not usual, or may be cut off or outlast the clock; None if none is."""
        if not len(at_ns):
            return None
        longest_ns, bound_ns = int(latency_ns.max()), RUNAWAY_NS - int(at_ns.max())
        if self.limit_ns is not None:
            bound_ns = min(bound_ns, self.limit_ns)
        rare = None if codes is None or codes.max() < FIRST_RARE_CODE else codes >= FIRST_RARE_CODE
        if longest_ns <= bound_ns:
            return rare
        long: Bools = np.broadcast_to(latency_ns > bound_ns, len(at_ns))
        return long if rare is None else rare | long

    def _scripted(self, number: int | Ints, healed: Bools | None, count: int) -> tuple[Codes, Ints]:
        script_codes = np.array([code for code, _ in self._script], dtype=np.int8)
        script_ns = np.array([latency_ns for _, latency_ns in self._script], dtype=np.int64)
        self.ways = places = np.broadcast_to(np.minimum(np.asarray(number) - 1, len(self._script) - 1), count)
        codes = script_codes[places]
        if healed is not None:
            codes[healed] = SUCCESS_CODE
        return codes, script_ns[places]

    def _ways(
        self, rows: SomeRows, draws: DrawsOf, number: int | Ints, at_ns: Ints, healed: Bools | None
    ) -> Rows | None:
        """Choose the way that each attempt goes, None if all succeed."""
        cumulative, ways = self._fair
        found = np.full(len(at_ns), SUCCESS_WAY, dtype=np.intp)
        if not cumulative and self._weather is None:
            if self._permanent is None:
                return None
        else:
            uniforms = draws.uniforms("outcome", number)
            found = ways[_count_up_to(cumulative, uniforms)]
            if self._weather is not None:
                self._go_by_weather(self._weather, found, uniforms, rows, at_ns, healed)
        self._note_exceptions(found, rows, healed, SUCCESS_WAY, PERMANENT_WAY)
        return found

    def _note_exceptions(  # attempts, and how the exceptions among them go
        self, found: Any, rows: SomeRows, healed: Bools | None, success: int, failure: int
    ) -> None:
        """Let attempts succeed that start in a world that has healed, and those fail that always do."""
        if healed is not None:
            found[healed] = success
        if self._permanent is not None:
            found[self._permanent[rows]] = failure

    def _go_by_weather(  # noqa: PLR0917  # the attempts, and the weather that they meet
        self,
        weather: WeatherOf,
        found: Rows,
        uniforms: Floats,
        rows: SomeRows,
        at_ns: Ints,
        healed: Bools | None,
    ) -> None:
        """Let the sources that are down take their shares of the attempts; the other ways share the rest."""
        meets = np.ones(len(at_ns), dtype=np.bool_)
        if healed is not None:
            meets &= ~healed
        if self._permanent is not None:
            meets &= ~self._permanent[rows]
        (asking,) = np.nonzero(meets)
        down = weather.down(self._block.everybody[rows][asking], at_ns[asking])
        for sources in np.unique(down).tolist():
            if sources:
                cumulative, ways = self._mix(sources)
                places = asking[down == sources]
                found[places] = ways[_count_up_to(cumulative, uniforms[places])]

    def _mix(self, down: int) -> Shared:
        """Return what `sim.world.fates.Fates` mixes while these sources are down."""
        cumulative: list[float] = []
        ways: list[int] = []
        for sums, numbers in (*(bad for position, bad in enumerate(self._bad) if down >> position & 1), self._fair):
            taken = cumulative[-1] if cumulative else 0.0
            cumulative += [taken + (1.0 - taken) * upto for upto in sums]
            ways += numbers[:-1].tolist()
        return cumulative, np.array([*ways, SUCCESS_WAY], dtype=np.intp)

    def _latencies(self, draws: DrawsOf, number: int | Ints, ways: Rows | None, count: int) -> Ints | np.int64:
        law = self._laws[0] if len(self._laws) == 1 else None
        if isinstance(law, Constant):
            return np.int64(law.value_ns)
        uniforms = draws.uniforms("latency", number)
        if law is not None or ways is None:
            return self._laws[0].sample_ns(uniforms)
        latency_ns = np.empty(count, dtype=np.int64)
        laws = self._law_of[ways]
        for place in np.flatnonzero(np.bincount(laws)).tolist():
            those = laws == place
            latency_ns[those] = self._laws[place].sample_ns(uniforms[those])
        return latency_ns


class Ways:
    """The ways in which attempts can go by shares, besides success."""

    def __init__(self, branches: Iterable[Branch]) -> None:
        shared = [branch for branch in branches if branch.share]
        self.listed = [(CODES[branch.outcome], branch.latency) for branch in shared]
        """(code of the outcome, law of the latency) of each."""
        self._cumulative = _running_sums(branch.share for branch in shared)

    def numbered(self, first: int) -> Shared:
        """Return their running shares and their numbers, from this one on; success follows them."""
        return self._cumulative, np.array([*range(first, first + len(self.listed)), SUCCESS_WAY], dtype=np.intp)


def _count_up_to(cumulative: Sequence[float], uniforms: Floats) -> Rows:
    """Count for each number the cumulative shares up to it: the position that `bisect_right` finds."""
    found = np.zeros(len(uniforms), dtype=np.intp)
    for share in cumulative:
        found += uniforms >= share
    return found


def _running_sums(shares: Iterable[float]) -> list[float]:
    sums, total = [], 0.0
    for share in shares:
        total += share
        sums.append(total)
    return sums
