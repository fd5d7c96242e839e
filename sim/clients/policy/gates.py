"""`bulkhead` and `rate_limit`: how many calls a caller makes at the same time, and how fast.

A bulkhead with a place:

    enter    a place is free        in        the waiter has a place
             none, a queue has room queued    it waits behind the others
             neither                full      it is refused
    leave    others wait            the first of them has the place
             none waits             the place is free
    withdraw                        it waits no longer: its `max_wait`, its deadline or its request is over

A rate limit is a bucket of tokens that is full at first. `empty: wait` reserves the next token that will be there, in
the order of asking, and says how long that takes; the one who waits passes then without asking again, and its token is
spent even if it never passes. `empty: refuse` says no and changes nothing.

Who does it so: the bulkhead of resilience4j (`maxConcurrentCalls`, `maxWaitDuration`; its queue is `unlimited`) and the
concurrency limiter of Polly (`PermitLimit`, `QueueLimit`); the rate limits `empty: wait` of Guava and of Go
(golang.org/x/time/rate `Wait`), `empty: refuse` of Polly and of Go (`Allow`).
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from sim.clients.policy.answers import ScopeField
from sim.kernel.errors import InternalError
from sim.options.model import DurationNs, Options, Rate
from sim.world.services.options import MOST_SERVERS, QueueLimit
from sim.world.services.tokens import TokenBucket

NO_LIMIT: Final = -1
"""In place of an encoded length of a queue, or of an encoded longest wait."""


class EncodedBulkhead(NamedTuple):
    """All that a cell runs from, and the longest wait, for which the caller has the clock."""

    at_most: int
    queue: int
    """`NO_LIMIT` if any number may wait."""
    max_wait_ns: int
    """`NO_LIMIT` if one may wait for ever."""


class BulkheadOptions(Options):
    """At most so many calls at the same time; others wait in a queue or are refused."""

    at_most: Annotated[int, Field(ge=1, le=MOST_SERVERS)] = Field(description="The most calls at the same time.")
    queue: QueueLimit = Field(
        default=0, description="The most that wait for a place, or `unlimited`; one more is refused at once."
    )
    max_wait: Annotated[DurationNs, Field(gt=0)] | None = Field(
        default=None, description="One that has waited for so long is refused."
    )
    scope: ScopeField = None

    @model_validator(mode="after")
    def _wait_can_matter(self) -> Self:
        if self.max_wait is not None and self.queue == 0:
            raise ValueError("max_wait cannot matter without a queue: one that finds no place is refused at once")
        return self

    def encoded(self) -> EncodedBulkhead:
        """Return the whole numbers that a cell runs from."""
        queue = NO_LIMIT if self.queue is None else self.queue
        return EncodedBulkhead(self.at_most, queue, NO_LIMIT if self.max_wait is None else self.max_wait)


class Bulkhead:
    """Places and a queue in front of them, first come first served. A waiter is any value that names it."""

    __slots__ = ("_rules", "_waiting", "in_use")

    def __init__(self, rules: EncodedBulkhead) -> None:
        self._rules = rules
        self._waiting: OrderedDict[Hashable, None] = OrderedDict()
        self.in_use = 0
        """How many places are taken."""

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def max_wait_ns(self) -> int:
        """How long one may wait; `NO_LIMIT` if for ever."""
        return self._rules.max_wait_ns

    def enter(self, waiter: Hashable) -> Literal["in", "queued", "full"]:
        """Take a place or wait for one, if there is room."""
        if waiter in self._waiting:
            raise InternalError(f"{waiter!r} waits already for a place in the bulkhead")
        if self.in_use < self._rules.at_most:
            self.in_use += 1
            return "in"
        if self._rules.queue != NO_LIMIT and len(self._waiting) >= self._rules.queue:
            return "full"
        self._waiting[waiter] = None
        return "queued"

    def leave(self) -> Hashable | None:
        """Give a place back; return who has it now, None if it is free."""
        if not self.in_use:
            raise InternalError("a place in the bulkhead is given back that is not taken")
        if self._waiting:
            return self._waiting.popitem(last=False)[0]
        self.in_use -= 1
        return None

    def withdraw(self, waiter: Hashable) -> None:
        """Take one out of the queue."""
        if waiter not in self._waiting:
            raise InternalError(f"{waiter!r} does not wait for a place in the bulkhead")
        del self._waiting[waiter]


class EncodedRateLimit(NamedTuple):
    """All that a cell runs from. `rate` is the float whose exact value `TokenBucket` takes."""

    rate: float
    burst: int
    refuses: int


class CallerRateLimitOptions(Options):
    """At most so many calls a second, and a few at once."""

    rate: Annotated[Rate, Field(gt=0)] = Field(description="How fast tokens come back; a call takes one.")
    burst: Annotated[int, Field(ge=1, le=MOST_SERVERS)] = Field(
        default=1, description="The most tokens; so many are there at first."
    )
    empty: Literal["wait", "refuse"] = Field(
        default="wait", description="Without a token a call waits for the next that is free, or is refused."
    )
    scope: ScopeField = None

    def encoded(self) -> EncodedRateLimit:
        """Return the numbers that a cell runs from."""
        return EncodedRateLimit(self.rate, self.burst, int(self.empty == "refuse"))


class CallerRateLimit:
    """A bucket of tokens in front of calls."""

    __slots__ = ("_bucket", "_now_ns", "refuses")

    def __init__(self, rules: EncodedRateLimit) -> None:
        self._bucket = TokenBucket(rules.rate, rules.burst)
        self._now_ns = 0
        self.refuses = bool(rules.refuses)
        """A wait that `take` returns is a refusal."""

    def take(self, now_ns: int) -> int:
        """Take a token and return 0, or return in how many ns there will be one.

        The call waits so long and has its token then; if the limit refuses, it has none.
        """
        if now_ns < self._now_ns:
            raise InternalError(f"the time of a rate limit goes back, from {self._now_ns} ns to {now_ns} ns")
        self._now_ns = now_ns
        return self._bucket.take(now_ns) if self.refuses else self._bucket.reserve(now_ns)
