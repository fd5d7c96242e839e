"""What a policy decided for a request, in plain words: why there is a retry or none, what its gates did, its copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from sim.history import events, policy_events
from sim.stories.phrases import CLIENT, span_text
from sim.stories.story import Rank

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.stories.services import Say
    from sim.stories.story import Story

RETRY: Final = "retry"
BREAKER, BULKHEAD, RATE_LIMIT = "breaker", "bulkhead", "rate_limit"
WHOSE: Final = ("the request", "the try", "a copy")
"""What a gate refuses, by its level."""
STATES: Final = {"open": "opens", "half_open": "is half open", "closed": "closes"}
AT_START: Final = {
    "deadline": "the deadline is over as the next try would start",
    "attempts": "all tries were used, and the last sleep is over",
}
AT_ANY_TIME: Final = {"deadline": "the deadline is over", "timeout": "the timeout of the whole request is over"}


class ByPolicy:
    """Tells the events of the policy of one request."""

    def __init__(self, story: Story, say: Say) -> None:
        self._story = story
        self._say = say
        self._asked = False
        self._client = 0
        self._class = ""
        self._tries = 1
        self._retries = 0
        self._last_ns = 0
        """When the last copy began."""
        self._delivers = False
        self._waits = ""
        """The gate at which something waits."""
        self._breaker: policy_events.BreakerChanged | None = None
        """The last change of the breaker of this request."""
        self.told_sleep_ns = -1
        """When a decision told of the sleep that follows."""

    def take(self, event: events.Event) -> None:
        """Take an event; those that are none of a policy's are left to others."""
        tell = self._tells.get(type(event))
        if tell is not None:
            tell(self, event)

    def _submitted(self, event: events.Submitted) -> None:
        self._asked = True
        self._client, self._class = max(event.client, 0), event.caller_class or ""

    def _attempt(self, event: events.AttemptStarted) -> None:
        self._last_ns = event.t_ns
        self._waits = ""

    def _decided(self, event: policy_events.Decided) -> None:
        match event.moment:
            case policy_events.AT_COPY:
                self._say(event.t_ns, CLIENT, f"no further copy: {_budget(event)}", Rank.telling)
                return
            case policy_events.AT_START:
                why = AT_START.get(event.reason) or _budget(event)
            case policy_events.AT_ANY_TIME:
                why = AT_ANY_TIME[event.reason]
            case _:
                if event.reason == RETRY:
                    self._retry(event)
                    return
                why = self._why_not(event)
        self._story.why = why
        what = "no retry" if event.moment == policy_events.AT_ANSWER else "gives up"
        self._say(event.t_ns, CLIENT, f"{what}: {why}")

    def _retry(self, event: policy_events.Decided) -> None:
        self._retries += 1
        self._tries += 1
        self._delivers = False
        self.told_sleep_ns = event.t_ns
        when = f"in {span_text(event.wait_ns)}" if event.wait_ns else "at once"
        why = []
        if event.hint_ns >= 0 or event.wait_ns != event.own_ns:
            why.append(f"own delay {span_text(event.own_ns)}")
        if event.hint_ns >= 0:
            asked = f"Retry-After asks for {span_text(event.hint_ns)}"
            kept = {event.hint_ns: "", event.own_ns: ", which does not count"}
            why.append(
                asked + kept.get(event.wait_ns, f", {'cut' if event.wait_ns < event.hint_ns else 'made'} to this")
            )
        elif event.wait_ns < event.own_ns:
            why.append("cut to this")
        if event.unit:
            why.append(f"budget {event.have:g} of {event.of:g} {event.unit}")
        told = f" ({'; '.join(why)})" if why else ""
        self._say(event.t_ns, CLIENT, f"retry {self._retries} {when}{told}", Rank.plain)

    def _why_not(self, event: policy_events.Decided) -> str:  # noqa: PLR0911  # one answer a reason
        match event.reason:
            case "final":
                return "the error is final"
            case "retry_on":
                return f"{event.answer} is no answer that is retried"
            case "no_hint":
                return f"{event.answer} is retried only if it says how long to wait"
            case "hint" if event.hint_ns >= 0:
                return f"Retry-After asks for {span_text(event.hint_ns)}, which is too long"
            case "hint":
                return "the answer asks for none"
            case "attempts":
                return "its only try is used" if self._tries == 1 else f"all {self._tries} tries are used"
            case "table":
                return "the table of delays is at its end"
            case "deadline" if event.wait_ns:
                return f"the deadline would be over before a sleep of {span_text(event.wait_ns)}"
            case "deadline":
                return "the deadline is over"
            case _:
                return _budget(event)

    def _refused(self, event: policy_events.TryRefused) -> None:
        why = {
            BREAKER: self._breaker_words(event.t_ns),
            BULKHEAD: "waited too long at the bulkhead" if self._waits == BULKHEAD else "bulkhead full",
            RATE_LIMIT: "no token at the rate limit",
            "timeout": "timed out at a gate",
        }[event.gate]
        self._waits = ""
        self._story.refusals.append((event.t_ns, event.gate))
        if not event.level:
            self._story.why = why
        whose = "refused" if event.level == 1 else f"{WHOSE[event.level]} is refused"
        self._say(event.t_ns, CLIENT, f"{why}: {whose}, no call made", Rank.telling)

    def _breaker_words(self, t_ns: int) -> str:
        breaker = self._breaker
        if breaker is None:
            return "breaker open"
        ago = span_text(t_ns - breaker.since_ns)
        return f"breaker open for {ago}" if breaker.state == "open" else "breaker half open, its calls under way"

    def _gate_waited(self, event: policy_events.GateWaited) -> None:
        self._waits = event.gate
        what = "" if event.level == 1 else f"{WHOSE[event.level]} "
        if event.gate == RATE_LIMIT:
            text = f"{what}waits {span_text(event.wait_ns)} for a token of the rate limit"
        else:
            most = f", {span_text(event.wait_ns)} at most" if event.wait_ns >= 0 else ""
            text = f"{what}waits for a place in the bulkhead{most}"
        self._say(event.t_ns, CLIENT, text, Rank.telling)

    def _copy(self, event: policy_events.CopySent) -> None:
        if self._delivers:
            self._delivers = False
            return
        after = span_text(event.t_ns - self._last_ns)
        self._say(event.t_ns, CLIENT, f"copy {event.number} of try {self._tries} is sent after {after}", Rank.telling)

    def _again(self, event: policy_events.DeliveredAgain) -> None:
        self._delivers = True
        self._tries = event.tries
        text = f"try {event.tries} is delivered beside the one before, which has not ended"
        self._say(event.t_ns, CLIENT, text, Rank.telling)

    def _changed(self, event: policy_events.BreakerChanged) -> None:
        mine = event.request == self._story.request or (
            event.request < 0
            and (event.scope != "client" or event.owner == self._client)
            and (event.policy.startswith("=") or event.policy.removesuffix("/") in {"", self._class})
        )
        if mine:
            self._breaker = event
        if mine and self._asked:
            self._say(event.t_ns, CLIENT, f"breaker {STATES[event.state]}", Rank.plain)

    _tells: ClassVar[dict[type[events.Event], Callable[..., None]]] = {
        events.Submitted: _submitted,
        events.AttemptStarted: _attempt,
        policy_events.Decided: _decided,
        policy_events.TryRefused: _refused,
        policy_events.GateWaited: _gate_waited,
        policy_events.CopySent: _copy,
        policy_events.DeliveredAgain: _again,
        policy_events.BreakerChanged: _changed,
    }


def _budget(event: policy_events.Decided) -> str:
    """Say how a budget stands that has nothing to give."""
    if not event.unit:
        return "budget empty"
    word = "empty" if event.unit == "tokens" else "used up"
    return f"budget {word} ({event.have:g} of {event.of:g} {event.unit})"
