"""What a scenario states of a policy: the part of the terms that its tries, budgets and breakers are held to.

Plain values, so that what judges a policy reads no options and asks no code that plays one. Durations are whole ns,
those inside of formulas ms; None stands for what is not stated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.promises.services import Span

NO_CODE: Final[tuple[tuple[str, str], ...]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayTerms:
    """A law of delays."""

    law: str = "constant"
    """`constant`, `linear`, `exponential`, `decorrelated`, `table` or `formula`."""
    of: tuple[float, ...] = (0.0,)
    """Its numbers in their order, durations in ms: initial and step or factor, base and factor, or the entries, which
    a formula may have too, by the name of `entry`."""
    stops: bool = False
    """Whether there is no retry beyond the entries."""
    formula: str = ""
    lets: tuple[tuple[str, str], ...] = NO_CODE
    """Names of values and their formulas."""
    given: tuple[tuple[str, float], ...] = ()
    """Names of numbers."""
    starts: tuple[tuple[str, float], ...] = ()
    """What is remembered before the first retry, as far as it is not 0."""
    cap_ms: float | None = None
    cap_after: bool = False
    """Whether the cap bounds what is left after the jitter."""
    jitter: str = "none"
    """`none`, `full`, `equal`, `spread` or `plus`."""
    jitter_by: float = 0.0
    """The share of `spread`, or the ms of `plus`."""
    at_least_ms: float | None = None
    floor_ms: float | None = None
    round_ms: float | None = None
    first_ns: int | None = None
    overflow_ns: int | None = None
    """In place of a delay that is infinite or no number."""
    of_client: bool = False
    """Whether all requests of a client share what is remembered."""


NO_DELAY: Final = DelayTerms()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseTerms:
    """How answers of some kinds are handled."""

    on: tuple[str, ...] = ()
    """The kinds; () for all."""
    attempts: int | None = None
    delay: int = 0
    """The place of its law in `PolicyTerms.delays`."""
    counter: int = 0
    """0: the shared one; otherwise the number of its own."""
    needs_hint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineTerms:
    """A limit on time."""

    after_ns: int
    kinds: frozenset[str]
    counted_from: str = "submitted"
    counts: str = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class HintTerms:
    """What becomes of a wait that an answer asks for."""

    at_most_ns: int | None = None
    above: str = "cap"
    formula: str = ""
    """Of `d`, `hint` and `u` in ms; empty: the hint itself."""
    resets: bool = False
    decides: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensTerms:
    """A budget of tokens."""

    capacity: Fraction
    start: Fraction
    costs: Mapping[str, Fraction]
    """By answer; `else` for all others."""
    clean: Fraction = Fraction(0)
    retried: Fraction | None = Fraction(0)
    """None: what the last retry has paid."""
    on_request: Fraction = Fraction(0)
    per_second: Fraction = Fraction(0)
    above: Fraction | None = None
    """The level must be above it; None: it must be at least the cost."""
    on_failure: bool = False
    """Whether failures pay, and not retries."""
    sleeps_if_empty: bool = False
    takes_at_start: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowTerms:
    """A budget of retries by the requests of late."""

    share: Fraction
    of_ns: int
    reserve: Fraction
    whole: bool = False
    slots: int = 0
    """0: the window slides."""
    slot_rule: str = "finagle"
    """Or `tower`."""
    per_request: float | None = None
    """The share of the budget that one request may use; None: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveTerms:
    """A budget of retries by the requests in flight."""

    share: Fraction
    at_least: int
    sleeping: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FailuresTerms:
    """A budget by the share of calls that fail."""

    share: Fraction
    of_ns: int | None = None
    """None: all count."""


BudgetTerms = TokensTerms | WindowTerms | ActiveTerms | FailuresTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerTerms:
    """A breaker."""

    window: str
    """`calls`, `time`, `slots`, `slots_from_answer`, `consecutive` or `life`."""
    size: int = 0
    """Answers or ns."""
    slots: int = 0
    opens_at: Fraction = Fraction(1, 2)
    at_least: int = 1
    open: DelayTerms = NO_DELAY
    half_open_calls: int = 1
    half_open_at_least: int = 1
    closes_below: Fraction = Fraction(1, 2)
    half_open_max_wait_ns: int | None = None
    keeps: bool = False
    """Whether a call without an answer that counts keeps its place in half-open."""
    counts: tuple[str, ...] = ()
    others_succeed: bool = False
    slow_over_ns: int | None = None
    slow_opens_at: Fraction = Fraction(1)
    judged_at_failure: bool = False
    late_counts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkheadTerms:
    """Places for calls at the same time."""

    at_most: int
    queue: int | None = 0
    max_wait_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerRateTerms:
    """A bucket of tokens in front of calls."""

    rate: Fraction
    """Tokens a second."""
    burst: int = 1
    refuses: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeTerms:
    """Further copies of a try."""

    after_ns: int | None = None
    """None: never by itself, or by a percentile."""
    percentile: Fraction | None = None
    remembers: int = 0
    """How many latencies of successes a percentile is taken of."""
    at_most: int = 1
    at_failure: str = "next"
    cancels: bool = False
    """Whether the receivers of the other copies hear of the first success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTerms:
    """What a scenario states of one policy."""

    attempts: int | None = 1
    both_limits: bool = False
    cases: tuple[CaseTerms, ...] = (CaseTerms(attempts=1),)
    """In their order; the last is for all others."""
    delays: tuple[DelayTerms, ...] = (NO_DELAY,)
    delay_from_start: bool = False
    due_floor_ns: int | None = None
    sleeps_after_last: bool = False
    retry_on: tuple[str, ...] = ("failed", "rejected", "conflict", "timed_out")
    retries_final: bool = False
    timeout: DelayTerms | None = None
    deadline: DeadlineTerms | None = None
    hint: HintTerms | None = None
    pickup_ns: Span | None = None
    """The least and the most from one look of a worker to the next."""
    redeliver_ns: int | None = None
    redeliver_from_end: bool = False
    redeliver_at_most: int | None = None
    redeliver_counts: bool = True
    budget: BudgetTerms | None = None
    breaker: BreakerTerms | None = None
    bulkhead: BulkheadTerms | None = None
    rate_limit: CallerRateTerms | None = None
    hedge: HedgeTerms | None = None
    gates: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]] = ((), (), ())
    """What a request, a try and a copy pass, outermost first: `deadline`, `timeout` and the names of parts."""
    name: str = ""
    """Whose state it is: that of all policies of this name, or of the class that has it."""
    service: str = ""
    """What it calls."""
    scopes: Mapping[str, str] = field(default_factory=dict)
    """Whose each part is: `request`, `client`, `service` or `world`."""
    unseen: frozenset[str] = frozenset()
    """Parts that others have too of whom a history does not tell: services that call."""
