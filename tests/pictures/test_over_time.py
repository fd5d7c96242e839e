"""Pictures over time: their data, that they can be drawn of anything, and that equal input gives equal files."""

from pathlib import Path

import pytest
from traffic_tables import S, calls, measured, requests, traffic

from sim.measure.paths import Named
from sim.measure.timeline import timeline_of
from sim.pictures.data.over_time import (
    MOST_LINES,
    CellOverTime,
    Shade,
    load_data,
    rejections_data,
    utilization_data,
)
from sim.pictures.over_time import WIDER, draw_panel, over_time_figure, save_over_time, stacks_over_time_figure

SHADE = Shade(1.0, 2.0, "outage")


def cell(
    name: str, *, at: float = 0.5, services: tuple[str, ...] = ("payments",), replications: int = 2
) -> CellOverTime:
    rows = [
        {"replication": one, "request": 0, "service": 0 if services else -1, **row}
        for one in range(replications)
        for row in (
            {"sent": at, "ended": 2.5},
            {"sent": 1, "began": -1, "ended": 1, "end": "rejected_queue", "number": 2},
            {"sent": 3, "began": -1, "ended": 3, "end": "rejected_shed", "number": 3},
        )
    ]
    asked = requests(*({"replication": one, "submitted": at, "settled": 2.5} for one in range(replications)))
    levels = [{"replication": one, "servers": 2} for one in range(replications)] if services else []
    met = traffic(calls(*rows), observed=(4,) * replications, capacities=levels)
    return CellOverTime(name, timeline_of(measured(asked, met, Named(services=services)), S, 4 * S), (SHADE,))


def test_cells_that_are_offered_the_same_share_one_line_of_it() -> None:
    names = [line.name for line in load_data([cell("a"), cell("b")]).panels[0].lines]
    assert names == ["offered load", "goodput: a", "goodput: b"]


def test_cells_that_are_offered_other_load_have_a_line_each() -> None:
    names = [line.name for line in load_data([cell("a"), cell("b", at=1.5)]).panels[0].lines]
    assert names == ["offered: a", "offered: b", "goodput: a", "goodput: b"]


def test_with_services_the_queue_is_drawn_and_without_them_the_calls_in_flight() -> None:
    panels = [load_data([cell("a", services=services)]).panels[2].y_label for services in (("payments",), ())]
    assert panels == ["calls waiting", "calls in flight"]


@pytest.mark.parametrize(
    "names", [["a", "b", "c"], ["overload, retries", "overload, breaker", "a third fails, retries"]]
)
def test_the_legend_is_as_wide_as_the_figure_at_most(names: list[str]) -> None:
    figure = over_time_figure(load_data([cell(name) for name in (*names, "a third fails, breaker")]))
    (legend,) = figure.legends
    assert legend.get_window_extent().width <= WIDER * figure.bbox.width


def test_what_is_planned_is_shaded_once() -> None:
    assert load_data([cell("a"), cell("b")]).shades == (SHADE,)


def test_the_values_are_those_of_the_timeline() -> None:
    data = load_data([cell("a")])
    assert list(data.edges_s) == [0, 1, 2, 3, 4]
    assert list(data.panels[0].lines[1].mean) == [0, 0, 1, 0]
    assert list(data.panels[1].lines[0].mean) == [0, 1, 0, 1]


def test_of_too_many_cells_the_first_are_drawn_and_that_is_said() -> None:
    data = load_data([cell(str(number)) for number in range(9)])
    assert len(data.panels[1].lines) == MOST_LINES
    assert data.note == "the first 7 of 9 cells"


def test_only_reasons_that_occur_are_stacked() -> None:
    data = rejections_data([cell("a")])
    assert data is not None
    assert [(name, list(values)) for name, values in data.panels[0].layers] == [
        ("queue full", [0, 1, 0, 0]),
        ("load shed", [0, 0, 0, 1]),
    ]


def test_without_services_nothing_is_turned_away_and_no_server_works() -> None:
    assert (rejections_data([cell("a", services=())]), utilization_data([cell("a", services=())])) == (None, None)


def test_utilization_has_a_panel_a_service_with_a_limit() -> None:
    data = utilization_data([cell("a", services=("payments", "ledger"))])
    assert data is not None
    assert [panel.y_label for panel in data.panels] == ["payments: utilization"]
    assert list(data.panels[0].lines[0].mean) == [0.25, 0.5, 0.25, 0]


@pytest.mark.parametrize("replications", [1, 2])
def test_bands_are_drawn_if_there_are_several_replications(replications: int) -> None:
    ax = draw_panel(load_data([cell("a", replications=replications)]))
    assert len(ax.collections) == (replications > 1)
    assert ax.get_title() == "Offered load and goodput over time"


@pytest.mark.parametrize("panel", [1, 2])
def test_a_panel_that_is_drawn_alone_says_what_it_shows_and_of_which_cells(panel: int) -> None:
    ax = draw_panel(load_data([cell("a"), cell("b")]), panel)
    assert ax.get_title() == ("Retries over time", "Calls waiting over time")[panel - 1]
    assert ax.get_legend_handles_labels()[1] == ["a", "b"]


def test_stacks_share_a_scale_that_shows_the_highest() -> None:
    data = rejections_data([cell("a"), cell("b", replications=1)])
    assert data is not None
    tops = [ax.get_ylim() for ax in stacks_over_time_figure(data).axes]
    assert tops == [(0, 1.05), (0, 1.05)]


def test_every_panel_has_a_label_and_the_axis_of_time_its_unit() -> None:
    axes = over_time_figure(load_data([cell("$_{"), cell("_b")])).axes
    assert [ax.get_ylabel() for ax in axes] == ["requests a second", "retries a second", "calls waiting"]
    assert axes[-1].get_xlabel() == "simulated time in seconds (bins of 1 s; bands: 95 % intervals of the means)"


def test_the_files_are_the_same_every_time(tmp_path: Path) -> None:
    alone = cell("a", services=())
    first, again = (save_over_time([alone], "caption", tmp_path / name) for name in ("one", "two"))
    assert [path.name for path in first] == ["over_time.png"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_without_timelines_no_file_is_written(tmp_path: Path) -> None:
    assert save_over_time([], "caption", tmp_path / "none") == []
    assert not (tmp_path / "none").exists()
