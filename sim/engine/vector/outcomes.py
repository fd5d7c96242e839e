"""Outcomes and latencies of many attempts: the first half of `sim.world.action_model` for arrays.

An attempt is usual if it succeeds or fails at the end of its latency, so that its outcome and its latency say all about
it. The usual outcomes have the first codes, and an attempt with one of them ends as the code says: SUCCESS_CODE is
RETURNED_CODE of `attempts`, FAIL_CODE is THREW_CODE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

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

    from sim.engine.vector.arrays import Bools, Floats, Ints, Rows, SomeRows
    from sim.engine.vector.block import Block
    from sim.kernel.draws import DrawsOf
    from sim.laws.law import Distribution
    from sim.scenario.schema import Scenario

Codes = NDArray[np.int8]
"""Outcomes of attempts by their positions in ATTEMPT_OUTCOMES."""

CODES: Final = {name: code for code, name in enumerate(ATTEMPT_OUTCOMES)}
SUCCESS_CODE: Final = CODES[SUCCESS]
FAIL_CODE: Final = CODES[FAIL]
FIRST_RARE_CODE: Final = 2
"""The outcomes with smaller codes are the usual ones."""


class Outcomes:
    """Draws outcomes and latencies of the requests of a block, for each request in the order of its attempts."""

    def __init__(self, cell: Scenario, block: Block, *, hosted: bool) -> None:
        """Take the action of a cell; `hosted`: the deployment runs it, and its time limit holds."""
        action = cell.action
        self._block = block
        self._heals_at_ns = cell.heals_at
        self.effect_at = action.effect_at
        """The share of its latency after which an attempt has its effect."""
        self.limit_ns = cell.platform.action_time_limit if hosted else None
        self._script = [(CODES[attempt.outcome], attempt.latency) for attempt in action.script]
        shares = [(name, share, law) for name, share, law in action.branches() if share]
        self._cumulative = _running_sums(share for _, share, _ in shares)
        self._codes = np.array([*(CODES[name] for name, _, _ in shares), SUCCESS_CODE], dtype=np.int8)
        laws: dict[str, Distribution] = {SUCCESS: action.latency, FAIL: action.latency}
        laws |= {name: law for name, _, law in action.branches()}
        self._laws = [laws[name] for name in ATTEMPT_OUTCOMES]
        same = all(laws[name] is action.latency for name in (FAIL, *(name for name, _, _ in shares)))
        self._one_law = action.latency if same else None
        """The law of all latencies, if there is only one."""
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
        codes = self._outcomes(rows, draws, number, at_ns, healed)
        return codes, self._latencies(draws, number, codes, len(at_ns))

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
        places = np.broadcast_to(np.minimum(np.asarray(number) - 1, len(self._script) - 1), count)
        codes = script_codes[places]
        if healed is not None:
            codes[healed] = SUCCESS_CODE
        return codes, script_ns[places]

    def _outcomes(
        self, rows: SomeRows, draws: DrawsOf, number: int | Ints, at_ns: Ints, healed: Bools | None
    ) -> Codes | None:
        permanent = None if self._permanent is None else self._permanent[rows]
        if not len(self._cumulative) and self._weather is None:
            codes: Codes | None = None
        else:
            uniforms = draws.uniforms("outcome", number)
            codes = self._in_fair_weather(uniforms)
            if self._weather is not None:
                self._fail_by_weather(self._weather, codes, uniforms, rows, at_ns, (permanent, healed))
        if healed is not None and codes is not None:
            codes[healed] = SUCCESS_CODE
        if permanent is not None:
            codes = np.zeros(len(at_ns), dtype=np.int8) if codes is None else codes
            codes[permanent] = FAIL_CODE
        return codes

    def _in_fair_weather(self, uniforms: Floats) -> Codes:
        """Choose outcomes by their shares."""
        if len(self._codes) == FIRST_RARE_CODE and self._codes[0] == FAIL_CODE:
            return (uniforms < self._cumulative[0]).view(np.int8)
        return self._codes[_count_up_to(self._cumulative, uniforms)]

    def _fail_by_weather(  # noqa: PLR0917  # the attempts, and the weather that they meet
        self,
        weather: WeatherOf,
        codes: Codes,
        uniforms: Floats,
        rows: SomeRows,
        at_ns: Ints,
        exceptions: tuple[Bools | None, ...],
    ) -> None:
        """Let the weather fail its share of the attempts but for exceptions; the other outcomes share the rest."""
        meets = np.ones(len(at_ns), dtype=np.bool_)
        for exception in exceptions:
            if exception is not None:
                meets &= ~exception
        (asking,) = np.nonzero(meets)
        shares = weather.fail_shares(self._block.everybody[rows][asking], at_ns[asking])
        (bad,) = np.nonzero(shares)
        if not bad.size:
            return
        share, places = shares[bad], asking[bad]
        number = (uniforms[places] >= share).astype(np.intp)
        for fair in self._cumulative:
            number += uniforms[places] >= share + (1.0 - share) * fair
        branches = np.concatenate([np.array([FAIL_CODE], dtype=np.int8), self._codes])
        codes[places] = branches[number]

    def _latencies(self, draws: DrawsOf, number: int | Ints, codes: Codes | None, count: int) -> Ints | np.int64:
        law = self._laws[SUCCESS_CODE] if codes is None else self._one_law
        if isinstance(law, Constant):
            return np.int64(law.value_ns)
        uniforms = draws.uniforms("latency", number)
        if law is not None:
            return law.sample_ns(uniforms)
        latency_ns = np.empty(count, dtype=np.int64)
        for code in np.flatnonzero(np.bincount(codes)):  # type: ignore[arg-type]  # without codes there is one law
            those = codes == code
            latency_ns[those] = self._laws[code].sample_ns(uniforms[those])
        return latency_ns


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
