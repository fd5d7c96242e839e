"""`formula`: a delay as one line, with the values it names given beside it.

    delay: {formula: "min(cap, initial * 2 ** (n - 1)) * u", initial: 100ms, cap: 20s}
    delay: {let: {t: "n - 1 + u", f: "2 ** t * tanh(sqrt(4 * t))"}, formula: "(f - last_f) / 1.4 * b", b: 2s}

Any key that is none of the options below gives a value its name. A value that no formula asks for is a mistake, as is a
name that nothing gives.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from sys import float_info
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails

from sim.clients.policy.delay_law import DelayLaw
from sim.clients.policy.delay_names import ENTRY, LAST, NAMES
from sim.clients.policy.shaping import MOST_ENTRIES, BoundKeys, Then
from sim.kernel.durations import DURATION_PATTERN, NS_PER_MS, RUNAWAY_NS, format_duration, parse_duration
from sim.laws.formulas import FormulaError, Tree, parse
from sim.laws.formulas.parser import FUNCTIONS, LONGEST
from sim.laws.formulas.tree import Number, folded, names_of
from sim.options.model import DurationNs, is_of_file

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_MOST_NAMES: Final = 30
_VALUE_SCHEMA: Final = {"type": ["string", "number"], "description": "A duration or a number."}
_TAKEN: Final = {*NAMES, ENTRY, *FUNCTIONS, "formula"}


def _given(value: object) -> float | str:
    """Return a number, or a duration as text in its shortest form."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        # No TypeErrors here: pydantic gathers ValueErrors.
        raise ValueError("expected a number, or a duration such as 250ms")  # noqa: TRY004  # as said above
    if isinstance(value, str):
        return format_duration(parse_duration(value))
    if not abs(value) <= float_info.max:
        raise ValueError("expected a number that a float can hold")
    return float(value)


