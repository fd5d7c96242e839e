"""`policy`: every key that a retrier can have that is data.

Nothing is on unless stated: one try, no delay, no timeout, and Retry-After is ignored.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from sim.clients.cells import Scope
from sim.clients.policy.answers import ANSWER_PATTERN, FAILURES, AnswerName, name_that_fits
from sim.clients.policy.breakers import BreakerOptions
from sim.clients.policy.budgets import BudgetOptions
from sim.clients.policy.delays import ConstantDelay, DelayField, NoDelay
from sim.clients.policy.gates import BulkheadOptions, CallerRateLimitOptions
from sim.clients.policy.hedges import Hedge
from sim.clients.policy.limits import AFTER_ATTEMPT, HARD, DeadlineField, Pickup, Redeliver, RetryAfter
from sim.options.model import DurationNs, Options
from sim.options.part_name import PartName
from sim.options.shorthand import AlsoWritten
from sim.world.services.options import refuse

MOST_ATTEMPTS: Final = 1_000_000
UNLIMITED: Final = "unlimited"
MOST_CASES: Final = 100

Layer = Literal["deadline", "retry", "bulkhead", "rate_limit", "breaker", "hedge", "timeout"]
ORDER: Final[tuple[Layer, ...]] = get_args(Layer)
"""The layers of a policy, outermost first, in their usual order."""
DEADLINE, RETRY, BULKHEAD, RATE_LIMIT, BREAKER, HEDGE, TIMEOUT = ORDER
SHARED: Final = ("budget", "breaker", "bulkhead", "rate_limit")
"""The blocks that have state which others may share."""


def _attempts(value: Any) -> Any:
    if value == UNLIMITED:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_ATTEMPTS:
        return value
    if value is None:
        return None
    reason = f"expected a number of tries from 1 to {MOST_ATTEMPTS:,}, the first included, or '{UNLIMITED}'"
    raise PydanticCustomError("attempts", "{reason}", {"reason": reason})


Attempts = Annotated[
    int | None,
    BeforeValidator(_attempts),
    PlainSerializer(lambda value: UNLIMITED if value is None else value),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST_ATTEMPTS}, {"const": UNLIMITED}]}),
]
"""A number of tries, the first included; in memory None for `unlimited`."""


_OneAnswer: Final = BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)


def _some_answers(answers: tuple[str, ...]) -> tuple[str, ...]:
    if not answers:  # Pydantic's own check counts only the entries without a mistake
        raise ValueError("must have at least 1 entry, got 0")
    return answers


_EXAMPLES: Final = {
    "retry_after": "{at_most: 30s}",
    "pickup": "{every: {constant: 5s}}",
    "redeliver": "{after: 30s}",
    "breaker": "{window: {consecutive: 5}, open: 30s}",
    "hedge": "{after: 500ms}",
    "bulkhead": "{at_most: 20}",
    "rate_limit": "{rate: 50/s}",
}
"""How blocks are written."""


class Case(Options):
    """How answers of some kinds are handled; keys that are not written are those of the policy."""

    on: Annotated[
        tuple[AnswerName, ...],
        Field(strict=False, max_length=MOST_CASES, json_schema_extra={"minItems": 1}),
        AfterValidator(_some_answers),
        _OneAnswer,
        AlsoWritten({"type": "string", "pattern": ANSWER_PATTERN}),
    ] = Field(description="The answers that this case is for.")
    delay: DelayField | None = Field(
        default=None, description="Delay before these retries, in place of that of the policy."
    )
    attempts: Attempts = Field(default=None, description="Tries of this case, in place of those of the policy.")
    counter: Literal["shared", "own"] = Field(
        default="shared", description="`own`: attempts and delays count only the failures of this case."
    )
    hint: Literal["required"] | None = Field(
        default=None, description="`required`: it is retried only if the answer says how long to wait."
    )


class PolicyOptions(Options):
    """A policy; nothing is on unless stated."""

    name: PartName | None = Field(default=None, description="Policies with one name share their state.")
    attempts: Attempts = Field(
        default=1, description="Tries, the first included; copies of a hedge do not count.", validate_default=False
    )
    limits: Literal["any", "all"] = Field(
        default="any", description="Whether the first of attempts and deadline ends it, or only both together."
    )
    delay: DelayField = Field(
        default=NoDelay(), description="Before each retry.", json_schema_extra={"default": "none"}
    )
    timeout: DelayField | None = Field(
        default=None, description="Of one try: after it the caller gives up on the call, which goes on."
    )
    deadline: DeadlineField | None = Field(default=None, description="Of all tries; a bare duration is a hard one.")
    retry_on: Annotated[
        tuple[AnswerName, ...],
        Field(strict=False, max_length=MOST_CASES, description="The answers that are retried."),
        _OneAnswer,
        AlsoWritten({"type": "string", "pattern": ANSWER_PATTERN}),
    ] = FAILURES
    final: Literal["gives_up", "retried"] = Field(
        default="gives_up", description="What becomes of an error that is marked as final."
    )
    retry_after: RetryAfter | None = Field(
        default=None, description="What becomes of a wait that an answer asks for; ignored unless stated."
    )
    cases: Annotated[tuple[Case, ...], Field(strict=False, max_length=MOST_CASES)] = Field(
        default=(), description="Answers that are handled otherwise; the first that matches counts."
    )
    delay_from: Literal["end", "start"] = Field(
        default="end",
        description="`start`: a delay counts from the start of the try that failed, as a visibility timeout does.",
    )
    due_floor: Annotated[DurationNs, Field(gt=0)] | None = Field(
        default=None, description="The instant of a retry is cut to a multiple of it, up to that much early."
    )
    sleeps_after_last: bool = Field(
        default=False, description="Whether the delay is slept even after the last try, before the failure is told."
    )
    pickup: Pickup | None = Field(default=None, description="A retry that is due waits for its worker's next look.")
    redeliver: Redeliver | None = Field(
        default=None, description="A try that has not ended by then is tried again beside it."
    )
    budget: BudgetOptions | None = Field(default=None, description="What all retries may cost together.")
    breaker: BreakerOptions | None = Field(default=None, description="Refuses calls while too many fail.")
    hedge: Hedge | None = Field(default=None, description="More copies of a try that takes long.")
    bulkhead: BulkheadOptions | None = Field(default=None, description="How many may be under way at once.")
    rate_limit: CallerRateLimitOptions | None = Field(default=None, description="How many may start in a time.")
    scope: Scope | None = Field(
        default=None,
        description="Whose state budget, breaker, bulkhead and rate limit are: `client` unless stated. In isolated "
        "worlds each request is alone.",
    )
    order: Annotated[tuple[Layer, ...], Field(strict=False, max_length=len(ORDER))] = Field(
        default=ORDER,
        description="Outermost first; left of `retry` once a request, right of it every try, right of `hedge` every "
        "copy.",
    )

    @field_validator(*_EXAMPLES, mode="before")
    @classmethod
    def _is_a_block(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None or isinstance(value, Mapping | Options):
            return value
        raise ValueError(f"expected a mapping of keys, such as {_EXAMPLES[str(info.field_name)]}")

    @field_validator("order")
    @classmethod
    def _all_layers(cls, order: tuple[str, ...]) -> tuple[str, ...]:
        missing = [layer for layer in ORDER if layer not in order]
        if missing or len(set(order)) < len(order):
            twice = next((layer for layer in order if order.count(layer) > 1), "")
            wrong = (
                f"'{twice}' stands there twice"
                if twice
                else f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
            )
            raise ValueError(f"the order has each layer once, in any order: {', '.join(ORDER)}; {wrong}")
        if order.index(HEDGE) < order.index(RETRY):
            raise ValueError(
                "hedge cannot stand left of retry: copies of a whole request are not copies of a try. Write `attempts: "
                "1` and the hedge alone, or the copies as a class of callers"
            )
        if order.index(DEADLINE) > order.index(RETRY):
            raise ValueError(
                "deadline cannot stand right of retry: it is that of all tries. The limit of one try is its `timeout`"
            )
        return order

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for place, reason in self._misfits():
            refuse([place], reason)
        return self

    def _misfits(self) -> Iterator[tuple[tuple[str | int, ...], str]]:  # noqa: C901, PLR0912  # one branch a misfit
        """Find what cannot stand beside something else: the place of the key and the reason."""
        deadline, hedge = self.deadline, self.hedge
        if hedge is not None and isinstance(hedge.after, int):
            if deadline is not None and HARD in deadline.kind and hedge.after >= deadline.after:
                yield ("hedge", "after"), "no copy would ever be sent: the deadline ends all before"
            outside = self.order.index(TIMEOUT) < self.order.index(HEDGE)
            limit = self.timeout.delay if isinstance(self.timeout, ConstantDelay) else None
            if outside and limit is not None and hedge.after >= limit:
                yield ("hedge", "after"), "no copy would ever be sent: the timeout of the try ends it before"
        if isinstance(self.timeout, NoDelay) or (isinstance(self.timeout, ConstantDelay) and not self.timeout.delay):
            yield ("timeout",), "must be longer than 0; leave it out for no timeout"
        if getattr(self.timeout, "then", "") == "stop":
            yield ("timeout", "table", "then"), "a try has a timeout or none: behind its last entry a table repeats it"
        if self.limits == "all":
            if deadline is None or self.attempts is None:
                yield ("limits",), "`all` needs both attempts and a deadline: only both together end it"
            elif HARD in deadline.kind and "kind" in deadline.model_fields_set:
                yield (
                    ("limits",),
                    (
                        "`all` cannot hold beside a hard deadline, which ends everything by itself; write "
                        "`kind: after_attempt`"
                    ),
                )
        if self.scope is not None and not any(getattr(self, block) is not None for block in SHARED):
            uses_state = getattr(self.delay, "state", None) == "client" or hedge is not None
            if not uses_state:
                yield ("scope",), f"cannot matter: there is no {', no '.join(SHARED)}"
        for position, case in enumerate(self.cases):
            for place, kind in enumerate(case.on):
                retried = name_that_fits(kind, self.retry_on) is not None or any(
                    name_that_fits(other, (kind,)) for other in self.retry_on
                )
                if not retried and not (self.retry_after is not None and self.retry_after.decides):
                    yield ("cases", position, "on", place), f"{kind} is never retried: it is not in retry_on"

    @property
    def ends(self) -> bool:
        """Whether it ends by itself, so that it needs no end of the scenario."""
        return self.attempts is not None or self.deadline is not None or self.budget is not None

    @property
    def deadline_kinds(self) -> tuple[str, ...]:
        """The kinds of its deadline; beside `limits: all` it is tested at an answer unless stated."""
        if self.deadline is None:
            return ()
        if self.limits == "all" and "kind" not in self.deadline.model_fields_set:
            return (AFTER_ATTEMPT,)
        return self.deadline.kind

    def scope_of(self, block: str) -> Scope | None:
        """Return the scope that is written for a block, its own or the policy's; None if none is."""
        own: Scope | None = getattr(getattr(self, block), "scope", None)
        return self.scope if own is None else own
