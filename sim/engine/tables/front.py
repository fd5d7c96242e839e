"""What stands in front of the work: the way there, a rate limit, load shedding, the queue, and the way back.

The rules are those of `sim.world.services.service`. An action without a service is the same with servers for all, no
way there, and no name behind its streams.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from sim.history import vocabulary
from sim.history.failure import Failure
from sim.history.traffic import REJECTIONS, CallEnd
from sim.history.vocabulary import NEVER, rejected_by
from sim.kernel.alarm import Alarm
from sim.kernel.choices import owned
from sim.world.services.capacity import NO_LIMIT, Capacity
from sim.world.services.options import NEXT
from sim.world.services.tokens import TokenBucket
from sim.world.services.waiting import LIFO

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.engine.tables.rows import Call
    from sim.engine.tables.timeline import Timeline
    from sim.kernel.choices import Choices, DelayOf
    from sim.laws.distributions import Law
    from sim.world.services.options import FrontOptions, Shed

IS_DROPPED: Final = int(CallEnd.dropped)
QUEUE_IS_FULL: Final = int(CallEnd.rejected_queue)
WAITED_TOO_LONG: Final = int(CallEnd.rejected_max_wait)
OVER_LIMIT: Final = int(CallEnd.rejected_rate_limit)
IS_SHED: Final = int(CallEnd.rejected_shed)
ANSWERS: Final = {
    int(end): Failure(final=False, retry_after_ns=NEVER, kind=rejected_by(reason))
    for end, reason in zip(REJECTIONS, vocabulary.REJECTIONS, strict=True)
}
"""What a call is told that is rejected, without a wait that it is asked for."""


class Callers(Protocol):
    """Those who call."""

    def hear(self, call: Call) -> None:
        """Take the answer of a call that its request waits for."""
        ...


class Front(ABC):
    """The one thing that the requests of a world call, up to the work on a call."""

    def __init__(self, timeline: Timeline, choices: Choices, name: str, position: int) -> None:
        self.position = position
        """Among the services of the scenario, or `NO_SERVICE`."""
        self._timeline = timeline
        self._choices = choices
        self._name = name
        self._in_progress = 0
        self._servers = self._limit = NO_LIMIT
        self._takes_last = self._drops = self._guards = False
        self._max_wait_ns: int | None = None
        self._way_there: DelayOf | None = None
        self._way_back: DelayOf | None = None
        self._bucket: TokenBucket | None = None
        self._names_next = False
        self._retry_after: DelayOf | None = None
        self._shed: Shed | None = None
        self._capacity: Capacity | None = None
        self._waiting: deque[Call] = deque()
        self._admits = False
        self.callers: Callers = None  # type: ignore[assignment]  # they know each other; it is set before anything else

    def stand(self, options: FrontOptions, capacity: Capacity) -> None:
        """Take what a service has in front of its work, and its servers over time."""
        queue, limit, name = options.queue, options.rate_limit, self._name
        self._capacity = capacity
        self._limit = NO_LIMIT if queue.limit is None else queue.limit
        self._takes_last = queue.order == LIFO
        self._drops = queue.abandoned == "dropped"
        self._max_wait_ns = queue.max_wait
        self._way_there = self._delays(options.network.request, "network.request")
        self._way_back = self._delays(options.network.reply, "network.reply")
        self._shed = options.shed
        self._guards = limit is not None or options.shed is not None
        if limit is not None:
            self._bucket = TokenBucket(limit.rate, limit.burst)
            self._names_next = limit.retry_after == NEXT
            if not isinstance(limit.retry_after, str):
                self._retry_after = self._delays(limit.retry_after, "rate_limit.retry_after")
        self._shed_stream = owned("shed", name)

    def _delays(self, law: Law | None, stream: str) -> DelayOf | None:
        return None if law is None else self._choices.delays(law, owned(stream, self._name))

    def has_servers(self, servers: int | None) -> None:
        """Have so many servers from now on; None: no limit."""
        self._servers = NO_LIMIT if servers is None else servers
        self._admit()

    def clear(self) -> None:
        """Forget the calls that wait."""
        self._waiting.clear()

    # The way there.

    def begin(self, call: Call) -> None:
        """Take a call that is sent."""
        delay_ns = 0 if self._way_there is None else self._way_there(call.asked.number, call.number, 0)
        if delay_ns:
            self._timeline.after(delay_ns, self._arrive, call)
        else:
            self._arrive(call)

    def _arrive(self, call: Call) -> None:
        call.arrived_ns = self._timeline.now_ns
        if self._guards and not self._lets_in(call):
            return
        if self._in_progress < self._servers and not self._admits:
            self._work(call)
        elif len(self._waiting) < self._limit:
            self._wait(call)
        else:
            self._reject(call, QUEUE_IS_FULL, NEVER)

    def _lets_in(self, call: Call) -> bool:
        """Tell whether rate limit and load shedding let a call through; it is answered if not."""
        if self._bucket is not None:
            wait_ns = self._bucket.take(self._timeline.now_ns)
            if wait_ns:
                if not self._names_next:
                    of = self._retry_after
                    wait_ns = NEVER if of is None else of(call.asked.number, call.number, 0)
                self._reject(call, OVER_LIMIT, wait_ns)
                return False
        if self._shed is not None and self._sheds(self._shed, call):
            self._reject(call, IS_SHED, NEVER)
            return False
        return True

    def _sheds(self, shed: Shed, call: Call) -> bool:
        waiting, quantity = len(self._waiting), shed.when.quantity
        level = waiting if quantity == "in_queue" else self._in_progress
        if quantity == "inside":
            level += waiting
        if level < shed.when.at_least:
            return False
        return not self._choices.choose((shed.share,), self._shed_stream, call.asked.number, call.number)

    def _reject(self, call: Call, end: int, wait_ns: int) -> None:
        says = ANSWERS[end]
        call.goes, call.says = end, says if wait_ns == NEVER else says._replace(retry_after_ns=wait_ns)
        self._answer(call)

    # The queue.

    def _wait(self, call: Call) -> None:
        if self._capacity is not None and not self._waiting:
            self._capacity.is_waited_for(waited=True)
        self._waiting.append(call)
        if self._max_wait_ns is not None:
            call.alarm = Alarm(self._timeline.as_clock, self._max_wait_ns, partial(self._waited_too_long, call))

    def _waited_too_long(self, call: Call) -> None:
        self._waiting.remove(call)  # it is the one that has waited longest, the first of all
        self._waits_no_more(call)
        self._reject(call, WAITED_TOO_LONG, NEVER)

    def _waits_no_more(self, call: Call) -> None:
        if call.alarm is not None:
            call.alarm.cancel()
            call.alarm = None
        if self._capacity is not None and not self._waiting:
            self._capacity.is_waited_for(waited=False)

    def _admit(self) -> None:
        """Let calls begin that wait, as long as a server is free; those that come meanwhile wait behind them."""
        if self._admits:
            return
        self._admits = True
        waiting = self._waiting
        while waiting and self._in_progress < self._servers:
            call = waiting.pop() if self._takes_last else waiting.popleft()
            self._waits_no_more(call)
            if self._drops and call.given_up_ns != NEVER:
                call.goes = IS_DROPPED
                self._answer(call)
            else:
                self._work(call)
        self._admits = False

    @abstractmethod
    def _work(self, call: Call) -> None:
        """Let the work on a call begin, which holds a server; `_free` ends it."""

    def _free(self, call: Call) -> None:
        """Note that a server is free: the next call begins before the caller of this one hears."""
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
            self.callers.hear(call)


class Levels:
    """How many servers the services of a world had, from which instant on."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int | None]] = []
        """(position of the service, instant, servers)."""

    def noting(
        self, timeline: Timeline, position: int, then: Callable[[int | None], None] | None
    ) -> Callable[[int | None], None]:
        """Return what notes each change of a service, and tells it on."""

        def changed(servers: int | None) -> None:
            self.rows.append((position, timeline.now_ns, servers))
            if then is not None:
                then(servers)

        return changed
