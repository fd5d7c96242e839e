"""YAML for people to read and to paste."""

import pytest
import yaml

from sim.scenario.yaml.writer import narrow_lines

NODE = {"a": 1, "b": {"c": "x y", "d": [1, {"e": "long " * 5, "f": {"g": "500ms"}}]}, "h": [], "i": {}}


def test_what_fits_stands_on_one_line() -> None:
    assert list(narrow_lines({"a": {"b": [1, 2]}, "c": "d"}, 20)) == ["a: {b: [1, 2]}", "c: d"]


def test_what_does_not_fit_is_written_below_its_key() -> None:
    lines = list(narrow_lines({"a": {"b": "some words", "c": [{"d": 1, "e": "some more words"}, 2]}}, 24))
    assert lines == [
        "a:",
        '  b: "some words"',
        "  c:",
        "    - d: 1",
        '      e: "some more words"',
        "    - 2",
    ]


@pytest.mark.parametrize("width", [10, 30, 80, 200])
def test_every_width_is_read_back_as_the_same_values(width: int) -> None:
    assert yaml.safe_load("\n".join(narrow_lines(NODE, width))) == NODE
