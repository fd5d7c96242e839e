"""What requests cost."""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from sim.expect.conditions import parse_condition
from sim.expect.expectations import ExpressionError, Ruling, parse
from sim.expect.targets import parse_target
from sim.history.records import Requests
from sim.measure.differences import Differences
from sim.measure.metrics import CellMetrics, measure
from sim.measure.money import money_of
from sim.measure.paths import Named
from sim.measure.prices import MOST, PICO, Prices
from sim.measure.quantities import Currency
from sim.measure.tally import Tally
from sim.text.numerals import estimate_text, value_text

MakeRequests = Callable[..., Requests]
USD = Prices(
    "USD",
    mutation=Fraction("2e-6"),
    action=Fraction("0.01"),
    action_second=Fraction("0.1"),
    attempt=Fraction("0.5"),
    effect=Fraction(1),
    duplicate=Fraction(10),
    failure=Fraction(100),
)
ROW = {
    "outcome": "success",
    "mutations": 3,
    "actions": 2,
    "action_ns": 1_500_000_000,
    "attempts": 2,
    "effects": 2,
    "duplicates": {"timeout": 1},
}


def priced(kept: Requests | Tally, prices: Prices = USD) -> CellMetrics:
    return measure(kept, shared=False, named=Named(prices=prices))


def test_a_request_costs_the_sum_of_what_its_things_cost(make_requests: MakeRequests) -> None:
    each = USD.of(make_requests([ROW, {**ROW, "outcome": "gave_up"}, {**ROW, "outcome": "canceled"}]))
    one = 3 * 2e-6 + 2 * 0.01 + 1.5 * 0.1 + 2 * 0.5 + 2 * 1 + 10
    assert (each / PICO).tolist() == pytest.approx([one, one + 100, one], abs=1e-12)


def test_more_than_fits_counts_as_the_most(make_requests: MakeRequests) -> None:
    assert Prices("EUR", attempt=Fraction(100_000)).of(make_requests([{"attempts": 2_000_000}])).tolist() == [MOST]


def test_prices_of_nothing_make_money_that_is_certainly_nothing_seen(make_requests: MakeRequests) -> None:
    assert priced(make_requests([ROW] * 50), Prices("EUR")).value("cost.money").value == 0


def test_the_mean_has_an_interval_and_a_percentile_is_one_of_the_costs(make_requests: MakeRequests) -> None:
    rng = np.random.default_rng(1)
    metrics = priced(
        make_requests([{"attempts": int(n)} for n in rng.integers(1, 5, 400)]), Prices("USD", attempt=Fraction(1))
    )
    found = metrics.value("cost.money")
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert 2.3 * PICO < found.low < found.value < found.high < 2.7 * PICO
    assert metrics.value("cost.money.p99").value == 4 * PICO


def test_a_tally_tells_the_same_mean_as_the_requests(make_requests: MakeRequests) -> None:
    requests = make_requests([{"attempts": n % 4 + 1} for n in range(100)])
    tally = Tally.from_arrays(Tally.of(requests, USD).to_arrays())
    assert priced(tally).value("cost.money") == priced(requests).value("cost.money")


def test_a_tally_of_an_older_version_is_read_and_says_what_it_lacks(make_requests: MakeRequests) -> None:
    arrays = Tally.of(make_requests([{}] * 10)).to_arrays()
    sizes = arrays["sizes"]
    kept = int(sizes[:-2].sum())
    older = {
        **arrays,
        "sizes": sizes[:-2],
        "ends": arrays["ends"][:-2],
        "sums": arrays["sums"][:-2],
        "bins": arrays["bins"][:kept],
        "counts": arrays["counts"][:kept],
    }
    metrics = measure(Tally.from_arrays(older), shared=False, named=Named(prices=USD))
    assert metrics.value("success.rate").value == 1
    assert ["--fresh" in metrics.value(path).reason for path in ("suppressed.rate", "cost.money")] == [True, True]


