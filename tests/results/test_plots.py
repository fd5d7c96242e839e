"""`result.plot` and `result.plot.data`: the pictures of a result, and what they show as numbers and text."""

import pytest

from sim.api.run import run
from sim.results.result import Result
from sim.scenario.load import parse


@pytest.fixture(scope="module")
def swept() -> Result:
    return run(
        parse(
            """
            requests: {count: 60}
            action: {outcomes: {fail: 0.4}}
            retrier: component
            sweep:
              retrier.max_failures: [0, 2]
              retrier.initial_backoff: [10ms, 1s]
            """
        )
    )


@pytest.mark.parametrize(
    "name", ["time_to_effect", "time_to_known", "detection_lag", "attempts", "outcomes", "duplicates"]
)
def test_every_picture_of_a_run_has_data_with_its_title_and_the_caption(name: str, swept: Result) -> None:
    data = getattr(swept.plot.data, name)()
    assert data.title == getattr(swept.plot, name)().get_title()
    assert data.caption == swept.plot.data.caption


def test_the_caption_says_which_simulation_it_was(swept: Result) -> None:
    caption = f"scenario {swept.scenario.name} | seed 0 | 60 requests a cell | digest {swept.digest[:12]}"
    assert swept.plot.data.caption == caption


def test_a_metric_over_a_swept_key_is_numbers_with_intervals(swept: Result) -> None:
    data = swept.plot.data.metric("success.rate", over="retrier.initial_backoff")
    assert (data.x.texts, data.x.places) == (("10ms", "1s"), (1e7, 1e9))
    assert [line.name for line in data.lines] == ["max failures 0", "max failures 2"]
    cells = [swept.cells[position].metrics.value("success.rate") for position in (0, 1)]
    assert [point.estimate for point in data.lines[0].points] == cells


def test_a_heat_map_takes_the_two_swept_keys_the_last_along_x(swept: Result) -> None:
    data = swept.plot.data.heat("success.rate")
    assert (data.x_label, data.columns) == ("retrier.initial_backoff", ("10ms", "1s"))
    assert (data.y_label, data.rows) == ("retrier.max_failures", ("0", "2"))
    values = [cell.metrics.value("success.rate").value for cell in swept.cells]
    assert [(field.row, field.column, field.value) for field in data.fields] == [
        *((0, 0, values[0]), (0, 1, values[1])),
        *((1, 0, values[2]), (1, 1, values[3])),
    ]


def test_shares_of_a_curve_fall_to_the_share_that_never_comes(swept: Result) -> None:
    curve = swept.plot.data.time_to_effect().curves[0]
    assert list(curve.shares) == sorted(curve.shares, reverse=True)
    assert (curve.shares[-1], curve.requests) == (curve.never, 60)
