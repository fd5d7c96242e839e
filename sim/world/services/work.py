"""The work on one call: what `sim.world.action_model` says of an attempt, from the start of the work.

With L the latency as the slow-down has it, and E = effect_at * L:

| outcome | the server is free | its caller learns | effect |
| --- | --- | --- | --- |
| success | at L | returned | at E |
| fail | at L | threw | none |
| ack_lost | at L | threw | at E |
| crash_before_effect | at a moment uniform in [0, E) | died | none |
| crash_after_effect | at E + U * (L - E) | died | at E |
| lost_contact | at L | lost, uniform in [0, L), then returned | at E |
| hang | never | nothing | none |

A service that calls others does so at L, one after the other, and holds its server meanwhile; work that fails, dies or
hangs makes no calls. If one of them is given up the work fails. With `effect_at: 1` the effect of such a service comes
at the end of its work, after the calls, and not at all if one is given up; an earlier one comes at E whatever follows.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from sim.history.traffic import CallEnd
from sim.history.vocabulary import (
    ACK_LOST,
    CRASH_AFTER_EFFECT,
    CRASH_BEFORE_EFFECT,
    DIED,
    FAIL,
    HANG,
    LOST_CONTACT,
    NEVER,
    RETURNED,
    SUCCESS,
    THREW,
    Cause,
)
from sim.kernel.alarm import Alarm
from sim.kernel.choices import WORLD, owned
from sim.kernel.durations import RUNAWAY_NS
from sim.world.attempt import BLAME
from sim.world.effects import Memory
from sim.world.fates import Fates
from sim.world.keys import KeyRules
from sim.world.services.service import Service
from sim.world.weather import WeatherPath

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.history.vocabulary import End
    from sim.world.services.options import QueueingOptions
    from sim.world.services.surroundings import Surroundings
    from sim.world.services.visit import Visit


CALL_OTHERS: Final = frozenset({SUCCESS, ACK_LOST, LOST_CONTACT})
"""Outcomes of work that comes to the calls that it makes itself."""


class Layer(Protocol):
    """A call that a service makes in the course of its work."""

    def call(self, visit: Visit, done: Callable[[bool], None]) -> GivesUp:
        """Call for one visit; `done` is told whether the call succeeded, once, unless it is given up before."""
        ...


class GivesUp(Protocol):
    """A call that a service makes, as the service can give it up."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        ...

    def give_up(self) -> None:
        """Wait for it no longer: what it has sent goes on."""
        ...


class _VisitEffect:
    """The timer of an effect that comes before the end of the work."""

    __slots__ = ("callbacks", "visit")
    _ok = True

    def __init__(self, visit: Visit, callbacks: Any) -> None:
        self.visit = visit
        self.callbacks = callbacks


