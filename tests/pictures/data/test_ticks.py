"""Ticks of logarithmic axes of time."""

import pytest

from sim.pictures.data.ticks import duration_ticks

MS = 1_000_000
S = 1000 * MS


@pytest.mark.parametrize(
    ("low_ns", "high_ns", "expected"),
    [
        (8 * MS, 2 * S, ["10 ms", "100 ms", "1 s"]),
        (80 * MS, 600 * MS, ["100 ms", "200 ms", "500 ms"]),
        (S / 2, 7200 * S, ["1 s", "10 s", "1 min", "10 min", "1 h"]),
    ],
)
def test_ticks_of_time_are_round_in_their_units(low_ns: float, high_ns: float, expected: list[str]) -> None:
    assert duration_ticks(low_ns, high_ns)[1] == expected


def test_ticks_of_any_range_are_two_to_eight() -> None:
    counts = {
        len(duration_ticks(10.0**low, 10.0**high)[0]) for low in range(18) for high in range(low + 1, 19) if high <= 18
    }
    assert counts - set(range(2, 9)) == set()
