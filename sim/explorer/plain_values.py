"""Arguments and documents as plain values: jobs renumbered and instants relative to now, if the world allows it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from sim.history.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.explorer.distinctions import Distinctions

ATOMS: Final = frozenset({type(None), bool, int, float, str})
"""Classes of values that are plain themselves."""
_JOB: Final = "job"
_INSTANT: Final = "instant"


class NotCanonical(TypeError):
    """A world holds a value that cannot be compared between runs."""


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
