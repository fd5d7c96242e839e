"""Pictures in a user's own figure."""

from collections.abc import Callable, Sequence
from itertools import combinations

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from sim.pictures.bars import plot_attempts, plot_duplicates, plot_outcomes
from sim.pictures.ccdf import plot_detection_lag, plot_time_to_effect, plot_time_to_known
from sim.text.reported import Cell

MakeCell = Callable[..., Cell]
Row = dict[str, object]
S = 1_000_000_000
PLOTS = [plot_time_to_effect, plot_attempts, plot_outcomes, plot_duplicates, plot_detection_lag, plot_time_to_known]


@pytest.fixture(scope="module")
def cells(make_cell: MakeCell) -> list[Cell]:
    stuck: Row = {"outcome": "stuck", "first_effect_ns": -1, "settled_ns": -1, "attempts": 16}
    slow: Row = {"first_effect_ns": 50 * S, "settled_ns": 70 * S, "attempts": 5, "duplicates": {"timeout": 2}}
    names = ("short", "a retrier whose name is rather long for a legend, initial_backoff=250ms, fail=0.05")
    return [make_cell(name, (200, {}), (20, slow), (3 + n, stuck)) for n, name in enumerate(names)]


def boxes(figure: Figure, axes: Sequence[Axes]) -> list[Bbox]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    found = [ax.get_tightbbox(canvas.get_renderer()) for ax in axes]
    return [box for box in found if box is not None]


@pytest.mark.parametrize("size", [(10, 7), (7, 5.5)])
def test_no_picture_lies_over_its_neighbor_or_leaves_the_figure(cells: list[Cell], size: tuple[float, float]) -> None:
    figure = Figure(figsize=size)
    axes = figure.subplots(2, 2).ravel().tolist()
    for plot, ax in zip(PLOTS, axes, strict=False):
        plot(cells, ax)
    figure.suptitle("A title of one's own")
    found = boxes(figure, axes)
    assert [one for one in combinations(found, 2) if Bbox.intersection(*one) is not None and overlaps(*one)] == []
    whole = figure.bbox
    assert all(box.x0 >= -2 and box.y0 >= -2 and box.x1 <= whole.x1 + 2 and box.y1 <= whole.y1 + 2 for box in found)


def overlaps(one: Bbox, other: Bbox) -> bool:
    shared = Bbox.intersection(one, other)
    return shared is not None and shared.width > 2 and shared.height > 2


def test_a_layout_that_the_user_chose_stays(cells: list[Cell]) -> None:
    figure = Figure(layout="tight")
    engine = figure.get_layout_engine()
    plot_time_to_effect(cells, figure.add_subplot())
    assert figure.get_layout_engine() is engine


def test_a_picture_of_its_own_and_ones_of_others_have_the_same_curves(cells: list[Cell]) -> None:
    with mpl.rc_context():
        alone, beside = plot_time_to_effect(cells), plot_time_to_effect(cells, Figure().add_subplot())
    assert [line.get_xydata().tolist() for line in alone.lines] == [line.get_xydata().tolist() for line in beside.lines]  # type: ignore[union-attr]
