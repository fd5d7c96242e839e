"""Options in one of several forms, told apart by their keys: a change with `on_off` or with `from` and `to`.

Pydantic's own union tries each member and reports the mistakes of all of them. Here the keys decide first, so a mistake
is one error, at its own place.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler, SerializationInfo, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from sim.options.model import Options, file_rules


class Either:
    """Annotation of a union of option models: `choose` returns the one whose options a mapping writes.

    `choose` is given the mapping and the context of the validation; it may raise a `PydanticCustomError` or a
    `ValidationError`. `what` and `example` say in messages what such options are and how they are written.
    """

    def __init__(self, what: str, example: str, choose: Callable[[Mapping[str, Any], Any], type[Options]]) -> None:
        self._what = what
        self._example = example
        self._choose = choose

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_wrap_validator_function(
            self._validate,
            handler.generate_schema(source),  # for the JSON Schema alone
            serialization=core_schema.plain_serializer_function_ser_schema(_serialize, info_arg=True),
        )

    def _validate(
        self, value: object, handler: core_schema.ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> object:
        del handler
        if isinstance(value, Options):
            return value
        if not isinstance(value, Mapping):
            said = {"what": self._what, "example": self._example}
            raise PydanticCustomError("either", "a {what} is a mapping of keys, such as {example}", said)
        return self._choose(value, info.context).model_validate(dict(value), **file_rules(info.context))


def _serialize(value: Options, info: SerializationInfo) -> dict[str, Any]:
    return value.model_dump(
        mode=info.mode,
        exclude_unset=info.exclude_unset,
        exclude_defaults=info.exclude_defaults,
        exclude_none=info.exclude_none,
    )
