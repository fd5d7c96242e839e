"""Waiting that is not simulated: a coroutine asks asyncio or another event loop to wake it up, and there is none.

`time.sleep` cannot be noticed: it stops the whole program for a while, and no simulated time passes.
"""

from __future__ import annotations

from typing import Final

HOW_TO_WAIT: Final = (
    "Time is simulated here, without asyncio, trio or any other event loop. To wait, use `await ctx.sleep(ms)` in "
    "place of asyncio.sleep and the like"
)
_COMPLAINTS: Final = (
    "no running event loop",
    "no current event loop",
    "must be called from async context",
    "unknown async library",
    "not currently running on any",
)
"""What asyncio, trio, sniffio and anyio say where they find no event loop of theirs."""


class ForeignAwait(TypeError):
    """A coroutine awaited something that no simulation completes."""

    def __init__(self, awaited: object) -> None:
        what = "nothing (`await asyncio.sleep(0)` does)" if awaited is None else f"a {type(awaited).__name__}"
        super().__init__(f"this coroutine awaits {what}, which nothing here will ever complete")


def is_foreign(error: BaseException) -> bool:
    """Tell whether an error comes of waiting by an event loop that is not there."""
    if isinstance(error, ForeignAwait):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _COMPLAINTS)