def test_suppressed_effects_are_counted_by_request_and_in_all(make_requests: MakeRequests) -> None:
    metrics = priced(make_requests([{"suppressed": 3}, {}, {"suppressed": 1}, {}]))
    assert [metrics.value(f"suppressed.{what}").value for what in ("rate", "effects")] == [0.5, 1.0]


def test_without_prices_there_is_no_money(make_requests: MakeRequests) -> None:
    metrics = measure(make_requests([{}]), shared=False)
    assert (metrics.value("cost.money").value, "cost.money" in metrics.paths) == (None, False)


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("2e-6 USD", "0.000002", "USD"),
        ("0.30 EUR", "0.3", "EUR"),
        ("5$", "5", "$"),
        ("1E3 JPY", "1000", "JPY"),
        ("7", "7", ""),
    ],
)
def test_amounts_are_read_with_their_currency(text: str, amount: str, currency: str) -> None:
    money = money_of(text)
    assert money is not None
    assert (f"{money.amount:f}", money.currency) == (amount, currency)


@pytest.mark.parametrize("text", ["", "USD", "-1 USD", "1 usd", "1 pound sterling", "1e400 USD", "nan USD", "1" * 100])
def test_anything_else_is_no_amount(text: str) -> None:
    assert money_of(text) is None


def test_money_is_expected_compared_and_made_precise(make_requests: MakeRequests) -> None:
    few, many = (make_requests([{"attempts": n % 3 + more} for n in range(300)]) for more in (1, 2))
    a, b = priced(few, Prices("USD", attempt=Fraction(1))), priced(many, Prices("USD", attempt=Fraction(1)))
    between = Differences(a, b, (few, many))
    assert parse("cost.money <= 2.5 USD").judge(a).ruling is Ruling.met
    assert parse("cost.money < 1.5").judge(a).ruling is Ruling.missed
    assert [
        parse_condition(f"cost.money > {text}").judge(between).ruling for text in ("+0.9 USD", "+1.1 USD", "x1.4")
    ] == [
        Ruling.met,
        Ruling.missed,
        Ruling.met,
    ]
    assert [
        parse_target(f"cost.money +- {text}").is_reached(a.value("cost.money")) for text in ("10%", "0.01 USD")
    ] == [
        True,
        False,
    ]


def test_two_currencies_are_not_compared(make_requests: MakeRequests) -> None:
    requests = make_requests([{"attempts": n % 3} for n in range(30)])
    between = Differences(*(priced(requests, Prices(name, attempt=Fraction(1))) for name in ("USD", "EUR")))
    judged = parse_condition("cost.money > +10%").judge(between)
    assert (judged.ruling, judged.reason) == (Ruling.inconclusive, "A has prices in USD, but B in EUR")
    assert "cost.money" not in [one.metric.path for one in between]


@pytest.mark.parametrize(
    "text", ["cost.money <= 5%", "cost.money <= 5ms", "cost.money <= 1 US dollar", "cost.money <="]
)
def test_a_bound_of_money_is_an_amount(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"0\.002 USD"):
        parse(text)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 USD"),
        (12_345.678, "12,346 USD"),
        (1.5, "1.50 USD"),
        (0.0000123, "0.0000123 USD"),
        (0.00099999, "0.00100 USD"),
        (3e-11, "3.00e-11 USD"),
    ],
)
def test_money_reads_with_three_digits_and_its_currency(amount: float, text: str) -> None:
    assert value_text(amount * PICO, Currency("USD")) == text


def test_an_estimate_of_money_has_the_currency(make_requests: MakeRequests) -> None:
    metrics = priced(make_requests([ROW, {}] * 50))
    text = estimate_text(metrics.value("cost.money"), metrics.unit("cost.money"))
    assert text.count(" USD") == 3
    assert not math.isnan(float(text.partition(" ")[0]))
