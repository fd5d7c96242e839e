"""What a scenario plans to happen at known times: outages, changes of capacity, and more load than at first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.world.arrivals import Schedule
from sim.world.services.options import FrontOptions, PlannedChange, QueueingOptions
from sim.world.weather import Outage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.scenario.schema import Scenario
    from sim.world.weather import Weather


@dataclass(frozen=True, slots=True, order=True)
class Trigger:
    """An interval [from, to) that is planned, and what it is in a few words."""

    from_ns: int
    to_ns: int
    text: str


def triggers_of(cell: Scenario) -> tuple[Trigger, ...]:
    """Return all that a cell plans, in order of time; what comes at random times is not known beforehand."""
    return tuple(sorted({*_outages("outage", cell.action.weather), *_of_services(cell), *_of_load(cell)}))


def _outages(text: str, weather: Sequence[Weather]) -> Iterator[Trigger]:
    for source in weather:
        if isinstance(source, Outage):
            yield Trigger(source.from_ns, source.to_ns, text)


def _of_services(cell: Scenario) -> Iterator[Trigger]:
    for name, service in cell.services.items():
        if isinstance(service, QueueingOptions):
            yield from _outages(f"outage of {name}", service.weather)
        for change in service.capacity if isinstance(service, FrontOptions) else ():
            if isinstance(change, PlannedChange):
                yield Trigger(change.from_ns, change.to_ns, f"{name}: {_capacity(change)}")


def _capacity(change: PlannedChange) -> str:
    return "slower" if change.servers is None else f"{change.servers} server{'' if change.servers == 1 else 's'}"


def _of_load(cell: Scenario) -> Iterator[Trigger]:
    """Yield the pieces of a schedule of arrivals in which the rate is higher than at first."""
    arrivals = cell.requests.arrivals
    entries = arrivals.entries if isinstance(arrivals, Schedule) else ()
    for at, entry in enumerate(entries[1:], start=1):
        if entry.rate > entries[0].rate and at + 1 < len(entries):
            yield Trigger(entry.from_ns, entries[at + 1].from_ns, "more load")