def _formula(value: object) -> str:
    """Return the text of a formula; a file may write a number without quotes."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("expected a formula, such as '100ms * 2 ** n * u'")  # noqa: TRY004  # as in _given
    return str(value)


Given = Annotated[
    float | str,
    BeforeValidator(_given),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"type": "number", "maximum": float_info.max}]}
    ),
]
FormulaText = Annotated[str, BeforeValidator(_formula), Field(json_schema_extra={"maxLength": LONGEST})]


class FormulaDelay(BoundKeys):
    """A delay by one formula, in ms."""

    formula: FormulaText = Field(description="Of n, u, u2, previous, u_previous, elapsed and what is given.")
    let: dict[str, FormulaText] = Field(
        default={}, description="Values by name, each for those below it and the formula."
    )
    start: dict[str, Given] = Field(default={}, description="Of previous, u_previous and lets; 0 unless given.")
    table: Annotated[tuple[DurationNs, ...], Field(strict=False, min_length=1, max_length=MOST_ENTRIES)] | None = Field(
        default=None, description="Durations of which `entry` is the one for n, or else the last."
    )
    then: Then = "repeat"
    state: Literal["request", "client"] = Field(default="request", description="Whose what is remembered is.")
    cap_applies: Literal["after"] | None = Field(default=None, description="The cap bounds what the formula gives.")
    given: dict[str, Given] = Field(default={})
    """By name, what stands beside the formula."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, Mapping) or ("given" in value and not is_of_file(info.context)):
            return value
        own = {key: one for key, one in value.items() if key in cls.model_fields and key != "given"}
        return {**own, "given": {key: one for key, one in value.items() if key not in own}}

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        mistakes = _Mistakes()
        self._check_names(mistakes)
        used: set[str] = set()
        for place, names, text in self._texts():
            try:
                used |= names_of(parse(text, names))
            except FormulaError as error:
                mistakes.add(place, error, text)
        if not mistakes:
            self._check_use(used, mistakes)
            self._check_keys(mistakes)
        mistakes.raise_if_any()
        return self

    def _texts(self) -> list[tuple[tuple[str, ...], set[str], str]]:
        """Return each formula with its place and with the names it may use: a let those of the lets above it."""
        texts: list[tuple[tuple[str, ...], set[str], str]] = []
        names = {*NAMES, *self.given, *(LAST + name for name in self.let)}
        if self.table is not None:
            names.add(ENTRY)
        for name, text in self.let.items():
            texts.append((("let", name), set(names), text))
            names.add(name)
        return [*texts, (("formula",), names, self.formula)]

    def _check_names(self, mistakes: _Mistakes) -> None:
        if len(self.let) + len(self.given) > _MOST_NAMES:
            mistakes.add(("formula",), f"a formula has at most {_MOST_NAMES} names of its own", self.formula)
        for place, name in [*((("let",), name) for name in self.let), *(((), name) for name in self.given)]:
            if name in _TAKEN or name.startswith(LAST):
                mistakes.add((*place, name), f"'{name}' has a meaning in formulas already", name)
            elif name == "jitter":
                mistakes.add((*place, name), "a formula draws for itself; multiply by u, which lies on [0, 1)", name)
            elif not _NAME.fullmatch(name):
                said = "a name in formulas has up to 32 lowercase letters, digits and '_', and starts with a letter"
                mistakes.add((*place, name), said, name)
            elif place and name in self.given:
                mistakes.add((*place, name), f"'{name}' is given already", name)

    def _check_use(self, used: set[str], mistakes: _Mistakes) -> None:
        for name in self.given:
            if name not in used and not (name == "cap" and self.cap_applies):
                mistakes.add((name,), f"the formula asks for no '{name}'", name)
        for name in self.let:
            if not {name, LAST + name} & used:
                mistakes.add(("let", name), f"no formula asks for '{name}'", name)
        for name in self.start:
            remembered = name if name in {"previous", "u_previous"} else LAST + name
            if remembered not in used:
                mistakes.add(("start", name), f"no formula asks for '{remembered}'", name)
        if self.state == "client" and not any(name.startswith((LAST, "previous", "u_previous")) for name in used):
            mistakes.add(("state",), "no formula asks for what was before, so there is no state", self.state)
        if self.table is not None and ENTRY not in used:
            mistakes.add(("table",), f"no formula asks for '{ENTRY}'", self.table)

    def _check_keys(self, mistakes: _Mistakes) -> None:
        """Check the keys that need another one."""
        if self.table is None and self.then == "stop":
            mistakes.add(("then",), "only a table can stop", self.then)
        if self.cap_applies and "cap" not in self.given:
            mistakes.add(("cap_applies",), "cap_applies needs a cap", self.cap_applies)
        elif not isinstance(self.given.get("cap", ""), str):
            mistakes.add(("cap",), "the cap is a duration, such as 20s", self.given["cap"])

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written = self.without_defaults(handler(self))
        given = written.pop("given", {})
        return {**written, **given}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        written = handler(schema)
        own = handler.resolve_ref_schema(written)
        del own["properties"]["given"]
        own["additionalProperties"] = _VALUE_SCHEMA
        return written

    def law(self, place: str) -> DelayLaw:
        """Return the law that these options say."""
        given: dict[str, Tree] = {name: Number(_number(value)) for name, value in self.given.items()}
        trees = {place[-1]: folded(parse(text, names), given) for place, names, text in self._texts()}
        cap_ns = parse_duration(cap) if isinstance(cap := self.given.get("cap"), str) else None
        text = self.bounded("min(formula, cap)" if self.cap_applies else "formula")
        bounded = folded(parse(text, {"formula", "cap"}), {**given, "formula": trees["formula"]})
        overflow_ns = cap_ns if self.overflow is None else self.overflow
        starts = {name: _number(value) for name, value in self.start.items()}
        return DelayLaw(
            body=bounded,
            lets=tuple((name, trees[name]) for name in self.let),
            starts=tuple((name, starts[name]) for name in ("u_previous", "previous", *self.let) if starts.get(name)),
            entries=tuple(one / NS_PER_MS for one in self.table or ()),
            stops=self.then == "stop",
            first_ns=self.first,
            overflow_ns=RUNAWAY_NS if overflow_ns is None else overflow_ns,
            state=self.state,
            place=place,
        )


def _number(value: float | str) -> float:
    return parse_duration(value) / NS_PER_MS if isinstance(value, str) else value


class _Mistakes:
    """What is wrong with a formula, each with its place, all told at once."""

    def __init__(self) -> None:
        self._found: list[InitErrorDetails] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, place: tuple[str, ...], reason: str | FormulaError, value: object) -> None:
        error = reason if isinstance(reason, FormulaError) else ValueError(reason)
        self._found.append(InitErrorDetails(type="value_error", loc=place, input=value, ctx={"error": error}))

    def raise_if_any(self) -> None:
        if self._found:
            raise ValidationError.from_exception_data("formula", self._found)
