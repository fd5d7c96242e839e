"""Short forms: `fail: 0.1` for `fail: {share: 0.1}`, `check: all` for `check: [all]`, `sweep: null` for `sweep: {}`.

A validator in front of a model turns the short form into the long one. This annotation tells the two others who must
know about it: the JSON Schema, and a user who wrote neither of the two forms.
"""

from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

NEITHER_FORM = "neither_form"
"""The type of the error for a value in neither form; `ctx["short"]` and `ctx["long"]` say which forms there are."""

_LONG_FORMS = {"model_type": "a mapping of keys", "dict_type": "a mapping of keys", "tuple_type": "a list"}
"""What pydantic misses if a value has not even the type of the long form, by the type of its error."""


class AlsoWritten:
    """Annotation for a form that files may write shorter; `shorthands` are the JSON Schemas of the short forms."""

    def __init__(self, *shorthands: dict[str, Any]) -> None:
        self._shorthands = shorthands

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._validate, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [*self._shorthands, handler(schema)]}

    def _validate(self, value: object, handler: core_schema.ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError as error:
            (first, *_) = error.errors(include_url=False, include_context=False, include_input=False)
            short = self._short_form
            if first["loc"] or first["type"] not in _LONG_FORMS or not short or isinstance(value, list | tuple | dict):
                raise
            forms = {"short": short, "long": _LONG_FORMS[first["type"]]}
            raise PydanticCustomError(NEITHER_FORM, "expected {short} or {long}", forms) from None

    @property
    def _short_form(self) -> str:
        first = self._shorthands[0]
        if "const" in first:
            return f"'{first['const']}'"
        return "a number" if first["type"] == "number" else ""
