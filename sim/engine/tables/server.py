"""What is called, as a table of numbers: servers and a queue, the work, the way there and back.

The rules are those of `sim.world.services.service` and `sim.world.services.work`, for what `refusal` lets through. An
action without a service is the same with servers for all, no way there, and no name behind its streams.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from sim.history.events import Failure
from sim.history.request import CAUSES
from sim.history.traffic import NO_SERVICE, CallEnd
from sim.history.vocabulary import FAIL, HANG, NEVER, QUEUE, SUCCESS, Cause, rejected_by
from sim.kernel.choices import WORLD, owned
from sim.laws.distributions import Constant
from sim.world.fates import Fates
from sim.world.services.capacity import NO_LIMIT
from sim.world.services.options import QueueingOptions
from sim.world.services.slowdown import Pace
from sim.world.services.waiting import LIFO
from sim.world.weather import WeatherPath

if TYPE_CHECKING:
    from sim.engine.tables.clients import Clients
    from sim.engine.tables.rows import Call
    from sim.engine.tables.timeline import Timeline
    from sim.history.request import Request
    from sim.kernel.choices import Choices, DelayOf
    from sim.laws.distributions import Law
    from sim.world.actions import WorkOptions

SUCCEEDS: Final = int(CallEnd.success)
FAILS: Final = int(CallEnd.failed)
IS_REJECTED: Final = int(CallEnd.rejected_queue)
IS_DROPPED: Final = int(CallEnd.dropped)
FULL: Final = Failure(final=False, retry_after_ns=NEVER, kind=rejected_by(QUEUE))
"""The answer of a full queue."""


class Server:
    """The one thing that the requests of a world call."""

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
        self.position = position
        self._timeline = timeline
        self._choices = choices
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
        self._in_progress = 0
        self._servers = NO_LIMIT
        self._limit = NO_LIMIT
        self._takes_last = self._drops = False
        self._pace: Pace | None = None
        self._way_there: DelayOf | None = None
        self._way_back: DelayOf | None = None
        if isinstance(options, QueueingOptions):
            self._take_front(options, name)
        self._waiting: deque[Call] = deque()
        self._admits = False
        self.clients: Clients = None  # type: ignore[assignment]  # they know each other; it is set before anything else

    def _take_front(self, options: QueueingOptions, name: str) -> None:
        queue = options.queue
        self._servers = NO_LIMIT if options.servers is None else options.servers
        self._limit = NO_LIMIT if queue.limit is None else queue.limit
        self._takes_last = queue.order == LIFO
        self._drops = queue.abandoned == "dropped"
        self._pace = None if options.slowdown is None else Pace(options.slowdown)
        self._way_there = self._leg(options.network.request, owned("network.request", name))
        self._way_back = self._leg(options.network.reply, owned("network.reply", name))

    def _leg(self, law: Law | None, stream: str) -> DelayOf | None:
        return None if law is None else self._choices.delays(law, stream)

    def clear(self) -> None:
        """Forget the calls that wait."""
        self._waiting.clear()

    # The way there, and the queue.

    def begin(self, call: Call) -> None:
        """Take a call that is sent."""
        delay_ns = 0 if self._way_there is None else self._way_there(call.asked.number, call.number, 0)
        if delay_ns:
            self._timeline.after(delay_ns, self._arrive, call)
        else:
            self._arrive(call)

    def _arrive(self, call: Call) -> None:
        call.arrived_ns = self._timeline.now_ns
        if self._in_progress < self._servers and not self._admits:
            self._work(call)
        elif len(self._waiting) < self._limit:
            self._waiting.append(call)
        else:
            call.goes, call.says = IS_REJECTED, FULL
            self._answer(call)

    def _admit(self) -> None:
        """Let calls begin that wait, as long as a server is free; those that come meanwhile wait behind them."""
        if self._admits:
            return
        self._admits = True
        waiting = self._waiting
        while waiting and self._in_progress < self._servers:
            call = waiting.pop() if self._takes_last else waiting.popleft()
            if self._drops and call.given_up_ns != NEVER:
                call.goes = IS_DROPPED
                self._answer(call)
            else:
                self._work(call)
        self._admits = False

    # The work.

    def _work(self, call: Call) -> None:
        """Draw how the work on a call goes, and let it go on."""
        others = self._in_progress
        self._in_progress = others + 1
        call.began_ns = self._timeline.now_ns
        outcome, work_ns, says = self._draw(call)
        if outcome == HANG:
            call.hangs = True
            return
        if self._pace is not None:
            work_ns = self._pace.work_ns(work_ns, others)
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
        """End the work on a call: its server is free, and the next one begins before the caller hears."""
        if call.has_effect:
            self._apply(call)
        self._in_progress -= 1
        if self._waiting:
            self._admit()
        self._answer(call)

    # The way back.

    def _answer(self, call: Call) -> None:
        call.ended_ns = self._timeline.now_ns
        delay_ns = 0 if self._way_back is None else self._way_back(call.asked.number, call.number, 0)
        if delay_ns:
            self._timeline.after(delay_ns, self._tell, call)
        else:
            self._tell(call)

    def _tell(self, call: Call) -> None:
        """Let the answer reach its caller, who may have given up."""
        asked, now_ns = call.asked, self._timeline.now_ns
        call.over_ns, call.end = now_ns, call.goes
        asked.last_attempt_end_ns = now_ns
        asked.action_ns += now_ns - call.sent_ns
        if call.awaited:
            call.awaited = False
            self.clients.hear(call)


def _cause(before: Call, call: Call) -> Cause:
    """Return why a call has an effect after that of another one."""
    if call.given_up_ns != NEVER or before.given_up_ns != NEVER:
        return Cause.timeout
    if before.goes == FAILS:
        return Cause.ack_lost
    return Cause.report_lost if before.over_ns == NEVER else Cause.repeated
