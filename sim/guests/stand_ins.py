"""What takes the place of a function of the host: it answers inside guests, and asks the host's function elsewhere."""

from __future__ import annotations

from importlib import import_module
from types import MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Home:
    """The module in which a function of the host is at home."""

    __slots__ = ("module",)

    def __init__(self, module: str) -> None:
        self.module = module

    def __reduce__(self) -> tuple[Any, ...]:
        # So a stand-in that is pickled becomes the function of the host where it is unpickled.
        return import_module, (self.module,)


def instead_of(real: Any, function: Callable[..., Any]) -> Any:
    """Return what takes the place of `real`: `function`, which takes the `Home` of `real`, and then its arguments.

    It is a bound method, because a class may have a function of the host as an attribute, as `logging.Formatter` has
    `converter = time.localtime`: a plain function there would be taken for a method of that class.
    """
    name = real.__name__
    home = getattr(real, "__module__", None) or "builtins"
    function.__name__ = function.__qualname__ = name
    function.__module__ = home
    function.__doc__ = real.__doc__
    return MethodType(function, Home(home))
