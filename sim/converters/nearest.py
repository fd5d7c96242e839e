"""The policy next to one that a format cannot say: what it would be if the format's usual answer took its place.

A plain `failed` is every failure, but gRPC, Envoy and others retry the codes that they are told. So that a policy
without codes has a configuration, the usual ones take the place of `failed`, and each such choice is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sim.converters.answers import is_retried
from sim.converters.writing import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.scenario.mistakes.problems import Path

FAILED: Final = "failed"
TIMED_OUT: Final = "timed_out"
RETRY_ON: Final = "retry_on"


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that a configuration says and the policy does not."""

    keys: Path
    """The key of the policy that it is about."""
    why: str


@dataclass(frozen=True, slots=True)
class Nearest:
    """A policy that a format can say, if it can say the rest, and in what it is another one."""

    policy: Mapping[str, Any]
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class UsualCodes:
    """What a format usually retries."""

    words: str
    """Its own words, with a verb: `UNAVAILABLE stands`."""
    answers: tuple[str, ...]
    """The answers that take the place of a plain `failed`."""
    always: tuple[str, ...] = ()
    """Answers that are retried whatever the configuration says."""

    def nearest(self, policy: Mapping[str, Any]) -> Nearest | None:
        """Return the policy with codes in place of `failed`; None if there is nothing to replace."""
        wanted = Wanted(policy)
        asked = wanted.retry_on
        kept = [answer for answer in asked if answer != FAILED]
        usual = self.answers if FAILED in asked else ()
        found = list(dict.fromkeys([*usual, *self.always, *kept]))
        if set(found) == set(asked):
            return None
        choices = []
        if usual:
            choices.append(
                Choice((RETRY_ON,), f"a plain `failed` has no code of its own, so {self.words} for it; choose yours")
            )
        more = [answer for answer in found if not is_retried(answer, asked) and self._matters(answer, wanted)]
        if more:
            named = " and ".join(f"`{answer}`" for answer in more)
            verb = "is" if len(more) == 1 else "are"
            choices.append(Choice((RETRY_ON,), f"{named} {verb} retried, too: the configuration cannot leave it out"))
        return Nearest({**wanted.tree, RETRY_ON: found}, tuple(choices))

    @staticmethod
    def _matters(answer: str, wanted: Wanted) -> bool:
        """Tell whether there can be such an answer: without a timeout of a try no try times out."""
        return answer != TIMED_OUT or "timeout" in wanted.tree
