"""The steps of a policy: what the events of one request say of tries, copies, gates and answers, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from sim.history.entities import Attempt, Request
    from sim.history.events import Event
    from sim.promises.policy import PolicyTerms

REQUEST, TRY, COPY = 0, 1, 2
"""What passes gates."""
NO_ANSWER: Final = ""
"""In place of the kind of an answer: there was none."""
ELSE: Final = "else"


class What(Enum):
    """What a step is."""

    asked = "asked"
    """The request begins."""
    passed = "passed"
    """A gate lets the request, a try or a copy through."""
    waits = "waits"
    """It has to wait at a gate."""
    refused = "refused"
    """A gate refuses it."""
    left = "left"
    """A gate that it has passed, or at which it waits, is left; `kind` is the answer, if there was one."""
    begun = "begun"
    """A try begins."""
    sent = "sent"
    """A copy that costs what a retry does is on its way: the hedge sends it."""
    unsent = "unsent"
    """The budget does not allow a copy."""
    again = "again"
    """A try begins beside one that has not ended."""
    called = "called"
    """A call begins."""
    answered = "answered"
    """A call of the present try has an answer; a timeout is one."""
    given_up = "given_up"
    """Nothing waits for a call any more, although it has no answer."""
    failed = "failed"
    """The present try has failed; `kind` is its answer."""
    decided = "decided"
    """The policy says what follows."""
    slept = "slept"
    """A sleep begins."""
    ended_at_start = "ended_at_start"
    """The next try does not start although its sleep is over."""
    cut = "cut"
    """Time is over: all ends."""
    succeeded = "succeeded"
    """The request has its success."""
    over = "over"
    """The request is over for its policy."""


class Address(NamedTuple):
    """Whose state a part of a policy is."""

    policy: str
    part: str
    scope: str
    owner: str | int


@dataclass(slots=True, eq=False)
class Run:
    """One request, as its policy serves it."""

    request: Request
    terms: PolicyTerms
    client: int
    """The number of its client, 0 if there is only one."""

    @property
    def number(self) -> int:
        """The number of the request."""
        return self.request.number

    def address(self, part: str) -> Address:
        """Return whose this part is."""
        terms = self.terms
        scope = terms.scopes.get(part, "client")
        owners: dict[str, str | int] = {"client": self.client, "service": terms.service, "request": self.number}
        return Address(terms.name, part, scope, owners.get(scope, ""))


@dataclass(slots=True)
class Step:
    """One step; what does not belong to its kind is as it is here."""

    at: int
    """The place of the event that tells it."""
    t_ns: int
    run: Run
    what: What
    event: Event
    gate: str = ""
    level: int = COPY
    number: int = 0
    """Of a copy its number in its try, of a try its number."""
    attempt: Attempt | None = None
    kind: str = NO_ANSWER
    final: bool = False
    hint_ns: int = -1
    took_ns: int = 0
    """Of an answer at a gate: since the gates were passed."""
    waited: bool = False
    """Whether it has waited at the gate."""
    retry: bool = False
    """Of a call: whether it is any but the first one of its request."""
    paid: str = ""
    """Of a copy: the kind of the answer it pays for."""


def fits(kind: str, names: tuple[str, ...]) -> bool:
    """Tell whether one of these names stands for answers of a kind: the same, or `failed` for `failed.slow`."""
    return kind in names or kind.partition(".")[0] in names


def is_retried(terms: PolicyTerms, step: Step) -> bool:
    """Tell whether the answer of a step is one that is retried."""
    if step.final and not terms.retries_final:
        return False
    decides = terms.hint is not None and terms.hint.decides and step.hint_ns >= 0
    return decides or fits(step.kind, terms.retry_on)
