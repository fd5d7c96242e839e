"""The generator of the recordings."""

from itertools import islice

import pytest

from sim.testing.conformance import mulberry32


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (1, [0.6270739405881613, 0.002735721180215478, 0.5274470399599522]),
        (0, [0.26642920868471265, 0.0003297457005828619, 0.2232720274478197]),
    ],
)
def test_golden_numbers(seed: int, expected: list[float]) -> None:
    assert list(islice(iter(mulberry32(seed), None), 3)) == expected


def test_a_seed_counts_modulo_2_to_the_32() -> None:
    assert mulberry32(2**32 + 5)() == mulberry32(5)()


def test_numbers_lie_on_the_unit_interval() -> None:
    numbers = list(islice(iter(mulberry32(7), None), 10_000))
    assert min(numbers) >= 0
    assert max(numbers) < 1
    assert abs(sum(numbers) / 10_000 - 0.5) < 0.02
