"""What many attempts do at once: `sim.world.action_model` and `sim.world.attempt` for arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.engine.vector.arrays import FOREVER
from sim.engine.vector.outcomes import CODES, Codes, Outcomes
from sim.history.vocabulary import (
    ACK_LOST,
    ATTEMPT_OUTCOMES,
    CRASH_AFTER_EFFECT,
    CRASH_BEFORE_EFFECT,
    FAIL,
    HANG,
    LOST_CONTACT,
    NEVER,
    Cause,
)
from sim.kernel.durations import RUNAWAY_NS
from sim.world.attempt import BLAME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.engine.vector.arrays import Bools, Ints, Rows, SomeRows
    from sim.engine.vector.block import Block
    from sim.scenario.schema import Scenario

RETURNED_CODE: Final = 0
THREW_CODE: Final = 1
DIED_CODE: Final = 2
CUT_CODE: Final = 3
ENDLESS_CODE: Final = 4
"""How attempts end. From DIED_CODE on they do not answer."""

_BLAMES: Final = np.array([BLAME[name] for name in ATTEMPT_OUTCOMES], dtype=np.uint8)
_THROWS: Final = np.array([name in {FAIL, ACK_LOST} for name in ATTEMPT_OUTCOMES])
_DIES: Final = np.array([name in {CRASH_BEFORE_EFFECT, CRASH_AFTER_EFFECT} for name in ATTEMPT_OUTCOMES])
_ACTS: Final = np.array([name not in {FAIL, CRASH_BEFORE_EFFECT, HANG} for name in ATTEMPT_OUTCOMES])


@dataclass(frozen=True, slots=True)
class Ends:
    """The ends of some attempts, shape (attempts,) each."""

    end_ns: Ints
    """The instant of the end, FOREVER for a hang that nothing cuts off."""
    how: NDArray[np.int8]
    visible_ns: Ints
    """The instant at which the job that ran the attempt has its end; for a client outside that of the answer."""
    lost: Bools | None
    """Whether contact was lost before the end, at `visible_ns`; None if it was lost in no attempt."""
    instant: Bools | None
    """Whether the attempt ended within the step that started it; None if no attempt did."""
    late: Bools | None = None
    """Whether its caller gave it up before, at `visible_ns`; None if it gave up none."""

    def take(self, those: Bools) -> Ends:
        """Return the ends of some of the attempts."""
        lost, instant, late = (
            None if column is None else column[those] for column in (self.lost, self.instant, self.late)
        )
        return Ends(self.end_ns[those], self.how[those], self.visible_ns[those], lost, instant, late)

    @property
    def unreported(self) -> Bools | None:
        """Whether the attempt ends without an answer, or contact is lost before; None if all answer."""
        if self.lost is None:
            return None
        unreported: Bools = (self.how >= DIED_CODE) | self.lost
        return unreported


class Attempts:
    """Makes the attempts of the requests of a block, each request's in their order."""

    def __init__(
        self, cell: Scenario, block: Block, *, hosted: bool, tells_ways: bool = False, at_once: bool = False
    ) -> None:
        """Take the attempts of a cell; `hosted`, `tells_ways` and `at_once` as `Outcomes` takes them."""
        self._block = block
        self._draws = block.draws
        self._outcomes = Outcomes(cell, block, hosted=hosted, tells_ways=tells_ways, at_once=at_once)
        self._effect_at = cell.action.effect_at
        self._detection_ns = cell.platform.crash_detection if hosted else 0
        self._in_order = True
        """Whether the attempts of each request have ended in the order of their starts so far."""

    @property
    def ways(self) -> Rows | None:
        """The ways that the latest attempts went, as `Outcomes.ways`."""
        return self._outcomes.ways

    def start(self, rows: SomeRows, number: int | Ints, at_ns: Ints, waits_ns: Ints | np.int64 = FOREVER) -> Ends:
        """Make one attempt of each request at `rows`: attempts `number` (1 first), starting at `at_ns`.

        `waits_ns` is how long the caller of each waits for it (FOREVER: to its end), by a timer that it has set before
        the attempt starts. Notes the effects of the attempts and counts them. Leaves requests whose attempt outlasts
        the clock to the event engine.
        """
        block = self._block
        if not len(at_ns):
            return Ends(at_ns, np.zeros(0, dtype=np.int8), at_ns, None, None)
        codes, latency_ns = self._outcomes.draw(rows, self._draws.take(rows), number, at_ns)
        if self._outcomes.rare(codes, latency_ns, at_ns) is None:
            ends = self._end_usual(rows, codes, latency_ns, at_ns, waits_ns)
            ran_ns, ends_ns = latency_ns, ends.end_ns
            in_order = self._in_order
            self._in_order &= ends.late is None
        else:
            codes = np.zeros(len(at_ns), dtype=np.int8) if codes is None else codes
            ends, lost = self._end_any(
                rows, number, codes, self._within_clock(rows, latency_ns, at_ns), at_ns, waits_ns
            )
            endless = ends.how == ENDLESS_CODE
            ends_ns = np.where(endless, NEVER, ends.end_ns)
            ran_ns = np.where(endless, 0, ends.end_ns - at_ns)
            if endless.any():
                given_up_ns = ends.visible_ns[endless]
                block.note_endless(_chosen(rows, endless), at_ns[endless], given_up_ns)
            if self._detection_ns:
                ran_ns += np.where((ends.how == DIED_CODE) & ~lost, self._detection_ns, 0)
            in_order = False
            self._in_order &= ends.late is None and not lost.any()
        block.attempts[rows] = number
        block.action_ns[rows] += ran_ns
        block.last_attempt_end_ns[rows] = ends_ns if in_order else np.maximum(block.last_attempt_end_ns[rows], ends_ns)
        return ends

    def _within_clock(self, rows: SomeRows, latency_ns: Ints | np.int64, at_ns: Ints) -> Ints:
        """Return latencies without those that outlast the clock; the event engine takes over these requests."""
        beyond = latency_ns > RUNAWAY_NS - at_ns
        self._block.leave(rows, beyond)
        return np.where(beyond, 0, latency_ns)

    def _end_usual(
        self,
        rows: SomeRows,
        codes: Codes | None,
        latency_ns: Ints | np.int64,
        at_ns: Ints,
        waits_ns: Ints | np.int64,
    ) -> Ends:
        """End attempts that succeed or fail at the end of their latency."""
        end_ns = at_ns + latency_ns
        instant = None if latency_ns.min() else end_ns == at_ns
        effect_after_ns = latency_ns if self._effect_at == 1.0 else share_of(latency_ns, self._effect_at)
        effect_ns = end_ns if self._effect_at == 1.0 else at_ns + effect_after_ns
        late = _late(latency_ns, waits_ns, len(end_ns))
        given_up: Bools | bool = False
        blame: NDArray[np.uint8] | Cause = Cause.report_lost
        if late is not None:
            given_up = late & _comes_after(effect_after_ns, waits_ns)
            blame = np.where(late, np.uint8(Cause.timeout), np.uint8(Cause.report_lost))
        visible_ns = end_ns if late is None else np.where(late, at_ns + np.where(late, waits_ns, 0), end_ns)
        if codes is None:
            self._block.effects.note(rows, effect_ns, given_up, blame)
            how = np.full(len(end_ns), RETURNED_CODE, dtype=np.int8)
        else:
            (success,) = np.nonzero(codes == RETURNED_CODE)
            if late is not None:
                given_up, blame = given_up[success], blame[success]  # type: ignore[index]  # arrays by now
            self._block.effects.note(_chosen(rows, success), effect_ns.take(success), given_up, blame)
            how = codes
        return Ends(end_ns, how, visible_ns, None, instant, late)

    def _end_any(  # noqa: PLR0917  # attempts, and how long their callers wait
        self,
        rows: SomeRows,
        number: int | Ints,
        codes: Codes,
        latency_ns: Ints,
        at_ns: Ints,
        waits_ns: Ints | np.int64,
    ) -> tuple[Ends, Bools]:
        """End attempts of all outcomes; returns also which were lost."""
        count = len(at_ns)
        effect_after_ns = latency_ns if self._effect_at == 1.0 else share_of(latency_ns, self._effect_at)
        how = np.where(
            _THROWS[codes], np.int8(THREW_CODE), np.where(_DIES[codes], np.int8(DIED_CODE), np.int8(RETURNED_CODE))
        )
        end_after_ns, lost_after_ns = self._disturbed(rows, number, codes, latency_ns, effect_after_ns)
        blame = _BLAMES[codes]
        hangs = codes == CODES[HANG]
        limit_ns = self._outcomes.limit_ns
        if limit_ns is not None:
            cut = hangs | (end_after_ns > limit_ns)
            end_after_ns[cut] = limit_ns
            how[cut] = CUT_CODE
            blame[cut] = Cause.timeout
            hangs = np.zeros(count, dtype=np.bool_)
        # A timer of the loss is older than that of the end; an attempt without latency ends before it can be lost.
        lost = (lost_after_ns <= end_after_ns) & (end_after_ns > 0)
        end_ns = at_ns + end_after_ns
        given_up_after_ns = np.where((how == DIED_CODE) | (how == CUT_CODE), end_after_ns, FOREVER)
        given_up = effect_after_ns > given_up_after_ns
        given_up |= lost & _comes_after(effect_after_ns, lost_after_ns)
        late = _late(np.where(hangs, FOREVER - 1, end_after_ns), waits_ns, count)
        if late is not None:
            given_up |= late & _comes_after(effect_after_ns, waits_ns)
            blame[late] = Cause.timeout
            late &= ~lost | (lost_after_ns >= waits_ns)
            lost = lost & ~late
        acts = _ACTS[codes]
        self._block.effects.note(
            _chosen(rows, acts), at_ns[acts] + effect_after_ns[acts], given_up=given_up[acts], blame=blame[acts]
        )
        visible_ns = end_ns.copy()
        if lost.any():
            visible_ns[lost] = at_ns[lost] + lost_after_ns[lost]
        if self._detection_ns:
            visible_ns[(how == DIED_CODE) & ~lost] += self._detection_ns
        instant = (end_after_ns == 0) & ~hangs
        if self._detection_ns:
            instant &= how != DIED_CODE
        if hangs.any():
            how[hangs] = ENDLESS_CODE
            end_ns[hangs] = FOREVER
            visible_ns[hangs] = FOREVER
        if late is not None:
            visible_ns[late] = at_ns[late] + np.broadcast_to(waits_ns, count)[late]
        return Ends(end_ns, how, visible_ns, lost, instant, late), lost

    def _disturbed(
        self, rows: SomeRows, number: int | Ints, codes: Codes, latency_ns: Ints, effect_after_ns: Ints
    ) -> tuple[Ints, Ints]:
        """Return how long after their starts attempts end, and after how long contact is lost (FOREVER: never)."""
        end_after_ns, lost_after_ns = latency_ns.copy(), np.full(len(latency_ns), FOREVER)
        for name in (CRASH_BEFORE_EFFECT, CRASH_AFTER_EFFECT, LOST_CONTACT):
            (those,) = np.nonzero(codes == CODES[name])
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
        return end_after_ns, lost_after_ns


def _late(after_ns: Ints | np.int64, waits_ns: Ints | np.int64, count: int) -> Bools | None:
    """Return which attempts end after their callers gave them up, shape (count,); None if none does."""
    if waits_ns is FOREVER:
        return None
    late = _comes_after(after_ns, waits_ns)
    return np.broadcast_to(late, count).copy() if late.any() else None


def _comes_after(after_ns: Ints | np.int64, timer_ns: Ints | np.int64) -> Any:
    """Tell what comes after a timer that was set before the attempts started, or at once, within their first step."""
    return (after_ns >= timer_ns) & (after_ns > 0)


def share_of(latency_ns: Ints | np.int64, share: float) -> Any:
    """Return a share of latencies in whole ns; a single number for a single latency."""
    return np.rint(share * latency_ns.astype(np.float64)).astype(np.int64)


def _chosen(rows: SomeRows, those: Bools | Rows) -> Rows:
    if isinstance(rows, slice):
        return np.flatnonzero(those) if those.dtype == np.bool_ else those  # type: ignore[return-value]
    return rows[those] if those.dtype == np.bool_ else rows.take(those)


def _at(number: int | Ints, those: Rows) -> int | Ints:
    return number[those] if isinstance(number, np.ndarray) else number
