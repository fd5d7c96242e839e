"""Wrong arguments: of `call`, and of what takes `call`. Each is told in words of the guest, with its line.

Python's own words would name code of this package, and no line at all if a guest cannot even be called.
"""

from __future__ import annotations

from inspect import isasyncgen, isgenerator, signature, unwrap
from math import inf
from typing import TYPE_CHECKING, Any, Final

from sim.guests.refused import GuestRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST: Final = 60
"""So many characters of an argument are told."""


def is_timeout(timeout: object) -> bool:
    """Tell whether something is a time in s that a call can be limited to."""
    return isinstance(timeout, (int, float)) and not isinstance(timeout, bool) and 0 <= timeout <= inf


def wrong_arguments(timeout: object, args: tuple[Any, ...], more: Mapping[str, Any]) -> str:
    """Say what is wrong with more arguments than a timeout."""
    first = [] if timeout is None and not args else [timeout]
    shown = [*(_short(one) for one in (*first, *args)), *(f"{name}={_short(one)}" for name, one in more.items())]
    return f"calls with `call({', '.join(shown)})`: it takes a timeout in seconds and nothing else, `call(timeout=1.5)`"


def signature_mistake(guest: Any) -> GuestRefused | None:
    """Return what is wrong with a guest that cannot be called with `call` alone; None if it can be."""
    try:
        signature(guest).bind(None)
    except TypeError as error:
        method = getattr(guest, "__self__", None)
        name = f"{type(method).__name__}.retry" if method is not None else _name(guest)
        takes = "self, call" if method is not None else "call"
        return GuestRefused(
            f"the guest cannot be called with `call` alone ({error}): write `{name}({takes})`", line_of_code(guest)
        )
    except ValueError:  # a function in C that does not say what it takes
        return None
    return None


def constructor_mistake(kind: type, args: tuple[Any, ...], more: Mapping[str, Any]) -> GuestRefused | None:
    """Return what is wrong with the constructor of a guest that cannot be called as it is; None if it can be."""
    constructor: Any = vars(kind).get("__init__", kind.__init__)  # type: ignore[misc]  # of this very class
    try:
        signature(constructor).bind(None, *args, **more)
    except TypeError as error:
        return GuestRefused(
            f"the guest {kind.__name__} cannot be made with its options ({error}): write "
            "`def __init__(self, options)`, and call `super().__init__(options)`",
            line_of_code(constructor),
        )
    return None


def generator_mistake(guest: Any, returned: object) -> GuestRefused | None:
    """Return what is wrong with a guest that has returned a generator without having called; None if it has not."""
    if not (isgenerator(returned) or isasyncgen(returned)):
        return None
    return GuestRefused(
        f"the guest {_name(guest)} returns a generator, of which nothing has run: write it without `yield`",
        line_of_code(guest),
    )


def line_of_code(function: Any) -> str:
    """Return where a function or method is written, below its decorators, as `file:line`; nothing if it does not say.

    An object that is called is where its `__call__` is.
    """
    found = unwrap(getattr(function, "__func__", function))
    code = getattr(found, "__code__", None)
    if code is None and callable(found):
        code = getattr(type(found).__call__, "__code__", None)
    return "" if code is None else f"{code.co_filename}:{code.co_firstlineno}"


def _name(guest: Any) -> str:
    return getattr(guest, "__name__", type(guest).__name__)


def _short(one: object) -> str:
    text = repr(one)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
