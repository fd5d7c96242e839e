"""`tokens`: retries cost tokens, and successes, requests and time bring them back.

    step                  level
    request starts        + on_request
    retryable failure     - cost                          charges: on_failure
    retry or copy goes    - cost                          charges: on_retry
    clean success         + clean
    success after retry   + retried, or the cost of its last retry
    a second              + per_second

It starts at `start` and stays between 0 and `capacity`: what would go beyond is lost. A retry is allowed if the level
is at least its cost, above half of the capacity, or above a number. All amounts are whole thousandths. What time
brings is kept in billionths of a thousandth, so a thousandth is there at the first nanosecond by which it has come.

Who does it so:

- gRPC (proposal A6; grpc core `retry_throttle.cc`; grpc-java `RetriableStream.java`): `{capacity: maxTokens, cost: 1,
  on_success: tokenRatio, charges: on_failure, allows: above_half}`. A failed try costs before the test and also if it
  is the last one, and a success of any request pays. The level may be less than the cost: it goes to 0. Exactly half
  is not above half. One cell for each server name.
- botocore up to 1.43 (`retries/quota.py`, `standard.py`): `{capacity: 500, cost: {timed_out: 10, else: 5}, on_success:
  {clean: 1, retried: last_cost}}`; one for each client object. Only the last cost comes back: two retries and a
  success have lost the first.
- botocore from 1.44.0 and smithy since 2026: `cost: {failed.throttled: 5, rejected: 5, else: 14}`, otherwise the same;
  long polls have `empty: sleep`.
- M. Brooker, "Fixing retries with token buckets and circuit breakers" (2022), adaptive: `{capacity: C, cost: 1,
  on_request: 0.1, allows: {above: 1.0}}`. A request that starts pays in, whatever becomes of it, and exactly one token
  is not enough.
"""

from typing import Final, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from sim.clients.policy.answers import ScopeField, name_that_fits
from sim.clients.policy.budget_cell import Budget, Level
from sim.clients.policy.token_forms import (
    ELSE,
    LAST_COST,
    THOUSAND,
    Allows,
    Costs,
    OnSuccess,
    Refund,
    Start,
    Tokens,
    thousandths,
    written,
)
from sim.kernel.durations import NS_PER_S
from sim.kernel.errors import InternalError
from sim.options.model import Options

THE_LAST: Final = -1
"""In place of an encoded amount: what the last retry paid."""
AT_LEAST_COST: Final = -1
"""In place of an encoded bound."""


class EncodedTokens(NamedTuple):
    """All that a cell runs from: whole numbers, in thousandths of a token, and names of answers."""

    capacity: int
    start: int
    costs: tuple[tuple[str, int], ...]
    """By answer, the last one `else`."""
    clean: int
    retried: int
    """`THE_LAST` for what the last retry paid."""
    on_request: int
    per_second: int
    above_doubled: int
    """Twice the level must be above it; `AT_LEAST_COST` if the level must be at least the cost."""
    on_failure: int
    """1 if each retryable failure pays, 0 if each retry does."""
    sleeps_if_empty: int
    takes_at_start: int


