"""The search of `retrysim tune`: the ranges of some keys, the constraints, the objectives, and how far to go.

    tune:
      search:
        retrier.initial_backoff: {from: 10ms, to: 60s}     # durations on a logarithmic scale unless stated
        retrier.base: {from: 1, to: 4}
        retrier.max_failures: [2, 4, 8, 16]                # or a list of values
      constraints: [success.rate >= 99.9%, duplicates.rate <= 0.1%]
      objectives: [time_to_effect.p99, cost.actions]
      budget: {candidates: 64, finalists: 8}

The block changes nothing that `run` simulates, and the digest does not cover it. A finalist is measured with
`requests.count` requests, as everywhere. The keys and values of a search are checked against the models of the settings
(`sim.scenario.search_space`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from sim.expect.expectations import LONGEST_TEXT, Expectation, parse
from sim.measure.differences import neither_is_better
from sim.measure.paths import UnknownMetric, metric_of
from sim.measure.quantities import METRICS, Statistic
from sim.measure.traffic_quantities import TRAFFIC
from sim.options.model import Options, file_rules
from sim.scenario.mistakes.pydantic_words import expected

MOST_CANDIDATES = 1000
MOST_FINALISTS = 32
MOST_KEYS = 8
MOST_OBJECTIVES = 4
MOST_CONSTRAINTS = 20
MOST_VALUES = 1000


def parsed_expectation(value: Any) -> Expectation:
    """Take an expectation, or read its text; raises ValueError."""
    if isinstance(value, Expectation):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError(
            "expectation", "{reason}", {"reason": expected("a text such as success.rate >= 99.9%", value)}
        )
    return parse(value)


Expect = Annotated[
    Expectation,
    PlainValidator(parsed_expectation),
    PlainSerializer(lambda expectation: expectation.text, return_type=str),
    WithJsonSchema({"type": "string", "maxLength": LONGEST_TEXT}),
]
"""An expectation; in a file a text."""

AnyValue = Annotated[Any, WithJsonSchema({})]


class Range(Options):
    """From one value to another, both included."""

    low: AnyValue = Field(alias="from")
    high: AnyValue = Field(alias="to")
    scale: Literal["linear", "log"] | None = Field(
        default=None, description="How candidates spread over the range; by default log for durations, else linear."
    )


class Values(Options):
    """A few values, written as a list."""

    values: Annotated[tuple[AnyValue, ...], Field(strict=False, min_length=1, max_length=MOST_VALUES)]


def searched_values(value: Any, context: Any = None) -> Range | Values:
    """Read a range or a list; raises ValueError if it is neither. `context` is that of the validation."""
    if isinstance(value, Range | Values):
        return value
    if isinstance(value, Mapping):
        return Range.model_validate(value, **file_rules(context))
    if isinstance(value, list | tuple):
        return Values(values=tuple(value))
    forms = expected("a range such as {from: 10ms, to: 60s} or a list of values", value)
    raise PydanticCustomError("search", "{reason}", {"reason": forms})


def _written(searched: Range | Values) -> Any:
    if isinstance(searched, Values):
        return list(searched.values)
    return {"from": searched.low, "to": searched.high, **({"scale": searched.scale} if searched.scale else {})}


Searched = Annotated[
    Range | Values,
    PlainValidator(lambda value, info: searched_values(value, info.context)),
    PlainSerializer(_written),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "minItems": 1, "maxItems": MOST_VALUES, "items": {}},
                {
                    "type": "object",
                    "properties": {
                        "from": {"description": "The least value."},
                        "to": {"description": "The greatest value."},
                        "scale": {
                            "enum": ["linear", "log"],
                            "description": "How candidates spread; by default log for durations, else linear.",
                        },
                    },
                    "required": ["from", "to"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
"""The values that a key may take: a range or a list."""


def _objective(path: str) -> str:
    try:
        metric = metric_of(path)
    except UnknownMetric as error:
        raise ValueError(str(error)) from None
    if metric.statistic is Statistic.max:
        raise ValueError("a maximum has no interval and grows with the number of requests; take a quantile")
    if neither_is_better(metric):
        raise ValueError("neither more nor less of it is better, so it cannot be an objective")
    return metric.path


def _each_once(objectives: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(objectives)) < len(objectives):
        raise ValueError("the same objective again")
    return objectives


def _some_keys(search: dict[str, Any]) -> dict[str, Any]:
    if not 1 <= len(search) <= MOST_KEYS:
        raise ValueError(f"a search goes over 1 to {MOST_KEYS} keys, not {len(search)}")
    return search


class Budget(Options):
    """How far a search goes."""

    candidates: int = Field(
        default=64, ge=2, le=MOST_CANDIDATES, description="Candidates tried; each round half of them go on."
    )
    finalists: int = Field(
        default=8,
        ge=1,
        le=MOST_FINALISTS,
        description="Candidates measured with all requests, on a sample of their own.",
    )

    @model_validator(mode="after")
    def _halves(self) -> Self:
        if self.finalists > self.candidates:
            raise ValueError("there cannot be more finalists than candidates")
        return self


OBJECTIVE_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"enum": [*METRICS, *TRAFFIC]},
            {"type": "string", "pattern": r"^[a-z_.]+\.p[0-9]{1,2}(\.[0-9]{1,6})?$"},
            {"type": "string", "pattern": r"^(service|class|client)\..+$"},
        ]
    }
)


class TuneOptions(Options):
    """A search for parameters."""

    search: Annotated[dict[str, Searched], AfterValidator(_some_keys)] = Field(
        description="Dotted keys, each with the values it may take."
    )
    constraints: Annotated[tuple[Expect, ...], Field(strict=False, max_length=MOST_CONSTRAINTS)] = Field(
        default=(), description="Constraints that must hold, such as `success.rate >= 99.9%`."
    )
    objectives: Annotated[
        tuple[Annotated[str, AfterValidator(_objective), OBJECTIVE_SCHEMA], ...],
        Field(strict=False, min_length=1, max_length=MOST_OBJECTIVES),
        AfterValidator(_each_once),
    ] = Field(
        default=("time_to_effect.p99", "cost.actions"),
        description="Metrics that should be small (success.rate: large); the first orders the candidates found.",
    )
    budget: Budget = Field(default=Budget(), description="How far the search goes.")
