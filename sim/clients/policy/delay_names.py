"""What formulas of delays can ask for, by name."""

from typing import Final

ENTRY: Final = "entry"
"""The entry of a table for this retry, whose last one repeats."""
NAMES: Final = ("n", "u", "u2", "u_previous", "previous", "elapsed")
LAST: Final = "last_"
"""In front of a let's name: its value at the delay before."""
