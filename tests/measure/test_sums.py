"""Sums of whole numbers and of their squares are exact, however large the numbers are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.measure.sums import BLOCK, exact_sums


@given(st.integers(1, 62).flatmap(lambda bits: st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=50)))
def test_sums_are_those_of_whole_numbers(values: list[int]) -> None:
    assert exact_sums(np.array(values)) == (sum(values), sum(value * value for value in values))


@pytest.mark.parametrize("value", [2**20, 2**21 - 1, 2**21, 2**32, 2**41 - 1, 2**41, 2**42, 2**62])
def test_blocks_of_the_largest_numbers_of_a_kind_are_exact(value: int) -> None:
    count = BLOCK + 5
    values = np.full(count, value)
    values[3] -= 1
    assert exact_sums(values) == (count * value - 1, (count - 1) * value**2 + (value - 1) ** 2)
