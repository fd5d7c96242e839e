"""Finds where guest code waits for ever, as its world ends.

Only what is stuck is looked at: a request that settles costs nothing. A thread of guest code stands in a greenlet, and
a task in coroutines that await one another; the frames of both say where they wait.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from sim.guests.refused import line_of_frames, line_of_stack
from sim.history.lasting_waits import LastingWait
from sim.history.vocabulary import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_open: Final[list[LastingWaits]] = []
"""Those who want to know, the last of whom is told."""


class LastingWaits:
    """The requests that wait for ever, by the line where they do."""

    def __init__(self) -> None:
        self._first = 0
        self._requests: dict[str, set[int]] = {}

    @contextmanager
    def noted(self, first: int = 0) -> Iterator[None]:
        """Note what waits for ever meanwhile; `first` is the number of the first request of that world."""
        self._first = first
        _open.append(self)
        try:
            yield
        finally:
            _open.remove(self)

    def note(self, place: str, request: int) -> None:
        """Note a request."""
        self._requests.setdefault(place, set()).add(self._first + request)

    def place_of(self, request: int) -> str:
        """Return the line at which a request waits; empty if it does not."""
        return next((place for place, numbers in self._requests.items() if request in numbers), "")

    def found(self) -> tuple[LastingWait, ...]:
        """Return where they wait, the line of the lowest request first."""
        waits = [LastingWait(place, len(numbers), min(numbers)) for place, numbers in self._requests.items()]
        return tuple(sorted(waits, key=lambda one: (one.request, one.place)))


def note_waits_of(process: Any) -> None:
    """Note which requests of a process wait for ever. Its world is over, and nothing of it is stopped yet."""
    if not _open:
        return
    for client in process.clients:
        if client.request.outcome == Outcome.stuck and not _waits_for_a_call(client):
            path, _, line = _line_of(client, process).rpartition(":")
            _open[-1].note(f"{PurePath(path).name}:{line}" if path else "", client.request.number)


def _waits_for_a_call(client: Any) -> bool:
    """Tell whether a call never ends for which it still waits."""
    return any(one.attempt is not None and not (one.left or one.answer.done) for one in client.connections)


def _line_of(client: Any, process: Any) -> str:
    loop = process.loop
    if loop is None or loop.is_blocked:
        return line_of_stack(client.strand.stands_at)
    task = next((task for task in loop.tasks() if getattr(task, "serves", None) is client), None)
    return "" if task is None else line_of_frames([*_frames_of_task(task.get_coro())][::-1])


def _frames_of_task(code: Any) -> Iterator[tuple[FrameType, int]]:
    """Yield the frames of a coroutine and of what it awaits, the outermost first."""
    while code is not None:
        kind = next((kind for kind in ("cr", "gi", "ag") if hasattr(code, f"{kind}_frame")), None)
        if kind is None:
            return
        frame = getattr(code, f"{kind}_frame")
        if frame is not None:
            yield frame, frame.f_lineno
        code = getattr(code, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
