"""Arguments and documents as plain values: jobs renumbered and instants relative to now, if the world allows it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sim.history.request import Request
from sim.retriers.base import Fields, ScheduledRetrier
from sim.world.arrivals import Closed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.engine.world import World

ATOMS: Final = frozenset({type(None), bool, int, float, str})
"""Classes of values that are plain themselves."""
_JOB: Final = "job"
_INSTANT: Final = "instant"


class NotCanonical(TypeError):
    """A world holds a value that cannot be compared between runs."""


class Distinctions(NamedTuple):
    """What tells the states of a world apart, besides what happened in it."""

    up_to_time: bool
    """Whether jobs are renumbered and instants relative to now."""
    fields: Fields
    """Which fields of arguments and documents hold jobs, instants and addresses of draws."""
    deadline: bool
    """Whether the time since the submission of a request matters."""
    timeout: bool
    """Whether the time since the start of a client's call matters."""
    named_waits: bool
    """Whether errors name a wait, so that the time since the end of an attempt matters."""
    recognizes: bool
    """Whether a receiver recognizes repeated effects, so that the time since the last one matters."""
    roles: dict[tuple[str, ...], list[tuple[str, str]]]
    """A cache: the fields of a document or of arguments in order, each with its role; see `_roles`."""


def distinctions(world: World) -> Distinctions:
    """Find out what tells the states of a world apart."""
    cell, retrier = world.cell, world.retrier
    fields = retrier.fields if isinstance(retrier, ScheduledRetrier) else Fields()
    actions, promised = [cell.action, *(one.action for one in cell.callers)], world.retriers.promises.values()
    knows_time = any(action.weather for action in actions) or cell.until is not None or cell.heals_at is not None
    # Pauses and patience count from instants that the rest of a state lacks, and classes have retriers of their own.
    knows_time = knows_time or not (cell.classes is None and cell.resubmit is None)
    knows_time = knows_time or isinstance(cell.requests.arrivals, Closed)
    up_to_time = fields is not None and not knows_time
    return Distinctions(
        up_to_time,
        fields if fields is not None and up_to_time else Fields(),
        deadline=any(promises.deadline_ns is not None for promises in promised),
        timeout=any(promises.timeout_ms is not None for promises in promised),
        named_waits=any(action.names_waits for action in actions),
        recognizes=any(action.window_ns is not None for action in actions),
        roles={},
    )


class PlainValues:
    """Makes plain values at one instant, with the jobs that can still matter numbered in order of creation."""

    def __init__(self, distinct: Distinctions, now_ns: int) -> None:
        self._distinct = distinct
        self._now_ns = now_ns
        self.ranks: dict[int, int] = {}
        """The numbers of the jobs that can still matter, from oldest to newest, by the job's own number."""

    def number_jobs(self, jobs: set[int]) -> None:
        """Give these jobs their numbers."""
        ordered = sorted(jobs)
        self.ranks = {number: rank if self._distinct.up_to_time else number for rank, number in enumerate(ordered)}

    def job(self, number: int) -> int:
        """Return the number of a job, -2 for one that cannot matter any more."""
        return self.ranks.get(number, -2)

    def plain(self, value: Any) -> Any:
        """Describe arguments and documents; fields that hold jobs, instants and addresses are treated as such."""
        if type(value) in ATOMS:
            return value
        if isinstance(value, (dict, MappingProxyType)):
            described = []
            for key, role in self._roles(value):
                inside = value[key]
                if type(inside) is not int:  # most fields, in a loop that every state passes
                    described.append((key, inside if type(inside) in ATOMS else self.plain(inside)))
                elif role == _JOB:
                    described.append((key, self.job(inside)))
                elif role == _INSTANT:
                    described.append((key, inside - self._now_ns))
                else:
                    described.append((key, inside))
            return tuple(described)
        if isinstance(value, (list, tuple)):
            return tuple(map(self.plain, value))
        if isinstance(value, Request):
            return ("request", value.number, value.submission)
        if isinstance(value, (int, str, float)):
            return value
        raise NotCanonical(
            f"a {type(value).__name__} in an argument, a document or a retrier cannot be compared between runs"
        )

    def _roles(self, fields: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the names of fields in alphabetical order, without addresses, each with what an int in it is."""
        names = tuple(fields)
        known = self._distinct.roles.get(names)
        if known is None:
            jobs, instants, addresses = self._distinct.fields
            known = self._distinct.roles[names] = [
                (name, _JOB if name in jobs else _INSTANT if name in instants else "")
                for name in sorted(names)
                if name not in addresses
            ]
        return known


def collect_jobs(value: Any, names: tuple[str, ...], found: set[int]) -> None:
    """Add to `found` the jobs that arguments or a document name, given the names of the fields that hold jobs."""
    if isinstance(value, (dict, MappingProxyType)):
        for key, inside in value.items():
            if key in names and isinstance(inside, int):
                found.add(inside)
            elif type(inside) not in ATOMS:
                collect_jobs(inside, names, found)
    elif isinstance(value, (list, tuple)):
        for inside in value:
            collect_jobs(inside, names, found)
