"""The table of a comparison, for a terminal of 100 columns."""

import math

from rich import box
from rich.table import Table
from rich.text import Text

from sim.measure.differences import Difference
from sim.measure.estimates import Estimate
from sim.measure.quantities import AnyUnit, Unit
from sim.text.comparison import Pair
from sim.text.numerals import difference_text, digits_apart, value_texts


def table(pair: Pair, *, complete: bool = False) -> Table:
    """Return a table of at most 100 columns, a row a metric; `complete` shows every metric that has a value."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    made.add_column("metric", no_wrap=True)
    for header in ("A", "B", "B - A"):
        made.add_column(header, justify="right", no_wrap=True)
    made.add_column("95 % interval", justify="right", no_wrap=True)
    made.add_column("verdict", no_wrap=True)
    for found in pair.differences if complete else pair.shown:
        if found.a.value is not None or found.b.value is not None:
            unit = found.unit
            made.add_row(
                found.metric.path,
                *value_texts((found.a.value, found.b.value), unit),
                _difference_of(found),
                difference_interval(found.estimate, unit),
                found.change.value,
            )
    made.caption = Text(_caption(pair), no_wrap=False)
    made.caption_justify = "left"
    return made


def _difference_of(found: Difference) -> str:
    value = found.estimate.value
    if value is not None and math.isinf(value):
        return "to never" if value > 0 else "from never"
    return difference_text(value, found.unit)


def difference_interval(estimate: Estimate, unit: AnyUnit, bound: float | None = None) -> str:
    """Write the interval of a difference, its unit once: `+2.41 to +6.70 pp`; empty if there is none.

    It has as many digits as tell its ends from each other and from a `bound`.
    """
    low, high = estimate.low, estimate.high
    if low is None or high is None or low == high:
        return ""
    if math.isinf(low) and math.isinf(high):
        return "no limits"
    more = digits_apart(
        [(low, high), (low, bound), (high, bound)], lambda value, more: difference_text(value, unit, more)
    )
    first, second = difference_text(low, unit, more), difference_text(high, unit, more)
    number, _, name = first.partition(" ")
    return f"{number} to {second}" if name and second.endswith(f" {name}") else f"{first} to {second}"


def _caption(pair: Pair) -> str:
    points = any(found.unit is Unit.share for found in pair.shown)
    return "pp: percentage points" if points else ""
