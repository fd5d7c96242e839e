"""The progress bar and the estimated cost of a run: on stderr, and only if that is a terminal."""

from __future__ import annotations

import time  # noqa: TID251  # measures how long people wait; no result depends on it
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from sim.cli.interrupts import interrupts
from sim.experiment.chunks import CHUNK_REQUESTS
from sim.experiment.engines import Engine, simulate, simulate_replication
from sim.experiment.plan import events_of
from sim.experiment.shown_by_simulating import problems_shown_by_simulating
from sim.kernel.durations import NS_PER_S, format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Task

    from sim.experiment.plan import Plan
    from sim.experiment.progress import Progress as Report
    from sim.history.records import Requests
    from sim.scenario.schema import Scenario

LONG_EVENTS = 3_000_000
"""A run of so many events prints its cost before it starts: some ten seconds of the event engine."""
PILOT_CELLS = 3
PILOT_SHARE = 16
"""The pilot simulates one part in so many of a chunk."""


class Rate(ProgressColumn):
    """The requests a second."""

    def render(self, task: Task) -> Text:
        """Return what the bar shows."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} requests/s")


@contextmanager
def progress_bar() -> Iterator[Report]:
    """Show a bar on stderr if that is a terminal; yield the function that updates it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda *_: interrupts.check()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("", total=None)

        def show(done: int, total: int, cell: str) -> None:
            interrupts.check()
            shown.update(task, completed=done, total=total, description=cell)

        yield show


def print_cost(planned: Plan, workers: int, missing: float) -> None:
    """Print how much work there is and how long it may take; `missing` is the share that is not done yet."""
    console = Console(stderr=True)
    events = round(sum(planned.events) * missing)
    if not console.is_terminal or events < LONG_EVENTS:
        return
    seconds = events * _seconds_an_event(planned) / workers
    console.print(cost_text(events, seconds, workers), highlight=False, soft_wrap=True)


def cost_text(events: int, seconds: float, workers: int) -> str:
    """Return the line about the cost; both numbers are rounded to one or two digits."""
    shown = events - events % 10 ** max(0, len(str(events)) - 2)
    unit = 1 if seconds < 10 else 10 if seconds < 600 else 60
    long = format_duration(max(1, round(seconds / unit) * unit) * NS_PER_S)
    who = "" if workers == 1 else f" with {workers} workers"
    return f"estimated: {shown:,} events, about {long}{who}"


def _seconds_an_event(planned: Plan) -> float:
    """Measure the time of the first requests of some cells."""
    events, start = 0, time.perf_counter()
    step = max(1, len(planned.cells) // PILOT_CELLS)
    for cell in planned.cells[::step][:PILOT_CELLS]:
        interrupts.check()
        with problems_shown_by_simulating():
            events += int(events_of(_pilot(cell.scenario, planned.engine)).sum())
    return (time.perf_counter() - start) / max(1, events)


def _pilot(cell: Scenario, engine: Engine) -> Requests:
    few = min(CHUNK_REQUESTS[engine] // PILOT_SHARE, cell.requests.count)
    if cell.world == "shared":
        return simulate_replication(cell, engine, 0, at_most=few)[0]
    return simulate(cell, engine, requests=range(few))
