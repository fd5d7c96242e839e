"""A field that takes a duration or a word, such as `after: 500ms` and `after: never`."""

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo

from sim.kernel.durations import format_duration, parse_duration
from sim.options.model import is_of_file


def _read(value: Any, info: ValidationInfo) -> Any:
    if (isinstance(value, str) and value.isalpha()) or (value is None and not is_of_file(info.context)):
        return value
    return parse_duration(None if is_of_file(info.context) and isinstance(value, int) else value)


DurationOrWord = Annotated[
    Any,
    BeforeValidator(_read),
    PlainSerializer(lambda value: format_duration(value) if isinstance(value, int) else value),
]
"""A duration in ns, or a word of letters; the field that has it says which words there are (`checked_word`)."""


def checked_word(value: int | str, *words: str) -> int | str:
    """Return a value that is a duration or one of these words. Raises ValueError."""
    if isinstance(value, str) and value not in words:
        raise ValueError(f"expected a duration, such as 500ms, or {' or '.join(words)}, not '{value[:40]}'")
    return value
