"""Asynchronous generators that are freed before their end: they are closed in the event loop of their guest.

Python tells a hook of the thread, which asyncio sets for a real loop. Here one hook serves all loops of guests, and
leaves the generators of the host to the hooks that were there before.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sim.guests.inside import INSIDE

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def closed_in_loops() -> Iterator[None]:
    """Let the generators of guests be closed in their loops, in this thread."""
    before = sys.get_asyncgen_hooks()

    def begins(generator: Any) -> None:
        if INSIDE.get() is None and before.firstiter is not None:
            before.firstiter(generator)

    def is_freed(generator: Any) -> None:
        inside = INSIDE.get()
        loop = None if inside is None else inside.process.loop
        if loop is not None and not loop.is_closed():
            loop.call_soon(loop.create_task, generator.aclose())
        elif inside is None and before.finalizer is not None:
            before.finalizer(generator)
        elif inside is None:
            with suppress(BaseException):  # as Python ends it without a hook
                generator.aclose().send(None)

    sys.set_asyncgen_hooks(begins, is_freed)
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(*before)
