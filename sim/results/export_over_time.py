"""Writes what saved results say over time for other programs: the calls of shared worlds, and their timelines.

A row a call, also those of requests outside of the measuring window, in the order in which they were sent:

    cell                                        id of the cell
    replication, request                        whose call it is
    service, caller                             names; empty: the action itself, and the request's retrier
    number                                      counts the calls of a request at one receiver
    sent_ns arrived_ns began_ns ended_ns over_ns given_up_ns effect_ns     instants of simulated time
    slept_ns                                    how long its caller slept before it
    end                                         a name of `sim.history.traffic.CallEnd`

The rows of timelines are those of `sim.results.timeline_table`. What did not happen, and what is not known, is null in
Parquet, nothing between the commas in CSV.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.history.traffic import CALL_COLUMNS, NO_SERVICE, CallEnd
from sim.history.vocabulary import NEVER
from sim.results.frames import Gaps, Words, write_frames_csv, write_frames_parquet
from sim.results.reading import open_results, read_traffic
from sim.results.timeline_table import timeline_frames

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import TextIO

    from sim.results.frames import Frame

ENDS: Final = tuple(end.name for end in CallEnd)
TIMES: Final = tuple(name for name in CALL_COLUMNS if name.endswith("_ns") and name != "sent_ns")


class NotKept(LookupError):
    """The results have no such table."""


def write_calls_csv(results: Path, file: TextIO) -> int:
    """Write the calls of saved results as CSV; return the number of rows. Raises CorruptResults, and NotKept."""
    return write_frames_csv(_some(_calls(results), NO_CALLS), file)


def write_calls_parquet(results: Path, path: Path) -> int:
    """Write the calls of saved results as Parquet; return the number of rows. Raises also NoParquet."""
    return write_frames_parquet(_some(_calls(results), NO_CALLS), path)


def write_timeline_csv(results: Path, file: TextIO) -> int:
    """Write the timelines of saved results as CSV; return the number of rows. Raises CorruptResults, and NotKept."""
    return write_frames_csv(_some(_timelines(results), NO_TIMELINE), file)


def write_timeline_parquet(results: Path, path: Path) -> int:
    """Write the timelines of saved results as Parquet; return the number of rows. Raises also NoParquet."""
    return write_frames_parquet(_some(_timelines(results), NO_TIMELINE), path)


NO_CALLS: Final = "these results have no calls: they come from shared worlds (`world: shared`)"
NO_TIMELINE: Final = "these results have no timeline: write `timeline: {every: 1s}` into the scenario and run it again"


def _some(frames: Iterator[Frame], otherwise: str) -> Iterable[Frame]:
    """Return the frames; raises NotKept if there is none, before anything is written."""
    first = list(islice(frames, 1))
    if not first:
        raise NotKept(otherwise)
    return chain(first, frames)


def _calls(results: Path) -> Iterator[Frame]:
    for cell, traffic in read_traffic(results):
        calls, services = traffic.calls, cell.scenario.named.services
        frame: Frame = {"cell": Words(np.zeros(len(calls), np.int32), (cell.id,))}
        for name in CALL_COLUMNS:
            values = getattr(calls, name)
            if name in ("service", "caller"):
                frame[name] = Words(np.where(values == NO_SERVICE, -1, values), services)
            elif name == "end":
                frame[name] = Words(values.astype(np.int32), ENDS)
            else:
                frame[name] = Gaps(values, values == NEVER) if name in TIMES else values
        yield frame


def _timelines(results: Path) -> Iterator[Frame]:
    yield from timeline_frames(
        [(cell.id, cell.timeline) for cell in open_results(results).cells if cell.timeline is not None]
    )
