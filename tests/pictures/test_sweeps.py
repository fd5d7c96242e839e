"""Pictures of sweeps: lines with intervals, heat maps, and which of them a run saves."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from matplotlib.axes import Axes

from sim.measure.estimates import Estimate
from sim.pictures.data.heat_map import heat_data
from sim.pictures.data.levels import SweptCell, level
from sim.pictures.heat_map import draw_heat, plot_heat
from sim.pictures.run_pictures import save_sweep
from sim.pictures.sweeps import plot_metric
from sim.text.reported import Cell

if TYPE_CHECKING:
    from sim.measure.metrics import CellMetrics

MS = 1_000_000
BACKOFF, FAILURES = "retrier.initial_backoff", "retrier.max_failures"
P99 = "time_to_effect.p99"


@pytest.fixture
def swept(make_cell: Callable[..., Cell], stuck: dict[str, object]) -> Callable[..., SweptCell]:
    def make(
        variant: str = "", *, effect_ms: float = 100, lost: int = 0, attempts: int = 1, **values: object
    ) -> SweptCell:
        row = {"first_effect_ns": round(effect_ms * MS), "attempts": attempts}
        cell = make_cell("x", (400 - lost, row), (lost, stuck))
        names = {"backoff": BACKOFF, "failures": FAILURES, "kind": "retrier"}
        levels = {names[key]: level(value, str(value)) for key, value in values.items()}
        return SweptCell(levels, variant, cell.metrics)

    return make


@pytest.fixture
def grid(swept: Callable[..., SweptCell]) -> list[SweptCell]:
    return [
        swept(failures=failures, backoff=backoff, effect_ms=10 * (failures + 1) * (at + 1), lost=40 * (failures == 0))
        for failures in (0, 2, 4)
        for at, backoff in enumerate(("10ms", "100ms", "1s", "10s"))
    ]


def lines(ax: Axes) -> list[tuple[list[float], list[float]]]:
    """The lines with markers; what is drawn without them is intervals."""
    drawn = [line for line in ax.get_lines() if line.get_marker() == "o" and line.get_linestyle() != "None"]
    return [([float(x) for x in line.get_xdata()], [float(y) for y in line.get_ydata()]) for line in drawn]  # type: ignore[union-attr]


def test_a_line_goes_through_the_values_of_its_cells(swept: Callable[..., SweptCell]) -> None:
    cells = [swept(backoff=backoff, effect_ms=ms) for backoff, ms in (("10ms", 5), ("100ms", 50), ("1s", 70))]
    ((x, y),) = lines(plot_metric(cells, P99, BACKOFF))
    assert x == pytest.approx([10 * MS, 100 * MS, 1000 * MS])
    assert y == [5 * MS, 50 * MS, 70 * MS]


def test_each_variant_has_a_line_and_a_name(swept: Callable[..., SweptCell]) -> None:
    cells = [swept(name, failures=failures) for name in ("one", "two") for failures in (0, 4)]
    ax = plot_metric(cells, "success.rate", FAILURES)
    assert len(lines(ax)) == 2
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]  # type: ignore[union-attr]


def test_other_swept_keys_are_part_of_the_name(grid: list[SweptCell]) -> None:
    ax = plot_metric(grid, P99, BACKOFF)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [  # type: ignore[union-attr]
        "max failures 0",
        "max failures 2",
        "max failures 4",
    ]


def test_a_line_is_broken_where_something_never_comes(swept: Callable[..., SweptCell]) -> None:
    cells = [swept(failures=failures, lost=lost) for failures, lost in ((0, 0), (1, 40), (2, 0))]
    ax = plot_metric(cells, P99, FAILURES)
    ((_, y),) = lines(ax)
    assert [math.isnan(value) for value in y] == [False, True, False]
    assert "never" in [text.get_text() for text in ax.get_yticklabels()]


def test_durations_stand_on_a_logarithmic_axis_with_units(grid: list[SweptCell]) -> None:
    ax = plot_metric(grid, P99, BACKOFF)
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", BACKOFF)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["10ms", "100ms", "1s", "10s"]


def test_words_stand_one_after_the_other(swept: Callable[..., SweptCell]) -> None:
    cells = [swept(kind=kind, effect_ms=ms) for kind, ms in (("none", 5), ("helpers", 50))]
    ax = plot_metric(cells, P99, "retrier")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["none", "helpers"]


def test_a_key_that_is_not_swept_is_no_key(grid: list[SweptCell]) -> None:
    with pytest.raises(KeyError, match="seed"):
        plot_metric(grid, P99, "seed")


def test_a_heat_map_has_a_field_a_cell_and_says_never(grid: list[SweptCell]) -> None:
    ax = plot_heat(grid, P99, BACKOFF, FAILURES)
    texts = [text.get_text() for text in ax.texts]
    assert len(ax.patches) == 12
    assert texts[:4] == ["never"] * 4
    assert texts[4:] == ["30.0 ms", "60.0 ms", "90.0 ms", "120 ms", "50.0 ms", "100 ms", "150 ms", "200 ms"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0", "2", "4"]


@dataclass(frozen=True)
class Recovering:
    """Metrics of a cell of which a share of replications recovers."""

    share: float
    currency = ""

    def value(self, _path: str) -> Estimate:
        return Estimate(self.share, None, None)


def recovering(rows: list[list[float]]) -> list[SweptCell]:
    """Cells of a sweep of two keys by the shares that recover, the first row at the bottom."""
    return [
        SweptCell({BACKOFF: level(x, str(x)), FAILURES: level(y, str(y))}, "", cast("CellMetrics", Recovering(share)))
        for y, row in enumerate(rows)
        for x, share in enumerate(row)
    ]


def test_the_map_of_recovery_has_a_boundary_where_half_of_the_replications_recover() -> None:
    data = heat_data(recovering([[1.0, 1.0, 0.2], [0.5, 0.0, 0.0]]), "recovered.rate", BACKOFF, FAILURES)
    assert [(edge.x, edge.y) for edge in data.boundary] == [
        ((1.5, 1.5), (-0.5, 0.5)),  # between the second and the third field below
        ((0.5, 1.5), (0.5, 0.5)),  # above the second field
        ((0.5, 0.5), (0.5, 1.5)),  # right of the first field above
    ]
    drawn = draw_heat(data).get_lines()
    assert [line.get_xydata().tolist() for line in drawn[3:]] == [  # type: ignore[union-attr]
        [[1.5, -0.5], [1.5, 0.5]],
        [[0.5, 0.5], [1.5, 0.5]],
        [[0.5, 0.5], [0.5, 1.5]],
    ]


def test_a_map_in_which_all_recover_has_no_boundary_and_other_metrics_have_none() -> None:
    calm = recovering([[1.0, 0.9], [0.8, 0.5]])
    torn = recovering([[1.0, 0.0], [1.0, 0.0]])
    assert heat_data(calm, "recovered.rate", BACKOFF, FAILURES).boundary == ()
    assert heat_data(torn, "success.rate", BACKOFF, FAILURES).boundary == ()


def test_cells_that_would_share_a_field_are_refused(swept: Callable[..., SweptCell]) -> None:
    cells = [swept(name, failures=0, backoff="1s") for name in ("one", "two")]
    with pytest.raises(ValueError, match="several cells"):
        plot_heat(cells, P99, BACKOFF, FAILURES)


def test_where_no_request_counts_the_picture_says_so(make_cell: Callable[..., Cell]) -> None:
    empty = make_cell("x", (0, {}))
    cells = [SweptCell({FAILURES: level(number, str(number))}, "", empty.metrics) for number in (1, 2)]
    ax = plot_metric(cells, P99, FAILURES)
    assert [text.get_text() for text in ax.texts] == ["No request counts."]


def test_only_what_differs_is_saved(swept: Callable[..., SweptCell], tmp_path: Path) -> None:
    cells = [swept(failures=failures, effect_ms=100 + failures) for failures in (0, 1)]
    assert [path.name for path in save_sweep(cells, "caption", tmp_path)] == [f"sweep-{P99}.png"]


@pytest.mark.parametrize("cells", [0, 3])
def test_nothing_is_saved_without_a_sweep_or_of_three_keys(
    swept: Callable[..., SweptCell], tmp_path: Path, cells: int
) -> None:
    three = [swept(failures=number, backoff="1s", kind="none", effect_ms=number + 1) for number in range(cells)]
    assert save_sweep(three, "caption", tmp_path) == []


def test_pictures_are_the_same_bytes_twice(grid: list[SweptCell], tmp_path: Path) -> None:
    files = [save_sweep(grid, "caption", tmp_path / folder, svg=True) for folder in ("one", "two")]
    assert len(files[0]) == 4
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]


def test_numbers_and_durations_are_told_from_words() -> None:
    assert level("1m30s", "x").number == 90e9
    assert level("1m30s", "x").is_duration
    assert level(3, "3").number == 3
    assert [level(value, "x").number for value in (True, "none", {"kind": "helpers"})] == [None] * 3
