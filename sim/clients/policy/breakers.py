"""`breaker`: no calls for a while after too many have failed, then a few to see whether it is over.

    state       step                                                    then
    closed      asked                                                   passes
                answered: the window has at least `at_least` answers
                and a share of `opens_at` or more failed, or of
                `slow.opens_at` or more was slow                        open
    open        asked before the end of the open time                   refused
                asked at its end or after                               half_open, and this one passes
    half_open   asked, a place is free                                  passes
                asked, `calls` have places                              refused
                answered: the last of `at_least` answers, a share of
                `closes_at` or more failed (or `slow.opens_at`: slow)   open
                the same, and less failed                               closed, with an empty window
                `max_wait` is over                                      open

The open time is a law of n, the number of openings since it was last closed, 1 first. The end of the open time alone
changes nothing: the state stays open until it is asked. The end of `max_wait` is noticed at the next step, but the
change has its own instant.
Answers to calls of an earlier state count nothing, unless `late: counts`: then they count as those of the present
state, and nothing while it is open. A share is reached exactly as written (2 of 10 are 20%).

Who does it so:

- resilience4j (`CircuitBreakerConfig`, `CircuitBreakerStateMachine`, `CircuitBreakerMetrics`): `window: {calls: 100}`,
  `opens_at: 50%`, `at_least: 100` (cut to the size of the window), `open: 60s`, `half_open: {calls: 10}`. By time:
  `{window: {time: 60s}, slots: 60}`. It judges at successes as well as at failures. Slow is longer than `over`, not as
  long. In half-open it decides after min(minimumNumberOfCalls, calls) answers, so `half_open.at_least`; ignored errors
  give their place back, but an error that is neither recorded nor ignored is a success: `others: success`.
  maxWaitDurationInHalfOpenState is `half_open.max_wait`. An answer goes to the state that there is as it comes:
  `late: counts`.
- Polly v8 (`CircuitStateController`, `AdvancedCircuitBehavior`, `RollingHealthMetrics`): `{window: {time: 30s},
  slots: 10, slots_from: answer, opens_at: 10%, at_least: 100, open: 5s, judged: at_failure, late: counts}`, one call in
  half-open. Its window runs on while it is open, but is emptied as it closes.
  An error that it does not handle leaves half-open for good, for no answer ever comes: `half_open.uncounted: keep`.
- cockatiel (`ConsecutiveBreaker`) and Polly v7 (`ConsecutiveCountCircuitController`): `window: {consecutive: 5}`, one
  call in half-open. Other calls wait for that one in cockatiel; here they are refused.
- The outlier detection of Envoy (`consecutive_5xx`: 5): `window: {consecutive: 5}`, open for base_ejection_time times
  the number of ejections. It has no half-open, but takes the host back; many `half_open.calls` come close to that.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator
from typing_extensions import TypeAliasType

from sim.clients.policy.answer_windows import Counts, WindowKind, empty_window
from sim.clients.policy.answers import FAILURES, AnswerName, ScopeField, name_that_fits
from sim.history.vocabulary import SUCCESS
from sim.kernel.durations import NS_PER_S
from sim.kernel.errors import InternalError
from sim.options.model import DurationNs, Options
from sim.options.percentage import PercentOrShare, exact
from sim.options.single_key import SingleKey

MOST_CALLS: Final = 1_000_000
MOST_SLOTS: Final = 10_000
REFUSED: Final = -1
"""In place of a ticket: no call."""
NONE: Final = -1
"""In place of an encoded duration that is not stated."""
HALF: Final = Fraction(1, 2)
USUAL_AT_LEAST: Final = 100

State = Literal["closed", "open", "half_open"]
_CHANGES: Final[Mapping[tuple[State, str], State]] = {
    ("closed", "too many failed"): "open",
    ("open", "asked after its time"): "half_open",
    ("half_open", "too many failed"): "open",
    ("half_open", "waited for too long"): "open",
    ("half_open", "enough succeeded"): "closed",
}


class CallsWindow(Options):
    """The last answers."""

    calls: Annotated[int, Field(ge=1, le=MOST_CALLS)]


class TimeWindow(Options):
    """The answers of a span of time."""

    time: Annotated[DurationNs, Field(gt=0)]


class ConsecutiveWindow(Options):
    """The failures since the last success; so many open the breaker."""

    consecutive: Annotated[int, Field(ge=1, le=MOST_CALLS)]


class LifeWindow(Options):
    """All answers since it was last closed."""


Window = TypeAliasType(
    "Window",
    Annotated[
        CallsWindow | TimeWindow | ConsecutiveWindow | LifeWindow,
        SingleKey(
            "window",
            "{calls: 100}",
            {"calls": CallsWindow, "time": TimeWindow, "consecutive": ConsecutiveWindow, "life": LifeWindow},
            scalars={"calls": "calls", "time": "time", "consecutive": "consecutive"},
            bare=("life",),
        ),
    ],
)
"""Which answers a breaker looks at."""


class HalfOpenOptions(Options):
    """The calls that try whether it is over."""

    calls: Annotated[int, Field(ge=1, le=MOST_CALLS)] = Field(
        default=1, description="How many pass at a time until it is decided."
    )
    at_least: Annotated[int, Field(ge=1, le=MOST_CALLS)] | None = Field(
        default=None, description="It is decided after so many answers; after `calls` if left out."
    )
    closes_at: PercentOrShare | None = Field(
        default=None,
        description="It closes if a smaller share failed; `opens_at` if left out (for `consecutive`: if none failed).",
    )
    uncounted: Literal["release", "keep"] = Field(
        default="release",
        description="Whether a call that ends without an answer that counts gives its place back, for another to pass.",
    )
    max_wait: Annotated[DurationNs, Field(gt=0)] | None = Field(
        default=None, description="It opens again if it was not decided for so long; never if left out."
    )

    @model_validator(mode="after")
    def _can_decide(self) -> Self:
        if self.at_least is not None and self.at_least > self.calls:
            raise ValueError(f"at_least exceeds the {self.calls} calls that pass, so it could never be decided")
        if self.closes_at == 0:
            raise ValueError("closes_at: no share of failures is below 0, so it could never close")
        return self


class SlowOptions(Options):
    """Calls that take too long open the breaker as failures do, whatever their answer."""

    over: DurationNs = Field(description="A call is slow if it takes longer than this.")
    opens_at: PercentOrShare = Field(default=1.0, description="Opens if this share of the answers or more was slow.")

    @model_validator(mode="after")
    def _can_close(self) -> Self:
        if not self.opens_at:
            raise ValueError("opens_at: with a share of 0 it would open whatever the answers are")
        return self


def _one_duration(value: Any) -> Any:
    return value["constant"] if isinstance(value, Mapping) and set(value) == {"constant"} else value


class EncodedBreaker(NamedTuple):
    """All that a breaker runs from, except for its open time: whole numbers, -1 for none, and names."""

    window: WindowKind
    size: int
    """Of the window: answers or ns, 0 for `life` and `consecutive`."""
    slots: int
    opens: tuple[int, int]
    """Numerator and denominator."""
    at_least: int
    slow_over_ns: int
    slow_opens: tuple[int, int]
    judged_at_failure: int
    half_open_calls: int
    half_open_at_least: int
    half_open_opens: tuple[int, int]
    half_open_max_wait_ns: int
    keeps: int
    """1 if a call without an answer that counts keeps its place in half-open."""
    late: int
    """1 if answers to calls of earlier states count."""
    counts: tuple[str, ...]
    others_succeed: int


class BreakerOptions(Options):
    """A breaker; of its keys only `window` must be there.

    Left out, `opens_at` is 50%, and `at_least` is the size of a window in calls, otherwise 100, as in resilience4j.
    """

    window: Window = Field(
        description="Which answers count: `{calls: 100}`, `{time: 60s}`, `{consecutive: 5}`, `life`."
    )
    opens_at: PercentOrShare | None = Field(
        default=None, description="Opens if this share of the answers or more failed; 50% if left out."
    )
    at_least: Annotated[int, Field(ge=1, le=MOST_CALLS)] | None = Field(
        default=None,
        description="Stays closed with fewer answers; the size of a window in calls, otherwise 100, if left out.",
    )
    open: Annotated[DurationNs, Field(gt=0), BeforeValidator(_one_duration)] = Field(
        default=60 * NS_PER_S, description="How long it stays open.", json_schema_extra={"default": "1m"}
    )
    half_open: HalfOpenOptions = Field(default=HalfOpenOptions(), description="The calls that pass afterwards.")
    counts: Annotated[tuple[AnswerName, ...], Field(strict=False, min_length=1, max_length=100)] = Field(
        default=FAILURES, description="Answers that are failures, besides those that are successes."
    )
    others: Literal["uncounted", "success"] = Field(
        default="uncounted", description="What answers are that are neither: nothing, or successes."
    )
    slow: SlowOptions | None = Field(default=None, description="Slow calls open it as well.")
    slots: Annotated[int, Field(ge=1, le=MOST_SLOTS)] | None = Field(
        default=None, description="The window in time is kept in so many slots; it slides if left out."
    )
    slots_from: Literal["grid", "answer"] = Field(
        default="grid", description="Slots begin at multiples of their length, or with the first answer in them."
    )
    judged: Literal["at_answer", "at_failure"] = Field(
        default="at_answer", description="Whether a success can open it too, as the one that makes `at_least` full."
    )
    late: Literal["ignored", "counts"] = Field(
        default="ignored", description="What an answer to a call of an earlier state does."
    )
    scope: ScopeField = None

    @model_validator(mode="before")
    @classmethod
    def _has_a_window(cls, written: Any) -> Any:
        if isinstance(written, Mapping) and written.get("window") is None:
            raise ValueError(
                "a breaker needs a window, the answers by which it opens, such as {calls: 100}, {time: 60s},"
                " {consecutive: 5} or life"
            )
        return written

    @model_validator(mode="after")
    def _fits_its_window(self) -> Self:
        window = self.window
        if isinstance(window, ConsecutiveWindow):
            for key in ("opens_at", "at_least", "slow"):
                if getattr(self, key) is not None:
                    raise ValueError(f"{key} cannot matter with `consecutive`: the number of failures opens it")
        if self.opens_at == 0:
            raise ValueError("opens_at: with a share of 0 it would open whatever the answers are")
        if isinstance(window, CallsWindow) and (self.at_least or 0) > window.calls:
            raise ValueError(f"at_least exceeds the {window.calls} calls of the window, so it could never open")
        if self.slots is None:
            if self.slots_from != "grid":
                raise ValueError("slots_from cannot matter without slots")
        elif not isinstance(window, TimeWindow):
            raise ValueError("slots are parts of a window in time, such as {time: 60s}")
        elif window.time % self.slots:
            raise ValueError(f"a window of {window.time} ns does not divide into {self.slots} slots of whole ns")
        return self

    def encoded(self) -> EncodedBreaker:
        """Return the whole numbers that a breaker runs from."""
        kind, size = self._kind_and_size()
        half_open_at_least = self.half_open.at_least or self.half_open.calls
        opens = HALF if self.opens_at is None else exact(self.opens_at)
        half_open_opens = opens if self.half_open.closes_at is None else exact(self.half_open.closes_at)
        at_least = self.at_least or (size if kind == "calls" else USUAL_AT_LEAST)
        if isinstance(self.window, ConsecutiveWindow):
            opens, at_least = Fraction(1), self.window.consecutive
            if self.half_open.closes_at is None:
                half_open_opens = Fraction(1, half_open_at_least)
        slow_opens = exact(self.slow.opens_at) if self.slow else Fraction(1)
        return EncodedBreaker(
            window=kind,
            size=size,
            slots=self.slots or 0,
            opens=opens.as_integer_ratio(),
            at_least=at_least,
            slow_over_ns=self.slow.over if self.slow else NONE,
            slow_opens=slow_opens.as_integer_ratio(),
            judged_at_failure=int(self.judged == "at_failure"),
            half_open_calls=self.half_open.calls,
            half_open_at_least=half_open_at_least,
            half_open_opens=half_open_opens.as_integer_ratio(),
            half_open_max_wait_ns=NONE if self.half_open.max_wait is None else self.half_open.max_wait,
            keeps=int(self.half_open.uncounted == "keep"),
            late=int(self.late == "counts"),
            counts=self.counts,
            others_succeed=int(self.others == "success"),
        )

    def _kind_and_size(self) -> tuple[WindowKind, int]:
        match self.window:
            case CallsWindow(calls=calls):
                return "calls", calls
            case TimeWindow(time=time_ns):
                if self.slots is None:
                    return "time", time_ns
                return ("slots" if self.slots_from == "grid" else "slots_from_answer"), time_ns
            case ConsecutiveWindow():
                return "consecutive", 0
            case LifeWindow():
                return "life", 0


class Breaker:
    """One cell, shared by all who have it. `open_ns` is the open time by the number of the opening, 1 first.

    `changed` is told each new state and since when, also of the past: a change by time is noticed at the next step.
    """

    __slots__ = (
        "_changed",
        "_now_ns",
        "_open_ns",
        "_openings",
        "_outstanding",
        "_places",
        "_rules",
        "_ticket",
        "_tried",
        "_until_ns",
        "_window",
        "since_ns",
        "state",
    )

    def __init__(
        self,
        rules: EncodedBreaker,
        open_ns: Callable[[int], int],
        changed: Callable[[State, int], None] | None = None,
    ) -> None:
        self._rules = rules
        self._open_ns = open_ns
        self._changed = changed
        self._now_ns = 0
        self.state: State = "closed"
        self.since_ns = 0
        """Since when it is in this state."""
        self._ticket = 0
        """The number of the state: that of the calls which pass now."""
        self._outstanding: dict[int, int] = {}
        """Calls without an answer, by their ticket."""
        self._window = empty_window(rules.window, rules.size, rules.slots)
        self._openings = 0
        self._until_ns = 0
        self._places = 0
        """Calls that have a place in half-open."""
        self._tried = Counts(0, 0, 0)
        """Answers in half-open."""

    def failed(self, answer: str) -> bool | None:
        """Whether this answer is a failure, False if it is a success, None if it does not count."""
        if answer == SUCCESS:
            return False
        if name_that_fits(answer, self._rules.counts) is not None:
            return True
        return False if self._rules.others_succeed else None

    def ask(self, now_ns: int) -> int:
        """Ask for a call; return its ticket, or `REFUSED`."""
        self._step(now_ns)
        if self.state == "open" and now_ns >= self._until_ns:
            self._change("asked after its time", now_ns)
        if self.state == "open" or (self.state == "half_open" and self._places >= self._rules.half_open_calls):
            return REFUSED
        self._places += self.state == "half_open"
        self._outstanding[self._ticket] = self._outstanding.get(self._ticket, 0) + 1
        return self._ticket

    def answered(self, now_ns: int, ticket: int, *, failed: bool, took_ns: int) -> None:
        """Note the answer to a call: a success, or one that counts as a failure."""
        self._give_back(now_ns, ticket)
        if ticket != self._ticket and not self._rules.late:
            return
        slow = self._rules.slow_over_ns != NONE and took_ns > self._rules.slow_over_ns
        if self.state == "closed":
            self._window.add(now_ns, failed=failed, slow=slow)
            counts = self._window.counts(now_ns)
            silent = self._rules.judged_at_failure and not failed and not slow
            if counts.answers >= self._rules.at_least and not silent and self._too_bad(counts, self._rules.opens):
                self._change("too many failed", now_ns)
        elif self.state == "half_open":
            tried = self._tried
            self._tried = counts = Counts(tried.answers + 1, tried.failures + failed, tried.slow + slow)
            if counts.answers >= self._rules.half_open_at_least:
                bad = self._too_bad(counts, self._rules.half_open_opens)
                self._change("too many failed" if bad else "enough succeeded", now_ns)

    def uncounted(self, now_ns: int, ticket: int) -> None:
        """Note that a call is over without an answer that counts: given up, canceled, or of another kind."""
        self._give_back(now_ns, ticket)
        if ticket == self._ticket and self.state == "half_open" and not self._rules.keeps:
            self._places -= 1

    def answers(self, now_ns: int) -> Counts:
        """Return what the window has, or in half-open the answers there, for stories."""
        self._step(now_ns)
        return self._tried if self.state == "half_open" else self._window.counts(now_ns)

    def _give_back(self, now_ns: int, ticket: int) -> None:
        if not self._outstanding.get(ticket):
            raise InternalError(f"no call of the breaker's ticket {ticket} is without an answer")
        self._step(now_ns)
        self._outstanding[ticket] -= 1
        if not self._outstanding[ticket]:
            del self._outstanding[ticket]

    def _step(self, now_ns: int) -> None:
        if now_ns < self._now_ns:
            raise InternalError(f"the time of a breaker goes back, from {self._now_ns} ns to {now_ns} ns")
        self._now_ns = now_ns
        max_wait_ns = self._rules.half_open_max_wait_ns
        if self.state == "half_open" and max_wait_ns != NONE and now_ns >= self.since_ns + max_wait_ns:
            self._change("waited for too long", self.since_ns + max_wait_ns)

    def _too_bad(self, counts: Counts, opens: tuple[int, int]) -> bool:
        share, whole = opens
        slow_share, slow_whole = self._rules.slow_opens
        return counts.failures * whole >= share * counts.answers or (
            self._rules.slow_over_ns != NONE and counts.slow * slow_whole >= slow_share * counts.answers
        )

    def _change(self, why: str, since_ns: int) -> None:
        if (self.state, why) not in _CHANGES:
            raise InternalError(f"a breaker that is {self.state} cannot change because it has {why}")
        self.state = _CHANGES[self.state, why]
        self.since_ns = since_ns
        self._ticket += 1
        self._places = 0
        self._tried = Counts(0, 0, 0)
        self._window = empty_window(self._rules.window, self._rules.size, self._rules.slots)
        if self.state == "open":
            self._openings += 1
            self._until_ns = since_ns + self._open_ns(self._openings)
        elif self.state == "closed":
            self._openings = 0
        if self._changed is not None:
            self._changed(self.state, since_ns)


def breaker_cell(
    options: BreakerOptions,
    open_ns: Callable[[int], int] | None = None,
    changed: Callable[[State, int], None] | None = None,
) -> Breaker:
    """Return a breaker that is closed; its open time is that of its options unless another law is given."""
    return Breaker(options.encoded(), open_ns or (lambda _: options.open), changed)
