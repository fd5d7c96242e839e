"""Asynchronous generators that are freed before their end: they are closed in the event loop of their guest.

Python tells a hook of the thread, which asyncio sets for a real loop. Here one hook serves all loops of guests, and
leaves the generators of the host to the hooks that were there before.

One that the garbage collector frees, since it refers to itself, is not closed. When the collector runs depends on all
that the process has done before, and what a generator does as it is closed would come at that instant.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from contextvars import Context, copy_context
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from sim.guests.collecting import ROUNDS
from sim.guests.inside import INSIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.guests.inside import Inside

_heard: Final[set[int]] = set()
"""The threads in which there is a hook."""


@contextmanager
def closed_in_loops() -> Iterator[None]:
    """Let the generators of guests be closed in their loops, in this thread."""
    me = get_ident()
    if me in _heard:
        yield
        return
    before = sys.get_asyncgen_hooks()
    hooks = _Hooks(*before)
    _heard.add(me)
    sys.set_asyncgen_hooks(hooks.begins, hooks.is_freed)
    try:
        yield
    finally:
        _heard.discard(me)
        sys.set_asyncgen_hooks(*before)


class _Hooks:
    """What Python tells of the generators of a thread; `firstiter` and `finalizer` are told of those of the host."""

    def __init__(self, firstiter: Any, finalizer: Any) -> None:
        self._firstiter = firstiter
        self._finalizer = finalizer
        self._begun: dict[int, Inside] = {}
        """By the identity of a generator, the request that has begun it: other code may be the last to refer to it."""

    def begins(self, generator: Any) -> None:
        """Note that a generator begins."""
        inside = INSIDE.get()
        if inside is not None:
            self._begun[id(generator)] = inside
            return
        self._begun.pop(id(generator), None)
        if self._firstiter is not None:
            self._firstiter(generator)

    def is_freed(self, generator: Any) -> None:
        """Close a generator that is freed."""
        inside = self._begun.pop(id(generator), None)
        if inside is not None:
            if not ROUNDS.is_in_this_thread:
                _close_in_loop(generator, inside)
        elif self._finalizer is not None:
            self._finalizer(generator)
        else:
            with suppress(BaseException):  # as Python ends it without a hook
                generator.aclose().send(None)


def _close_in_loop(generator: Any, inside: Inside) -> None:
    """Close a generator of a request, unless the loop of its process is over."""
    loop = inside.process.loop
    if loop is not None:
        context = copy_context() if INSIDE.get() is inside else Context()
        context.run(INSIDE.set, inside)
        loop.call_soon(loop.create_task, generator.aclose(), context=context)
