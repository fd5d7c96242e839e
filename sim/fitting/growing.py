"""An array that grows by pieces, in the memory of one array: millions of small pieces would leave holes in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS: Final = 1 << 20
"""Of one part: large enough that its memory goes back to the system when it is let go."""


class Growing:
    """Pieces of one type, put together at the end."""

    def __init__(self) -> None:
        self._parts: list[NDArray[Any]] = []
        self._filled = ROWS

    def add(self, piece: NDArray[Any]) -> None:
        """Add a piece at the end."""
        while len(piece):
            if self._filled == ROWS:
                self._parts.append(np.empty(ROWS, piece.dtype))
                self._filled = 0
            taken = min(len(piece), ROWS - self._filled)
            self._parts[-1][self._filled : self._filled + taken] = piece[:taken]
            self._filled += taken
            piece = piece[taken:]

    def whole(self) -> NDArray[Any]:
        """Return all pieces as one array, and let them go."""
        count = len(self._parts) * ROWS - (ROWS - self._filled)
        found = np.empty(count, self._parts[0].dtype)
        for start in range(0, count, ROWS):
            part = self._parts.pop(0)
            found[start : start + ROWS] = part[: min(ROWS, count - start)]
        return found
