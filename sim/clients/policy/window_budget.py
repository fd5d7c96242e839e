"""The budget `window`: retries are a share of the requests of late, and a few more.

A retry may go while    retries in (now - of, now] < share * requests started in it + at_least * of

Libraries count in slots that go as a whole. With `slots: 10` a slot is open for a tenth of `of`; the first request or
question after its time closes it and opens the next one at that instant, so that slots are a little longer than their
length. If several lengths have passed, slots in which nothing happened lie between the two.

    slot_rule    counts                          in between, after d lengths
    finagle      the open slot and 9 before it   floor(d) - 1 empty slots
    tower        the open slot and 10 before it  ceil(d) - 1 empty slots

`per_request: 0.2` bounds one request: so many retries at most as a fifth of what the budget has at its start, its own
share included, rounded up.
"""

from collections import deque
from fractions import Fraction
from math import ceil, lcm
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from sim.clients.policy.answers import ScopeField
from sim.clients.policy.budget_cell import Budget, Level
from sim.kernel.durations import NS_PER_S
from sim.options.model import DurationNs, Options, Rate
from sim.options.share import Share, exact

LARGEST_DENOMINATOR: Final = 10**12
"""Of a rate a second: one written per hour is met exactly, although it is kept as a float."""
FOR_LIFE: Final = -1
"""In place of an encoded length of a window."""
MOST_SLOTS: Final = 1000

Rounding = Annotated[
    Literal["none", "down"],
    Field(description="Whether the number of retries that may go is rounded down to a whole one."),
]


class EncodedWindow(NamedTuple):
    """Retries may go while `unit * retries < requests * per_request + reserve`, with the right side cut if `whole`."""

    of_ns: int
    unit: int
    per_request: int
    reserve: int
    whole: int
    """1 if the right side is rounded down to a multiple of `unit`."""
    slot_ns: int = 0
    """How long a slot is open; 0 if the window slides."""
    slots_kept: int = 0
    """How many closed slots count beside the open one."""
    slots_begun: int = 0
    """1 if a part of a length in which nothing happened is an empty slot, too."""
    of_one: tuple[int, int] = (0, 0)
    """The share of one request, as the ratio that its float is; (0, 0) if nothing bounds one request."""


class WindowOptions(Options):
    """Retries are a share of the requests of late, and a few more.

    Finagle (`RetryBudget.scala`), Linkerd and tower (`tps_budget.rs`): 20 % of the requests of 10 s and 10 a second, of
    one client, with `round: down`, for a retry needs the whole of its cost, and in 10 slots. They cut the cost of a
    retry to a whole number (1000 / 0.3 in Finagle, 1 / 0.3 in tower), and Finagle counts time in ms; neither is
    modeled. One request of Finagle (`RequeueFilter.scala`) has `per_request: 0.2`. Kubernetes Gateway API
    (`BackendTrafficPolicy`): `budget.percent` and `interval` are share and `of`, `minRetryRate` is `at_least`.
    """

    share: Share = Field(default=0.2, description="Retries for each request.")
    of: Annotated[DurationNs, Field(gt=0)] = Field(
        default=10 * NS_PER_S,
        description="How far back requests and retries count.",
        json_schema_extra={"default": "10s"},
    )
    at_least: Rate | None = Field(
        default=None, description="Retries on top of the share, such as 10/s; none if left out."
    )
    slots: Annotated[int, Field(ge=2, le=MOST_SLOTS)] | None = Field(
        default=None, description="So many slots, which go as a whole, instead of a window that slides."
    )
    slot_rule: Literal["finagle", "tower"] | None = Field(
        default=None, description="Whose slots they are: `tower` keeps one more than `finagle`, which is the default."
    )
    per_request: Share | None = Field(
        default=None, description="The share of the budget at its start that one request may use; all if left out."
    )
    round: Rounding = "none"
    scope: ScopeField = None

    @model_validator(mode="after")
    def _can_allow(self) -> Self:
        if not self.share and self.at_least is None:
            raise ValueError("a share of 0 without at_least never allows a retry")
        if self.per_request == 0:
            raise ValueError("a per_request of 0 never allows a retry")
        if self.slots is not None and self.of % self.slots:
            raise ValueError(f"of must be a multiple of {self.slots} ns, so that the {self.slots} slots are equal")
        if self.slots is None and self.slot_rule is not None:
            raise ValueError("slot_rule cannot matter without slots: the window slides")
        return self

    def encoded(self) -> EncodedWindow:
        """Return the numbers that a cell runs from."""
        share = exact(self.share)
        rate = Fraction(self.at_least or 0).limit_denominator(LARGEST_DENOMINATOR)
        reserve = rate * self.of / NS_PER_S
        unit = lcm(share.denominator, reserve.denominator)
        is_tower = self.slot_rule == "tower"
        return EncodedWindow(
            of_ns=self.of,
            unit=unit,
            per_request=int(share * unit),
            reserve=int(reserve * unit),
            whole=int(self.round == "down"),
            slot_ns=0 if self.slots is None else self.of // self.slots,
            slots_kept=0 if self.slots is None else self.slots - 1 + is_tower,
            slots_begun=int(is_tower),
            of_one=(0, 0) if self.per_request is None else self.per_request.as_integer_ratio(),
        )