class TokensOptions(Options):
    """Retries cost tokens. Without an income it is a fixed stock: `start` and no more."""

    capacity: Tokens = Field(description="The most tokens.")
    start: Start = Field(default="full", description="How many there are at first: `full`, `empty` or a number.")
    cost: Costs = Field(
        default=((ELSE, 1.0),),
        description="What a retry costs, or by answer `{timed_out: 10, else: 5}`; the more special name counts.",
        json_schema_extra={"default": 1},
    )
    on_success: OnSuccess = Field(
        default=Refund(0.0, 0.0),
        description="What a success brings: a number, `last_cost`, or `{clean: 1, retried: last_cost}`.",
        json_schema_extra={"default": 0},
    )
    on_request: Tokens = Field(default=0.0, description="What a request that starts brings.")
    per_second: Tokens = Field(default=0.0, description="What a second brings.")
    allows: Allows = Field(
        default="at_least_cost",
        description="When a retry may go: `at_least_cost`, `above_half` of the capacity, or `{above: 1.0}`.",
    )
    charges: Literal["on_retry", "on_failure"] = Field(
        default="on_retry", description="Who pays: a retry, or each failure that would be retried, the last too."
    )
    empty: Literal["fail", "sleep"] = Field(
        default="fail", description="Without budget a request fails at once, or after it has slept the delay."
    )
    takes: Literal["at_decision", "at_start"] = Field(
        default="at_decision", description="A retry pays as it is decided, or as its call begins, after the sleep."
    )
    scope: ScopeField = None

    @model_validator(mode="after")
    def _can_allow(self) -> Self:
        if not self.capacity:
            raise ValueError("a budget of 0 tokens never allows a retry; leave out the retries instead")
        if isinstance(self.start, float) and self.start > self.capacity:
            raise ValueError(f"start exceeds the capacity of {written(self.capacity)} tokens")
        income = (self.on_request, self.per_second, self.on_success.clean)
        needs_tokens = self.allows != "at_least_cost" or all(cost for _, cost in self.cost)
        if needs_tokens and not self.start_thousandths and not any(income):
            # What a success after a retry brings is none: no retry ever goes.
            raise ValueError("it starts empty and nothing brings tokens, so no retry could ever go")
        if self.allows == "at_least_cost":
            for name, cost in self.cost:
                if cost > self.capacity:
                    what = "a retry" if name == ELSE else f"a retry after {name}"
                    raise ValueError(f"{what} costs more than the capacity of {written(self.capacity)} tokens: never")
        if isinstance(self.allows, float) and self.allows >= self.capacity:
            raise ValueError("allows: the level is never above the capacity, so no retry could go")
        return self

    @model_validator(mode="after")
    def _knows_who_pays(self) -> Self:
        if self.charges == "on_failure":
            if self.takes == "at_start":
                raise ValueError("takes: at_start says when a retry pays, but with charges: on_failure failures pay")
            if self.on_success.retried == LAST_COST:
                raise ValueError("on_success: last_cost is what a retry paid, but with charges: on_failure none pays")
        return self

    @property
    def start_thousandths(self) -> int:
        """How many thousandths of a token there are at first."""
        if isinstance(self.start, str):
            return thousandths(self.capacity) if self.start == "full" else 0
        return thousandths(self.start)

    def encoded(self) -> EncodedTokens:
        """Return the whole numbers that a cell runs from."""
        capacity = thousandths(self.capacity)
        by_name = sorted(self.cost, key=lambda item: item[0] == ELSE)
        retried = self.on_success.retried
        if isinstance(self.allows, float):
            above_doubled = 2 * thousandths(self.allows)
        else:
            above_doubled = capacity if self.allows == "above_half" else AT_LEAST_COST
        return EncodedTokens(
            capacity=capacity,
            start=self.start_thousandths,
            costs=tuple((name, thousandths(cost)) for name, cost in by_name),
            clean=thousandths(self.on_success.clean),
            retried=THE_LAST if isinstance(retried, str) else thousandths(retried),
            on_request=thousandths(self.on_request),
            per_second=thousandths(self.per_second),
            above_doubled=above_doubled,
            on_failure=int(self.charges == "on_failure"),
            sleeps_if_empty=int(self.empty == "sleep"),
            takes_at_start=int(self.takes == "at_start"),
        )


class TokenBudget(Budget):
    """One bucket of tokens; the module's docstring has its steps."""

    __slots__ = ("_costs", "_level", "_on_the_way", "_rules")

    def __init__(self, rules: EncodedTokens) -> None:
        super().__init__(takes_at_start=bool(rules.takes_at_start), sleeps_if_empty=bool(rules.sleeps_if_empty))
        self._rules = rules
        self._costs = dict(rules.costs)
        self._level = rules.start
        self._on_the_way = 0
        """Billionths of a thousandth that time has brought."""

    @property
    def thousandths(self) -> int:
        """How many thousandths of a token there were at the last step."""
        return self._level

    def cost(self, kind: str) -> int:
        """Return what an answer of this kind costs."""
        return self._costs[name_that_fits(kind, self._costs) or ELSE]

    def allows(self, now_ns: int, kind: str) -> bool:
        """Whether there are enough tokens."""
        self._step(now_ns)
        above_doubled = self._rules.above_doubled
        if above_doubled == AT_LEAST_COST:
            return self._level >= self.cost(kind)
        return 2 * self._level > above_doubled

    def take(self, now_ns: int, kind: str) -> int:
        """Pay for a retry; return what was there to take, so that giving it back is no gain."""
        super().take(now_ns, kind)
        return 0 if self._rules.on_failure else self._charge(self.cost(kind))

    def request_started(self, now_ns: int) -> None:
        """Bring what a request brings."""
        self._step(now_ns)
        self._bring(self._rules.on_request)

    def failed(self, now_ns: int, kind: str, *, retryable: bool) -> None:
        """Charge a failure, if failures pay."""
        self._step(now_ns)
        if retryable and self._rules.on_failure:
            self._charge(self.cost(kind))

    def succeeded(self, now_ns: int, *, retried: bool, last_cost: int) -> None:
        """Bring what a success brings."""
        if last_cost < 0 or (last_cost and not retried):
            raise InternalError(f"a request that was {'' if retried else 'not '}retried gives back {last_cost}")
        self._step(now_ns)
        amount = self._rules.retried if retried else self._rules.clean
        self._bring(last_cost if amount == THE_LAST else amount)

    def level(self, now_ns: int) -> Level:
        """Return how many tokens there are."""
        self._step(now_ns)
        return Level(self._level / THOUSAND, self._rules.capacity / THOUSAND, "tokens")

    def _step(self, now_ns: int) -> None:
        before_ns = self._now_ns
        super()._step(now_ns)
        if self._rules.per_second:
            whole, self._on_the_way = divmod(self._on_the_way + (now_ns - before_ns) * self._rules.per_second, NS_PER_S)
            self._bring(whole)

    def _bring(self, amount: int) -> None:
        self._level += amount
        if self._level >= self._rules.capacity:
            self._level = self._rules.capacity
            self._on_the_way = 0

    def _charge(self, cost: int) -> int:
        paid = min(cost, self._level)
        self._level -= paid
        if paid < cost:
            self._on_the_way = 0
        return paid
