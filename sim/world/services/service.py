"""A service: calls come over the network, wait for a server, are worked on, and get an answer.

One call after the other goes through these stages; each takes its place in the order of events as any timer does:

1. The way there: `network.request`.
2. Arrival, in this order: the rate limit takes a token or rejects the call; load shedding may reject it; if a server is
   free its work begins; if the queue is full the call is rejected; else it waits.
3. The queue. When a server is free the next one in its order begins. One that has waited for `max_wait` is rejected;
   with `abandoned: dropped` one whose caller has given up is dropped at its turn.
4. The work, which holds a server: see `sim.world.services.work`.
5. The end of the work. The server is free, and the next call begins before the caller hears.
6. The way back: `network.reply`. Rejections take it too.

A caller that gives up changes nothing of this: the place in the queue, the work, the load and the effect stay. If it
also lets the service know that it needs no answer (hedges do, with `cancels`), the message takes `network.request` as a
call does (stream `network.cancel`); then a call that waits is dropped, work stops and frees its server, and an effect
that is still ahead does not come. Work that was stopped is not answered; it comes too late for what is done. With a
platform's time limit the caller is cut off at the limit; a system error that strikes the caller does so as the answer
comes, since only then it is known how long the call took.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from sim.history import traffic, vocabulary
from sim.history.failure import Failure
from sim.history.recorder import Start
from sim.history.traffic import UNLIMITED, CallEnd
from sim.history.vocabulary import AT_SERVICE, CUT, DIED, FAIL, NEVER, SUPPRESSED, THREW, Cause, rejected_by
from sim.kernel.alarm import Alarm
from sim.kernel.choices import owned
from sim.world.attempt import Attempt
from sim.world.effects import apply_effect
from sim.world.keys import KeyRules, key_of
from sim.world.services.capacity import Capacity
from sim.world.services.options import NEXT
from sim.world.services.tokens import TokenBucket
from sim.world.services.visit import Cancellation, Visit
from sim.world.services.waiting import PRIORITY, Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.history.request import Request
    from sim.history.vocabulary import End
    from sim.kernel.choices import DelayOf, Law
    from sim.world.hosts import Host
    from sim.world.services.options import FrontOptions, Network
    from sim.world.services.surroundings import Surroundings

REASONS: Final = dict(zip(traffic.REJECTIONS, vocabulary.REJECTIONS, strict=True))
"""What stands behind `rejected.` in the answer to a call that ends like this."""


class Receiver(ABC):
    """What every kind of service does: take a call, and answer it over the network."""

    def __init__(self, name: str, position: int, network: Network, around: Surroundings) -> None:
        self.name = name
        self.position = position
        """Among the services of the scenario."""
        self.around = around
        self.clock = around.clock
        self.way_there = self._leg(network.request, "network.request")
        self.way_back = self._leg(network.reply, "network.reply")
        self._way_of_cancel = self._leg(network.request, "network.cancel")
        self._open: dict[Attempt, Visit] = {}
        """Calls that have not been answered, by their attempts."""
        self.arrive_callbacks = (self._arrived,)
        self._cancel_callbacks = (self._hear_cancel,)
        self._tell_callbacks = (self._tell,)

    def start(self) -> None:  # noqa: B027  # most have nothing to do
        """Begin with the world."""

    def stop(self) -> None:
        """End with the world."""
        self._open.clear()

    def _leg(self, law: Law | None, stream: str) -> DelayOf | None:
        return None if law is None else self.around.choices.delays(law, owned(stream, self.name))

    def go(self, leg: DelayOf | None, visit: Visit, arrives: tuple[Callable[[Visit], None]]) -> None:
        """Let a call go one way over the network; without a law it is there at once."""
        delay_ns = 0 if leg is None else leg(visit.request.number, self.leg_index(visit), 0)
        if delay_ns:
            visit.callbacks = arrives
            self.clock.set_timer(visit, delay_ns)
        else:
            arrives[0](visit)

    def leg_index(self, visit: Visit) -> int:
        """Return the index of the draws of a call's legs."""
        return visit.number

    def begin(self, host: Host, request: Request) -> None:
        """Start one attempt of a request: send its call."""
        around = self.around
        clock = around.clock
        request.attempts = number = request.attempts + 1
        if request.root is not None:
            number = request.root.at(self.name).count()
        if request.last_attempt is not None:
            request.last_attempt.overtaken(host)
        # Until its work begins it has no effect to blame.
        request.last_attempt = host.attempt = attempt = Attempt(request, number, host, FAIL)
        attempt.callbacks = ()
        call = None
        if around.calls is not None:
            attempt.call = call = around.calls.send(request.number, number, clock.now_ns, self.position, request.caller)
            call.slept_ns = host.slept_ns
        self._open[attempt] = visit = Visit(around.sent, attempt, call, around.callers.priority(request))
        around.sent += 1
        if around.recorder is not None:
            if request.root is None:
                start = Start(host.job_id, NEVER, NEVER)
                around.recorder.add((clock.now_ns, "attempt", request.number, number, AT_SERVICE, start))
            said = (number, around.names[request.caller] if request.caller >= 0 else "", request.within)
            around.recorder.add((clock.now_ns, "call", request.number, visit.id, self.name, said))
        if host.deadline_ns is not None:
            attempt.alarm = Alarm(clock, host.deadline_ns - clock.now_ns, lambda: self._cut(visit))
        if self.way_there is None:
            self._arrived(visit)
        else:
            self.go(self.way_there, visit, self.arrive_callbacks)

    def _arrived(self, visit: Visit) -> None:
        if visit.call is not None:
            visit.call.arrived_ns = self.clock.now_ns
        self.arrive(visit)

    @abstractmethod
    def arrive(self, visit: Visit) -> None:
        """Take a call that has arrived."""

    def cancel(self, attempt: Attempt) -> None:
        """Send a message that the caller needs no answer."""
        visit = self._open.get(attempt)
        if visit is None or attempt.ended:
            return
        self.record("cancel_sent", visit)
        leg = self._way_of_cancel
        delay_ns = 0 if leg is None else leg(visit.request.number, self.leg_index(visit), 0)
        message = Cancellation(visit, self._cancel_callbacks)
        if delay_ns:
            self.clock.set_timer(message, delay_ns)
        else:
            self._hear_cancel(message)

    def _hear_cancel(self, message: Cancellation) -> None:
        """Stop a call whose caller needs no answer, unless it is done with."""
        visit = message.visit
        self.record("cancel_heard", visit)
        if visit.end is CallEnd.open and not visit.attempt.ended:
            visit.is_canceled = True
            visit.attempt.drop_effect()
            self.stop_visit(visit)

    @abstractmethod
    def stop_visit(self, visit: Visit) -> None:
        """Stop a call that was canceled, wherever it is."""

    def end_unanswered(self, visit: Visit) -> None:
        """End a call whose caller needs no answer."""
        visit.how, visit.end = CUT, CallEnd.cut
        attempt = visit.attempt
        if visit.call is not None and self.around.calls is not None:
            self.around.calls.over(visit.call, visit.end, self.clock.now_ns)
        self._open.pop(attempt, None)
        attempt.callbacks = None
        if not attempt.ended:
            self._over(visit, CUT)

    # Answers.

    def reply(self, visit: Visit) -> None:
        """Send the answer that the call has by now."""
        if visit.call is not None:
            visit.call.ended_ns = self.clock.now_ns
        if self.way_back is None:
            self._tell(visit)
        else:
            self.go(self.way_back, visit, self._tell_callbacks)

    def _tell(self, visit: Visit) -> None:
        """Let the answer reach its caller."""
        attempt, now_ns = visit.attempt, self.clock.now_ns
        if visit.call is not None and self.around.calls is not None:
            self.around.calls.over(visit.call, visit.end, now_ns)
        attempt.callbacks = None
        self._open.pop(attempt, None)
        if attempt.ended:
            return
        how = visit.how
        host = attempt.host
        assert host is not None  # noqa: S101  # it has not ended, so it has one
        if host.strike is not None and how != DIED:
            how = DIED
            if attempt.is_to_blame:
                attempt.blame = Cause.crash_after_effect if attempt.effect_done else Cause.timeout
        attempt.failure = visit.answer
        self._over(visit, how)

    def _cut(self, visit: Visit) -> None:
        """Cut the caller off at the platform's time limit; the call goes on."""
        attempt = visit.attempt
        if attempt.ended:
            return
        attempt.blame = Cause.timeout
        attempt.give_up(self.clock.now_ns)
        self._over(visit, CUT)

    def _over(self, visit: Visit, how: End) -> None:
        attempt, request, now_ns = visit.attempt, visit.request, self.clock.now_ns
        host = attempt.host
        assert host is not None  # noqa: S101  # it has not ended, so it has one
        attempt.ended = True
        attempt.how = how
        request.last_attempt_end_ns = now_ns
        if how in (DIED, CUT):
            attempt.given_up = True
        if attempt.alarm is not None:
            attempt.alarm.cancel()
            attempt.alarm = None
        if self.around.recorder is not None:
            says = attempt.failure if how == THREW else None
            if request.root is None:
                self.around.recorder.add((now_ns, "attempt_end", request.number, attempt.number, how, says))
            else:
                self.record("answer", visit, (how, says))
        host.attempt_over(how)

    def apply(self, visit: Visit, window_ns: int | None, keys: KeyRules | None = None) -> None:
        """Let the effect of a call happen, unless the death of its caller took it along."""
        attempt = visit.attempt
        if attempt.effect_dropped:
            return
        attempt.effect_done = True
        witness, now_ns = self.around.witness, self.clock.now_ns
        if witness is not None:
            witness.durable()
        if keys is None:
            name = apply_effect(key_of(visit.request), attempt, now_ns, window_ns)
        else:
            name = keys.apply(attempt, now_ns)
        if visit.call is not None and name != SUPPRESSED:
            visit.call.effect_ns = now_ns
        recorder = self.around.recorder
        if recorder is not None:
            if visit.request.root is None:
                recorder.add((now_ns, "effect", visit.request.number, attempt.number, name, None))
            else:
                self.record("layer_effect", visit, (name,))

    def record(self, kind: str, visit: Visit, detail: Any = None) -> None:
        """Add an event of a call to the history, if there is one."""
        recorder = self.around.recorder
        if recorder is not None:
            recorder.add((self.clock.now_ns, kind, visit.request.number, visit.id, self.name, detail))