class Recent:
    """How many things happened within a span up to now, or at all."""

    __slots__ = ("_of_ns", "_times", "_total")

    def __init__(self, of_ns: int) -> None:
        self._of_ns = of_ns
        self._times: deque[int] = deque()
        self._total = 0

    def add(self, now_ns: int) -> None:
        """Count one that happens now."""
        if self._of_ns == FOR_LIFE:
            self._total += 1
        else:
            self._times.append(now_ns)

    def count(self, now_ns: int) -> int:
        """Return how many happened in (now - of, now]."""
        if self._of_ns == FOR_LIFE:
            return self._total
        times = self._times
        while times and times[0] <= now_ns - self._of_ns:
            times.popleft()
        return len(times)


class _Sliding:
    """The requests and the retries of a window that slides."""

    __slots__ = ("_requests", "_retries")

    def __init__(self, of_ns: int) -> None:
        self._requests = Recent(of_ns)
        self._retries = Recent(of_ns)

    def add_request(self, now_ns: int) -> None:
        self._requests.add(now_ns)

    def add_retry(self, now_ns: int) -> None:
        self._retries.add(now_ns)

    def counts(self, now_ns: int) -> tuple[int, int]:
        """Return the requests and the retries that count."""
        return self._requests.count(now_ns), self._retries.count(now_ns)


class _Slots:
    """The same in slots: each has its requests and its retries, the last of `_closed` is the latest."""

    __slots__ = ("_closed", "_opened_ns", "_requests", "_retries", "_rules")

    def __init__(self, rules: EncodedWindow) -> None:
        self._rules = rules
        self._closed: deque[tuple[int, int]] = deque(maxlen=rules.slots_kept)
        self._opened_ns = -1
        """Of the open slot; -1 before the first request."""
        self._requests = self._retries = 0

    def _come_to(self, now_ns: int) -> None:
        if self._opened_ns < 0:
            self._opened_ns = now_ns
        passed_ns, slot_ns = now_ns - self._opened_ns, self._rules.slot_ns
        if passed_ns < slot_ns:
            return
        lengths = -(-passed_ns // slot_ns) if self._rules.slots_begun else passed_ns // slot_ns
        self._closed.append((self._requests, self._retries))
        self._closed.extend([(0, 0)] * min(lengths - 1, self._rules.slots_kept))
        self._requests = self._retries = 0
        self._opened_ns = now_ns

    def add_request(self, now_ns: int) -> None:
        self._come_to(now_ns)
        self._requests += 1

    def add_retry(self, now_ns: int) -> None:
        self._come_to(now_ns)
        self._retries += 1

    def counts(self, now_ns: int) -> tuple[int, int]:
        """Return the requests and the retries that count; a question closes a slot, too."""
        self._come_to(now_ns)
        return (
            self._requests + sum(requests for requests, _ in self._closed),
            self._retries + sum(retries for _, retries in self._closed),
        )


class WindowBudget(Budget):
    """Retries and requests of a span of time."""

    __slots__ = ("_counted", "_rules")

    def __init__(self, rules: EncodedWindow) -> None:
        super().__init__()
        self._rules = rules
        self._counted = _Slots(rules) if rules.slot_ns else _Sliding(rules.of_ns)

    def request_started(self, now_ns: int) -> None:
        """Count a request."""
        self._step(now_ns)
        self._counted.add_request(now_ns)

    def allows(self, now_ns: int, kind: str) -> bool:
        """Whether there are fewer retries than the share and the reserve."""
        del kind
        self._step(now_ns)
        requests, retries = self._counted.counts(now_ns)
        return self._rules.unit * retries < self._allowed(requests)

    def take(self, now_ns: int, kind: str) -> int:
        """Count a retry."""
        super().take(now_ns, kind)
        self._counted.add_retry(now_ns)
        return 0

    def level(self, now_ns: int) -> Level:
        """Return the retries of the window and how many it may have."""
        self._step(now_ns)
        requests, retries = self._counted.counts(now_ns)
        return Level(retries, self._allowed(requests) / self._rules.unit, "retries")

    def for_request(self) -> Budget:
        """Return itself, or what bounds one request."""
        return _OfOneRequest(self) if self._rules.of_one[1] else self

    def most_of_one(self, now_ns: int) -> int:
        """Return how many retries a request may have that has started now: in binary64, as Finagle computes it."""
        requests, retries = self._counted.counts(now_ns)
        unit, (share, whole) = self._rules.unit, self._rules.of_one
        balance = (self._allowed(requests) - unit * retries) // unit
        return max(ceil(share / whole * balance), 0)

    def _allowed(self, requests: int) -> int:
        rules = self._rules
        allowed = requests * rules.per_request + rules.reserve
        return allowed - allowed % rules.unit if rules.whole else allowed


class _OfOneRequest(Budget):
    """What one request sees of a budget with `per_request`: when its own share is used up it does not ask any more."""

    __slots__ = ("_cell", "_most", "_used")

    def __init__(self, cell: WindowBudget) -> None:
        super().__init__()
        self._cell = cell
        self._most = self._used = 0

    def request_started(self, now_ns: int) -> None:
        self._cell.request_started(now_ns)
        self._most = self._cell.most_of_one(now_ns)

    def allows(self, now_ns: int, kind: str) -> bool:
        return self._used < self._most and self._cell.allows(now_ns, kind)

    def take(self, now_ns: int, kind: str) -> int:
        super().take(now_ns, kind)
        self._used += 1
        return self._cell.take(now_ns, kind)

    def level(self, now_ns: int) -> Level:
        if self._used < self._most:
            return self._cell.level(now_ns)
        return Level(self._used, self._most, "retries of one request")
