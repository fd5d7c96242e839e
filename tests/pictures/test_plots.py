import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.history.vocabulary import NEVER
from sim.pictures.bars import (
    caption_text,
    plot_attempts,
    plot_detection_lag,
    plot_duplicates,
    plot_outcomes,
    plot_time_to_effect,
    plot_time_to_known,
    save_figures,
)
from sim.pictures.drawing import BLUE, duration_ticks, label, line_style, spread
from sim.text.reported import Cell

MS = 1_000_000
S = 1000 * MS
Row = dict[str, object]
MakeCell = Callable[..., Cell]
Plot = Callable[..., Axes]
PLOTS: list[Plot] = [
    plot_time_to_effect,
    plot_time_to_known,
    plot_detection_lag,
    plot_attempts,
    plot_outcomes,
    plot_duplicates,
]
GONE: Row = {"outcome": "stuck", "first_effect_ns": NEVER, "settled_ns": NEVER, "known_attempt_end_ns": NEVER}
TRICKY: dict[str, list[tuple[int, Row]]] = {
    "no requests": [],
    "one request": [(1, {})],
    "all infinite": [(5, GONE)],
    "all canceled": [(5, {**GONE, "outcome": "canceled"})],
    "all at once": [(5, {"first_effect_ns": 0, "settled_ns": 0, "known_attempt_end_ns": 0})],
    "a century": [(5, {"first_effect_ns": 2**61, "attempts": 10**6}), (5, {"first_effect_ns": 1, "attempts": 0})],
}


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("groups", TRICKY.values(), ids=TRICKY)
def test_every_picture_can_be_drawn_of_anything(make_cell: MakeCell, plot: Plot, groups: list[tuple[int, Row]]) -> None:
    ax = plot([make_cell("$_{", *groups), make_cell("_b", (3, {}))])
    ax.get_figure().draw_without_rendering()  # type: ignore[union-attr]
    assert ax.get_title() != ""


@pytest.mark.parametrize("plot", PLOTS)
def test_a_picture_is_drawn_on_the_axes_given(make_cell: MakeCell, plot: Plot) -> None:
    ax = Figure().add_subplot()
    assert plot([make_cell("a", (3, {}))], ax) is ax


def test_a_curve_ends_at_the_share_that_never_comes_and_says_so(make_cell: MakeCell, stuck: Row) -> None:
    ax = plot_time_to_effect([make_cell("a", (90, {}), (10, stuck))])
    curve = next(line for line in ax.lines if line.get_label() == "a")
    assert (curve.get_ydata()[-1], curve.get_xdata()[-1] == ax.get_xlim()[1]) == (0.1, True)  # type: ignore[index]
    assert "never 10.00 %" in texts(ax)


def test_the_four_quantiles_are_marked(make_cell: MakeCell) -> None:
    ax = plot_time_to_known([make_cell("a", (90, {}))])
    assert [text for text in texts(ax) if text.startswith("p")] == ["p50", "p90", "p99", "p99.9"]


def test_times_of_zero_have_a_place_marked_0(make_cell: MakeCell) -> None:
    rows: list[tuple[int, Row]] = [(9, {"known_attempt_end_ns": 150 * MS}), (1, {"known_attempt_end_ns": 0})]
    ax = plot_detection_lag([make_cell("a", *rows)])
    assert ax.get_xticklabels()[0].get_text() == "0"
    assert ax.lines[-1].get_label() == "a\n(90.00 % at 0)"


def test_attempts_share_at_most_twelve_groups(make_cell: MakeCell) -> None:
    ax = plot_attempts([make_cell("a", *((1, {"attempts": number}) for number in range(1, 100)))])
    labels = [text.get_text() for text in ax.get_xticklabels()]
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


