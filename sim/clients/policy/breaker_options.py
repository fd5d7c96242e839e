"""The options of a breaker, and the flat numbers that they say; `sim.clients.policy.breakers` has its rules."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import Field, field_validator, model_validator

from sim.clients.policy.answer_windows import (
    MOST_CALLS,
    CallsWindow,
    ConsecutiveWindow,
    LifeWindow,
    TimeWindow,
    Window,
    WindowKind,
)
from sim.clients.policy.answers import FAILURES, AnswerName, ScopeField
from sim.clients.policy.delay_law import DelayLaw
from sim.clients.policy.delays import ConstantDelay, DelayField, DelayOptions, NoDelay, TableDelay, delay_law
from sim.kernel.durations import NS_PER_S, format_duration
from sim.options.model import DurationNs, Options
from sim.options.share import Share, exact

MOST_SLOTS: Final = 10_000
NONE: Final = -1
"""In place of an encoded duration that is not stated."""
HALF: Final = Fraction(1, 2)
USUAL_AT_LEAST: Final = 100


class HalfOpenOptions(Options):
    """The calls that try whether it is over."""

    calls: Annotated[int, Field(ge=1, le=MOST_CALLS)] = Field(
        default=1, description="How many pass at a time until it is decided."
    )
    at_least: Annotated[int, Field(ge=1, le=MOST_CALLS)] | None = Field(
        default=None, description="It is decided after so many answers; after `calls` if left out."
    )
    closes_at: Share | None = Field(
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
    opens_at: Share = Field(default=1.0, description="Opens if this share of the answers or more was slow.")

    @model_validator(mode="after")
    def _can_close(self) -> Self:
        if not self.opens_at:
            raise ValueError("opens_at: with a share of 0 it would open whatever the answers are")
        return self


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
        description="Which answers it looks at: `{calls: 100}`, `{time: 60s}`, `{consecutive: 5}`, `life`."
    )
    opens_at: Share | None = Field(
        default=None, description="Opens if this share of the answers or more failed; 50% if left out."
    )
    at_least: Annotated[int, Field(ge=1, le=MOST_CALLS)] | None = Field(
        default=None,
        description="Stays closed with fewer answers; the size of a window in calls, otherwise 100, if left out.",
    )
    open: DelayField = Field(
        default=ConstantDelay(delay=60 * NS_PER_S),
        description="How long it stays open; in a law `n` is the number of openings in a row.",
        json_schema_extra={"default": "60s"},
    )
    half_open: HalfOpenOptions = Field(default=HalfOpenOptions(), description="The calls that pass afterwards.")
    counts: Annotated[tuple[AnswerName, ...], Field(strict=False, max_length=100)] = Field(
        default=FAILURES, description="Answers that are failures."
    )
    others: Literal["uncounted", "success"] = Field(
        default="uncounted", description="What the other answers are that are no success: nothing, or successes."
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

    @field_validator("open")
    @classmethod
    def _ends_at_last(cls, law: DelayOptions) -> DelayOptions:
        if isinstance(law, NoDelay) or (isinstance(law, ConstantDelay) and not law.delay):
            raise ValueError("open for no time, a breaker would refuse nothing")
        if isinstance(law, TableDelay) and law.then == "stop":
            raise ValueError("a breaker stays open for some time each time; let the last entry repeat")
        return law

    @field_validator("counts")
    @classmethod
    def _counts_something(cls, counts: tuple[str, ...]) -> tuple[str, ...]:
        if not counts:
            raise ValueError("name at least one answer that counts, otherwise it could never open")
        return counts

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
            raise ValueError(
                f"a window of {format_duration(window.time)} does not divide into {self.slots} slots of whole ns"
            )
        return self

    def open_law(self) -> DelayLaw:
        """Return the law of the open time, whose n is the number of openings in a row."""
        return delay_law(self.open, "open")

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
