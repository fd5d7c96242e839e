"""The pictures of a run: they can be drawn of anything, and equal input gives equal files."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from reported import GONE, Row

from sim.pictures.bars import plot_attempts, plot_duplicates, plot_outcomes
from sim.pictures.ccdf import plot_detection_lag, plot_time_to_effect, plot_time_to_known
from sim.pictures.run_pictures import save_figures
from sim.text.reported import Cell

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
TRICKY: dict[str, list[tuple[int, Row]]] = {
    "no requests": [],
    "one request": [(1, {})],
    "all infinite": [(5, GONE)],
    "all canceled": [(5, {**GONE, "outcome": "canceled"})],
    "all at once": [(5, {"first_effect_ns": 0, "settled_ns": 0, "known_attempt_end_ns": 0})],
    "a century": [(5, {"first_effect_ns": 2**61, "attempts": 10**6}), (5, {"first_effect_ns": 1, "attempts": 0})],
}


@pytest.fixture(scope="module")
def cells(make_cell: MakeCell, stuck: Row) -> list[Cell]:
    repeated = {"attempts": 3, "duplicates": {"timeout": 1}}
    return [make_cell("a", (20, {}), (2, stuck)), make_cell("b", (20, repeated))]


@pytest.fixture(scope="module")
def files(cells: list[Cell], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return save_figures(cells, "caption", tmp_path_factory.mktemp("one"), svg=True)


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


def test_every_picture_has_a_file_of_each_kind(files: list[Path]) -> None:
    names = ["ccdf", "attempts", "detection_lag", "outcomes", "duplicates"]
    assert [path.name for path in files] == [f"{name}.{kind}" for name in names for kind in ("png", "svg")]


def test_equal_input_gives_equal_files_whatever_the_users_settings_of_matplotlib(
    cells: list[Cell], files: list[Path], tmp_path: Path
) -> None:
    with mpl.rc_context({"font.size": 20.0, "lines.linewidth": 9.0, "axes.facecolor": "black"}):
        again = save_figures(cells, "caption", tmp_path, svg=True)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in files]


def test_files_hold_no_date_and_no_version(files: list[Path]) -> None:
    contents = [path.read_bytes() for path in files]
    assert [word for word in (b"Software", b"dc:date", b"Matplotlib v") for file in contents if word in file] == []
