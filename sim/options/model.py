"""The base of every option model: frozen, closed to unknown keys, and free of NaN and infinities.

A model that a scenario file can fill inherits from `Options`; the errors of all of them are gathered by
`sim.scenario.load`, which gives them their place in the file.
"""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from sim.kernel.durations import format_duration, format_rate, parse_duration, parse_rate


class Options(BaseModel):
    """Base of all option models."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        populate_by_name=True,
        strict=True,
        validate_default=True,
    )


DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+$"
RATE_PATTERN = r"^[0-9]+(\.[0-9]+)?/(s|m|h)$"


def _text_of_duration(value: object) -> object:
    return format_duration(value) if isinstance(value, int) else value


DurationNs = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(_text_of_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]
"""A duration: in a file a literal such as `250ms` or `1m30s`, in memory integer nanoseconds."""

Rate = Annotated[
    float,
    BeforeValidator(parse_rate),
    PlainSerializer(format_rate, return_type=str),
    WithJsonSchema({"type": "string", "pattern": RATE_PATTERN}),
]
"""A rate: in a file `NUMBER/(s|m|h)`, in memory events per second."""

Share = Annotated[float, Field(ge=0, le=1)]
"""A share of a whole, from 0 to 1."""
