"""Looks that all pictures share."""

from sim.pictures.drawing import BLUE, label, line_style, spread


def test_twelve_cells_differ_in_color_dashes_or_marker_and_up_to_seven_in_both_without() -> None:
    def look(index: int, count: int) -> tuple[object, ...]:
        style = line_style(index, count)
        return (style["color"], str(style["linestyle"]), style.get("marker"))

    seven = [look(index, 7) for index in range(7)]
    twelve = [look(index, 12) for index in range(12)]
    assert (len({one[0] for one in seven}), len({one[1] for one in seven})) == (7, 7)
    assert (len({one[2] for one in twelve}), len({one[:2] for one in twelve})) == (12, 12)
    assert seven[0] == (BLUE, "-", None)


def test_labels_beside_the_axes_are_moved_apart_in_order() -> None:
    placed = [round(height, 6) for height in spread([0.5, 0.5, 0.51, 0.99, 1.0], 0.05)]
    assert placed == [0.5, 0.55, 0.6, 0.95, 1.0]


def test_more_labels_than_fit_still_stay_within_the_axes() -> None:
    placed = spread([1.0] * 40, 0.05)
    assert (min(placed) >= -1e-9, max(placed) <= 1.0) == (True, True)


def test_names_are_wrapped_and_never_read_as_mathematics() -> None:
    assert label("$a$ and _b") == r"\$a\$ and _b"
    assert [len(line) <= 34 for line in label("name " * 60).split("\n")] == [True] * 3
