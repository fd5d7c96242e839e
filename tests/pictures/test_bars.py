"""Bars of attempts, outcomes and repeated effects."""

import math
from collections.abc import Callable

from matplotlib.axes import Axes

from sim.pictures.bars import plot_attempts, plot_duplicates, plot_outcomes
from sim.pictures.data.bars import attempts_data
from sim.text.reported import Cell

Row = dict[str, object]
MakeCell = Callable[..., Cell]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_attempts_share_at_most_twelve_groups(make_cell: MakeCell) -> None:
    ax = plot_attempts([make_cell("a", *((1, {"attempts": number}) for number in range(1, 100)))])
    labels = [text.get_text().replace("\n", " ") for text in ax.get_xticklabels()]
    assert labels == ["1", "2", "3", "4", "5", "6", "7", "8", "9 to 16", "17 to 32", "33 to 99"]


def test_the_bars_of_attempts_add_up_to_all_requests(make_cell: MakeCell) -> None:
    ax = plot_attempts([make_cell("a", *((1, {"attempts": number}) for number in range(1, 100)))])
    assert round(sum(bar.get_height() for bar in ax.patches), 9) == 1.0  # type: ignore[attr-defined]


def test_a_small_share_of_an_outcome_is_told_in_words(make_cell: MakeCell, stuck: Row) -> None:
    ax = plot_outcomes([make_cell("a", (996, {}), (4, stuck))])
    assert texts(ax) == ["success 99.60 %", "stuck 0.40 %"]


def test_no_duplicates_are_said_instead_of_drawn(make_cell: MakeCell) -> None:
    ax = plot_duplicates([make_cell("a", (30, {})), make_cell("b", (12, {}))])
    assert texts(ax) == ["No effect was repeated in any of 42 requests."]


def test_duplicates_are_drawn_per_1000_requests(make_cell: MakeCell) -> None:
    ax = plot_duplicates([make_cell("a", (98, {}), (2, {"duplicates": {"timeout": 2}}))])
    assert [bar.get_width() for bar in ax.patches] == [40.0]  # type: ignore[attr-defined]


def test_the_rarest_number_of_attempts_has_a_bar_that_can_be_seen(make_cell: MakeCell) -> None:
    ax = plot_attempts([make_cell("a", (99_999, {"attempts": 1}), (1, {"attempts": 3}))])
    low, high = ax.get_ylim()
    lengths = [math.log(bar.get_height() / low) / math.log(high / low) for bar in ax.patches if bar.get_height()]
    assert min(lengths) > 0.1


def test_of_many_cells_some_have_bars_from_the_fewest_attempts_to_the_most(make_cell: MakeCell) -> None:
    data = attempts_data([make_cell(f"c{n}", (10, {"attempts": 1}), (n, {"attempts": 2})) for n in range(1, 61)])
    assert (len(data.shown), data.shown[0], data.shown[-1]) == (7, 0, 59)
