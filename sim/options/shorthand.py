"""Forms that files may write shorter."""

from typing import Any

from pydantic import (
    GetJsonSchemaHandler,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class AlsoWritten:
    """Annotation for the JSON Schema of a form that files may write shorter."""

    def __init__(self, shorthand: dict[str, Any]) -> None:
        self._shorthand = shorthand

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [self._shorthand, handler(schema)]}
