"""What many attempts do at once: `sim.world.action_model` for arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.engine.vector.arrays import FOREVER
from sim.engine.vector.weather import WeatherOf
from sim.history.vocabulary import (
    ACK_LOST,
    CRASH_AFTER_EFFECT,
    CRASH_BEFORE_EFFECT,
    FAIL,
    HANG,
    LOST_CONTACT,
    NEVER,
    SUCCESS,
    Cause,
)
from sim.kernel.durations import RUNAWAY_NS
from sim.laws.distributions import Constant
from sim.world.attempt import BLAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from sim.engine.vector.arrays import Bools, Floats, Ints, Rows, SomeRows
    from sim.engine.vector.block import Block
    from sim.kernel.draws import DrawsOf
    from sim.laws.law import Distribution
    from sim.scenario.schema import Scenario

    Codes = NDArray[np.int8]

RETURNED: Final = 0
THREW: Final = 1
DIED: Final = 2
CUT: Final = 3
ENDLESS: Final = 4
"""How attempts end; from DIED on nobody hears of it."""

OUTCOMES: Final = (SUCCESS, FAIL, ACK_LOST, CRASH_BEFORE_EFFECT, CRASH_AFTER_EFFECT, LOST_CONTACT, HANG)
"""By their codes."""
_CODE: Final = {name: code for code, name in enumerate(OUTCOMES)}
_BLAMES: Final = np.array([BLAME[name] for name in OUTCOMES], dtype=np.uint8)
_THROWS: Final = np.array([name in {FAIL, ACK_LOST} for name in OUTCOMES])
_DIES: Final = np.array([name in {CRASH_BEFORE_EFFECT, CRASH_AFTER_EFFECT} for name in OUTCOMES])
_ACTS: Final = np.array([name not in {FAIL, CRASH_BEFORE_EFFECT, HANG} for name in OUTCOMES])
_USUAL: Final = 2
"""Codes below this need no more than an end."""


@dataclass(frozen=True, slots=True)
class Started:
    """Attempts that have been made, shape (attempts,) each."""

    end_ns: Ints
    """The instant of the end, FOREVER for a hang that nothing cuts off."""
    how: NDArray[np.int8]
    visible_ns: Ints
    """The instant at which the job that ran the attempt has its end; for a client outside that of the answer."""
    lost: Bools | None
    """Whether contact was lost before the end, at `visible_ns`; None where it nowhere was."""
    instant: Bools | None
    """Whether it ended within the step that started it; None where it nowhere did."""

    def of(self, those: Bools) -> Started:
        """Return some of the attempts."""
        lost = None if self.lost is None else self.lost[those]
        instant = None if self.instant is None else self.instant[those]
        return Started(self.end_ns[those], self.how[those], self.visible_ns[those], lost, instant)

    @property
    def unheard(self) -> Bools | None:
        """Whether the attempt ends without a word, or is lost before; None where none does."""
        if self.lost is None:
            return None
        unheard: Bools = (self.how >= DIED) | self.lost
        return unheard


class Attempts:
    """Makes the attempts of the requests of a block, each request's in their order."""

    def __init__(self, cell: Scenario, block: Block, *, hosted: bool) -> None:
        action = cell.action
        self._block = block
        self._draws = block.draws
        self._heals_at_ns = cell.heals_at
        self.effect_at = action.effect_at
        """The share of its latency after which an attempt has its effect."""
        self._limit_ns = cell.platform.action_time_limit if hosted else None
        self._detection_ns = cell.platform.crash_detection if hosted else 0
        self._script = [(_CODE[attempt.outcome], attempt.latency) for attempt in action.script]
        shares = [(name, share, law) for name, share, law in action.branches() if share]
        self._cumulative = _running_sums(share for _, share, _ in shares)
        self._codes = np.array([*(_CODE[name] for name, _, _ in shares), _CODE[SUCCESS]], dtype=np.int8)
        laws: dict[str, Distribution] = {SUCCESS: action.latency, FAIL: action.latency}
        laws |= {name: law for name, _, law in action.branches()}
        self._laws = [laws[name] for name in OUTCOMES]
        same = all(laws[name] is action.latency for name in (FAIL, *(name for name, _, _ in shares)))
        self._one_law = action.latency if same else None
        """The law of all latencies, where there is but one."""
        self._permanent: Bools | None = None
        if action.permanent_failure and not self._script:
            self._permanent = self._draws.uniforms("permanent") < action.permanent_failure
        weather = action.weather if not self._script else ()
        self._in_order = True
        """Whether the attempts of each request have ended in the order of their starts so far."""
        self._weather = WeatherOf(weather, self._draws, block.count) if weather else None

    def start(self, rows: SomeRows, number: int | Ints, at_ns: Ints) -> Started:
        """Make one attempt of each request at `rows`: attempts `number` (1 first), starting at `at_ns`.

        Notes their effects and counts them; marks requests whose attempt goes past what the clock can hold.
        """
        block = self._block
        if not len(at_ns):
            return Started(at_ns, np.zeros(0, dtype=np.int8), at_ns, None, None)
        codes, latency_ns = self.drawn(rows, self._draws.take(rows), number, at_ns)
        longest_ns = int(latency_ns.max())
        if longest_ns > RUNAWAY_NS - int(at_ns.max()):
            beyond = latency_ns > RUNAWAY_NS - at_ns
            block.leave(rows, beyond)
            latency_ns = np.where(beyond, 0, latency_ns)
        cut = self._limit_ns is not None and longest_ns > self._limit_ns
        if not cut and (codes is None or codes.max() < _USUAL):
            started = self._usual(rows, codes, latency_ns, at_ns)
            ran_ns, ends_ns = latency_ns, started.end_ns
            in_order = self._in_order
        else:
            codes = np.zeros(len(at_ns), dtype=np.int8) if codes is None else codes
            started, lost = self._any(rows, number, codes, latency_ns, at_ns)
            endless = started.how == ENDLESS
            ends_ns = np.where(endless, NEVER, started.end_ns)
            ran_ns = np.where(endless, 0, started.end_ns - at_ns)
            if self._detection_ns:
                ran_ns += np.where((started.how == DIED) & ~lost, self._detection_ns, 0)
            in_order = False
            self._in_order &= not lost.any()
        block.attempts[rows] = number
        block.action_ns[rows] += ran_ns
        block.last_attempt_end_ns[rows] = ends_ns if in_order else np.maximum(block.last_attempt_end_ns[rows], ends_ns)
        return started

    def _usual(self, rows: SomeRows, codes: Codes | None, latency_ns: Ints | np.int64, at_ns: Ints) -> Started:
        """Finish attempts that succeed or fail at the end of their latency."""
        end_ns = at_ns + latency_ns
        instant = None if latency_ns.min() else end_ns == at_ns
        effect_ns = end_ns if self.effect_at == 1.0 else at_ns + share_of(latency_ns, self.effect_at)
        blame = Cause.report_lost
        if codes is None:
            self._block.effects.note(rows, effect_ns, given_up=False, blame=blame)
            how = np.zeros(len(end_ns), dtype=np.int8)
        else:
            (done,) = np.nonzero(codes == 0)
            self._block.effects.note(_chosen(rows, done), effect_ns.take(done), given_up=False, blame=blame)
            how = codes
        return Started(end_ns, how, end_ns, None, instant)

    def _any(
        self, rows: SomeRows, number: int | Ints, codes: Codes, latency_ns: Ints | np.int64, at_ns: Ints
    ) -> tuple[Started, Bools]:
        """Finish attempts of all outcomes; returns with them which were lost."""
        count = len(at_ns)
        latency_ns = np.broadcast_to(latency_ns, count)
        effect_after_ns = latency_ns if self.effect_at == 1.0 else share_of(latency_ns, self.effect_at)
        acts = _ACTS[codes]
        end_after_ns = latency_ns.copy()
        how = np.where(_THROWS[codes], np.int8(THREW), np.where(_DIES[codes], np.int8(DIED), np.int8(RETURNED)))
        lost_after_ns = np.full(count, FOREVER)
        for name in (CRASH_BEFORE_EFFECT, CRASH_AFTER_EFFECT, LOST_CONTACT):
            (those,) = np.nonzero(codes == _CODE[name])
            if those.size:
                moment = self._draws.uniforms("death", _at(number, those), _chosen(rows, those))
                whole_ns, before_ns = latency_ns[those], effect_after_ns[those]
                if name == CRASH_BEFORE_EFFECT:
                    end_after_ns[those] = (moment * before_ns.astype(np.float64)).astype(np.int64)
                elif name == CRASH_AFTER_EFFECT:
                    late_ns = np.rint(moment * (whole_ns - before_ns).astype(np.float64)).astype(np.int64)
                    end_after_ns[those] = before_ns + late_ns
                else:
                    lost_after_ns[those] = (moment * whole_ns.astype(np.float64)).astype(np.int64)
        blame = _BLAMES[codes]
        hangs = codes == _CODE[HANG]
        limit_ns = self._limit_ns
        if limit_ns is not None:
            cut = hangs | (end_after_ns > limit_ns)
            end_after_ns[cut] = limit_ns
            how[cut] = CUT
            blame[cut] = Cause.timeout
            hangs = np.zeros(count, dtype=np.bool_)
        # A timer of the loss is older than that of the end; an attempt without latency ends before it can be lost.
        lost = (lost_after_ns <= end_after_ns) & (end_after_ns > 0)
        end_ns = at_ns + end_after_ns
        given_up_after_ns = np.where((how == DIED) | (how == CUT), end_after_ns, FOREVER)
        given_up = effect_after_ns > given_up_after_ns
        given_up |= lost & (effect_after_ns >= lost_after_ns) & (effect_after_ns > 0)
        done = acts
        self._block.effects.note(
            _chosen(rows, done), at_ns[done] + effect_after_ns[done], given_up=given_up[done], blame=blame[done]
        )
        visible_ns = end_ns.copy()
        if lost.any():
            visible_ns[lost] = at_ns[lost] + lost_after_ns[lost]
        if self._detection_ns:
            visible_ns[(how == DIED) & ~lost] += self._detection_ns
        instant = (end_after_ns == 0) & ~hangs
        if self._detection_ns:
            instant &= how != DIED
        if hangs.any():
            how[hangs] = ENDLESS
            end_ns[hangs] = FOREVER
            visible_ns[hangs] = FOREVER
        return Started(end_ns, how, visible_ns, lost, instant), lost

    # Outcomes and latencies.

    def drawn(
        self, rows: SomeRows, draws: DrawsOf, number: int | Ints, at_ns: Ints
    ) -> tuple[Codes | None, Ints | np.int64]:
        """Draw outcomes (None: all succeed) and latencies in ns (one: all the same); a hang's means nothing.

        `draws` are those of the requests at `rows`.
        """
        healed = None if self._heals_at_ns is None else at_ns >= self._heals_at_ns
        if self._script:
            return self._scripted(number, healed, len(at_ns))
        codes = self._outcomes(rows, draws, number, at_ns, healed)
        return codes, self._latencies(draws, number, codes, len(at_ns))

    def needs_more(self, codes: Codes | None, latency_ns: Ints | np.int64, at_ns: Ints) -> Bools | None:
        """Tell which attempts do not just succeed or fail at the end of their latency; None where all do."""
        if not len(at_ns):
            return None
        longest_ns, bound_ns = int(latency_ns.max()), RUNAWAY_NS - int(at_ns.max())
        if self._limit_ns is not None:
            bound_ns = min(bound_ns, self._limit_ns)
        rare = None if codes is None or codes.max() < _USUAL else codes >= _USUAL
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
            codes[healed] = _CODE[SUCCESS]
        return codes, script_ns[places]

    def _outcomes(
        self, rows: SomeRows, draws: DrawsOf, number: int | Ints, at_ns: Ints, healed: Bools | None
    ) -> Codes | None:
        permanent = None if self._permanent is None else self._permanent[rows]
        if not len(self._cumulative) and self._weather is None:
            codes: Codes | None = None
        else:
            uniforms = draws.uniforms("outcome", number)
            codes = self._fair(uniforms)
            if self._weather is not None:
                self._under_weather(codes, uniforms, rows, at_ns, permanent, healed)
        if healed is not None and codes is not None:
            codes[healed] = _CODE[SUCCESS]
        if permanent is not None:
            codes = np.zeros(len(at_ns), dtype=np.int8) if codes is None else codes
            codes[permanent] = _CODE[FAIL]
        return codes

    def _fair(self, uniforms: Floats) -> Codes:
        """Choose outcomes by their shares."""
        if len(self._codes) == _USUAL and self._codes[0] == _CODE[FAIL]:
            return (uniforms < self._cumulative[0]).view(np.int8)
        return self._codes[_count_up_to(self._cumulative, uniforms)]

    def _under_weather(  # noqa: PLR0913, PLR0917  # what attempts are, and which of them it spares
        self,
        codes: Codes,
        uniforms: Floats,
        rows: SomeRows,
        at_ns: Ints,
        permanent: Bools | None,
        healed: Bools | None,
    ) -> None:
        """Let the weather fail its share of the attempts; the rest go as on any other day."""
        meets = np.ones(len(at_ns), dtype=np.bool_)
        for spared in (permanent, healed):
            if spared is not None:
                meets &= ~spared
        (asking,) = np.nonzero(meets)
        shares = self._weather.fail_shares(self._block.everybody[rows][asking], at_ns[asking])  # type: ignore[union-attr]  # there is one
        (bad,) = np.nonzero(shares)
        if not bad.size:
            return
        share, met = shares[bad], asking[bad]
        number = (uniforms[met] >= share).astype(np.intp)
        for fair in self._cumulative:
            number += uniforms[met] >= share + (1.0 - share) * fair
        branches = np.concatenate([np.array([_CODE[FAIL]], dtype=np.int8), self._codes])
        codes[met] = branches[number]

    def _latencies(self, draws: DrawsOf, number: int | Ints, codes: Codes | None, count: int) -> Ints | np.int64:
        law = self._laws[0] if codes is None else self._one_law
        if isinstance(law, Constant):
            return np.int64(law.value_ns)
        uniforms = draws.uniforms("latency", number)
        if law is not None:
            return law.sample_ns(uniforms)
        latency_ns = np.empty(count, dtype=np.int64)
        for code in np.flatnonzero(np.bincount(codes)):  # type: ignore[arg-type]  # several laws: there are codes
            those = codes == code
            latency_ns[those] = self._laws[code].sample_ns(uniforms[those])
        return latency_ns


def _count_up_to(cumulative: Sequence[float], uniforms: Floats) -> Rows:
    """Count for each number the shares up to it: the position that `bisect_right` finds."""
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


def share_of(latency_ns: Ints | np.int64, share: float) -> Any:
    """Return a share of latencies, in whole ns; of one where there is one."""
    return np.rint(share * latency_ns.astype(np.float64)).astype(np.int64)


def _chosen(rows: SomeRows, those: Bools | Rows) -> Rows:
    if isinstance(rows, slice):
        return np.flatnonzero(those) if those.dtype == np.bool_ else those  # type: ignore[return-value]
    return rows[those] if those.dtype == np.bool_ else rows.take(those)


def _at(number: int | Ints, those: Rows) -> int | Ints:
    return number[those] if isinstance(number, np.ndarray) else number
