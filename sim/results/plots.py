"""The pictures of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.pictures import bars, ccdf, heat_map, sweeps

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from sim.pictures.sweep_levels import SweptCell
    from sim.text.reported import Cell as Reported


class Plots:
    """The pictures of a result: `result.plot.time_to_effect(ax=None)` and so on, each returning its Axes."""

    def __init__(self, cells: list[Reported], swept: list[SweptCell]) -> None:
        self._cells = cells
        self._swept = swept

    def _draw(self, function: Callable[[list[Reported], Axes | None], Axes], ax: Axes | None) -> Axes:
        return function(self._cells, ax)

    def time_to_effect(self, ax: Axes | None = None) -> Axes:
        """Share of requests without their effect after t."""
        return self._draw(ccdf.plot_time_to_effect, ax)

    def time_to_known(self, ax: Axes | None = None) -> Axes:
        """Share of requests that the retrier has not settled after t."""
        return self._draw(ccdf.plot_time_to_known, ax)

    def detection_lag(self, ax: Axes | None = None) -> Axes:
        """Share of requests whose end the retrier learns of later than t after it."""
        return self._draw(ccdf.plot_detection_lag, ax)

    def attempts(self, ax: Axes | None = None) -> Axes:
        """Share of requests by number of attempts."""
        return self._draw(bars.plot_attempts, ax)

    def outcomes(self, ax: Axes | None = None) -> Axes:
        """Share of requests by outcome."""
        return self._draw(bars.plot_outcomes, ax)

    def duplicates(self, ax: Axes | None = None) -> Axes:
        """Duplicates per 1000 requests by cause."""
        return self._draw(bars.plot_duplicates, ax)

    def metric(self, path: str, over: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw a metric over a swept key, with intervals; a line a variant and a combination of the other keys.

        The key need not be named where one alone is swept. Raises KeyError where it is not swept.
        """
        return sweeps.plot_metric(self._swept, path, self._key(over), ax)

    def heat(self, path: str, x: str | None = None, y: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw a metric over two swept keys, which need not be named where two are swept: the last goes along x.

        Raises KeyError where a key is not swept, ValueError where several cells share a field.
        """
        if x is None or y is None:
            keys = list(self._swept[0].levels) if self._swept else []
            if len(keys) != 2:
                raise KeyError(f"name two swept keys; there are {', '.join(keys) or 'none'}")
            y, x = keys
        return heat_map.plot_heat(self._swept, path, self._key(x), self._key(y), ax)

    def _key(self, named: str | None) -> str:
        keys = list(self._swept[0].levels) if self._swept else []
        if named is None and len(keys) == 1:
            return keys[0]
        if named not in keys:
            raise KeyError(
                f"name a swept key{'' if named is None else f', not {named}'}; there are {', '.join(keys) or 'none'}"
            )
        return str(named)