class Service(Receiver):
    """Servers, a queue in front of them, and what is in front of the queue."""

    def __init__(self, name: str, position: int, options: FrontOptions, around: Surroundings) -> None:
        super().__init__(name, position, options.network, around)
        choices = around.choices
        self.in_progress = 0
        queue = options.queue
        self.waiting = Waiting(queue.order)
        self._by_priority = queue.order == PRIORITY
        self._limit = queue.limit
        self._max_wait_ns = queue.max_wait
        self._drops = queue.abandoned == "dropped"
        limit = options.rate_limit
        self.bucket = None if limit is None else TokenBucket(limit.rate, limit.burst)
        self._names_next = limit is not None and limit.retry_after == NEXT
        self._retry_after: DelayOf | None = None
        if limit is not None and limit.retry_after is not None and not isinstance(limit.retry_after, str):
            self._retry_after = choices.delays(limit.retry_after, owned("rate_limit.retry_after", name))
        self._shed = options.shed
        self._shed_stream = owned("shed", name)
        self.capacity = Capacity(name, options, around.clock, choices, self._servers_changed)
        self._admits = False

    def start(self) -> None:
        """Note how many servers there are, and plan their changes."""
        self.capacity.start()

    def _servers_changed(self, servers: int | None) -> None:
        around = self.around
        level = UNLIMITED if servers is None else servers
        if around.calls is not None:
            around.calls.capacity(self.position, level, self.clock.now_ns)
        if around.recorder is not None:
            around.recorder.add((self.clock.now_ns, "servers", -1, -1, self.name, level))
        self._admit()

    @property
    def has_free_server(self) -> bool:
        """Whether work can begin."""
        return self.in_progress < self.capacity.servers

    def arrive(self, visit: Visit) -> None:
        """Let a call through to a server or to the queue, or reject it."""
        bucket = self.bucket
        if self.around.recorder is not None:
            tokens = None if bucket is None else bucket.whole(self.clock.now_ns)
            self.record("arrived", visit, (len(self.waiting), self.in_progress, tokens))
        if visit.is_canceled:
            self._drop(visit)  # the message was faster
            return
        if bucket is not None:
            wait_ns = bucket.take(self.clock.now_ns)
            if wait_ns:
                self._reject(visit, CallEnd.rejected_rate_limit, self._wait_for_token(visit, wait_ns))
                return
        if self._shed is not None and self._sheds(visit):
            self._reject(visit, CallEnd.rejected_shed)
        elif self.in_progress < self.capacity.servers and not self._admits:
            self._begin(visit)
        elif self._limit is not None and len(self.waiting) >= self._limit:
            self._reject(visit, CallEnd.rejected_queue)
        else:
            self._wait(visit)

    def _wait_for_token(self, visit: Visit, wait_ns: int) -> int:
        if self._names_next:
            return wait_ns
        return NEVER if self._retry_after is None else self._retry_after(visit.request.number, visit.number, 0)

    def _sheds(self, visit: Visit) -> bool:
        shed = self._shed
        if shed is None or self._level(shed.when.quantity) < shed.when.at_least:
            return False
        request = visit.request
        if shed.classes is not None and self.around.callers.class_name(request) not in shed.classes:
            return False
        choices = self.around.choices
        return not choices.choose((shed.share,), self._shed_stream, request.number, visit.number)

    def _level(self, quantity: str) -> int:
        match quantity:
            case "in_queue":
                return len(self.waiting)
            case "in_progress":
                return self.in_progress
            case _:
                return len(self.waiting) + self.in_progress

    # The queue.

    def _wait(self, visit: Visit) -> None:
        visit.waits = True
        if not self.waiting:
            self.capacity.is_waited_for(waited=True)
        if self.around.recorder is not None:
            self.record("queued", visit, (self._ahead(visit),))
        self.waiting.add(visit)
        if self._max_wait_ns is not None:
            visit.alarm = Alarm(self.clock, self._max_wait_ns, lambda: self._waited_too_long(visit))

    def _ahead(self, visit: Visit) -> int:
        """Return how many are to be served before it, as things stand."""
        if self._by_priority:
            return sum(other.priority <= visit.priority for other in self.waiting)
        return 0 if self.waiting.takes_last else len(self.waiting)

    def _waited_too_long(self, visit: Visit) -> None:
        self.waiting.leave(visit)
        self._waits_no_more(visit)
        self._reject(visit, CallEnd.rejected_max_wait)

    def _waits_no_more(self, visit: Visit) -> None:
        visit.waits = False
        if visit.alarm is not None:
            visit.alarm.cancel()
            visit.alarm = None
        if not self.waiting:
            self.capacity.is_waited_for(waited=False)

    def _admit(self) -> None:
        """Let calls begin that wait, as long as a server is free."""
        if self._admits:
            return
        self._admits = True
        waiting = self.waiting
        while waiting and self.has_free_server:
            visit = waiting.take()
            self._waits_no_more(visit)
            if self._drops and visit.attempt.given_up:
                self._drop(visit)
            else:
                self._begin(visit)
        self._admits = False

    def stop_visit(self, visit: Visit) -> None:
        """Let a call that waits leave the queue, or stop the work on it; one on its way is dropped as it arrives."""
        if visit.waits:
            self.waiting.leave(visit)
            self._waits_no_more(visit)
            self._drop(visit)
        elif visit.began_ns != NEVER:
            self.stop_work(visit)
            self.in_progress -= 1
            self.record("work_end", visit, (CallEnd.cut.name,))
            if self.waiting.count:
                self._admit()
            self.end_unanswered(visit)

    def _drop(self, visit: Visit) -> None:
        self.record("dropped", visit)
        visit.end, visit.how = CallEnd.dropped, THREW
        self.reply(visit)

    def _reject(self, visit: Visit, end: CallEnd, retry_after_ns: int = NEVER) -> None:
        reason = REASONS[end]
        self.record("rejected", visit, (reason, retry_after_ns))
        visit.end, visit.how = end, THREW
        visit.answer = Failure(final=False, retry_after_ns=retry_after_ns, kind=rejected_by(reason))
        self.reply(visit)

    # The work.

    def refuses(self, visit: Visit) -> CallEnd | None:
        """Return why the work on a call does not begin although a server is free; None if it does."""
        del visit
        return None

    def _begin(self, visit: Visit) -> None:
        """Let the work on a call begin; it holds a server."""
        refusal = self.refuses(visit)
        if refusal is not None:
            self._reject(visit, refusal)
            return
        others = self.in_progress
        self.in_progress = others + 1
        visit.began_ns = self.clock.now_ns
        if visit.call is not None:
            visit.call.began_ns = visit.began_ns
        self.work(visit, others)

    @abstractmethod
    def work(self, visit: Visit, others: int) -> None:
        """Work on a call, beside so many others; `finish` is called at the end, unless it never ends."""

    def stop_work(self, visit: Visit) -> None:
        """Stop the work on a call: nothing of it comes any more."""
        if visit.callbacks is not None:
            self.clock.call_off(visit)
        if visit.alarm is not None:
            visit.alarm.cancel()
            visit.alarm = None

    def finish(self, visit: Visit, how: End, end: CallEnd, answer: Failure | None = None) -> None:
        """End the work on a call: free its server, let the next one begin, and answer."""
        visit.how, visit.end, visit.answer = how, end, answer
        self.in_progress -= 1
        if self.around.recorder is not None:
            self.record("work_end", visit, (end.name,))
        if self.waiting.count:
            self._admit()
        self.reply(visit)
