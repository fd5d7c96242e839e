"""The public names of `sim`, for autodoc."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import TYPE_CHECKING, Final

import sim
from reference.markdown import code, terms

if TYPE_CHECKING:
    from collections.abc import Iterable

CLASSES_IN_FULL: Final = frozenset(
    {"Result", "Requests", "Promises", "Call", "ClientContext", "MutationContext", "LoopRetrier", "ScheduledRetrier"}
)
"""Those whose members people use or write; of others the docstring is enough."""


def all_names() -> str:
    """Return the directives for all names, modules last."""
    names = sorted(name for name in vars(sim)["__all__"] if not name.startswith("_"))
    modules = [name for name in names if isinstance(getattr(sim, name), ModuleType)]
    functions = [name for name in names if inspect.isroutine(getattr(sim, name))]
    classes = [name for name in names if inspect.isclass(getattr(sim, name))]
    left = sorted({*names} - {*modules, *functions, *classes})
    if left:
        raise LookupError(f"neither modules, functions nor classes: {', '.join(left)}")
    return "\n".join(
        (
            "## Functions\n",
            _directives(f".. autofunction:: sim.{name}" for name in functions),
            "## Classes\n",
            _directives(_class(name) for name in classes),
            "## Rooms with further names\n",
            terms((code(f"sim.{name}"), _first_sentence(getattr(sim, name))) for name in modules),
        )
    )


def _class(name: str) -> str:
    return f".. autoclass:: sim.{name}" + ("\n   :members:" if name in CLASSES_IN_FULL else "")


def _directives(lines: Iterable[str]) -> str:
    return "```{eval-rst}\n" + "\n\n".join(lines) + "\n```\n"


def _first_sentence(module: ModuleType) -> str:
    return (module.__doc__ or "").split("\n\n")[0].replace("\n", " ")
