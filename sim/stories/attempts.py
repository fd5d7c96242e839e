"""The attempts of a request, in plain words: how they start and end, what they do, and how a client waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sim.history.events import (
    AttemptEnded,
    AttemptStarted,
    CallGivenUp,
    ContactLost,
    DecidedByKey,
    EffectMade,
    Event,
    GuestWoken,
    SleepStarted,
)
from sim.history.vocabulary import DIED, IN_USE, REJECTED, THREW
from sim.stories.phrases import (
    ACTION,
    CLIENT,
    KILLED,
    PLATFORM,
    WITH_OTHERS,
    WORLD,
    effect_words,
    end_words,
    late_words,
    span_text,
    wait_words,
    woken_words,
)
from sim.stories.story import Effect, Rank, Try

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.history.index import Index
    from sim.stories.platform import ByPlatform
    from sim.stories.policies import ByPolicy
    from sim.stories.telling import Telling


class OfAttempts:
    """Tells of attempts, and of a client's waits for them and between them."""

    def __init__(
        self, telling: Telling, index: Index, policy: ByPolicy, platform: ByPlatform, *, in_pool: bool
    ) -> None:
        self._telling = telling
        self._story = telling.story
        self._index = index
        self._policy = policy
        self._platform = platform
        self._in_pool = in_pool

    def take(self, event: Event) -> None:
        """Take an event; those that concern no attempt and no wait are left to others."""
        tell = self._tells.get(type(event))
        if tell is not None:
            tell(self, event)

    def waits_no_more(self, tried: Try, t_ns: int) -> None:
        """Tell that a client waits no longer for a call that goes on: after its timeout, or as it has concluded."""
        over = (tried.end_ns, tried.lost_ns, tried.given_up_ns) != (None, None, None)
        if tried.job is None and not over:
            tried.given_up_ns = t_ns
            waited = span_text(t_ns - tried.start_ns)
            text = f"stops waiting for attempt {tried.number} after {waited}; it goes on"
            self._telling.say(t_ns, CLIENT, text, Rank.telling)

    def _starts(self, event: AttemptStarted) -> None:
        story, t_ns, job = self._story, event.t_ns, self._story.jobs.get(event.job)
        decided_ns = due_ns = t_ns
        text = f"attempt {event.attempt} starts"
        if job is not None:
            decided_ns, due_ns = job.asked_ns, job.due_ns
            text += f" (job #{job.number}{late_words(due_ns, t_ns)})"
        elif story.sleep is not None:
            decided_ns, due_ns = story.sleep
            story.sleep = None
        story.tries.append(Try(event.attempt, event.outcome, t_ns, job, decided_ns, due_ns))
        self._telling.say(t_ns, ACTION, text, Rank.plain).starts = event.attempt

    def _ends(self, event: AttemptEnded) -> None:
        story, t_ns, how = self._story, event.t_ns, str(event.end)
        tried = story.tries[event.attempt - 1]
        if how == DIED and story.restarts and story.restarts[-1] == (t_ns, None):
            how = KILLED
        alone = tried.job is None or tried.job.number in self._platform.struck or not self._in_pool
        if how == DIED and not alone and not tried.outcome.startswith("crash"):
            how = WITH_OTHERS
        tried.end_ns, tried.how, tried.failure = t_ns, how, event.failure
        text = end_words(tried.number, tried.outcome, how, t_ns - tried.start_ns, event.failure)
        if tried.lost_ns is not None:
            text += ", unseen"
        elif tried.given_up_ns is not None:
            text += ", but no caller waits for it any more"
        usual = tried.outcome == "fail" or tried.outcome.startswith(REJECTED)
        plain = how == THREW and usual and not (event.failure is not None and event.failure.final)
        self._telling.say(t_ns, ACTION, text, Rank.plain if plain else Rank.telling)

    def _by_key(self, event: DecidedByKey) -> None:
        why = "another call is at work" if event.name == IN_USE else "it gets the first answer again"
        self._telling.say(event.t_ns, WORLD, f"the key of attempt {event.attempt} is known: {why}", Rank.telling)

    def _lost(self, event: ContactLost) -> None:
        tried = self._story.tries[event.attempt - 1]
        tried.lost_ns = event.t_ns
        if tried.given_up_ns is None:
            host = PLATFORM if self._story.jobs else CLIENT
            self._telling.say(event.t_ns, host, f"contact with attempt {event.attempt} is lost; it goes on")

    def _effect(self, event: EffectMade) -> None:
        tried = self._story.tries[event.attempt - 1]
        self._story.effects.append(Effect(event.t_ns, event.attempt, event.effect))
        text = effect_words(event.attempt, event.effect)
        if tried.end_ns is not None and tried.end_ns < event.t_ns:
            text += f", {span_text(event.t_ns - tried.end_ns)} after the attempt's end"
        self._telling.say(event.t_ns, WORLD, text, Rank.telling)

    def _given_up(self, event: CallGivenUp) -> None:
        self.waits_no_more(self._story.tries[event.attempt - 1], event.t_ns)

    def _sleep(self, event: SleepStarted) -> None:
        self._story.sleep = (event.t_ns, event.t_ns + event.duration_ns)
        if self._policy.told_sleep_ns != event.t_ns:
            self._telling.say(event.t_ns, CLIENT, wait_words(event), Rank.plain)

    def _woken(self, event: GuestWoken) -> None:
        request = self._index.requests[event.request]
        at = next((at for at, (_, woken) in request.cuts.items() if woken is event), None)
        cut = next((sleep for place, sleep in request.sleeps if place == at), None)
        if cut is not None and self._story.sleep is not None:
            self._story.sleep = (cut.t_ns, event.t_ns)
        self._telling.say(event.t_ns, CLIENT, woken_words(event, cut), Rank.plain)

    _tells: ClassVar[dict[type[Event], Callable[..., None]]] = {
        AttemptStarted: _starts,
        AttemptEnded: _ends,
        CallGivenUp: _given_up,
        ContactLost: _lost,
        DecidedByKey: _by_key,
        EffectMade: _effect,
        SleepStarted: _sleep,
        GuestWoken: _woken,
    }
