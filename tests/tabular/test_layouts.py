"""Many cells read at once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sim.tabular.layouts import by_layout, hashes_of, matrix_of

CELLS = st.lists(st.text(st.sampled_from("019.:-ms"), max_size=20), min_size=1)


@given(CELLS)
def test_layouts_group_cells_that_differ_in_digits_only(cells: list[str]) -> None:
    found = {layout: [cells[row] for row in rows] for layout, rows in by_layout(matrix_of(cells))}
    expected: dict[str, list[str]] = {}
    for cell in cells:
        expected.setdefault("".join("0" if one.isdigit() else one for one in cell), []).append(cell)
    assert found == expected


@given(CELLS, st.integers(1, 40))
def test_the_hash_of_a_cell_does_not_depend_on_its_neighbors(cells: list[str], width: int) -> None:
    alone = [int(hashes_of(matrix_of([cell]))[0]) for cell in cells]
    together = hashes_of(matrix_of([*cells, "x" * width]))[:-1]
    assert together.tolist() == alone
    assert len(set(alone)) == len(set(cells))


def test_cells_that_are_no_numbers_have_an_empty_layout() -> None:
    assert [layout for layout, _ in by_layout(matrix_of(["é", "9" * 100]))] == [""]
    assert matrix_of([""]).dtype == np.uint8
