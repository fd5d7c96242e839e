"""The pictures of a result: `result.plot` draws them, `result.plot.data` gives what they show as numbers and text.

Matplotlib is imported when the first picture is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.pictures.data.bars import attempts_data, duplicates_data, outcomes_data
from sim.pictures.data.ccdf import detection_lag_data, time_to_effect_data, time_to_known_data
from sim.pictures.data.heat_map import heat_data
from sim.pictures.data.over_time import load_data, pools_data, rejections_data, utilization_data
from sim.pictures.data.sweeps import metric_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from sim.pictures.data.bars import AttemptBars, StackedBars
    from sim.pictures.data.ccdf import Ccdf
    from sim.pictures.data.heat_map import HeatMap
    from sim.pictures.data.levels import SweptCell
    from sim.pictures.data.over_time import CellOverTime, OverTime, StacksOverTime
    from sim.pictures.data.sweeps import SweepLines
    from sim.text.reported import Cell


class PictureData:
    """What the pictures of a result show: `result.plot.data.time_to_effect()` and so on.

    Each method returns a frozen object of numbers and text, see `sim.pictures.data`.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        swept: Sequence[SweptCell],
        caption: str,
        over_time: Sequence[CellOverTime] = (),
    ) -> None:
        self._over_time = over_time
        self._cells = cells
        self._swept = swept
        self.caption = caption
        """Scenario, seed, requests and digest, in one line."""

    def time_to_effect(self) -> Ccdf:
        """Return the shares of requests without their effect after t."""
        return time_to_effect_data(self._cells, self.caption)

    def time_to_known(self) -> Ccdf:
        """Return the shares of requests that the retrier has not settled after t."""
        return time_to_known_data(self._cells, self.caption)

    def detection_lag(self) -> Ccdf:
        """Return the shares of requests whose end the retrier learns of later than t after it."""
        return detection_lag_data(self._cells, self.caption)

    def attempts(self) -> AttemptBars:
        """Return the shares of requests by number of attempts."""
        return attempts_data(self._cells, self.caption)

    def outcomes(self) -> StackedBars:
        """Return the shares of requests by outcome."""
        return outcomes_data(self._cells, self.caption)

    def duplicates(self) -> StackedBars:
        """Return duplicates per 1000 requests by cause."""
        return duplicates_data(self._cells, self.caption)

    def metric(self, path: str, over: str | None = None) -> SweepLines:
        """Return a metric over a swept key, with intervals; a line a variant and a combination of the other keys.

        The key need not be named if only one is swept. Raises KeyError if it is not swept.
        """
        return metric_data(self._swept, path, self._key(over), self.caption)

    def heat(self, path: str, x: str | None = None, y: str | None = None) -> HeatMap:
        """Return a metric over two swept keys, which need not be named if two are swept: the last goes along x.

        Raises KeyError if a key is not swept, ValueError if several cells share a field.
        """
        if x is None or y is None:
            if len(self._keys) != 2:
                raise KeyError(f"name two swept keys; there are {', '.join(self._keys) or 'none'}")
            y, x = self._keys
        return heat_data(self._swept, path, self._key(x), self._key(y), self.caption)

    def over_time(self) -> OverTime:
        """Return offered load, goodput, retries and queues over time; raises KeyError if no cell has a `timeline`."""
        return load_data(self._with_timeline(), self.caption)

    def rejections(self) -> StacksOverTime | None:
        """Return the reasons of rejection over time; None if nothing was rejected. Raises KeyError as `over_time`."""
        return rejections_data(self._with_timeline(), self.caption)

    def utilization(self) -> OverTime | None:
        """Return how many of the servers work over time; None without a limit. Raises KeyError as `over_time`."""
        return utilization_data(self._with_timeline(), self.caption)

    def pools(self) -> OverTime | None:
        """Return backlogs and slots of pools over time; None without pools. Raises KeyError as `over_time`."""
        return pools_data(self._with_timeline(), self.caption)

    def _with_timeline(self) -> Sequence[CellOverTime]:
        if not self._over_time:
            raise KeyError("nothing is kept over time: write `timeline: {every: 1s}` into the scenario")
        return self._over_time

    @property
    def _keys(self) -> list[str]:
        return list(self._swept[0].levels) if self._swept else []

    def _key(self, named: str | None) -> str:
        keys = self._keys
        if named is None and len(keys) == 1:
            return keys[0]
        if named not in keys:
            raise KeyError(
                f"name a swept key{'' if named is None else f', not {named}'}; there are {', '.join(keys) or 'none'}"
            )
        return str(named)


class Plots:
    """The pictures of a result: `result.plot.time_to_effect(ax=None)` and so on.

    Each method draws on the Matplotlib axes given, or on a new figure, and returns the axes.
    """

    def __init__(self, data: PictureData) -> None:
        self.data = data
        """What the pictures show, as numbers and text: a method of the same name for each."""

    def time_to_effect(self, ax: Axes | None = None) -> Axes:
        """Draw the share of requests without their effect after t."""
        from sim.pictures.ccdf import draw_ccdf

        return draw_ccdf(self.data.time_to_effect(), ax)

    def time_to_known(self, ax: Axes | None = None) -> Axes:
        """Draw the share of requests that the retrier has not settled after t."""
        from sim.pictures.ccdf import draw_ccdf

        return draw_ccdf(self.data.time_to_known(), ax)

    def detection_lag(self, ax: Axes | None = None) -> Axes:
        """Draw the share of requests whose end the retrier learns of later than t after it."""
        from sim.pictures.ccdf import draw_ccdf

        return draw_ccdf(self.data.detection_lag(), ax)

    def attempts(self, ax: Axes | None = None) -> Axes:
        """Draw the share of requests by number of attempts."""
        from sim.pictures.bars import draw_attempts

        return draw_attempts(self.data.attempts(), ax)

    def outcomes(self, ax: Axes | None = None) -> Axes:
        """Draw the share of requests by outcome."""
        from sim.pictures.bars import draw_stacks

        return draw_stacks(self.data.outcomes(), ax)

    def duplicates(self, ax: Axes | None = None) -> Axes:
        """Draw duplicates per 1000 requests by cause."""
        from sim.pictures.bars import draw_stacks

        return draw_stacks(self.data.duplicates(), ax)

    def metric(self, path: str, over: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw a metric over a swept key, with intervals; a line a variant and a combination of the other keys.

        The key need not be named if only one is swept. Raises KeyError if it is not swept.
        """
        from sim.pictures.sweeps import draw_sweep_lines

        return draw_sweep_lines(self.data.metric(path, over), ax)

    def over_time(self, ax: Axes | None = None) -> Axes:
        """Draw offered load and goodput over time, with bands; raises KeyError if no cell has a `timeline`."""
        from sim.pictures.over_time import draw_panel

        return draw_panel(self.data.over_time(), 0, ax)

    def retries(self, ax: Axes | None = None) -> Axes:
        """Draw retries over time; raises KeyError if no cell has a `timeline`."""
        from sim.pictures.over_time import draw_panel

        return draw_panel(self.data.over_time(), 1, ax)

    def queue(self, ax: Axes | None = None) -> Axes:
        """Draw the queues over time, without services the calls in flight; raises KeyError as `over_time` does."""
        from sim.pictures.over_time import draw_panel

        return draw_panel(self.data.over_time(), 2, ax)

    def heat(self, path: str, x: str | None = None, y: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw a metric over two swept keys, which need not be named if two are swept: the last goes along x.

        Raises KeyError if a key is not swept, ValueError if several cells share a field.
        """
        from sim.pictures.heat_map import draw_heat

        return draw_heat(self.data.heat(path, x, y), ax)
