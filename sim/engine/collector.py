"""Python's garbage collector while a world runs: it looks for cycles less often.

A world makes many objects that live as long as it does (rows, documents, records), and few that die young. With
Python's own threshold the collector would pass over them again and again and find nothing: the parts of a world leave
no cycles behind. Retriers of users may, so with them the collector stays on, and what they leave is freed once
`OF_USERS` objects have come that are not yet freed.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

OF_USERS: Final = 200_000
"""Objects between two looks: some ten thousand requests, and some tens of megabytes if all of them were garbage."""
OF_PORTS: Final = 1 << 30
"""More than a world makes: nothing in it leaves a cycle."""

MANY: Final = 100_000
"""If a world leaves more objects than this, they are its history."""


class _Inside:
    """How many worlds run in this process, in whatever threads, and the threshold before the first of them began."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.count = 0
        self.before = gc.get_threshold()


_INSIDE = _Inside()


@contextmanager
def rare_collections(young: int) -> Iterator[None]:
    """Let the collector look only once `young` objects have come that are not yet freed.

    Contexts may be nested or overlap in several threads. After the last one the threshold is as it was before the
    first, also if an error ends it. A collector that is off, or looks less often anyway, is left alone.
    """
    with _INSIDE.lock:
        threshold = gc.get_threshold()
        if not _INSIDE.count:
            _INSIDE.before = threshold
        _INSIDE.count += 1
        if 0 < threshold[0] < young:  # 0: never
            gc.set_threshold(young, *threshold[1:])
    try:
        yield
    finally:
        with _INSIDE.lock:
            _INSIDE.count -= 1
            if not _INSIDE.count:
                gc.set_threshold(*_INSIDE.before)


def keep_as_old() -> None:
    """Let what a world leaves count as old if it is much: a history, in which the collector would find nothing.

    Otherwise the collector passes over all of it as soon as the world is over. To freeze all objects and to thaw them
    at once makes them old without looking at any. If the process has frozen objects of its own, they stay frozen.
    """
    if gc.get_count()[0] > MANY and not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
