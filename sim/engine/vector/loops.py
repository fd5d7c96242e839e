"""The loops of many pools with one work each, and their monitors: the batch worker of `workpool` for arrays.

A run of the loop that found work is followed by one at once, then by one every 200 ms, until it finds work again or has
cooled down; then the loop sleeps. So of a cool-down only the number of its runs has to be known, and which of them
renews the monitor: the first that finds it due within ten seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sim.engine.vector.arrays import FOREVER
from sim.kernel.durations import RUNAWAY_NS
from sim.retriers.ports.workpool.batch_worker.shared import (
    MONITOR_LAG_NS,
    MONITOR_REFRESH_WITHIN_NS,
    RUNNING_THRESHOLD_NS,
)
from sim.retriers.ports.workpool.loop import (
    COOLDOWN_CHECK_INTERVAL_NS,
    RECOVERY_PERIOD_SEGMENTS,
    RECOVERY_THRESHOLD_NS,
    SATURATED_COOLDOWN_NS,
    STATUS_COOLDOWN_NS,
)
from sim.retriers.ports.workpool.shared import SEGMENT_NS

if TYPE_CHECKING:
    from sim.engine.vector.arrays import Bools, Ints, Rows, SomeRows

ALL: Final = slice(None)
PERIOD_NS: Final = RECOVERY_PERIOD_SEGMENTS * SEGMENT_NS
NO_MONITOR: Final = np.int64(-(2**62))
"""Stands for the time of a monitor that there is not: long past, so that the next run makes one."""
RUNS_IDLE: Final = STATUS_COOLDOWN_NS // COOLDOWN_CHECK_INTERVAL_NS
RUNS_SATURATED: Final = SATURATED_COOLDOWN_NS // COOLDOWN_CHECK_INTERVAL_NS
"""Runs of a cool-down without the first, which comes at once."""
LONGEST_NS: Final = RUNAWAY_NS - 2 * PERIOD_NS
"""Until then the clock reaches all that follows from an attempt's end."""


