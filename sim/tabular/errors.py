"""The one error of tables that cannot be read, with the line and the column if they are known."""

from __future__ import annotations

SHOWN = 60


class TableError(ValueError):
    """A file is no table, or one of its cells is not what it should be."""

    def __init__(self, reason: str, line: int | None = None, column: str | None = None) -> None:
        self.reason = reason
        self.line = line
        self.column = column
        where = [f"line {line}"] if line is not None else []
        where += [f"column '{column}'"] if column is not None else []
        super().__init__(f"{', '.join(where)}: {reason}" if where else reason)


def shown(cell: str) -> str:
    """Return a cell in quotes, cut if it is long."""
    return f"'{cell}'" if len(cell) <= SHOWN else f"'{cell[:SHOWN]}...'"
