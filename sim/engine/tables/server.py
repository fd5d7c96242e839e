"""The work on a call, as a table of numbers: its latency, its outcome, its effect.

The rules are those of `sim.world.services.work`, for what `refusal` lets through.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final, cast

from sim.engine.tables.front import Front
from sim.history.request import CAUSES
from sim.history.traffic import NO_SERVICE, CallEnd
from sim.history.vocabulary import FAIL, HANG, NEVER, SUCCESS, Cause
from sim.kernel.choices import WORLD, owned
from sim.laws.distributions import Constant
from sim.world.fates import Fates
from sim.world.weather import WeatherPath

if TYPE_CHECKING:
    from sim.engine.tables.rows import Call
    from sim.engine.tables.timeline import Timeline
    from sim.history.failure import Failure
    from sim.history.request import Request
    from sim.kernel.choices import Choices
    from sim.world.actions import WorkOptions
    from sim.world.services.capacity import Capacity
    from sim.world.services.options import QueueingOptions

SUCCEEDS: Final = int(CallEnd.success)
FAILS: Final = int(CallEnd.failed)


class Server(Front):
    """Works on calls."""

    def __init__(
        self,
        options: WorkOptions,
        timeline: Timeline,
        choices: Choices,
        *,
        name: str = "",
        position: int = NO_SERVICE,
        heals_at_ns: int | None = None,
        permanent: bool = False,
    ) -> None:
        """Take the options of an action or a service; `permanent`: some requests never succeed."""
        super().__init__(timeline, choices, name, position)
        self._outcome = owned("outcome", name)
        self._fates = fates = Fates(choices, options, heals_at_ns=heals_at_ns, owner=name)
        self._cumulative, self._ways = fates.fair
        sources = options.weather
        self._weather = WeatherPath(sources, choices, WORLD, random_phase=False, owner=name) if sources else None
        self._is_fair = not (sources or options.script or heals_at_ns is not None or permanent)
        """Whether the shares of good weather are all that decides how work goes."""
        self._latency_ns = options.latency.value_ns if isinstance(options.latency, Constant) else None
        """That of a success, if it is always the same."""
        self._latency = choices.delays(options.latency, owned("latency", name))
        self._effect_at = options.effect_at
        self._window_ns = options.window_ns
        self._slows: Capacity | None = None
        """What says how much slower work is beside other work; None if it never is."""

    def serve(self, options: QueueingOptions, capacity: Capacity) -> None:
        """Be the service that has these options."""
        self.stand(options, capacity)
        if options.slowdown is not None or options.capacity:
            self._slows = capacity

    def _work(self, call: Call) -> None:
        """Draw how the work on a call goes, and let it go on."""
        others = self._in_progress
        self._in_progress = others + 1
        call.began_ns = self._timeline.now_ns
        outcome, work_ns, says = self._draw(call)
        if outcome == HANG:
            call.hangs = True
            return
        if self._slows is not None:
            work_ns = self._slows.work_ns(work_ns, others)
        if outcome == FAIL:
            call.goes, call.says = FAILS, says
        else:
            call.goes = SUCCEEDS if outcome == SUCCESS else FAILS
            self._plan_effect(call, work_ns)
        if work_ns:
            self._timeline.after(work_ns, self._end, call)
        else:
            self._end(call)

    def _draw(self, call: Call) -> tuple[str, int, Failure | None]:
        """Draw how the work on a call goes, its latency, and what its error says: see `sim.world.fates.Fates`."""
        asked, number = call.asked, call.number
        if not self._is_fair:
            return self._fates.draw(cast("Request", asked), number, self._timeline.now_ns, self._weather)
        entity, latency_ns = asked.number, self._latency_ns
        if self._cumulative:
            drawn = self._choices.uniform(self._outcome, entity, number)
            outcome, delay_of, error = self._ways[bisect_right(self._cumulative, drawn)]
            if outcome == HANG:
                return HANG, NEVER, None
            if outcome != SUCCESS:
                says = None if error is None or outcome != FAIL else error(entity, number)
                return outcome, delay_of(entity, number, 0), says
        return SUCCESS, self._latency(entity, number, 0) if latency_ns is None else latency_ns, None

    def _plan_effect(self, call: Call, work_ns: int) -> None:
        effect_ns = work_ns if self._effect_at == 1.0 else round(self._effect_at * work_ns)
        if effect_ns == work_ns:
            call.has_effect = True
        elif effect_ns:
            self._timeline.after(effect_ns, self._apply, call)
        else:
            self._apply(call)

    def _apply(self, call: Call) -> None:
        """Let the effect of a call happen; see `sim.world.effects.apply_effect`."""
        asked, now_ns, before = call.asked, self._timeline.now_ns, call.asked.applied
        if before is None:
            asked.first_effect_ns = now_ns
        elif self._window_ns is not None and now_ns - asked.applied_ns < self._window_ns:
            asked.suppressed += 1
            return
        else:
            if asked.duplicates is None:
                asked.duplicates = [0] * CAUSES
            asked.duplicates[_cause(before, call)] += 1
        asked.effects += 1
        asked.applied, asked.applied_ns = call, now_ns
        call.effect_ns = now_ns

    def _end(self, call: Call) -> None:
        """End the work on a call."""
        if call.has_effect:
            self._apply(call)
        self._free(call)


def _cause(before: Call, call: Call) -> Cause:
    """Return why a call has an effect after that of another one."""
    if call.given_up_ns != NEVER or before.given_up_ns != NEVER:
        return Cause.timeout
    if before.goes == FAILS:
        return Cause.ack_lost
    return Cause.report_lost if before.over_ns == NEVER else Cause.repeated
