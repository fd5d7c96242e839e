"""How narrow intervals have to become before a run stops."""

from typing import Annotated, Any

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from sim.expect.expectations import LONGEST_TEXT
from sim.expect.targets import Target, parse_target
from sim.options.model import Options
from sim.scenario.mistakes.pydantic_words import expected
from sim.world.arrivals import REQUESTS_MAX

MOST_EXPECTATIONS = 100
MOST_REPLICATIONS = 10_000


def _parsed_target(value: Any) -> Target:
    if isinstance(value, Target):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError(
            "target", "{reason}", {"reason": expected("a text such as time_to_effect.p99 +- 5%", value)}
        )
    return parse_target(value)


TargetText = Annotated[
    Target,
    PlainValidator(_parsed_target),
    PlainSerializer(lambda target: target.text, return_type=str),
    WithJsonSchema({"type": "string", "maxLength": LONGEST_TEXT}),
]
"""How narrow an interval has to be; in a file a text."""


class Precision(Options):
    """A run goes on until the named intervals are narrow enough in every cell, or the limit is reached.

    `requests.count` requests a cell (`replications`, in shared worlds) are the first round; each round doubles them.
    """

    intervals: Annotated[tuple[TargetText, ...], Field(strict=False, max_length=MOST_EXPECTATIONS)] = Field(
        description="Metrics and how narrow their intervals must be, such as `time_to_effect.p99 +- 5%`.",
        json_schema_extra={"minItems": 1},
    )
    requests_at_most: int = Field(
        default=1_000_000, ge=1, le=REQUESTS_MAX, description="Isolated worlds: the most requests of a cell."
    )
    replications_at_most: int = Field(
        default=1_000, ge=1, le=MOST_REPLICATIONS, description="Shared worlds: the most replications of a cell."
    )

    @field_validator("intervals")
    @classmethod
    def _not_empty(cls, intervals: tuple[Target, ...]) -> tuple[Target, ...]:
        # `min_length` would not count the wrong ones, and complain about a number besides them.
        if not intervals:
            raise ValueError("name at least one interval, such as success.rate +- 0.1%")
        return intervals