class QueueingService(Service):
    """A service whose work is data: a latency, outcomes, and the calls that it makes itself."""

    def __init__(self, name: str, position: int, options: QueueingOptions, around: Surroundings) -> None:
        super().__init__(name, position, options, around)
        self._fates = Fates(around.choices, options, heals_at_ns=around.heals_at_ns, owner=name)
        weather = options.weather
        self.weather = WeatherPath(weather, around.choices, WORLD, random_phase=False, owner=name) if weather else None
        self._options = options
        self._effect_at = options.effect_at
        memory = options.memory
        self._window_ns = options.window_ns
        self._keys = None if memory is None or memory == Memory(memory.window_ns) else KeyRules(memory)
        self._death = owned("death", name)
        self.layers: Sequence[Layer] = ()
        """Calls that the work makes, in their order."""
        self._calling: dict[int, GivesUp] = {}
        """The calls that are being made, by the number of the visit in whose work."""
        self._effects_ahead: dict[int, _VisitEffect] = {}
        """Effects that come before the end of the work, by the number of the visit."""
        self._worked_callbacks = (self._worked,)
        self._effect_callbacks = (self._effect,)

    @property
    def asks_to_wait(self) -> bool:
        """Whether an answer can ask its caller to wait."""
        options = self._options
        steps = any(step.retry_after is not None for step in options.script)
        limit = options.rate_limit is not None and options.rate_limit.retry_after is not None
        return limit or steps or options.names_waits

    def refuses(self, visit: Visit) -> CallEnd | None:
        """Refuse a call whose idempotency key another one has, if the service does so."""
        keys = self._keys
        if keys is not None and keys.is_in_use(visit.request, self.clock.now_ns):
            return CallEnd.rejected_in_use
        return None

    def work(self, visit: Visit, others: int) -> None:  # noqa: C901, PLR0912  # every call passes here
        """Draw how the work goes, and let it go on."""
        clock, attempt, request = self.clock, visit.attempt, visit.request
        by_key = ""
        if self._keys is None:
            outcome, latency_ns, failure = self._fates.draw(request, visit.number, clock.now_ns, self.weather)
        else:
            draw = partial(self._fates.draw, request, visit.number, clock.now_ns, self.weather)
            outcome, latency_ns, failure, by_key = self._keys.recall(request, clock.now_ns, draw)
        visit.outcome = outcome
        if attempt.is_to_blame:
            attempt.blame = BLAME[outcome]
        end_ns: int | None = None
        effect_ns: int | None = None
        visit.how = RETURNED
        work_ns = NEVER
        if outcome == HANG:
            attempt.callbacks = None
        else:
            end_ns = work_ns = self.capacity.work_ns(latency_ns, others)
            if outcome == FAIL:
                visit.how, visit.answer = THREW, failure
            else:
                effect_ns = work_ns if self._effect_at == 1.0 else round(self._effect_at * work_ns)
                if outcome != SUCCESS:
                    end_ns, effect_ns = self._unusual(visit, work_ns, effect_ns)
        calls = bool(self.layers) and outcome in CALL_OTHERS and not by_key
        visit.calls_others = calls
        if self._keys is not None:
            # With calls to make it is not known yet how long the work lasts: it lets the key go at its end.
            busy_ns = NEVER if end_ns is None else end_ns
            self._keys.take(attempt, by_key, clock.now_ns, RUNAWAY_NS if calls else busy_ns)
        visit.effect_at_end = effect_ns is not None and effect_ns == end_ns
        if self.around.recorder is not None:
            due_ns = NEVER if effect_ns is None or (calls and visit.effect_at_end) else clock.now_ns + effect_ns
            self.record("work", visit, (outcome, latency_ns, work_ns, due_ns, others, by_key))
        if effect_ns is not None and not visit.effect_at_end:
            if effect_ns:
                self._effects_ahead[visit.id] = effect = _VisitEffect(visit, self._effect_callbacks)
                clock.set_timer(effect, effect_ns)
            else:
                self._apply(visit)
        if end_ns is None:
            return
        if end_ns:
            visit.callbacks = self._worked_callbacks
            clock.set_timer(visit, end_ns)
        else:
            self._worked(visit)

    def _unusual(self, visit: Visit, work_ns: int, effect_ns: int) -> tuple[int, int | None]:
        """Return the end and the effect (None: none) of the rarer outcomes, as delays from the start of the work."""
        if visit.outcome == ACK_LOST:
            visit.how = THREW
            return work_ns, effect_ns
        moment = self.around.choices.uniform(self._death, visit.request.number, visit.number)
        if visit.outcome == CRASH_BEFORE_EFFECT:
            visit.how = DIED
            return int(moment * effect_ns), None
        if visit.outcome == CRASH_AFTER_EFFECT:
            visit.how = DIED
            return effect_ns + round(moment * (work_ns - effect_ns)), effect_ns
        visit.alarm = Alarm(self.clock, int(moment * work_ns), lambda: self._lose(visit))
        return work_ns, effect_ns

    def stop_work(self, visit: Visit) -> None:
        """Stop the work on a call: its calls of other services are given up, its key is free."""
        super().stop_work(visit)
        effect = self._effects_ahead.pop(visit.id, None)
        if effect is not None:
            self.clock.call_off(effect)
        call = self._calling.pop(visit.id, None)
        if call is not None:
            call.give_up()
        if self._keys is not None:
            self._keys.let_go(visit.attempt, self.clock.now_ns)

    def stop(self) -> None:
        """End with the world."""
        super().stop()
        self._calling.clear()
        self._effects_ahead.clear()

    def _lose(self, visit: Visit) -> None:
        """Let the caller lose contact with a call that goes on."""
        attempt, visit.alarm = visit.attempt, None
        if attempt.ended:
            return
        attempt.give_up(self.clock.now_ns)
        attempt.blame = Cause.timeout
        if self.around.recorder is not None and visit.request.root is None:
            said = (self.clock.now_ns, "lost", visit.request.number, attempt.number, "", None)
            self.around.recorder.add(said)
        attempt.host.attempt_lost()  # type: ignore[union-attr]  # it has not ended, so it has one

    def _effect(self, timer: _VisitEffect) -> None:
        del self._effects_ahead[timer.visit.id]
        self._apply(timer.visit)

    def _apply(self, visit: Visit) -> None:
        self.apply(visit, self._window_ns, self._keys)

    def _worked(self, visit: Visit) -> None:
        """Come to the end of its own latency: make its calls, if there are any, or end the work."""
        if visit.calls_others:
            self._call(visit, 0)
        else:
            self._end(visit, visit.how)

    def _call(self, visit: Visit, number: int) -> None:
        """Make one call after the other."""
        if number == len(self.layers):
            self._end(visit, visit.how)
            return

        def done(succeeded: bool) -> None:  # noqa: FBT001  # the one thing that it is told
            self._calling.pop(visit.id, None)
            if succeeded:
                self._call(visit, number + 1)
            else:
                visit.effect_at_end = False
                if visit.attempt.is_to_blame:
                    visit.attempt.blame = Cause.ack_lost
                self._end(visit, THREW)

        call = self.layers[number].call(visit, done)
        if not call.is_over:
            self._calling[visit.id] = call

    def _end(self, visit: Visit, how: End) -> None:
        if visit.effect_at_end:
            self._apply(visit)
        keys, now_ns = self._keys, self.clock.now_ns
        if keys is not None:
            if visit.calls_others:
                keys.let_go(visit.attempt, now_ns)
            if how == THREW and visit.outcome != ACK_LOST:
                keys.threw(visit.attempt, visit.answer if visit.outcome == FAIL else None, now_ns)
        end = CallEnd.failed if how != RETURNED else CallEnd.success
        self.finish(visit, how, end, visit.answer if visit.outcome == FAIL else None)
