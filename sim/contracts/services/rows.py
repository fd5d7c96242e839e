"""What a versioned row owes to those that read and write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.history.entities import when
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.promises.view import View


@invariant(owed_by="platform")
def row_versions_hold(view: View) -> Iterator[Violation]:
    """A write counts exactly if it was made with the version that is there, and then the next version is one more."""
    versions: dict[str, int] = {}
    told = [(at, call, event) for call in view.calls.values() for at, event in call.row]
    for _, call, event in sorted(told, key=lambda found: found[0]):
        there = versions.get(call.service, 0)
        wrong = ""
        if event.version != there:
            wrong = f"finds version {event.version}, but {there} is there"
        elif event is call.written:
            if call.read is not None and event.seen != call.read.version:
                wrong = f"writes with version {event.seen}, but has read {call.read.version}"
            if event.seen == there:
                versions[call.service] = there + 1
        if wrong:
            yield breach(call.request.number, f"{call} {wrong}, {when(event)}", call.read, event)
