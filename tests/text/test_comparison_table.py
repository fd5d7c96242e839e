"""The table of a comparison."""

import io
from collections.abc import Callable
from fractions import Fraction

import pytest
from reported import GONE, LATER, SPREAD, Groups, MakePair
from rich.console import Console

from sim.history.records import Requests
from sim.measure.differences import Differences
from sim.measure.metrics import measure
from sim.measure.paths import Named
from sim.measure.prices import Prices
from sim.text.comparison import Pair
from sim.text.comparison_table import table

S = 1_000_000_000


def lines_of(pair: Pair, *, complete: bool = False, asked: int = 100) -> list[str]:
    console = Console(file=io.StringIO(), width=200, no_color=True, force_terminal=False, legacy_windows=False)
    console.print(table(pair, complete=complete, width=asked))
    file = console.file
    assert isinstance(file, io.StringIO)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def row_of(pair: Pair, metric: str) -> list[str]:
    (line,) = [line for line in lines_of(pair, complete=True) if line.startswith(f"{metric} ")]
    return line.split(maxsplit=1)[1].split("  ")


def test_a_row_has_both_values_the_difference_its_interval_and_the_verdict(make_pair: MakePair) -> None:
    pair = make_pair([(400, {"attempts": 1})], [(200, {"attempts": 1}), (200, {"attempts": 3})])
    parts = [part.strip() for part in row_of(pair, "attempts.mean") if part.strip()]
    assert parts == ["1", "2", "+1", "+0.898 to +1.10", "worse"]


def test_rates_move_by_percentage_points(make_pair: MakePair) -> None:
    pair = make_pair([(400, {})], [(380, {}), (20, {"duplicates": {"timeout": 1}})])
    parts = [part.strip() for part in row_of(pair, "duplicates.rate") if part.strip()]
    assert parts == ["0 %", "5.00 %", "+5.00 pp", "+3.02 to +7.60 pp", "worse"]


def test_equal_shares_turned_around_move_by_equal_numbers(make_pair: MakePair) -> None:
    pair = make_pair([(18_097, {}), (1_903, {"outcome": "gave_up"})], [(20_000, {})])
    texts = [row_of(pair, name) for name in ("success.rate", "gave_up.rate")]
    moves = [next(part.strip() for part in parts if "pp" in part) for parts in texts]
    assert moves == ["+9.52 pp", "-9.52 pp"]


def test_never_is_a_word_and_not_a_number(make_pair: MakePair) -> None:
    pair = make_pair([(400, {})], [(200, {}), (200, GONE)])
    parts = [part.strip() for part in row_of(pair, "time_to_effect.p90") if part.strip()]
    assert parts == ["100 ms", "never", "to never", "worse"]


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("paired", [False, True])
def test_tables_fit_100_columns(make_pair: MakePair, *, complete: bool, paired: bool) -> None:
    ages: Groups = [(1, {"first_effect_ns": 2**60 + 2**52 * number, "settled_ns": 2**61}) for number in range(400)]
    outcomes: Groups = [
        (10, {"outcome": name, "settled_ns": 799 * S}) for name in ("gave_up", "canceled", "open", "runaway", "stuck")
    ]
    busy: Groups = [(350, {"attempts": 1_234_567, "polls": 7_654_321, "action_ns": 2**61}), *outcomes]
    for a, b in ((ages, busy), (busy, ages), (SPREAD, busy)):
        assert max(map(len, lines_of(make_pair(a, b, paired=paired), complete=complete))) <= 100


def test_small_amounts_of_money_leave_names_of_metrics_whole_at_80_columns(
    make_requests: Callable[..., Requests],
) -> None:
    prices = Named(prices=Prices("USD", attempt=Fraction("5e-8")))
    rows = [[{"attempts": 1 + (number + more) % 7} for number in range(400)] for more in (0, 3)]
    rows[1][0] = {"attempts": 9}
    requests = [make_requests(one) for one in rows]
    a, b = (measure(one, shared=False, named=prices) for one in requests)
    pair = Pair("a", "b", Differences(a, b, (requests[0], requests[1])), "They are paired.")
    lines = lines_of(pair, asked=80)
    assert max(map(len, lines)) <= 80
    starts = [line.split()[0] for line in lines if line[:1].isalpha()]
    assert {"success.rate", "time_to_effect.p50", "attempts.mean", "cost.money"} <= set(starts)


def test_outcomes_that_occur_in_neither_cell_have_no_row_unless_all_are_asked_for(make_pair: MakePair) -> None:
    pair = make_pair(SPREAD, LATER)
    assert ("runaway.rate" in str(lines_of(pair)), "runaway.rate" in str(lines_of(pair, complete=True))) == (
        False,
        True,
    )
