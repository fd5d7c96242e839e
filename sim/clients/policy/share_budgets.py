"""Budgets that compare retries or failures with requests: `active` and `failures`; `window_budget` is the third.

    active      a retry may go while    retries in flight < at_least, or < share * requests in flight
    failures    a retry may go while    failed calls <= share * requests started, in (now - of, now] or for life

Comparisons are between whole numbers: a share is the decimal number that was written, one fifth for 0.2, so 2 retries
of 10 requests are a share of 0.2 and not a little less. What happens at the instant of the question counts if it was
told before; what is exactly `of` old does not.

The budgets of `window` and `active` can round the number of retries down (`round: down`): with 0.2 * 7 requests that
is 1 retry instead of 2.
"""

from typing import Annotated, Final, NamedTuple, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from sim.clients.policy.answers import ScopeField
from sim.clients.policy.budget_cell import Budget, Level
from sim.clients.policy.window_budget import FOR_LIFE, Recent, Rounding
from sim.kernel.durations import DURATION_PATTERN, format_duration
from sim.kernel.errors import InternalError
from sim.options.model import DurationNs, Options
from sim.options.share import Share, exact

LIFE: Final = "life"
MOST_RETRIES: Final = 10_000_000


class EncodedActive(NamedTuple):
    """Retries may go while `retries < at_least` or `unit * retries < requests * per_request`."""

    at_least: int
    unit: int
    per_request: int
    whole: int
    """1 if the right side is rounded down to a multiple of `unit`."""
    sleeping: int
    """1 if retries that sleep count."""


class ActiveOptions(Options):
    """Retries are a share of the requests in flight.

    Envoy (`retry_state_impl.cc`, `resource_manager_impl.h`): 20 % of the active and pending requests and at least 3, of
    one cluster and priority, with `round: down`, for the limit is cast to an integer. A retry counts from the decision
    to its answer, so with `sleeping: true`.
    """

    share: Share = Field(default=0.2, description="Retries in flight for each request in flight.")
    at_least: Annotated[int, Field(ge=0, le=MOST_RETRIES)] = Field(
        default=3, description="So many retries may be in flight however few requests are."
    )
    sleeping: bool = Field(default=False, description="Whether retries count that sleep before their call.")
    round: Rounding = "none"
    scope: ScopeField = None

    @model_validator(mode="after")
    def _can_allow(self) -> Self:
        if not self.share and not self.at_least:
            raise ValueError("a share of 0 and at_least 0 never allow a retry")
        return self

    def encoded(self) -> EncodedActive:
        """Return the whole numbers that a cell runs from."""
        share = exact(self.share)
        return EncodedActive(
            self.at_least, share.denominator, share.numerator, int(self.round == "down"), int(self.sleeping)
        )


class EncodedFailures(NamedTuple):
    """Retries may go while `unit * failed calls <= requests * per_request`."""

    of_ns: int
    """`FOR_LIFE` if all count."""
    unit: int
    per_request: int


def _life_or_duration(value: object) -> object:
    if value == LIFE or value is None:
        return None
    if isinstance(value, str | int) and not isinstance(value, bool):
        return value
    raise PydanticCustomError("life", "expected 'life' or a duration such as 10s", {})


LifeOrDuration = Annotated[
    Annotated[DurationNs, Field(gt=0)] | None,
    BeforeValidator(_life_or_duration),
    PlainSerializer(lambda of_ns: LIFE if of_ns is None else format_duration(of_ns)),
    WithJsonSchema({"anyOf": [{"const": LIFE}, {"type": "string", "pattern": DURATION_PATTERN}]}),
]


class FailuresOptions(Options):
    """No retry while too many calls fail, the present one included.

    M. Brooker, "Fixing retries with token buckets and circuit breakers" (2022): the breaker on retries, which lets
    first tries pass whatever happens and stops retries above a share of 10 %.
    """

    share: Share = Field(default=0.1, description="Failed calls for each request, up to which retries go.")
    of: LifeOrDuration = Field(
        default=None,
        description="How far back calls and requests count: `life` or a duration.",
        json_schema_extra={"default": LIFE},
    )
    scope: ScopeField = None

    @model_validator(mode="after")
    def _can_allow(self) -> Self:
        if not self.share:
            raise ValueError("a share of 0 never allows a retry: the call that failed counts")
        return self

    def encoded(self) -> EncodedFailures:
        """Return the whole numbers that a cell runs from."""
        share = exact(self.share)
        return EncodedFailures(FOR_LIFE if self.of is None else self.of, share.denominator, share.numerator)


