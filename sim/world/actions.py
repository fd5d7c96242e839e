"""The options of the user's action: how long an attempt takes and how it ends.

`sim.world.action_model` plays them; its table has the outcomes and their moments.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    WrapSerializer,
    field_validator,
    model_serializer,
    model_validator,
)

from sim.history.failure import Failure
from sim.history.vocabulary import ASKS_TO_STOP, FAIL, FAILED, HANG, NEVER, AttemptOutcome, failed_of_kind
from sim.kernel.durations import DURATION_PATTERN, NS_PER_MS
from sim.laws.distributions import Constant, Law
from sim.options.duration_or_word import DurationOrWord, checked_word
from sim.options.model import DurationNs, Options
from sim.options.part_name import PartName
from sim.options.share import Share
from sim.options.shorthand import AlsoWritten
from sim.world.effects import Memory
from sim.world.outcomes import Branch, FailureKind, OutcomesOptions
from sim.world.weather import Weather

DEFAULT_LATENCY = Constant(value_ns=100 * NS_PER_MS)
MOST_SCRIPTED = 10_000
MOST_SOURCES = 100
STOP = "stop"


class ScriptedAttempt(Options):
    """One attempt of a script."""

    outcome: AttemptOutcome = Field(description="How the attempt ends.")
    latency: DurationNs = Field(default=100 * NS_PER_MS, description="How long it takes.")
    final: bool = Field(default=False, description="Whether the error of a `fail` is marked as not worth a retry.")
    retry_after: Annotated[
        DurationOrWord,
        WithJsonSchema({"anyOf": [{"const": STOP}, {"type": "string", "pattern": DURATION_PATTERN}]}),
    ] = Field(
        default=None,
        description="How long it asks to wait before a retry, or `stop`: it asks for none.",
    )
    kind: FailureKind | None = Field(default=None, description="Names it: its answer is `failed.NAME`.")

    @field_validator("retry_after")
    @classmethod
    def _stop_or_a_duration(cls, value: int | str | None) -> int | str | None:
        return None if value is None else checked_word(value, STOP)

    @model_validator(mode="after")
    def _says_nothing_idle(self) -> Self:
        if self.outcome == HANG and "latency" in self.model_fields_set:
            raise ValueError("the latency of a hang cannot matter: a hang never ends")
        if self.outcome != FAIL and self.model_fields_set & {"final", "retry_after", "kind"}:
            raise ValueError(
                f"final, retry_after and kind are what the error of a fail says, and a {self.outcome} has none"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_idle_fields(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        if self.outcome == HANG:
            fields.pop("latency", None)
        if not self.final:
            fields.pop("final", None)
        return {name: value for name, value in fields.items() if value is not None}

    @property
    def failure(self) -> Failure | None:
        """What its error says; None if it says nothing."""
        if not self.final and self.retry_after is None and self.kind is None:
            return None
        wait_ns = NEVER if self.retry_after is None else ASKS_TO_STOP if self.retry_after == STOP else self.retry_after
        return Failure(self.final, wait_ns, FAILED if self.kind is None else failed_of_kind(self.kind))


class IdempotencyOptions(Options):
    """The receiver's memory: an effect within the window of the last applied one is suppressed."""

    window: Annotated[DurationNs, Field(gt=0)] = Field(description="How long a key is remembered.")
    from_: Literal["applied", "last_seen"] = Field(
        default="applied",
        validation_alias="from",
        serialization_alias="from",
        description="Whether the window counts from the last effect that was applied, or from the last one that came.",
    )
    answers: Literal["fresh", "first"] = Field(
        default="fresh", description="Whether a repeated key gets an answer of its own, or the first one again."
    )
    in_use: Literal["runs", "rejected"] = Field(
        default="runs", description="What becomes of a call that starts while another with its key is at work."
    )

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        defaults = {"from": "applied", "answers": "fresh", "in_use": "runs"}
        return {name: value for name, value in handler(self).items() if defaults.get(name) != value}

    @property
    def memory(self) -> Memory:
        """How the receiver remembers keys."""
        return Memory(self.window, self.from_ == "last_seen", self.answers == "first", self.in_use == "rejected")


Idempotency = Annotated[
    IdempotencyOptions | None,
    BeforeValidator(lambda value: None if value == "none" else value),
    WrapSerializer(lambda value, handler: "none" if value is None else handler(value)),
    AlsoWritten({"const": "none"}),
]
"""`none` (in memory None), or `{window: 24h, from: applied, answers: fresh, in_use: runs}`."""


class WorkOptions(Options):
    """What an attempt is given, and what its receiver remembers: of the action, or of the calls of a service."""

    latency: Law = Field(
        default=DEFAULT_LATENCY,
        description="How long an attempt takes.",
        json_schema_extra={"default": {"constant": "100ms"}},
    )
    outcomes: OutcomesOptions = Field(
        default=OutcomesOptions(), description="How attempts end; success takes the rest."
    )
    effect_at: Share = Field(default=1.0, description="Share of the latency after which the effect is done.")
    weather: Annotated[tuple[Weather, ...], Field(strict=False, max_length=MOST_SOURCES)] = Field(
        default=(), description="Failures that hang together in time."
    )
    idempotency: Idempotency = Field(
        default=None, description="Whether the receiver recognizes a repeated effect, and for how long; `none`: never."
    )
    script: Annotated[tuple[ScriptedAttempt, ...], Field(strict=False, max_length=MOST_SCRIPTED)] = Field(
        default=(), description="Instead of latency and outcomes: one attempt after the other, the last repeats."
    )

    def branches(self) -> tuple[Branch, ...]:
        """Return the ways in which attempts can go in good weather, besides success, which has the rest."""
        return self.outcomes.branches(self.latency)

    def bad_branches(self) -> list[tuple[Branch, ...]]:
        """Return for each source of weather the ways in which attempts can go while it is down."""
        return [source.branches(self.latency) for source in self.weather]

    @property
    def names_waits(self) -> bool:
        """Whether an error may say how long to wait before a retry."""
        ways = (way for branches in (self.branches(), *self.bad_branches()) for way in branches)
        named = any(step.retry_after is not None for step in self.script)
        return named or any(way.says.retry_after is not None for way in ways)

    def scripted(self) -> list[tuple[AttemptOutcome, Law]]:
        """Return (outcome, law of its latency) of each attempt of the script; empty if there is none."""
        return [(attempt.outcome, Constant(value_ns=attempt.latency)) for attempt in self.script]

    def script_errors(self) -> list[Failure | None]:
        """Return for each attempt of the script what its error says."""
        return [attempt.failure for attempt in self.script]

    @property
    def memory(self) -> Memory | None:
        """How the receiver remembers keys; None if it does not."""
        return None if self.idempotency is None else self.idempotency.memory

    @property
    def window_ns(self) -> int | None:
        """The idempotency window in ns; None if no effect is ever recognized."""
        return None if self.idempotency is None else self.idempotency.window


class ActionOptions(WorkOptions):
    """The action that is retried: latency, outcomes, weather, and what its receiver remembers."""

    service: PartName | None = Field(
        default=None, description="Shared worlds: the service that is called, in place of all other keys."
    )
    permanent_failure: Share = Field(default=0.0, description="Share of the requests that never succeed.")
