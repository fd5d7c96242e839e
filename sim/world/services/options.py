"""The options of a service: its servers and their queue, the work of one call, and what is in front of it.

A service is data. `sim.world.services.service` plays it; its docstring has the rules.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema
from typing_extensions import TypeAliasType

from sim.laws.distributions import Law
from sim.options.either import Either
from sim.options.model import DurationNs, Options, Rate
from sim.options.part_name import PartName
from sim.options.share import Share
from sim.options.shorthand import AlsoWritten
from sim.world.actions import DEFAULT_LATENCY, WorkOptions
from sim.world.weather import OnOff

MOST_SERVERS = 10_000_000
MOST_CHANGES = 1_000
MOST_CALLS = 20
MOST_POINTS = 1_000
UNLIMITED = "unlimited"


class _Bounded:
    """Annotation of a whole number from `least` on, or `unlimited` (in memory None)."""

    def __init__(self, least: int) -> None:
        self._least = least

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source, handler
        return core_schema.no_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: UNLIMITED if value is None else value
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        del schema, handler
        number = {"type": "integer", "minimum": self._least, "maximum": MOST_SERVERS}
        return {"anyOf": [number, {"const": UNLIMITED}]}

    def _validate(self, value: Any) -> int | None:
        if value is None or value == UNLIMITED:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not self._least <= value <= MOST_SERVERS:
            raise PydanticCustomError(
                "bounded",
                "must be a whole number from {least} to {most}, or '{unlimited}', not {value}",
                {"least": self._least, "most": f"{MOST_SERVERS:,}", "unlimited": UNLIMITED, "value": str(value)[:40]},
            )
        return value


Servers = Annotated[int | None, _Bounded(1)]
QueueLimit = Annotated[int | None, _Bounded(0)]


class QueueOptions(Options):
    """Calls that wait for a server."""

    limit: QueueLimit = Field(default=None, description="The most calls that wait; one more is rejected at once.")
    order: Literal["fifo", "lifo", "priority"] = Field(
        default="fifo",
        description="Who is served next: the first, the last, or the class with the smallest number (then the first).",
    )
    max_wait: Annotated[DurationNs, Field(gt=0)] | None = Field(
        default=None, description="A call that waited for so long is rejected."
    )
    abandoned: Literal["served", "dropped"] = Field(
        default="served", description="What becomes of a call whose caller has given up, when its turn comes."
    )


Point = Annotated[
    tuple[Annotated[float, Field(ge=0, le=MOST_SERVERS)], Annotated[float, Field(ge=0, le=1e6)]], Field(strict=False)
]


class Slowdown(Options):
    """How work gets slower by the other calls that are in progress as it starts."""

    per_call: DurationNs | None = Field(default=None, description="Added for each other call in progress.")
    curve: Annotated[tuple[Point, ...], Field(strict=False, max_length=MOST_POINTS)] | None = Field(
        default=None,
        description="Points [other calls in progress, factor of the latency], linear between them, level beyond.",
    )

    @field_validator("curve")
    @classmethod
    def _ascends(cls, curve: tuple[tuple[float, float], ...] | None) -> tuple[tuple[float, float], ...] | None:
        if curve is None:
            return None
        if not curve:
            raise ValueError("a curve has at least one point")
        if any(later[0] <= before[0] for before, later in pairwise(curve)):
            raise ValueError("the numbers of calls in progress must ascend from point to point")
        return curve

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.per_call is None) == (self.curve is None):
            raise ValueError("give one of per_call and curve")
        return self

    @model_serializer(mode="wrap")
    def _without_gaps(self, handler: Any) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


class Network(Options):
    """The way to a service and back."""

    request: Law | None = Field(default=None, description="How long a call is on its way; nothing unless stated.")
    reply: Law | None = Field(default=None, description="How long an answer is on its way; nothing unless stated.")


NEXT = "next"
"""Retry-After of a rate limit: until there will be a token."""


def _words_of_wait(value: Any) -> Any:
    if isinstance(value, str) and value not in {NEXT, "none"}:
        raise PydanticCustomError("retry_after", "expected a law such as {constant: 1s}, 'next' or 'none'", {})
    return None if value == "none" else value


class RateLimit(Options):
    """A token bucket in front of the queue: a call takes a token, or is rejected."""

    rate: Annotated[Rate, Field(gt=0)] = Field(description="How fast tokens come back.")
    burst: Annotated[int, Field(ge=1, le=MOST_SERVERS)] = Field(
        default=1, description="The most tokens; so many are there at first."
    )
    retry_after: Annotated[
        Literal["next"] | Law | None, BeforeValidator(_words_of_wait), AlsoWritten({"const": "none"})
    ] = Field(
        default=None,
        description="What a rejected call is asked to wait: a law, `next` (until there will be a token), or `none`.",
    )


CONDITION = re.compile(r"\s*(inside|in_queue|in_progress)\s*(>=|>)\s*(\d{1,9})\s*")


class Condition(Options):
    """When a service sheds load."""

    quantity: Literal["inside", "in_queue", "in_progress"]
    at_least: int

    def __str__(self) -> str:
        return f"{self.quantity} >= {self.at_least}"


def _condition(value: Any) -> Any:
    if isinstance(value, Condition | Mapping):
        return value
    found = CONDITION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise PydanticCustomError(
            "condition",
            "a condition compares `inside`, `in_queue` or `in_progress` with a number of calls, such as 'inside >= 80'",
            {},
        )
    quantity, sign, number = found.groups()
    return {"quantity": quantity, "at_least": int(number) + (sign == ">")}


class Shed(Options):
    """Load shedding: calls that come while there is too much to do are rejected."""

    when: Annotated[
        Condition,
        BeforeValidator(_condition),
        PlainSerializer(str, return_type=str),
        WithJsonSchema({"type": "string", "pattern": r"^\s*(inside|in_queue|in_progress)\s*(>=|>)\s*\d{1,9}\s*$"}),
    ] = Field(description="`inside`, `in_queue` or `in_progress`, `>=` or `>`, and a number of calls.")
    share: Share = Field(default=1.0, description="Share of these calls that is rejected.")
    classes: Annotated[tuple[PartName, ...], Field(strict=False, min_length=1, max_length=1000)] | None = Field(
        default=None, description="Only calls of requests of these classes; all unless stated."
    )


class PlannedChange(Options):
    """Other servers, or another slow-down, from one instant to another."""

    from_ns: DurationNs = Field(validation_alias="from", serialization_alias="from", description="Begin of the change.")
    to_ns: DurationNs = Field(
        validation_alias="to", serialization_alias="to", description="The first instant after the change."
    )
    servers: Annotated[int, Field(ge=0, le=MOST_SERVERS)] | None = Field(
        default=None, description="Servers in the meantime."
    )
    slowdown: Slowdown | None = Field(default=None, description="Factor of all work in the meantime.")

    @field_validator("to_ns")
    @classmethod
    def _after_from(cls, to_ns: int, info: Any) -> int:
        if to_ns <= info.data.get("from_ns", -1):
            raise ValueError("a change must end after it begins: `from` must be less than `to`")
        return to_ns

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        _check_change(self)
        return self


class RandomChange(Options):
    """Other servers, or another slow-down, in intervals of random length; it starts with the state as usual."""

    up: Law = Field(description="How long all is as usual.")
    down: Law = Field(description="How long the change lasts.")
    servers: Annotated[int, Field(ge=0, le=MOST_SERVERS)] | None = Field(
        default=None, description="Servers in the meantime."
    )
    slowdown: Slowdown | None = Field(default=None, description="Factor of all work in the meantime.")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        OnOff(up=self.up, down=self.down)  # its laws have the same rules
        _check_change(self)
        return self


def _check_change(change: PlannedChange | RandomChange) -> None:
    if change.servers is None and change.slowdown is None:
        raise ValueError("say what changes: servers, slowdown or both")


class RandomTurns(Options):
    """A change that comes and goes at random, written `on_off: {...}`."""

    on_off: RandomChange = Field(description="How it comes and goes.")


def _kind_of_change(written: Mapping[str, Any], _context: Any) -> type[Options]:
    return RandomTurns if "on_off" in written else PlannedChange


Change = TypeAliasType(
    "Change",
    Annotated[
        PlannedChange | RandomTurns,
        Either("change of capacity", "{from: 20s, to: 80s, servers: 2}", _kind_of_change),
    ],
)
"""Other servers or another slow-down for a time: `{from, to, servers}` or `{on_off: {up, down, servers}}`."""


class FrontOptions(Options):
    """What stands in front of the work of a service, whoever does that work."""

    servers: Servers = Field(default=None, description="The most calls that are worked on at the same time.")
    queue: QueueOptions = Field(default=QueueOptions(), description="How calls wait for a server.")
    network: Network = Field(default=Network(), description="The way to the service and back.")
    rate_limit: RateLimit | None = Field(default=None, description="A token bucket in front of the queue.")
    shed: Shed | None = Field(default=None, description="Load shedding.")
    capacity: Annotated[tuple[Change, ...], Field(strict=False, max_length=MOST_CHANGES)] = Field(
        default=(),
        description="Changes of servers or slow-down, for work that starts meanwhile; of several the smallest counts.",
    )

    @model_validator(mode="after")
    def _queue_can_matter(self) -> Self:
        if not self._queues:
            reason = "cannot matter without servers: if they are unlimited no call waits; give `servers`"
            written = [key for key in QueueOptions.model_fields if key in self.queue.model_fields_set]
            refuse([("queue", key) for key in written], reason)
        return self

    @model_serializer(mode="wrap")
    def _without_idle_queue(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        if not self._queues:
            written.pop("queue", None)
        return written

    @property
    def _queues(self) -> bool:
        """Whether a call can have to wait."""
        return self.servers is not None or any(servers_of(change) is not None for change in self.capacity)


def refuse(places: Sequence[tuple[str | int, ...]], reason: str) -> None:
    """Refuse what is written at some places of a model, if there are any. Raises ValidationError."""
    if places:
        error = PydanticCustomError("without_effect", "{reason}", {"reason": reason})
        details = [InitErrorDetails(type=error, loc=place, input=None) for place in places]
        raise ValidationError.from_exception_data("service", details)


def servers_of(change: PlannedChange | RandomTurns) -> int | None:
    """Return how many servers there are during a change; None if it does not say."""
    return change.on_off.servers if isinstance(change, RandomTurns) else change.servers


def slowdown_of(change: PlannedChange | RandomTurns) -> Slowdown | None:
    """Return the slow-down during a change; None if it does not say."""
    return change.on_off.slowdown if isinstance(change, RandomTurns) else change.slowdown


class QueueingOptions(FrontOptions, WorkOptions):
    """A service whose calls wait for a server, are worked on, and get an answer."""

    latency: Law = Field(
        default=DEFAULT_LATENCY,
        description="The work of one call.",
        json_schema_extra={"default": {"constant": "100ms"}},
    )
    slowdown: Slowdown | None = Field(
        default=None, description="How work gets slower by other calls in progress; the same for all unless stated."
    )

    @model_validator(mode="after")
    def _script_stands_alone(self) -> Self:
        if self.script:
            written = [key for key in BESIDE_SCRIPT if key in self.model_fields_set and getattr(self, key) != ()]
            refuse([(key,) for key in written], "cannot matter beside script, which says how each call goes")
        return self

    @model_serializer(mode="wrap")
    def _without_idle_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        for key in (*(BESIDE_SCRIPT if self.script else ()), *(() if self._queues else ("queue",))):
            written.pop(key, None)
        return {key: value for key, value in written.items() if value is not None}


BESIDE_SCRIPT: Final = ("latency", "outcomes", "weather")
"""Keys of the work that a script takes the place of."""


class VersionedRow(Options):
    """A row with a version: an attempt reads it and writes it back with the version it read; an old version fails.

    After M. Brooker, "Exponential Backoff And Jitter" (2015): clients that contend for one row.
    """

    kind: Literal["versioned_row"] = Field(
        description="A row that is read, and written back if its version is still the same."
    )
    network: Network = Field(default=Network(), description="The way to the row and back, taken twice by an attempt.")
