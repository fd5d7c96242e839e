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

from typing import TYPE_CHECKING, Any

from sim.history.events import Failure
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
    THREW,
    Cause,
)
from sim.world.attempt import Attempt
from sim.world.effects import apply_effect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.history.recorder import Recorder
    from sim.history.request import Request
    from sim.history.vocabulary import AttemptOutcome
    from sim.kernel.choices import Choices, DelayOf, Law
    from sim.kernel.clock import Clock
    from sim.world.hosts import Host
    from sim.world.witness import Witness


NEVER_HEALS = 1 << 200
"""After every instant."""


class _Effect:
    """The timer of an effect."""

    __slots__ = ("attempt", "callbacks")
    _ok = True

    def __init__(self, attempt: Attempt, callbacks: Any) -> None:
        self.attempt = attempt
        self.callbacks = callbacks


class ActionModel:
    """Draws outcomes and latencies of attempts, applies their effects, and tells their hosts.

    `outcomes` lists (outcome, share, law of its latency); success takes the rest, with `latency`. `script` replaces
    both: (outcome, law) for one attempt after the other; the last repeats. `window_ns` is the idempotency window, None
    if the receiver recognizes nothing. `final_share` of the failures are marked as not worth a retry, and with
    `retry_after` each names a wait; `script_errors` says both for each attempt of a script. From `heals_at_ns` on
    attempts succeed.
    """

    def __init__(
        self,
        clock: Clock,
        choices: Choices,
        *,
        latency: Law,
        outcomes: Sequence[tuple[AttemptOutcome, float, Law]] = (),
        script: Sequence[tuple[AttemptOutcome, Law]] = (),
        script_errors: Sequence[Failure | None] = (),
        effect_at: float = 1.0,
        window_ns: int | None = None,
        final_share: float = 0.0,
        retry_after: Law | None = None,
        heals_at_ns: int | None = None,
        recorder: Recorder | None = None,
        witness: Witness | None = None,
    ) -> None:
        self._witness = witness
        self._clock = clock
        self._choices = choices
        self._recorder = recorder
        self._effect_at = effect_at
        self._window_ns = window_ns
        self._final = (final_share,) if final_share else None
        self._retry_after = None if retry_after is None else choices.delays(retry_after, "retry_after")
        self._script_errors = script_errors
        self._heals_at_ns = NEVER_HEALS if heals_at_ns is None else heals_at_ns
        self._cumulative: list[float] = []
        self._branches: list[tuple[AttemptOutcome, DelayOf]] = []
        total = 0.0
        for outcome, share, law in outcomes:
            if share:
                total += share
                self._cumulative.append(total)
                self._branches.append((outcome, choices.delays(law, "latency")))
        self._branches.append((SUCCESS, choices.delays(latency, "latency")))
        fails = [law for outcome, _, law in outcomes if outcome == FAIL]
        self._failed: tuple[AttemptOutcome, DelayOf] = (FAIL, choices.delays(fails[0] if fails else latency, "latency"))
        self._script = [(outcome, choices.delays(law, "latency")) for outcome, law in script]
        self._end_callbacks = (self._end,)
        self._effect_callbacks = (self._effect,)

    def begin(self, host: Host, request: Request) -> None:  # noqa: C901, PLR0912  # every attempt passes here
        """Start one attempt of a request; one without latency ends before this returns."""
        clock = self._clock
        request.attempts = number = request.attempts + 1
        outcome, delay_of = self._draw(request, number)
        if request.last_attempt is not None:
            request.last_attempt.overtaken(host)
        request.last_attempt = host.attempt = attempt = Attempt(request, number, host, outcome)

        end_ns: int | None = None
        effect_ns: int | None = None
        latency_ns = NEVER
        if outcome != HANG:
            end_ns = latency_ns = delay_of(request.number, number, 0)
            if outcome != FAIL:
                effect_at = self._effect_at
                effect_ns = end_ns if effect_at == 1.0 else round(effect_at * end_ns)
                if outcome != SUCCESS:
                    end_ns, effect_ns = self._unusual(attempt, outcome, end_ns, effect_ns)
            else:
                attempt.how = THREW
                attempt.failure = self._failure(request, number)
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

    def _draw(self, request: Request, number: int) -> tuple[AttemptOutcome, DelayOf]:
        """Choose how this attempt goes: by the script, by a permanent failure, by the weather, or by shares."""
        healed = self._clock.now_ns >= self._heals_at_ns
        script = self._script
        if script:
            outcome, delay_of = script[number - 1] if number < len(script) else script[-1]
            return (SUCCESS if healed else outcome), delay_of
        if request.permanent:
            return self._failed
        if healed:
            return self._branches[-1]
        if not self._cumulative and request.weather is None:
            return self._branches[0]
        cumulative, branches = self._cumulative, self._branches
        if request.weather is not None:
            share = request.weather.fail_share(self._clock.now_ns)
            if share:
                # The weather fails its share of all attempts; the shares of outcomes divide the rest.
                cumulative = [share, *(share + (1.0 - share) * fair for fair in cumulative)]
                branches = [self._failed, *branches]
        return branches[self._choices.choose(cumulative, "outcome", request.number, number)]

    def _failure(self, request: Request, number: int) -> Failure | None:
        """Draw what the error of a failing attempt says; None if it says nothing."""
        if self._script_errors:
            errors = self._script_errors
            return errors[number - 1] if number < len(errors) else errors[-1]
        if self._final is None and self._retry_after is None:
            return None
        final = self._final is not None and not self._choices.choose(self._final, "final", request.number, number)
        wait_ns = NEVER if self._retry_after is None else self._retry_after(request.number, number, 0)
        return Failure(final, wait_ns)

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
        attempt.given_up = True
        attempt.blame = Cause.timeout
        if self._recorder is not None:
            self._recorder.add((self._clock.now_ns, "lost", attempt.request.number, attempt.number, "", None))
        attempt.host.attempt_lost()  # type: ignore[union-attr]  # it has not ended, so it has one

    def _effect(self, effect: _Effect) -> None:
        self._apply(effect.attempt)

    def _apply(self, attempt: Attempt) -> None:
        if attempt._effect_dropped:  # noqa: SLF001  # one machine in two classes
            return
        attempt.effect_done = True
        if self._witness is not None:
            self._witness.durable()
        request, now_ns = attempt.request, self._clock.now_ns
        name = apply_effect(request, attempt, now_ns, self._window_ns)
        if self._recorder is not None:
            self._recorder.add((now_ns, "effect", request.number, attempt.number, name, None))

    def _end(self, attempt: Attempt) -> None:
        if attempt._effect_at_end:  # noqa: SLF001  # one machine in two classes
            self._apply(attempt)
        if attempt.ended:
            return
        attempt.ended = True
        request, how = attempt.request, attempt.how
        request.last_attempt_end_ns = self._clock.now_ns
        if how in (DIED, CUT):
            attempt.given_up = True
        if self._recorder is not None:
            says = attempt.failure if how == THREW else None
            self._recorder.add((self._clock.now_ns, "attempt_end", request.number, attempt.number, how, says))
        attempt.host.attempt_over(how)  # type: ignore[union-attr]  # as above
