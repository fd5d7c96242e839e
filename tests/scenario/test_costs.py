"""Prices in scenarios."""

from fractions import Fraction

import pytest

from sim.scenario.cells import cells
from sim.scenario.identity import digest, resolved_yaml
from sim.scenario.load import from_dict, parse
from sim.scenario.mistakes.problems import ScenarioError

PRICED = {"retrier": "helpers", "cost": {"mutation": "2e-6 USD", "failure": "0 USD"}}


def test_prices_are_read_in_their_currency() -> None:
    prices = from_dict(PRICED).named.prices
    assert prices is not None
    assert (prices.currency, prices.mutation, dict(prices.known)) == (
        "USD",
        Fraction("2e-6"),
        {"mutation": Fraction("2e-6")},
    )


def test_prices_are_no_part_of_the_digest_but_of_what_histograms_hold() -> None:
    plain, priced = {"retrier": "helpers"}, PRICED
    assert digest(from_dict(priced)) == digest(from_dict(plain))
    kept = {"keep": "histogram"}
    assert digest(from_dict({**priced, **kept})) != digest(from_dict({**plain, **kept}))


def test_the_resolved_form_is_a_scenario_with_the_same_prices() -> None:
    again = parse(resolved_yaml(from_dict(PRICED)))
    assert again.named.prices == from_dict(PRICED).named.prices


def test_cells_may_have_prices_of_their_own() -> None:
    swept = from_dict({**PRICED, "sweep": {"cost.mutation": ["1 USD", "2 USD"]}})
    assert [cell.scenario.named.prices.mutation for cell in cells(swept) if cell.scenario.named.prices] == [1, 2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cost": {}}, "name at least one price"),
        ({"cost": {"mutation": 2e-6}}, "a price with its currency"),
        ({"cost": {"mutation": "2e-6"}}, "a price needs a currency, such as 2e-6 USD"),
        ({"cost": {"mutation": "-1 USD"}}, "cannot be negative"),
        ({"cost": {"mutation": "1 USD", "action": "1 EUR"}}, "one currency, but these are in USD and EUR"),
        ({"cost": {"mutation": "1e9 USD"}}, "between 0.000000000001 and 100,000"),
        ({"cost": {"mutatoin": "1 USD"}}, "did you mean 'mutation'?"),
        ({"expect": ["cost.money <= 1 EUR"]}, "the prices are in USD, not in EUR"),
        ({"cost": None, "expect": ["cost.money <= 1"]}, "cost.money needs the key `cost`"),
        (
            {"cost": None, "tune": {"search": {"retrier.base": [2, 3]}, "objectives": ["cost.money.p99"]}},
            "needs the key `cost`",
        ),
        ({"precision": {"intervals": ["cost.money +- 0.1 EUR"]}}, "the prices are in USD"),
        (
            {"cost": None, "variants": {"a": {"cost": {"action": "1 USD"}}, "b": {"cost": {"action": "1 EUR"}}}},
            "has prices in EUR, but cells before it in USD",
        ),
    ],
)
def test_wrong_prices_are_told(change: dict[str, object], words: str) -> None:
    with pytest.raises(ScenarioError) as told:
        from_dict({**PRICED, **change})
    assert words in str(told.value)
