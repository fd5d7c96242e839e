"""The user's action as the world plays it: what each attempt does, and when.

With L the drawn latency and E = effect_at * L the moment of the effect:

| outcome | effect | the execution | its host learns |
| --- | --- | --- | --- |
| success | at E | returns at L | returned |
| fail | none | throws at L | threw |
| ack_lost | at E | throws at L | threw |
| crash_before_effect | none | dies at a moment uniform in [0, E) | died |
| crash_after_effect | at E | dies at E + U * (L - E) | died |
| lost_contact | at E | goes on unseen and returns at L | lost, uniform in [0, L), then returned |
| hang | none | never ends | cut, at the time limit |
| (L over the time limit) | at E all the same | is cut off at the limit | cut |

An attempt is its own end timer. Giving up an attempt never erases an effect that is still to come.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sim.history.recorder import Start
from sim.history.vocabulary import (
    ACK_LOST,
    CRASH_AFTER_EFFECT,
    CRASH_BEFORE_EFFECT,
    CUT,
    DIED,
    FAIL,
    HANG,
    NEVER,
    SUCCESS,
    SUPPRESSED,
    THREW,
    Cause,
)
from sim.world.attempt import CALL_ENDS, Attempt
from sim.world.effects import Memory, apply_effect
from sim.world.keys import KeyRules, key_of

if TYPE_CHECKING:
    from sim.history.recorder import Recorder
    from sim.history.request import Request
    from sim.history.traffic import CallLog
    from sim.history.vocabulary import AttemptOutcome
    from sim.kernel.choices import Choices
    from sim.kernel.clock import Clock
    from sim.world.fate import Fate
    from sim.world.fates import Fates
    from sim.world.hosts import Host
    from sim.world.witness import Witness


class _Effect:
    """The timer of an effect."""

    __slots__ = ("attempt", "callbacks")
    _ok = True

    def __init__(self, attempt: Attempt, callbacks: Any) -> None:
        self.attempt = attempt
        self.callbacks = callbacks


class ActionModel:
    """Makes attempts of the fates that it draws, applies their effects, and tells their hosts.

    An attempt has its effect at the share `effect_at` of its latency. `memory` is how the receiver remembers keys,
    None if it recognizes nothing.
    """

    def __init__(
        self,
        clock: Clock,
        choices: Choices,
        fates: Fates,
        *,
        effect_at: float = 1.0,
        memory: Memory | None = None,
        recorder: Recorder | None = None,
        witness: Witness | None = None,
        calls: CallLog | None = None,
    ) -> None:
        self._witness = witness
        self._calls = calls
        self._clock = clock
        self._choices = choices
        self._draw = fates.draw
        self._recorder = recorder
        self._effect_at = effect_at
        self._window_ns = None if memory is None else memory.window_ns
        self._keys = None if memory is None or memory == Memory(memory.window_ns) else KeyRules(memory)
        """How keys are remembered, if more is asked of them than that a repeated effect is suppressed."""
        self._end_callbacks = (self._end,)
        self._effect_callbacks = (self._effect,)

    def foresee(self, request: Request, now_ns: int) -> Fate:
        """Draw the fate of the next attempt of a request without starting it."""
        return self._draw(request, request.attempts + 1, now_ns, request.weather)

    def happen(self, host: Host, request: Request, fate: Fate) -> None:
        """Make an attempt whose fate was foreseen, at once: it takes no time."""
        self.begin(host, request, fate._replace(latency_ns=0))

    def begin(  # noqa: C901, PLR0912, PLR0915  # every attempt passes here
        self, host: Host, request: Request, fate: Fate | None = None
    ) -> None:
        """Start one attempt of a request; one without latency ends before this returns. Its fate is drawn, or given."""
        clock = self._clock
        request.attempts = number = request.attempts + 1
        by_key = ""
        keys = self._keys
        if keys is None:
            if fate is None:
                fate = self._draw(request, number, clock.now_ns, request.weather)
            outcome, latency_ns, failure = fate
        else:
            draw = partial(self._draw, request, number, clock.now_ns, request.weather) if fate is None else lambda: fate
            outcome, latency_ns, failure, by_key = keys.recall(request, clock.now_ns, draw)
        if request.last_attempt is not None:
            request.last_attempt.overtaken(host)
        request.last_attempt = host.attempt = attempt = Attempt(request, number, host, outcome)
        if self._calls is not None:
            attempt.call = call = self._calls.send(request.number, number, clock.now_ns)
            call.began_ns = clock.now_ns
            call.slept_ns = host.slept_ns

        end_ns: int | None = None
        effect_ns: int | None = None
        if outcome != HANG:
            end_ns = latency_ns
            if outcome != FAIL:
                effect_at = self._effect_at
                effect_ns = end_ns if effect_at == 1.0 else round(effect_at * end_ns)
                if outcome != SUCCESS:
                    end_ns, effect_ns = self._unusual(attempt, outcome, end_ns, effect_ns)
            else:
                attempt.how = THREW
                attempt.failure = failure
        if keys is not None:
            keys.take(attempt, by_key, clock.now_ns, latency_ns if end_ns is None else end_ns)
        strike = host.strike
        if strike is not None and end_ns is not None:
            attempt.how = DIED
            end_ns = int(strike * end_ns)
            attempt.blame = Cause.timeout if effect_ns is None or effect_ns > end_ns else Cause.crash_after_effect
        deadline_ns = host.deadline_ns
        if deadline_ns is not None:
            left_ns = deadline_ns - clock.now_ns
            if end_ns is None or end_ns > left_ns:
                end_ns = left_ns
                attempt.how = CUT
                attempt.blame = Cause.timeout

        if self._recorder is not None:
            due_ns = NEVER if effect_ns is None else clock.now_ns + effect_ns
            start = Start(host.job_id, due_ns, latency_ns)
            self._recorder.add((clock.now_ns, "attempt", request.number, number, outcome, start))
            if by_key:
                self._recorder.add((clock.now_ns, "by_key", request.number, number, by_key, None))
        if effect_ns is not None:
            if effect_ns == end_ns:
                attempt._effect_at_end = True  # noqa: SLF001  # one machine in two classes
            elif effect_ns:
                clock.set_timer(_Effect(attempt, self._effect_callbacks), effect_ns)
            else:
                self._apply(attempt)
        if end_ns is None:
            return
        attempt.callbacks = self._end_callbacks
        if end_ns:
            clock.set_timer(attempt, end_ns)
        else:
            self._end(attempt)

    def cancel(self, attempt: Attempt) -> None:
        """Stop the work of an attempt that is not over: an effect still ahead does not come."""
        if attempt.ended:
            return
        attempt.drop_effect()
        attempt.ended = True
        attempt.how = CUT
        now_ns, request = self._clock.now_ns, attempt.request
        request.last_attempt_end_ns = now_ns
        if attempt.call is not None and self._calls is not None:
            self._calls.over(attempt.call, CALL_ENDS[CUT], now_ns)
        if self._recorder is not None:
            self._recorder.add((now_ns, "attempt_end", request.number, attempt.number, CUT, None))
        attempt.host.attempt_over(CUT)  # type: ignore[union-attr]  # it has not ended, so it has one

    def _unusual(
        self, attempt: Attempt, outcome: AttemptOutcome, latency_ns: int, effect_ns: int
    ) -> tuple[int, int | None]:
        """Return the end and the effect (None: none) of the rarer outcomes, as delays from now."""
        if outcome == ACK_LOST:
            attempt.how = THREW
            return latency_ns, effect_ns
        moment = self._choices.uniform("death", attempt.request.number, attempt.number)
        if outcome == CRASH_BEFORE_EFFECT:
            attempt.how = DIED
            return int(moment * effect_ns), None
        if outcome == CRASH_AFTER_EFFECT:
            attempt.how = DIED
            return effect_ns + round(moment * (latency_ns - effect_ns)), effect_ns
        self._clock.call_after(int(moment * latency_ns), lambda: self._lose(attempt))
        return latency_ns, effect_ns

    def _lose(self, attempt: Attempt) -> None:
        """Lose contact with an attempt that goes on."""
        if attempt.ended:
            return
        attempt.give_up(self._clock.now_ns)
        attempt.blame = Cause.timeout
        if self._recorder is not None:
            self._recorder.add((self._clock.now_ns, "lost", attempt.request.number, attempt.number, "", None))
        attempt.host.attempt_lost()  # type: ignore[union-attr]  # it has not ended, so it has one

    def _effect(self, effect: _Effect) -> None:
        self._apply(effect.attempt)

    def _apply(self, attempt: Attempt) -> None:
        if attempt.effect_dropped:
            return
        attempt.effect_done = True
        if self._witness is not None:
            self._witness.durable()
        request, now_ns = attempt.request, self._clock.now_ns
        if self._keys is None:
            name = apply_effect(key_of(request), attempt, now_ns, self._window_ns)
        else:
            name = self._keys.apply(attempt, now_ns)
        if attempt.call is not None and name != SUPPRESSED:
            attempt.call.effect_ns = now_ns
        if self._recorder is not None:
            self._recorder.add((now_ns, "effect", request.number, attempt.number, name, None))

    def _end(self, attempt: Attempt) -> None:
        if attempt._effect_at_end:  # noqa: SLF001  # one machine in two classes
            self._apply(attempt)
        if attempt.call is not None and self._calls is not None:
            self._calls.over(attempt.call, CALL_ENDS[attempt.how], self._clock.now_ns)
        if attempt.ended:
            return
        attempt.ended = True
        request, how = attempt.request, attempt.how
        request.last_attempt_end_ns = self._clock.now_ns
        if how in (DIED, CUT):
            attempt.given_up = True
        elif self._keys is not None and how == THREW:
            self._keys.threw(attempt, attempt.failure, self._clock.now_ns)
        if self._recorder is not None:
            says = attempt.failure if how == THREW else None
            self._recorder.add((self._clock.now_ns, "attempt_end", request.number, attempt.number, how, says))
        attempt.host.attempt_over(how)  # type: ignore[union-attr]  # as above
