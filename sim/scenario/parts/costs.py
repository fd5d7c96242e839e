"""What things cost: `cost`, which gives the metric `cost.money`.

    cost: {mutation: 2e-6 USD, action_second: 0.0001 USD, duplicate: 5 USD}

Prices change what is said of a run, but nothing that is simulated. So the digest does not cover them, and results can
be priced again, as long as requests are kept; a histogram of what each request cost needs the prices beforehand.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from sim.measure.money import PATTERN, Money, money_of
from sim.measure.prices import Prices
from sim.options.model import Options
from sim.scenario.mistakes.pydantic_words import expected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LEAST: Final = Decimal("1e-12")
MOST: Final = Decimal(100_000)
EXAMPLE: Final = "2e-6 USD"


def _price(value: Any) -> Money:
    if isinstance(value, Money):
        return value
    if not isinstance(value, str):
        reason = expected(f"a price with its currency, such as {EXAMPLE}", value)
        raise PydanticCustomError("price", "{reason}", {"reason": reason})
    if value.strip().startswith("-"):
        raise ValueError("a price cannot be negative")
    price = money_of(value)
    if price is None:
        raise ValueError(f"not a price; write a number and a currency, such as {EXAMPLE}")
    if not price.currency:
        raise ValueError(f"a price needs a currency, such as {value.strip()} USD")
    if price.amount and not LEAST <= price.amount <= MOST:
        raise ValueError(f"a price is 0, or lies between 0.000000000001 and {MOST:,} of its currency")
    return price


Price = Annotated[
    Money,
    PlainValidator(_price),
    PlainSerializer(lambda price: price.text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{PATTERN}$"}),
]
"""A price in some currency, such as `2e-6 USD`."""


class CostOptions(Options):
    """Prices, all in one currency. What has none costs nothing."""

    mutation: Price | None = Field(default=None, description="Of a committed mutation.")
    action: Price | None = Field(default=None, description="Of a started action, or of a client's call.")
    action_second: Price | None = Field(
        default=None, description="Of a second for which executions of the action run, until they really end."
    )
    attempt: Price | None = Field(default=None, description="Of an attempt of the work, whatever becomes of it.")
    effect: Price | None = Field(default=None, description="Of an applied effect; repeated ones cost as much.")
    duplicate: Price | None = Field(default=None, description="Of an applied effect after the first: what it harms.")
    failure: Price | None = Field(
        default=None, description="Of a request that ends neither in success nor by a cancel: what it harms."
    )

    @model_validator(mode="after")
    def _one_currency(self) -> Self:
        currencies = list(dict.fromkeys(price.currency for price in self._given.values()))
        if not currencies:
            raise ValueError(f"name at least one price, such as mutation: {EXAMPLE}")
        if len(currencies) > 1:
            raise ValueError(f"all prices are in one currency, but these are in {' and '.join(currencies)}")
        return self

    @property
    def _given(self) -> dict[str, Money]:
        prices = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: price for name, price in prices.items() if price is not None}

    @property
    def prices(self) -> Prices:
        """The same in the form in which requests are priced."""
        given = self._given
        currency = next(iter(given.values())).currency
        return Prices(currency, **{name: Fraction(price.amount) for name, price in given.items()})


def other_currencies(cells: Iterable[tuple[str, CostOptions | None]]) -> Iterator[tuple[str, str]]:
    """Yield the cells, by name, whose currency is not that of the first that has prices, each with what is wrong."""
    first = ""
    for name, cost in cells:
        currency = "" if cost is None else cost.prices.currency
        first = first or currency
        if currency not in {first, ""}:
            yield name, f"has prices in {currency}, but cells before it in {first}: all cells have one currency"