def test_equal_input_gives_equal_files(make_cell: MakeCell, stuck: Row, tmp_path: Path) -> None:
    cells = [make_cell("a", (20, {}), (2, stuck)), make_cell("b", (20, {"attempts": 3, "duplicates": {"timeout": 1}}))]
    one, two = (save_figures(cells, "caption", tmp_path / name, svg=True) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    names = ["ccdf", "attempts", "detection_lag", "outcomes", "duplicates"]
    assert [path.name for path in one] == [f"{name}.{kind}" for name in names for kind in ("png", "svg")]


def test_files_hold_no_date_and_no_version(make_cell: MakeCell, tmp_path: Path) -> None:
    contents = [path.read_bytes() for path in save_figures([make_cell("a", (5, {}))], "caption", tmp_path, svg=True)]
    assert [word for word in (b"Software", b"dc:date", b"Matplotlib v") for file in contents if word in file] == []


def test_the_users_matplotlib_settings_do_not_matter(make_cell: MakeCell, tmp_path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - its settings are this test's subject

    cells = [make_cell("a", (20, {}))]
    plain = [path.read_bytes() for path in save_figures(cells, "caption", tmp_path / "plain")]
    with mpl.rc_context({"font.size": 20.0, "lines.linewidth": 9.0, "axes.facecolor": "black"}):
        styled = [path.read_bytes() for path in save_figures(cells, "caption", tmp_path / "styled")]
        assert mpl.rcParams["font.size"] == 20.0
    assert styled == plain


def test_pyplot_is_not_imported() -> None:
    code = "import sys, sim.pictures.bars; print('matplotlib.pyplot' in sys.modules, 'scipy.special' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - own code
    assert done.stdout.split() == ["False", "False"]


def test_the_caption_names_scenario_seed_requests_and_digest() -> None:
    got = caption_text("crash", 7, 20_000, "0123456789abcdef")
    assert got == "scenario crash | seed 7 | 20,000 requests a cell | digest 0123456789ab"


def test_twelve_cells_differ_in_colour_dashes_or_marker_and_up_to_seven_in_both_without() -> None:
    def look(index: int, count: int) -> tuple[object, ...]:
        style = line_style(index, count)
        return (style["color"], str(style["linestyle"]), style.get("marker"))

    seven = [look(index, 7) for index in range(7)]
    twelve = [look(index, 12) for index in range(12)]
    assert (len({one[0] for one in seven}), len({one[1] for one in seven})) == (7, 7)
    assert (len({one[2] for one in twelve}), len({one[:2] for one in twelve})) == (12, 12)
    assert seven[0] == (BLUE, "-", None)


@pytest.mark.parametrize(
    ("low_ns", "high_ns", "expected"),
    [
        (8 * MS, 2 * S, ["10 ms", "100 ms", "1 s"]),
        (80 * MS, 600 * MS, ["100 ms", "200 ms", "500 ms"]),
        (S / 2, 7200 * S, ["1 s", "10 s", "1 min", "10 min", "1 h"]),
    ],
)
def test_ticks_of_time_are_round_in_their_units(low_ns: float, high_ns: float, expected: list[str]) -> None:
    assert duration_ticks(low_ns, high_ns)[1] == expected


def test_ticks_of_any_range_are_two_to_eight() -> None:
    counts = {
        len(duration_ticks(10.0**low, 10.0**high)[0]) for low in range(18) for high in range(low + 1, 19) if high <= 18
    }
    assert counts - set(range(2, 9)) == set()


def test_labels_beside_the_axes_are_moved_apart_in_order() -> None:
    placed = [round(height, 6) for height in spread([0.5, 0.5, 0.51, 0.99, 1.0], 0.05)]
    assert placed == [0.5, 0.55, 0.6, 0.95, 1.0]


def test_more_labels_than_fit_still_stay_within_the_axes() -> None:
    placed = spread([1.0] * 40, 0.05)
    assert (min(placed) >= -1e-9, max(placed) <= 1.0) == (True, True)


def test_names_are_wrapped_and_never_read_as_mathematics() -> None:
    assert label("$a$ and _b") == r"\$a\$ and _b"
    assert [len(line) <= 34 for line in label("name " * 60).split("\n")] == [True] * 3


# Many cells.


def test_of_many_curves_a_few_are_named_from_the_quickest_to_the_slowest(make_cell: MakeCell) -> None:
    cells = [make_cell(f"cell {number}", (30, {"first_effect_ns": (number + 1) * 10**7})) for number in range(20)]
    ax = plot_time_to_effect(cells)
    named = [text.get_text() for text in ax.get_legend().get_texts()]  # type: ignore[union-attr]
    assert (named[0], named[-2], named[-1]) == ("cell 0", "cell 19", "13 cells between them")
    assert len(named) == 8
    assert len([line for line in ax.get_lines() if line.get_drawstyle() == "steps-post"]) == 20
