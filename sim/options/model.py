"""The base of every option model: frozen, closed to unknown keys, and free of NaN and infinities.

A model that a scenario file can fill inherits from `Options`; the errors of all of them are gathered by
`sim.scenario.load`, which gives them their place in the file.

Python may say more than a file: there a duration is also a whole number of nanoseconds, a rate also a float, and a
field also goes by its own name. `file_rules` gives Pydantic the settings for values from a file.
"""

import re
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from sim.kernel.durations import (
    DURATION_PATTERN,
    RATE_PATTERN,
    format_duration,
    format_rate,
    parse_duration,
    parse_rate,
)


class Options(BaseModel):
    """Base of all option models."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_by_name=True,
        serialize_by_alias=True,
        strict=True,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _whole_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """Take `1e6` and `20_000` for whole numbers where one is wanted, as people write large counts."""
        wanted = cls.model_fields[str(info.field_name)].annotation
        return _whole(value) if wanted in (int, int | None) else value


_GROUPED = re.compile(r"[0-9]{1,12}(_[0-9]{1,12}){1,6}")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""What names of scenarios, kinds and the like look like."""


def file_rules(context: Any) -> dict[str, Any]:
    """Return the arguments of `model_validate` for this context, of a file if its `from_file` is true.

    Values of a file must obey its rules, all others those of Python.
    """
    return {"context": context, "by_alias": True, "by_name": not is_of_file(context)}


def is_of_file(context: Any) -> bool:
    """Whether the values validated in this context come from a file."""
    return getattr(context, "from_file", False)


def _whole(value: Any) -> Any:
    """Return the whole number that a float or a text with `_` between its digits is; anything else as it is."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, str) and _GROUPED.fullmatch(value) else value


def checked_name(name: str) -> str:
    """Return a name that has the form of one. Raises ValueError."""
    if not NAME.fullmatch(name):
        raise ValueError(
            "a name has up to 64 lowercase letters, digits, '.', '_' and '-', and starts with a letter or a digit"
        )
    return name


def _duration(value: object, info: ValidationInfo) -> int:
    # In a file a number without a unit is no duration, like anything else that is not a text.
    return parse_duration(None if is_of_file(info.context) and isinstance(value, int) else value)


def _rate(value: object, info: ValidationInfo) -> float:
    return parse_rate(None if is_of_file(info.context) and isinstance(value, float) else value)


def _text_of_duration(value: object) -> object:
    return format_duration(value) if isinstance(value, int) else value


DurationNs = Annotated[
    int,
    BeforeValidator(_duration),
    PlainSerializer(_text_of_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]
"""A duration: in a file a literal such as `250ms` or `1m30s`, in memory integer nanoseconds."""

Rate = Annotated[
    float,
    BeforeValidator(_rate),
    PlainSerializer(format_rate, return_type=str),
    WithJsonSchema({"type": "string", "pattern": RATE_PATTERN}),
]
"""A rate: in a file `NUMBER/(s|m|h)`, in memory events per second."""
