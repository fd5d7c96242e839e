"""The options of the user's action: how long an attempt takes and how it ends.

`sim.world.action_model` plays them; its table has the outcomes and their moments.
"""

from math import fsum
from typing import Annotated, Any, Self, get_args

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    WrapSerializer,
    model_serializer,
    model_validator,
)

from sim.history.events import Failure
from sim.history.vocabulary import FAIL, HANG, NEVER, SUCCESS, AttemptOutcome
from sim.kernel.durations import NS_PER_MS
from sim.laws.distributions import Constant, Law
from sim.options.model import DurationNs, Options, Share
from sim.options.part_name import PartName
from sim.options.shorthand import AlsoWritten
from sim.world.weather import Weather

DEFAULT_LATENCY = Constant(value_ns=100 * NS_PER_MS)
MOST_SCRIPTED = 10_000
MOST_SOURCES = 100
SHARE_TOLERANCE = 1e-9
"""Shares that sum to 1 in decimals may exceed it by rounding."""


class OutcomeOptions(Options):
    """How often an attempt ends in one way, and how long it then takes."""

    share: Share
    latency: Law | None = None
    """None: the latency of the action."""


class FailOptions(OutcomeOptions):
    """How often an attempt fails, and what its error says."""

    final: Share = Field(default=0.0, description="Share of these failures marked as not worth a retry.")
    retry_after: Law | None = Field(default=None, description="How long the errors ask to wait before a retry.")


def _with_share(value: Any) -> Any:
    return {"share": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def _as_share(outcome: OutcomeOptions, handler: SerializerFunctionWrapHandler) -> Any:
    return outcome.share if outcome == type(outcome)(share=outcome.share) else handler(outcome)


def _outcome(description: str) -> Any:
    return Field(default=OutcomeOptions(share=0.0), description=description)


_AS_NUMBER = AlsoWritten({"type": "number", "minimum": 0, "maximum": 1})
OutcomeShare = Annotated[OutcomeOptions, BeforeValidator(_with_share), WrapSerializer(_as_share), _AS_NUMBER]
"""A share, or `{share: 0.25, latency: {constant: 5ms}}`."""
FailShare = Annotated[FailOptions, BeforeValidator(_with_share), WrapSerializer(_as_share), _AS_NUMBER]
"""A share, or `{share: 0.25, final: 0.1, retry_after: {constant: 2s}}`."""


class OutcomesOptions(Options):
    """The share of attempts that end in each way; success takes the rest."""

    fail: FailShare = Field(default=FailOptions(share=0.0), description="No effect; throws at the end of its latency.")
    ack_lost: OutcomeShare = _outcome("The effect is done, the attempt throws all the same.")
    crash_before_effect: OutcomeShare = _outcome("The execution dies before the effect.")
    crash_after_effect: OutcomeShare = _outcome("The execution dies after the effect, before its end is recorded.")
    lost_contact: OutcomeShare = _outcome("The platform takes the attempt for dead while it goes on to its effect.")
    hang: OutcomeShare = _outcome("No effect, and no end before the platform's time limit.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        total = fsum(options.share for options in self.by_name().values())
        if total > 1 + SHARE_TOLERANCE:
            raise ValueError(f"the shares sum to {total:.12g}, more than 1")
        if self.hang.latency is not None:
            raise ValueError("a latency of hang cannot matter: a hang never ends")
        return self

    def by_name(self) -> dict[AttemptOutcome, OutcomeOptions]:
        """Return the outcomes by their names; in this order their shares divide the uniform number of an attempt."""
        return {name: getattr(self, name) for name in get_args(AttemptOutcome) if name != SUCCESS}


class ScriptedAttempt(Options):
    """One attempt of a script."""

    outcome: AttemptOutcome
    latency: DurationNs = 100 * NS_PER_MS
    final: bool = Field(default=False, description="Whether the error of a `fail` is marked as not worth a retry.")
    retry_after: DurationNs | None = Field(default=None, description="How long it asks to wait before a retry.")

    @model_validator(mode="after")
    def _says_nothing_idle(self) -> Self:
        if self.outcome == HANG and "latency" in self.model_fields_set:
            raise ValueError("the latency of a hang cannot matter: a hang never ends")
        if self.outcome != FAIL and self.model_fields_set & {"final", "retry_after"}:
            raise ValueError(f"final and retry_after are what the error of a fail says, and a {self.outcome} has none")
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
        if not self.final and self.retry_after is None:
            return None
        return Failure(self.final, NEVER if self.retry_after is None else self.retry_after)


class IdempotencyOptions(Options):
    """The receiver's memory: an effect within the window of the last applied one is suppressed."""

    window: Annotated[DurationNs, Field(gt=0)]


Idempotency = Annotated[
    IdempotencyOptions | None,
    BeforeValidator(lambda value: None if value == "none" else value),
    WrapSerializer(lambda value, handler: "none" if value is None else handler(value)),
    AlsoWritten({"const": "none"}),
]
"""`none` (in memory None), or `{window: 24h}`."""


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

    def branches(self) -> list[tuple[AttemptOutcome, float, Law]]:
        """Return (outcome, share, law of its latency) for all but success, which has the rest and `latency`."""
        return [
            (name, options.share, self.latency if options.latency is None else options.latency)
            for name, options in self.outcomes.by_name().items()
        ]

    def scripted(self) -> list[tuple[AttemptOutcome, Law]]:
        """Return (outcome, law of its latency) of each attempt of the script; empty if there is none."""
        return [(attempt.outcome, Constant(value_ns=attempt.latency)) for attempt in self.script]

    def script_errors(self) -> list[Failure | None]:
        """Return for each attempt of the script what its error says."""
        return [attempt.failure for attempt in self.script]

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
