"""What a run says of guest code that waits for ever for something that is no call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sim.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.history.lasting_waits import LastingWait

MOST_NAMED: Final = 2
"""So many further lines of a guest are named."""


def wait_sentences(cells: Sequence[tuple[str, Sequence[LastingWait]]]) -> list[str]:
    """Say of each cell, given by name, where its guest waits for ever; nothing if it does not."""
    return [f"{f'{name}: ' if len(cells) > 1 else ''}{wait_text(waits)}" for name, waits in cells if waits]


def wait_text(waits: Sequence[LastingWait]) -> str:
    """Say where a guest waits for ever, in how many requests, and which one to replay."""
    first, *others = waits
    more = "".join(
        f"; at {one.place or 'another line'} {counted(one.requests, 'request')}" for one in others[:MOST_NAMED]
    )
    if len(others) > MOST_NAMED:
        more += f"; and at {counted(len(others) - MOST_NAMED, 'other line')}"
    place = f" at {first.place}" if first.place else ""
    return (
        f"STUCK: the guest waits{place} without a timeout for something that never comes, "
        f"in {counted(first.requests, 'request')} (replay request {first.request}){more}. "
        "Limit the wait by a timeout, or let something end it."
    )
