"""Hedged calls: more copies of a call that takes long, of which the first success counts.

After J. Dean and L. A. Barroso, "The Tail at Scale", Communications of the ACM, 2013. The rules of failures are those
of gRPC's proposal A6 (`next`) and of Envoy's `hedge_on_per_try_timeout` (`delay`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema, model_validator

from sim.kernel.durations import DURATION_PATTERN, format_duration, parse_duration
from sim.options.model import Options, file_rules, is_of_file

MOST_COPIES: Final = 100
NEVER_AFTER: Final = "never"
LAST: Final = "last_"


class AfterPercentile(Options):
    """As long as a share of the last successes took."""

    percentile: Annotated[float, Field(gt=0, lt=100, json_schema_extra={"maximum": 100})] = Field(
        description="The share of the successes that took no longer, in percent."
    )
    of: str = Field(
        default="last_1000",
        pattern=r"^last_[1-9][0-9]{0,4}$",
        description="How many latencies of successes are remembered, of all who share the state. With fewer than "
        "1 / (1 - percentile) of them no copy is sent.",
    )

    @property
    def remembers(self) -> int:
        """How many latencies are remembered."""
        return int(self.of.removeprefix(LAST))


def _after(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, AfterPercentile) or value == NEVER_AFTER:
        return value
    if isinstance(value, Mapping):
        return AfterPercentile.model_validate(dict(value), **file_rules(info.context))
    return parse_duration(None if is_of_file(info.context) and isinstance(value, int) else value)


def _written(value: Any) -> Any:
    if isinstance(value, AfterPercentile):
        return value.model_dump(exclude_unset=True)
    return format_duration(value) if isinstance(value, int) else value


After = Annotated[
    Any,
    BeforeValidator(_after),
    PlainSerializer(_written),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": DURATION_PATTERN},
                {"const": NEVER_AFTER},
                AfterPercentile.model_json_schema(),
            ]
        }
    ),
]
"""A duration in ns, `never`, or an `AfterPercentile`."""


class Hedge(Options):
    """More copies of a try, each some time after the one before; the first success counts."""

    after: After = Field(description="After the start of the last copy: a duration, `{percentile: 95}`, or `never`.")
    at_most: Annotated[int, Field(ge=1, le=MOST_COPIES)] = Field(default=1, description="Copies more in one try.")
    cancels: bool = Field(
        default=False,
        description="Whether the receivers of the other copies hear of the first success: work not begun is dropped, "
        "work begun stops, and an effect that is still ahead does not come.",
    )
    at_failure: Literal["next", "delay", "wait"] = Field(
        default="next",
        description="If a copy fails with an answer that is retried, the next one goes at once, after the policy's "
        "delay, or at its time. Any other failure ends the try.",
    )

    @model_validator(mode="after")
    def _sends_copies(self) -> Self:
        if self.after == NEVER_AFTER and self.at_failure == "wait":
            raise ValueError("no copy would ever be sent: beside `never` a failure sends the next, at_failure: next")
        return self
