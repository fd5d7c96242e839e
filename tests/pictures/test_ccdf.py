"""Curves of waiting."""

from collections.abc import Callable

from matplotlib.axes import Axes

from sim.pictures.ccdf import plot_detection_lag, plot_time_to_effect, plot_time_to_known
from sim.text.reported import Cell

MS = 1_000_000
Row = dict[str, object]
MakeCell = Callable[..., Cell]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_a_curve_ends_at_the_share_that_never_comes_and_says_so(make_cell: MakeCell, stuck: Row) -> None:
    ax = plot_time_to_effect([make_cell("a", (90, {}), (10, stuck))])
    curve = next(line for line in ax.lines if line.get_label() == "a")
    assert (curve.get_ydata()[-1], curve.get_xdata()[-1] == ax.get_xlim()[1]) == (0.1, True)  # type: ignore[index]
    assert "never 10.00 %" in texts(ax)


def test_the_four_quantiles_are_marked(make_cell: MakeCell) -> None:
    ax = plot_time_to_known([make_cell("a", (90, {}))])
    assert [text for text in texts(ax) if text.startswith("p")] == ["p50", "p90", "p99", "p99.9"]


def test_a_legend_covers_no_name_of_a_quantile(make_cell: MakeCell) -> None:
    ax = plot_time_to_known([make_cell(f"cell {number}", (5000, {})) for number in range(5)])
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]  # it is no subfigure
    legend = ax.get_legend()
    assert legend is not None
    names = [text for text in ax.texts if text.get_text().startswith("p")]
    assert [text.get_text() for text in names if text.get_window_extent().overlaps(legend.get_window_extent())] == []


def test_times_of_zero_have_a_place_marked_0(make_cell: MakeCell) -> None:
    rows: list[tuple[int, Row]] = [(9, {"known_attempt_end_ns": 150 * MS}), (1, {"known_attempt_end_ns": 0})]
    ax = plot_detection_lag([make_cell("a", *rows)])
    assert ax.get_xticklabels()[0].get_text() == "0"
    assert ax.lines[-1].get_label() == "a\n(90.00 % at 0)"


def test_of_many_curves_a_few_are_named_from_the_quickest_to_the_slowest(make_cell: MakeCell) -> None:
    cells = [make_cell(f"cell {number}", (30, {"first_effect_ns": (number + 1) * 10**7})) for number in range(20)]
    ax = plot_time_to_effect(cells)
    named = [text.get_text() for text in ax.get_legend().get_texts()]  # type: ignore[union-attr]
    assert (named[0], named[-2], named[-1]) == ("cell 0", "cell 19", "13 cells between them")
    assert len(named) == 8
    assert len([line for line in ax.get_lines() if line.get_drawstyle() == "steps-post"]) == 20
