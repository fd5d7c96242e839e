"""What a conversion could not carry over: each loss with its place, and with the reason.

A field is lost if the simulator has nothing that it could mean (hosts, priorities), if it is part of the code and not
of the retries (predicates), or if the format itself ignores it where it stands. A default that the format leaves open,
and that the conversion had to choose, is told in the same list.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from sim.scenario.mistakes.problems import format_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.scenario.mistakes.problems import Path

COLUMNS = 80


@dataclass(frozen=True, slots=True, order=True)
class Loss:
    """One field, or one meaning of a field, that the policy does not have."""

    file: str
    line: int
    column: int
    keys: Path
    why: str
    """What is lost, and why."""

    @property
    def field(self) -> str:
        """The field as users write it: `methodConfig[0].waitForReady`; empty for the file as a whole."""
        return format_path(self.keys)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: "
        return f"{place}{self.field}: {self.why}" if self.keys else f"{place}{self.why}"


def loss_lines(losses: Sequence[Loss]) -> list[str]:
    """Return the list for a terminal of 80 columns: the place and field of each loss, and below them what is lost."""
    lines = []
    for loss in losses:
        place = f"{loss.file}:{loss.line}:{loss.column}:"
        field = f" {_shortened(loss.field, COLUMNS - len(place) - 1)}" if loss.keys else ""
        lines.append(f"{place}{field}")
        lines += wrap(loss.why, COLUMNS, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    return lines


def _shortened(field: str, most: int) -> str:
    """Leave out the beginning of a path that is too long, up to a dot; its place is told, too."""
    if len(field) <= most:
        return field
    dot = field.find(".", len(field) - max(most - 3, 0))
    return f"...{field[dot + 1 :]}" if dot >= 0 else field
