"""Options written as a mapping with one key, which names the kind: `{exponential: {mean: 5s}}`.

Laws, weather, arrivals and faults are written this way. Pydantic's own union reports a mistake once for every member,
and its tagged union puts the tag twice into the place of an error; here a mistake is one error, and its place is the
path in the file. An unknown kind is an error of type `unknown_key` at that key, with the known ones as a list in
`ctx["allowed"]`, from which the loader makes its suggestion.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from sim.options.model import Options
from sim.options.near_words import did_you_mean

UNKNOWN_KEY = "unknown_key"
"""The type of the error for a kind that does not exist."""

KEYS_SHOWN = 4
KEY_SHOWN = 30


class SingleKey:
    """Annotation of a union of option models: in a file one key and its options, in memory the model itself.

    `what` names the union in messages, `example` shows how one is written. `scalars` maps the kinds whose options are
    one bare value, not a mapping, to the field that takes it. `bare` are the kinds without options for which the name
    alone will do. `text` is the kind of `scalars` that a text which begins with a digit stands for: `50ms` for
    `{constant: 50ms}`.
    """

    def __init__(
        self,
        what: str,
        example: str,
        members: Mapping[str, type[Options]],
        *,
        scalars: Mapping[str, str] | None = None,
        bare: tuple[str, ...] = (),
        text: str | None = None,
    ) -> None:
        self._what = what
        self._example = example
        self._members = dict(members)
        self._kinds = {member: kind for kind, member in members.items()}
        self._scalars = dict(scalars or {})
        self._bare = bare
        self._text = text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source
        fields = {}
        for kind, member in self._members.items():
            options: Any = member
            if kind in self._scalars:
                options = member.model_fields[self._scalars[kind]].rebuild_annotation()
            fields[kind] = core_schema.typed_dict_field(handler.generate_schema(options), required=False)
        return core_schema.no_info_wrap_validator_function(
            self._validate,
            core_schema.typed_dict_schema(
                fields,
                extra_behavior="forbid",
                config=core_schema.CoreConfig(strict=True, allow_inf_nan=False),
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(self._serialize, info_arg=True),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        written = handler(schema["schema"])
        written.update(additionalProperties=False, minProperties=1, maxProperties=1)
        for kind, member in self._members.items():
            written["properties"][kind].setdefault("description", first_sentence(member))
        short: list[JsonSchemaValue] = [{"enum": list(self._bare)}] if self._bare else []
        if self._text is not None:
            short.append(dict(written["properties"][self._text]))
        return {"anyOf": [*short, written]} if short else written

    def _validate(self, value: object, handler: core_schema.ValidatorFunctionWrapHandler) -> object:
        if isinstance(value, tuple(self._kinds)):
            return value
        if isinstance(value, str) and value in self._bare:
            value = {value: {}}
        elif self._text is not None and isinstance(value, str) and value.strip()[:1].isdigit():
            value = {self._text: value}
        known = ", ".join(self._members)
        if not isinstance(value, Mapping):
            raise PydanticCustomError(
                "single_key",
                "a {what} is a mapping with one key, such as {example}; the key is one of: {known}",
                {"what": self._what, "example": self._example, "known": known},
            )
        unknown = [key for key in value if key not in self._members]
        if len(value) != 1 and not (unknown and did_you_mean(str(unknown[0]), self._members)):
            raise PydanticCustomError(
                "single_key",
                "a {what} has one key, such as {example}; this one has {count}",
                {"what": self._what, "example": self._example, "count": _keys(value)},
            )
        if unknown:
            raise ValidationError.from_exception_data(self._what, [self._unknown(unknown[0], value)])
        ((kind, options),) = handler(value).items()
        return self._members[kind](**{self._scalars[kind]: options}) if kind in self._scalars else options

    def _unknown(self, key: object, value: object) -> InitErrorDetails:
        error = PydanticCustomError(
            UNKNOWN_KEY,
            "no {what} has this name; the names are: {known}",
            {"what": self._what, "known": ", ".join(self._members), "allowed": list(self._members)},
        )
        return InitErrorDetails(type=error, loc=(key if isinstance(key, str | int) else str(key),), input=value)

    def _serialize(self, value: BaseModel, info: SerializationInfo) -> dict[str, Any]:
        kind = self._kinds[type(value)]  # type: ignore[index]
        options = value.model_dump(
            mode=info.mode,
            exclude_unset=info.exclude_unset,
            exclude_defaults=info.exclude_defaults,
            exclude_none=info.exclude_none,
        )
        if kind in self._scalars:
            (options,) = options.values()
        return {kind: options}


def first_sentence(model: type) -> str:
    """Return the first sentence of a class's docstring, the description of a kind in the JSON Schema."""
    (first, *_) = (model.__doc__ or "").strip().split("\n\n")
    return " ".join(first.split()).partition(". ")[0].removesuffix(".") + "."


def _keys(mapping: Mapping[Any, Any]) -> str:
    shown = [str(key)[:KEY_SHOWN] for key in list(mapping)[:KEYS_SHOWN]]
    more = ", ..." if len(mapping) > len(shown) else ""
    return f"{len(mapping)}: {', '.join(shown)}{more}" if shown else "none"
