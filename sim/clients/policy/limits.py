"""When a policy gives up for lack of time, and what it makes of an answer that names a wait.

Options alone; `sim.clients.policy.machine` says what happens.
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from sim.kernel.durations import DURATION_PATTERN, NS_PER_MS
from sim.laws.distributions import Law
from sim.laws.formulas import parse
from sim.laws.law import Distribution
from sim.options.duration_or_word import DurationOrWord, checked_word
from sim.options.model import DurationNs, Options
from sim.options.shorthand import AlsoWritten

HARD: Final = "hard"
SOFT: Final = "soft"
BEFORE_SLEEP: Final = "before_sleep"
CUT_SLEEP: Final = "cut_sleep"
AFTER_ATTEMPT: Final = "after_attempt"
MOST_DELIVERIES: Final = 1_000_000
HINT_NAMES: Final = ("d", "hint", "u")
"""What a formula of `retry_after.as` is made of: the own delay, the wait that was asked for, and a draw."""
HINT_WORDS: Final = {"instead": None, "lower_bound": "max(d, hint)"}
"""Words for usual formulas; None: the wait that was asked for takes the place of the own delay."""
DeadlineKind = Literal["hard", "soft", "before_sleep", "cut_sleep", "after_attempt"]


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


class Deadline(Options):
    """A limit on time; kinds may be combined."""

    after: Annotated[DurationNs, Field(gt=0)] = Field(description="How long all tries together may take.")
    kind: Annotated[
        tuple[DeadlineKind, ...],
        Field(
            min_length=1,
            max_length=5,
            description="`hard`: all ends at it, a call and a sleep too. `soft`: tested when a try would start. "
            "`before_sleep`: gives up at once rather than sleep past it. `cut_sleep`: sleeps at most what is left, and "
            "gives up if nothing is. `after_attempt`: tested at an answer, the sleep may pass it. Exactly at it is "
            "past, except for `before_sleep`.",
        ),
        BeforeValidator(_one_or_more),
        AlsoWritten({"type": "string", "enum": [HARD, SOFT, BEFORE_SLEEP, CUT_SLEEP, AFTER_ATTEMPT]}),
    ] = (HARD,)
    counted_from: Literal["submitted", "first_call", "first_failure"] = Field(
        default="submitted", alias="from", description="What starts it."
    )
    counts: Literal["all", "calls", "sleeps"] = Field(
        default="all", description="Which time counts: all of it, or only that of tries or of sleeps."
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.kind)) < len(self.kind):
            raise ValueError("a kind of deadline stands here twice")
        return self


def _deadline(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"after": value} if is_number or isinstance(value, str) else value


DeadlineField = Annotated[
    Deadline,
    BeforeValidator(_deadline),
    AlsoWritten({"type": "string", "pattern": DURATION_PATTERN}),
]
"""A deadline; a bare duration is a hard one."""


class RetryAfter(Options):
    """What becomes of a wait that an answer asks for."""

    obey: bool = Field(default=True, description="Whether a wait that an answer asks for is obeyed.")
    at_most: DurationNs | None = Field(default=None, description="The longest wait that is obeyed as it is.")
    above: Literal["cap", "give_up", "ignore"] = Field(
        default="cap", description="A longer one is cut to `at_most`, ends the request, or does not count."
    )
    applies_as: str = Field(
        default="instead",
        alias="as",
        max_length=1000,
        description="`instead` of the policy's own delay; `lower_bound`: the longer of the two; or a formula of `d`, "
        "the own delay, `hint` and `u`, such as `max(d, min(hint, d + 5s))`.",
    )

    @model_validator(mode="after")
    def _has_a_wait_that_is_too_long(self) -> Self:
        if self.above != "cap" and self.at_most is None:
            raise ValueError("above cannot matter without at_most: no wait is too long")
        return self

    @field_validator("applies_as")
    @classmethod
    def _is_a_formula(cls, text: str) -> str:
        if text not in HINT_WORDS:
            parse(text, HINT_NAMES)
        return text

    resets: bool = Field(default=False, description="Whether the next delay is that of a first retry again.")
    decides: bool = Field(
        default=False, description="Whether an answer that names a wait is retried whatever `retry_on` says."
    )


class Pickup(Options):
    """A retry that is due starts at its worker's next look."""

    every: Law = Field(description="The time from one look to the next.")
    phase: DurationOrWord = Field(
        default="random",
        description="The moment of the first look: `random`, or so long after the start.",
        json_schema_extra={"anyOf": [{"const": "random"}, {"type": "string", "pattern": DURATION_PATTERN}]},
    )

    @field_validator("every")
    @classmethod
    def _takes_time(cls, every: Distribution) -> Distribution:
        if every.mean_ns < NS_PER_MS:
            raise ValueError("a worker that looks more often than each millisecond has no need of `pickup`")
        return every

    @field_validator("phase")
    @classmethod
    def _random_or_a_duration(cls, phase: int | str) -> int | str:
        return checked_word(phase, "random")


class Redeliver(Options):
    """A try that has not ended by then is tried again beside it, as by a queue with a visibility timeout."""

    after: Annotated[DurationNs, Field(gt=0)] = Field(description="When the work is handed out again.")
    counted_from: Literal["start", "end"] = Field(
        default="start",
        alias="from",
        description="`start` of the try; or `end` of the try before it, the moment at which it was put back, so that a "
        "long delay counts too.",
    )
    at_most: Annotated[int, Field(ge=1, le=MOST_DELIVERIES)] | None = Field(
        default=None, description="How often in one request; as often as there are tries unless stated."
    )
    counts: bool = Field(
        default=True, description="Whether it is one of `attempts`; a job that has stalled may run again without that."
    )
