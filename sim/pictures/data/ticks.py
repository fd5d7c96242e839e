"""Ticks of logarithmic axes of time: round numbers in the units that people read times in."""

from sim.kernel.durations import UNITS_NS

MOST_TICKS = 8
MOST_FINE_TICKS = 6
"""Ticks in steps of 1, 2 and 5 are closer to one another than decades are."""

_TICKS_NS = tuple(
    (float(f"{number}e{exponent}") * UNITS_NS[unit], f"{number * 10**exponent} {name}")
    for unit, name, exponents in (("ns", "ns", 3), ("us", "us", 3), ("ms", "ms", 3), ("s", "s", 1))
    for exponent in range(exponents)
    for number in (1, 2, 5)
) + tuple(
    (float(number * UNITS_NS[unit]), f"{number} {name}")
    for unit, name, numbers in (
        ("s", "s", (10, 20, 30)),
        ("m", "min", (1, 2, 5, 10, 20, 30)),
        ("h", "h", (1, 2, 5, 10)),
        ("d", "d", (1, 2, 5, 10, 20, 50, 100, 200)),
    )
    for number in numbers
)
_TICKS_YEARS = tuple((float(years * 365 * UNITS_NS["d"]), f"{years} y") for years in (1, 2, 5, 10, 20, 50, 100))


def duration_ticks(low_ns: float, high_ns: float) -> tuple[list[float], list[str]]:
    """Return positions and labels of at most eight ticks in round units between two positive times."""
    inside = [tick for tick in _TICKS_NS + _TICKS_YEARS if low_ns <= tick[0] <= high_ns]
    decades = [tick for tick in inside if tick[1].split()[0].strip("0") == "1"]
    chosen = inside if len(inside) <= MOST_FINE_TICKS else decades
    while len(chosen) > MOST_TICKS:
        chosen = chosen[::2]
    return [position for position, _ in chosen], [text for _, text in chosen]
