"""What readers of tables hand on: some rows at a time, as text cells by the names of their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BLOCK_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a table."""

    lines: Sequence[int]
    """Where each row stands: its line in the file, or its number if the file has no lines."""
    cells: Mapping[str, Sequence[str]]
    """By column; all columns have as many cells as there are lines."""

    def kept(self, keep: Sequence[bool]) -> Block:
        """Return the rows that are marked."""
        kept = [row for row, one in enumerate(keep) if one]
        return Block(
            [self.lines[row] for row in kept],
            {name: [cells[row] for row in kept] for name, cells in self.cells.items()},
        )


class Table(Protocol):
    """A table that is read once, from its first row to its last."""

    @property
    def names(self) -> Sequence[str]:
        """The columns that are known before all rows are read."""

    @property
    def format(self) -> str:
        """What the file is, in words."""

    def sample(self) -> Mapping[str, Sequence[str]]:
        """Return the cells of the first rows, by column."""

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """Yield all rows with the wanted columns. Raises TableError for a column that is not there."""


def missing_column(name: str, names: Sequence[str], hint: str = "") -> str:
    """Return why a column cannot be had, with the columns that there are."""
    told = [f"'{one}'" if not one or " " in one else one for one in names[:30]]
    more = f", and {len(names) - 30} more" if len(names) > 30 else ""
    those = "The columns are" if hint.endswith("?") else "the columns are"
    return f"there is no column '{name}'{hint}{' ' if hint.endswith('?') else '; '}{those}: {', '.join(told)}{more}"


def flat(value: Any, above: str = "", into: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the values of nested mappings by dotted keys; lists stay as they are."""
    found = {} if into is None else into
    for key, below in value.items():
        name = f"{above}.{key}" if above else str(key)
        if isinstance(below, dict):
            flat(below, name, found)
        else:
            found[name] = below
    return found
