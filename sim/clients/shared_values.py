"""Values that the requests of a scope share, for loops: counters, averages, whatever a retrier keeps beside itself.

A value cannot change in place, so that every change is an assignment: what a loop reads, it reads through the mapping,
and a search of a small world knows what the loop has learned.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from sim.clients.loop_cells import address_of, own_or_shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.clients.cells import Scope
    from sim.clients.owner import Owner


class SharedValues(MutableMapping[str, Any]):
    """A mapping that other requests see, too. Raises TypeError for values that can change in place."""

    __slots__ = ("_client", "_values")

    def __init__(self, client: Owner, name: str, scope: Scope) -> None:
        self._client = client
        self._values: dict[str, Any] = own_or_shared(client, address_of(client, "own.shared", name, scope), _empty)

    def __getitem__(self, key: str) -> Any:
        found = self._values.get(key, _NOTHING)
        is_there = found is not _NOTHING
        self._client.hear("shared", (key, is_there, found if is_there else None))
        if not is_there:
            raise KeyError(key)
        return found

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"the key of a shared value is a text, not {key!r}")
        if not _is_plain(value):
            raise TypeError(
                f"'{key}': a shared value is a number, a text, None or a tuple of these, not a "
                f"{type(value).__name__}, which could change in place"
            )
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        self[key]
        del self._values[key]

    def __iter__(self) -> Iterator[str]:
        keys = tuple(self._values)
        self._client.hear("keys", keys)
        return iter(keys)

    def __len__(self) -> int:
        self._client.hear("values", len(self._values))
        return len(self._values)


_NOTHING = object()


def _empty(_: Any) -> dict[str, Any]:
    return {}


def _is_plain(value: Any) -> bool:
    if type(value) is tuple:
        return all(map(_is_plain, value))
    return value is None or type(value) in {bool, int, float, str, bytes}
