"""How files write amounts of tokens: a number, a word for it, or one by answer or by how a request succeeded.

Pydantic's own unions would report a mistake once for each form. Here it is one sentence, at its place. Amounts have at
most three digits after the point, because they are held in thousandths.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from sim.clients.policy.answers import check_answer_name
from sim.options.share import exact

THOUSAND: Final = 1000
"""Parts of a token."""
MOST_TOKENS: Final = 1e9
ELSE: Final = "else"
LAST_COST: Final = "last_cost"


def thousandths(amount: float) -> int:
    """Return an amount of tokens in thousandths."""
    return int(exact(amount) * THOUSAND)


def written(amount: float) -> int | float:
    """Return an amount as a file has it: 5 and not 5.0."""
    return int(amount) if amount.is_integer() else amount


class Refund(NamedTuple):
    """What a success brings back: of a request without a retry, and of one with retries."""

    clean: float
    retried: float | Literal["last_cost"]


class _Form:
    """Annotation of a value that files write in several forms, by the functions that read and write it."""

    def __init__(self, read: Callable[[Any], Any], write: Callable[[Any], Any], schema: JsonSchemaValue) -> None:
        self._read = read
        self._write = write
        self._schema = schema

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source, handler
        return core_schema.no_info_plain_validator_function(
            self._read, serialization=core_schema.plain_serializer_function_ser_schema(self._write)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        del schema, handler
        return deepcopy(self._schema)  # fields write into what they are given


def _amount(value: Any, *, or_else: str = "") -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 <= value <= MOST_TOKENS and (exact(value) * THOUSAND).denominator == 1:
        return float(value)
    raise PydanticCustomError(
        "tokens",
        "expected a number of tokens from 0 to {most} with at most three digits after the point{or_else}, not {value}",
        {"most": f"{MOST_TOKENS:,.0f}", "or_else": or_else and f", or {or_else}", "value": str(value)[:40]},
    )


def _amount_or(*words: str) -> _Form:
    listed = " or ".join(f"'{word}'" for word in words)
    return _Form(
        lambda value: value if isinstance(value, str) and value in words else _amount(value, or_else=listed),
        lambda value: value if isinstance(value, str) else written(value),
        {"anyOf": [_AMOUNT_SCHEMA, {"enum": list(words)}]},
    )


def _costs(value: Any) -> tuple[tuple[str, float], ...]:
    if isinstance(value, tuple):
        value = dict(value)
    if not isinstance(value, Mapping):
        return ((ELSE, _amount(value, or_else="numbers by answer, such as {timed_out: 10, else: 5}")),)
    costs, mistakes = [], []
    for name, cost in value.items():
        try:
            costs.append((name if name == ELSE else check_answer_name(str(name)), _amount(cost)))
        except PydanticCustomError as error:
            mistakes.append(InitErrorDetails(type=error, loc=(str(name),), input=cost))
        except ValueError as error:
            reason = PydanticCustomError("answer", "{reason}", {"reason": str(error)})
            mistakes.append(InitErrorDetails(type=reason, loc=(str(name),), input=name))
    if ELSE not in value:
        missing = PydanticCustomError("missing_else", "a cost by answer says with `else` what all others cost", {})
        mistakes.append(InitErrorDetails(type=missing, loc=(), input=value))
    if mistakes:
        raise ValidationError.from_exception_data("cost", mistakes)
    return tuple(costs)


def _written_costs(costs: tuple[tuple[str, float], ...]) -> Any:
    by_name = {name: written(cost) for name, cost in costs}
    return by_name[ELSE] if len(by_name) == 1 else by_name


def _refund(value: Any) -> Refund:
    if isinstance(value, Refund):
        return value
    if value == LAST_COST:
        return Refund(0.0, LAST_COST)
    forms = "'last_cost', or both by how it succeeded, such as {clean: 1, retried: last_cost}"
    if not isinstance(value, Mapping):
        amount = _amount(value, or_else=forms)
        return Refund(amount, amount)
    if set(value) != {"clean", "retried"}:
        keys = ", ".join(str(key)[:40] for key in value) or "none"
        raise PydanticCustomError("refund", "expected the keys clean and retried, not {keys}", {"keys": keys})
    retried = value["retried"]
    return Refund(
        _amount(value["clean"]), LAST_COST if retried == LAST_COST else _amount(retried, or_else="'last_cost'")
    )


def _written_refund(refund: Refund) -> Any:
    if refund == (0.0, LAST_COST):
        return LAST_COST
    retried = refund.retried if isinstance(refund.retried, str) else written(refund.retried)
    return retried if refund.clean == refund.retried else {"clean": written(refund.clean), "retried": retried}


def _test(value: Any) -> Any:
    if isinstance(value, Mapping) and set(value) == {"above"}:
        return _amount(value["above"])
    if (isinstance(value, str) and value in {"at_least_cost", "above_half"}) or (
        isinstance(value, float) and 0 <= value <= MOST_TOKENS
    ):
        return value
    raise PydanticCustomError(
        "allows", "expected at_least_cost, above_half or a number such as {example}", {"example": "{above: 1.0}"}
    )


_AMOUNT_SCHEMA: Final[JsonSchemaValue] = {"type": "number", "minimum": 0, "maximum": MOST_TOKENS}


def _mapping_schema(**properties: JsonSchemaValue) -> JsonSchemaValue:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


Tokens = Annotated[float, _Form(_amount, written, _AMOUNT_SCHEMA)]
"""A number of tokens."""

Start = Annotated[float | str, _amount_or("full", "empty")]
"""A number of tokens, `full` or `empty`."""

Costs = Annotated[
    tuple[tuple[str, float], ...],
    _Form(
        _costs,
        _written_costs,
        {"anyOf": [_AMOUNT_SCHEMA, {"type": "object", "additionalProperties": _AMOUNT_SCHEMA, "required": [ELSE]}]},
    ),
]
"""A number, or numbers by answer; in memory pairs of names and numbers."""

OnSuccess = Annotated[
    Refund,
    _Form(
        _refund,
        _written_refund,
        {
            "anyOf": [
                _AMOUNT_SCHEMA,
                {"const": LAST_COST},
                _mapping_schema(
                    clean={**_AMOUNT_SCHEMA, "description": "Of a request without a retry."},
                    retried={
                        "anyOf": [_AMOUNT_SCHEMA, {"const": LAST_COST}],
                        "description": "Of a request with retries; `last_cost`: what its last retry cost.",
                    },
                ),
            ]
        },
    ),
]
"""A number, `last_cost`, or both by how a request succeeded."""

Allows = Annotated[
    str | float,
    _Form(
        _test,
        lambda value: value if isinstance(value, str) else {"above": written(value)},
        {
            "anyOf": [
                {"enum": ["at_least_cost", "above_half"]},
                _mapping_schema(above={**_AMOUNT_SCHEMA, "description": "The level must be above it."}),
            ]
        },
    ),
]
"""`at_least_cost`, `above_half`, or in memory the number above which the level must be."""