class ActiveBudget(Budget):
    """Requests in flight, and retries asleep and in flight.

    step             asleep    in flight
    retry_asleep       +1
    retry_canceled     -1
    retry_started      -1 if it slept   +1
    retry_ended                         -1
    """

    __slots__ = ("_asleep", "_flying", "_requests", "_rules")

    def __init__(self, rules: EncodedActive) -> None:
        super().__init__()
        self._rules = rules
        self._requests = 0
        self._asleep = 0
        self._flying = 0

    def request_started(self, now_ns: int) -> None:
        """Count a request."""
        self._step(now_ns)
        self._requests += 1

    def request_ended(self, now_ns: int) -> None:
        """Count a request no longer."""
        self._there(self._requests, "request")
        self._step(now_ns)
        self._requests -= 1

    def retry_asleep(self, now_ns: int) -> None:
        """Count a retry that sleeps."""
        self._step(now_ns)
        self._asleep += 1

    def retry_canceled(self, now_ns: int) -> None:
        """Count a retry that slept no longer."""
        self._there(self._asleep, "sleeping retry")
        self._step(now_ns)
        self._asleep -= 1

    def retry_started(self, now_ns: int, *, asleep: bool) -> None:
        """Count a retry in flight."""
        if asleep:
            self._there(self._asleep, "sleeping retry")
        self._step(now_ns)
        self._asleep -= asleep
        self._flying += 1

    def retry_ended(self, now_ns: int) -> None:
        """Count a retry no longer."""
        self._there(self._flying, "retry")
        self._step(now_ns)
        self._flying -= 1

    def allows(self, now_ns: int, kind: str) -> bool:
        """Whether there are fewer retries than the share, or than `at_least`."""
        del kind
        self._step(now_ns)
        return self._counted < self._rules.at_least or self._rules.unit * self._counted < self._allowed

    def level(self, now_ns: int) -> Level:
        """Return the retries that count and how many there may be."""
        self._step(now_ns)
        return Level(self._counted, max(self._rules.at_least, self._allowed / self._rules.unit), "retries in flight")

    @property
    def _counted(self) -> int:
        return self._flying + self._asleep * self._rules.sleeping

    @property
    def _allowed(self) -> int:
        allowed = self._requests * self._rules.per_request
        return allowed - allowed % self._rules.unit if self._rules.whole else allowed

    @staticmethod
    def _there(count: int, what: str) -> None:
        if not count:
            raise InternalError(f"no {what} is there that could end")


class FailuresBudget(Budget):
    """Failed calls and requests, of a span of time or of all."""

    __slots__ = ("_failed", "_requests", "_rules")

    def __init__(self, rules: EncodedFailures) -> None:
        super().__init__()
        self._rules = rules
        self._requests = Recent(rules.of_ns)
        self._failed = Recent(rules.of_ns)

    def request_started(self, now_ns: int) -> None:
        """Count a request."""
        self._step(now_ns)
        self._requests.add(now_ns)

    def failed(self, now_ns: int, kind: str, *, retryable: bool) -> None:
        """Count a failed call, whether or not it would be retried."""
        del kind, retryable
        self._step(now_ns)
        self._failed.add(now_ns)

    def allows(self, now_ns: int, kind: str) -> bool:
        """Whether no larger share of the requests failed."""
        del kind
        self._step(now_ns)
        return self._rules.unit * self._failed.count(now_ns) <= self._rules.per_request * self._requests.count(now_ns)

    def level(self, now_ns: int) -> Level:
        """Return the failed calls and how many there may be."""
        self._step(now_ns)
        allowed = self._rules.per_request * self._requests.count(now_ns) / self._rules.unit
        return Level(self._failed.count(now_ns), allowed, "failed calls")
