"""Asynchronous generators that are freed before their end: they are closed in the event loop of their guest.

Python tells a hook of the thread, which asyncio sets for a real loop. Here one hook serves all loops of guests, and
leaves the generators of the host to the hooks that were there before.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from sim.guests.inside import INSIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.guests.inside import Inside


@contextmanager
def closed_in_loops() -> Iterator[None]:
    """Let the generators of guests be closed in their loops, in this thread."""
    before = sys.get_asyncgen_hooks()
    begun: dict[int, Inside] = {}
    """By the identity of a generator, the request that has begun it: the collector frees it in any other's turn."""

    def begins(generator: Any) -> None:
        inside = INSIDE.get()
        if inside is not None:
            begun[id(generator)] = inside
            return
        begun.pop(id(generator), None)
        if before.firstiter is not None:
            before.firstiter(generator)

    def is_freed(generator: Any) -> None:
        inside = begun.pop(id(generator), None)
        if inside is not None:
            _close_in_loop(generator, inside)
        elif before.finalizer is not None:
            before.finalizer(generator)
        else:
            with suppress(BaseException):  # as Python ends it without a hook
                generator.aclose().send(None)

    sys.set_asyncgen_hooks(begins, is_freed)
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(*before)


def _close_in_loop(generator: Any, inside: Inside) -> None:
    """Close a generator of a request, unless the loop of its process is over."""
    loop = inside.process.loop
    if loop is not None and not loop.is_closed():
        context = copy_context() if INSIDE.get() is inside else Context()
        context.run(INSIDE.set, inside)
        loop.call_soon(loop.create_task, generator.aclose(), context=context)
