"""Options of the delay before a retry: one key and its options, a bare duration, `none`, or a formula.

All laws but the table are formulas of `n`, the number of the retry, and each says here which; a table is one of its
entries. Full, equal and decorrelated jitter are those of M. Brooker, "Exponential Backoff And Jitter", AWS Architecture
Blog, 2015.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema
from typing_extensions import TypeAliasType

from sim.clients.policy.delay_names import ENTRY
from sim.clients.policy.formula_delay import FormulaDelay
from sim.clients.policy.shaping import MOST_ENTRIES, ShapedDelay, Then
from sim.kernel.durations import DURATION_PATTERN, NS_PER_MS, format_duration
from sim.options.model import DurationNs, Options, file_rules
from sim.options.single_key import SingleKey

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue

    from sim.clients.policy.delay_law import DelayLaw

_DURATION: Final = {"type": "string", "pattern": DURATION_PATTERN}


class NoDelay(Options):
    """The next try begins at once."""

    def formula(self) -> tuple[dict[str, str], str]:
        """Return no lets and 0."""
        return {}, "0"

    def law(self, place: str) -> DelayLaw:
        """Return the law that these options say."""
        return ConstantDelay(delay=0).law(place)


class ConstantDelay(ShapedDelay):
    """Always the same delay; may be written as a bare duration."""

    delay: DurationNs = Field(description="The delay.")

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        return {"delay": value} if isinstance(value, str | int) else value

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> Any:
        written = self.without_defaults(handler(self))
        return written if len(written) > 1 else written["delay"]

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [_DURATION, handler(schema)]}

    def plain(self) -> str:
        """Return the delay itself."""
        return format_duration(self.delay)


class LinearDelay(ShapedDelay):
    """Each delay is longer by one step."""

    initial: DurationNs = Field(description="The first delay.")
    step: DurationNs = Field(description="How much longer each is than the one before.")

    def plain(self) -> str:
        """Return initial + step * (n - 1)."""
        return f"{format_duration(self.initial)} + {format_duration(self.step)} * (n - 1)"


class ExponentialDelay(ShapedDelay):
    """Each delay is a multiple of the one before."""

    initial: DurationNs = Field(description="The first delay.")
    factor: Annotated[float, Field(gt=0, le=1000)] = Field(
        default=2.0, description="How many times longer each is than the one before."
    )

    def plain(self) -> str:
        """Return initial * factor ** (n - 1), which is 0 for no initial delay, however large the power."""
        return f"{format_duration(self.initial)} * {self.factor!r} ** (n - 1)" if self.initial else "0"


class DecorrelatedDelay(ShapedDelay):
    """Drawn evenly between a base and a multiple of the delay before, which is the base before the first retry.

    The cap bounds what was drawn, and not what it is drawn from.
    """

    base: Annotated[DurationNs, Field(gt=0)] = Field(description="The shortest delay.")
    factor: Annotated[float, Field(ge=1, le=1000)] = Field(
        default=3.0, description="How many times the delay before the longest is."
    )
    state: Literal["request", "client"] = Field(
        default="request", description="Whose the delay before is: each request's or all of a client's."
    )

    @model_validator(mode="after")
    def _cap_is_not_below_base(self) -> Self:
        if self.cap is not None and self.cap < self.base:
            raise ValueError("the cap must not lie below the base")
        return self

    def plain(self) -> str:
        """Return base + u * (factor * previous - base)."""
        base = format_duration(self.base)
        return f"{base} + u * ({self.factor!r} * previous - {base})"

    def draw(self) -> str:
        """Return the second number, as the law itself takes the first one."""
        return "u2"

    def more(self) -> dict[str, Any]:
        """Return whose the state is and how it starts."""
        return {"starts": (("previous", self.base / NS_PER_MS),), "state": self.state}


class TableDelay(ShapedDelay):
    """One delay after the other; may be written as a bare list."""

    delays: Annotated[tuple[DurationNs, ...], Field(strict=False, min_length=1, max_length=MOST_ENTRIES)] = Field(
        description="The delays in their order."
    )
    then: Then = "repeat"

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        return {"delays": value} if isinstance(value, list | tuple) else value

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> Any:
        written = self.without_defaults(handler(self))
        return written if len(written) > 1 else written["delays"]

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "anyOf": [{"type": "array", "items": _DURATION, "minItems": 1, "maxItems": MOST_ENTRIES}, handler(schema)]
        }

    def plain(self) -> str:
        """Return the entry for n."""
        return ENTRY

    def more(self) -> dict[str, Any]:
        """Return the entries."""
        return {"entries": tuple(one / NS_PER_MS for one in self.delays), "stops": self.then == "stop"}


DelayOptions = NoDelay | ConstantDelay | LinearDelay | ExponentialDelay | DecorrelatedDelay | TableDelay | FormulaDelay


NamedDelay = TypeAliasType(
    "NamedDelay",
    Annotated[
        NoDelay | ConstantDelay | LinearDelay | ExponentialDelay | DecorrelatedDelay | TableDelay,
        SingleKey(
            "delay",
            "{exponential: {initial: 100ms, factor: 2, cap: 20s, jitter: full}} or a bare 500ms",
            {
                "none": NoDelay,
                "constant": ConstantDelay,
                "linear": LinearDelay,
                "exponential": ExponentialDelay,
                "decorrelated": DecorrelatedDelay,
                "table": TableDelay,
            },
            bare=("none",),
        ),
    ],
)
"""A delay as one key and its options, or `none`."""


@cache
def _named() -> TypeAdapter[Any]:
    return TypeAdapter(NamedDelay)


_BARE: Final = {"constant": "delay", "table": "delays"}
"""Laws that may be one bare value, and the key of that value: there other keys stand beside the law."""


def _with_keys_inside(value: object) -> object:
    """Return `{table: [1s], jitter: full}` as `{table: {delays: [1s], jitter: full}}`, anything else as it is."""
    if not isinstance(value, Mapping) or len(value) == 1:
        return value
    named = [kind for kind in value if kind in _BARE]
    if len(named) != 1 or isinstance(value[named[0]], Mapping):
        return value
    (kind,) = named
    model = ConstantDelay if kind == "constant" else TableDelay
    if value.keys() - {kind} - model.model_fields.keys():
        return value  # what is wrong is told of the keys as they stand
    return {kind: {_BARE[kind]: value[kind], **{key: one for key, one in value.items() if key != kind}}}


def _beside(error: ValidationError) -> ValidationError:
    """Return the mistakes of a law with its keys inside at the places where they stand: beside it."""
    found = []
    for one in error.errors(include_url=False):
        kind, *inside = one["loc"]
        is_bare = bool(inside) and inside[0] == _BARE.get(str(kind))
        place = (kind, *inside[1:]) if is_bare else tuple(inside) or (kind,)
        kept = {**one.get("ctx", {}), "reason": one["msg"]}
        told = PydanticCustomError(one["type"], "{reason}", kept)
        found.append(InitErrorDetails(type=told, loc=place, input=one["input"]))
    return ValidationError.from_exception_data("delay", found)


def _schema_beside(kind: str, inside: JsonSchemaValue) -> JsonSchemaValue:
    """Return the schema of a law that is one bare value with its other keys beside it."""
    properties = dict(inside["properties"])
    bare = properties.pop(_BARE[kind])
    return {**inside, "properties": {kind: bare, **properties}, "required": [kind]}


class _ShortForms:
    """Annotation: a delay may also be a bare duration, or a mapping with a formula and what it asks for."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_wrap_validator_function(
            self._validate,
            handler(source),  # for the JSON Schema alone
            serialization=core_schema.plain_serializer_function_ser_schema(self._serialize, info_arg=True),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        beside = []
        for kind, model in (("constant", ConstantDelay), ("table", TableDelay)):
            forms = handler.resolve_ref_schema(handler(model.__pydantic_core_schema__))
            inside = forms["anyOf"][-1] if "anyOf" in forms else forms
            beside.append(_schema_beside(kind, handler.resolve_ref_schema(inside)))
        return {"anyOf": [_DURATION, *handler(schema["schema"])["anyOf"], *beside]}

    def _validate(
        self, value: object, handler: core_schema.ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> object:
        del handler
        rules = file_rules(info.context)
        if isinstance(value, FormulaDelay):
            return value
        if isinstance(value, Mapping) and "formula" in value:
            return FormulaDelay.model_validate(dict(value), **rules)
        if isinstance(value, list | tuple):
            # No TypeErrors here: pydantic gathers ValueErrors.
            raise ValueError("delays one after the other are a table: {table: [15s, 30s, 1m]}")  # noqa: TRY004
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number or (isinstance(value, str) and value.lstrip("-")[:1].isdigit()):
            return ConstantDelay.model_validate(value, **rules)
        folded = _with_keys_inside(value)
        try:
            return _named().validate_python(folded, **rules)
        except ValidationError as error:
            if folded is value:
                raise
            raise _beside(error) from None

    def _serialize(self, value: object, info: SerializationInfo) -> Any:
        if isinstance(value, FormulaDelay):
            return value.model_dump(mode=info.mode)
        return (
            "none"
            if isinstance(value, NoDelay)
            else _named().dump_python(value, mode="json" if info.mode_is_json() else "python")
        )


DelayField = TypeAliasType("DelayField", Annotated[NamedDelay | FormulaDelay, _ShortForms()])
"""A delay as files write it; in memory one of `DelayOptions`."""


def delay_law(options: DelayOptions, place: str = "delay") -> DelayLaw:
    """Return the law that options say; `place` is where they are written, for messages."""
    return options.law(place)