class Loops:
    """The loops of the requests that go on; columns of shape (requests going on,), places are positions in them."""

    def __init__(self, phases_ns: Ints, parallelism: int, runs_at_most: int) -> None:
        """Take how far into a segment each simulation starts."""
        count = len(phases_ns)
        self._phases_ns = phases_ns
        self._runs_working = RUNS_SATURATED if parallelism == 1 else RUNS_IDLE
        self._runs_at_most = runs_at_most
        self.at_ns = np.zeros(count, dtype=np.int64)
        """The latest run that found work: a start, or at last an attempt that is over."""
        self.runs = np.ones(count, dtype=np.int64)
        self.mutations = np.zeros(count, dtype=np.int64)
        """Runs of the monitor, and of `recover`."""
        self.beyond = np.zeros(count, dtype=np.bool_)
        """Requests whose loops reach the limit of runs, or the end of the clock, before their attempts are over."""
        self._monitor_ns = np.full(count, MONITOR_LAG_NS)
        """When the monitor is due."""
        self._made_ns = np.zeros(count, dtype=np.int64)
        """When it was scheduled."""

    def keep(self, places: Rows) -> None:
        """Go on with the requests at some places only."""
        self._phases_ns, self.at_ns = self._phases_ns.take(places), self.at_ns.take(places)
        self.runs, self.mutations = self.runs.take(places), self.mutations.take(places)
        self.beyond = self.beyond.take(places)
        self._monitor_ns, self._made_ns = self._monitor_ns.take(places), self._made_ns.take(places)

    def segment_start(self, at_ns: Ints, places: SomeRows = ALL) -> Ints:
        """Return the starts of the segments that instants fall into."""
        phases_ns = self._phases_ns[places]
        return at_ns - (at_ns + phases_ns) % SEGMENT_NS

    def first_start(self, due_ns: Ints) -> None:
        """Start the works: in the first run, which never cools down, or when they are due."""
        (later,) = np.nonzero(due_ns > 0)
        self._let_monitor_run(later, due_ns[later])
        self.at_ns = np.maximum(due_ns, 0)
        self.runs[later] += 1
        self._renew(later, due_ns[later])

    def wait_for_start(self, due_ns: Ints) -> None:
        """Cool down and sleep until the next attempts are due, and start them."""
        (asleep,) = np.nonzero(self._cool_down(ALL, due_ns, RUNS_IDLE, due_ns))
        if asleep.size:
            self._let_monitor_run(asleep, due_ns[asleep])
            self._run(asleep, due_ns[asleep])

    def wait_for_report(self, report_ns: Ints, visible_ns: Ints | None) -> Bools | None:
        """Go on until each attempt is over for its loop; returns which recoveries have found, None for none.

        `visible_ns`: when the job of an attempt has failed, FOREVER if it does not; None if none does.
        """
        started_ns = self.at_ns.copy()
        wake_ns = self.segment_start(started_ns) + PERIOD_NS
        self.beyond = self._out_of_reach(report_ns, visible_ns)
        asleep = np.flatnonzero(self._cool_down(ALL, report_ns, self._runs_working, wake_ns) & ~self.beyond)
        if not asleep.size:
            return None
        recovered = None if visible_ns is None else np.zeros(len(report_ns), dtype=np.bool_)
        wake_ns = wake_ns.take(asleep)
        while asleep.size:
            open_ones = ~self._wake(asleep, started_ns, report_ns, wake_ns)
            asleep, wake_ns = asleep[open_ones], wake_ns[open_ones]
            late = wake_ns - started_ns[asleep] > RECOVERY_THRESHOLD_NS
            self.mutations[asleep[late]] += 1
            if visible_ns is not None:
                found = late & (visible_ns[asleep] <= wake_ns)
                recovered[asleep[found]] = True  # type: ignore[index]  # it goes with `visible_ns`
                self.runs[asleep[found]] += 1
                asleep, wake_ns = asleep[~found], wake_ns[~found]
            wake_ns = wake_ns + PERIOD_NS
            again = self._cool_down(asleep, report_ns[asleep], self._runs_working, wake_ns)
            asleep, wake_ns = asleep[again], wake_ns[again]
        return recovered

    def end(self, places: Rows) -> Ints:
        """Return how many runs the loops at some places have made once they have cooled down and gone idle."""
        return self.runs[places] + (RUNS_IDLE + 1)

    def _out_of_reach(self, report_ns: Ints, visible_ns: Ints | None) -> Bools:
        """Tell whose attempts end past the clock, or take more runs than there may be; runs of each minute suffice."""
        over_ns = report_ns
        if visible_ns is not None:
            found_ns = np.maximum(visible_ns, self.at_ns + RECOVERY_THRESHOLD_NS)
            over_ns = np.minimum(report_ns, np.where(visible_ns < FOREVER, found_ns, FOREVER))
        minutes = (np.minimum(over_ns, LONGEST_NS) - self.at_ns) // PERIOD_NS
        runs = self.runs + (minutes + 2) * (self._runs_working + 2)
        far: Bools = (over_ns > LONGEST_NS) | (runs + RUNS_IDLE >= self._runs_at_most)
        return far

    def _cool_down(self, places: SomeRows, event_ns: Ints, most: int, wake_ns: Ints) -> Bools:
        """Run from the latest run that found work on until one sees an event, and let it take that.

        Runs come at once, and `most` times more. Returns which loops have seen nothing by then and sleep until
        `wake_ns`; their monitors are renewed, as those of others.
        """
        from_ns = self.at_ns[places]
        idle = np.maximum(-((from_ns - event_ns) // COOLDOWN_CHECK_INTERVAL_NS), 0)
        asleep: Bools = idle > most
        np.minimum(idle, most + 1, out=idle)
        # The run that found work has renewed a monitor which was due within ten seconds.
        monitor_ns = self._monitor_ns[places]
        renewing = -((MONITOR_REFRESH_WITHIN_NS + from_ns - monitor_ns) // COOLDOWN_CHECK_INTERVAL_NS)
        (renewed,) = np.nonzero(renewing < idle)
        if renewed.size:
            which = renewed if isinstance(places, slice) else places[renewed]
            made_ns = from_ns[renewed] + renewing[renewed] * COOLDOWN_CHECK_INTERVAL_NS
            last = renewing[renewed] == most
            next_ns = np.where(last, wake_ns[renewed], made_ns + COOLDOWN_CHECK_INTERVAL_NS)
            self._made_ns[which], self._monitor_ns[which] = made_ns, next_ns + MONITOR_LAG_NS
        self.runs[places] += idle
        if asleep.any():
            (awake,) = np.nonzero(~asleep)
            which = awake if isinstance(places, slice) else places[awake]
            self._run(which, from_ns[awake] + idle[awake] * COOLDOWN_CHECK_INTERVAL_NS)
        else:
            self._run(places, from_ns + idle * COOLDOWN_CHECK_INTERVAL_NS)
        return asleep

    def _run(self, places: SomeRows, at_ns: Ints) -> None:
        """Let runs find work at instants."""
        self.at_ns[places] = at_ns
        self.runs[places] += 1
        self._renew(places, at_ns)

    def _renew(self, places: SomeRows, at_ns: Ints) -> None:
        """Renew the monitors that are due soon, in a transaction that schedules a run at once."""
        (soon,) = np.nonzero(self._monitor_ns[places] <= at_ns + MONITOR_REFRESH_WITHIN_NS)
        if soon.size:
            which = soon if isinstance(places, slice) else places[soon]
            self._made_ns[which] = at_ns[soon]
            self._monitor_ns[which] = at_ns[soon] + MONITOR_LAG_NS

    def _let_monitor_run(self, places: Rows, until_ns: Ints) -> None:
        """Let the monitors of loops that sleep until some instants run, if they are due: none is left then.

        At the instant itself the monitor comes first: it was scheduled before the loop's run.
        """
        self._remove(places, self._monitor_ns[places] <= until_ns)

    def _remove(self, places: Rows, due: Bools) -> None:
        due = due & (self._monitor_ns[places] != NO_MONITOR)
        self.mutations[places[due]] += 1
        self._monitor_ns[places[due]] = NO_MONITOR

    def _wake(self, places: Rows, started_ns: Ints, report_ns: Ints, wake_ns: Ints) -> Bools:
        """Let loops that sleep run when they are due, or when a report wakes them; returns which reports have come.

        A report that comes within a second before the loop is due waits for it, and the loop counts as running.
        """
        reports_ns = report_ns[places]
        reported: Bools = reports_ns <= wake_ns
        kept = reported & (wake_ns - reports_ns < RUNNING_THRESHOLD_NS)
        monitor_ns = self._monitor_ns[places]
        # At the instant of the report, what was scheduled before the attempt started comes first.
        first = (monitor_ns < reports_ns) | ((monitor_ns == reports_ns) & (self._made_ns[places] <= started_ns[places]))
        self._remove(places, first & (monitor_ns <= wake_ns))
        if kept.any():
            self._let_monitor_go_on(places[kept], wake_ns[kept])
        self._run(places, np.where(reported & ~kept, reports_ns, wake_ns))
        return reported

    def _let_monitor_go_on(self, places: Rows, due_ns: Ints) -> None:
        """Let the monitors of running loops, if they are due, watch the runs at some instants."""
        monitor_ns = self._monitor_ns[places]
        on_time = (monitor_ns <= due_ns) & (monitor_ns != NO_MONITOR)
        which = places[on_time]
        self.mutations[which] += 1
        self._made_ns[which] = monitor_ns[on_time]
        self._monitor_ns[which] = due_ns[on_time] + MONITOR_LAG_NS
