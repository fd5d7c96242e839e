"""The picture of the delays of a preset."""

from pathlib import Path

import pytest

from sim.pictures.data.delays import delays_data
from sim.pictures.delays import draw_delays, save_delays
from sim.retriers.presets import find


def test_the_median_stands_at_its_retry() -> None:
    ax = draw_delays(delays_data(find("hyx")))
    (line,) = ax.lines[:1]
    assert list(line.get_xdata()) == [1, 2, 3, 4, 5]
    assert set(line.get_ydata()) == {5e8}


def test_times_are_written_as_people_write_them() -> None:
    ax = draw_delays(delays_data(find("stamina")))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0", "1 s", "2 s", "3 s", "4 s", "5 s"]


def test_delays_of_zero_stand_at_the_foot_of_a_logarithmic_axis() -> None:
    ax = draw_delays(delays_data(find("botocore-standard-1.44")))
    assert ax.get_yscale() == "log"
    assert ax.get_yticklabels()[0].get_text() == "0"
    assert ax.get_yticks()[0] == ax.get_ylim()[0]


def test_what_is_not_reached_is_marked() -> None:
    ax = draw_delays(delays_data(find("polly-exponential-jitter")))
    assert [text.get_text() for text in ax.texts] == ["not reached"]


def test_each_law_has_its_own_entries_in_the_legend() -> None:
    ax = draw_delays(delays_data(find("botocore-standard-1.44")))
    texts = ax.get_legend_handles_labels()[1]
    assert len(texts) == len(set(texts)) == 6


@pytest.mark.parametrize("name", ["stamina", "botocore-standard-1.44", "sidekiq", "failsafe"])
def test_the_picture_is_the_same_bytes_twice(name: str, tmp_path: Path) -> None:
    files = [save_delays(find(name), "caption", tmp_path / folder, "x", svg=True) for folder in ("one", "two")]
    assert [path.name for path in files[0]] == ["x.png", "x.svg"]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
