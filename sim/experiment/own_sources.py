"""What the user's own code is, as text: numbers that it made are not those of the code as it is after a change."""

from __future__ import annotations

import ast
import hashlib
from importlib.machinery import PathFinder
from importlib.util import resolve_name
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec

    from sim.scenario.schema import Scenario


def sources_digest(scenario: Scenario) -> str:
    """Return the SHA-256 of the modules that a command line names, and of all of the user's own that these import.

    It counts where a module says that it imports another, inside of functions too; what `importlib` imports by a name
    that is made up as the code runs is left out. Empty without such code, or if none of it has a source, as in a
    notebook, or if that cannot be read.
    """
    named = {path.partition(":")[0] for path in scenario.surroundings.trusted.values()}
    found: dict[str, bytes] = {}
    to_see = sorted(named)
    try:
        while to_see:
            name = to_see.pop()
            spec = None if name in found else _own_spec(name)
            if spec is None or spec.origin is None:
                continue
            found[name] = Path(spec.origin).read_bytes()
            to_see += [name.rpartition(".")[0], *_imported(found[name], name, spec)]
    except (OSError, SyntaxError, ValueError):  # a file that has been removed, or is being edited, since its import
        return ""
    made = hashlib.sha256()
    for name in sorted(found):
        made.update(f"{name} {len(found[name])}\n".encode() + found[name])
    return made.hexdigest() if found else ""


def _own_spec(name: str) -> ModuleSpec | None:
    """Return where a module of the user's own is, without importing it; None if it is no such module."""
    from sim.guests.refused import is_own  # few runs have code of the user's own

    spec, path = None, None
    for end in [at for at, letter in enumerate(f"{name}.") if letter == "."]:
        spec = PathFinder.find_spec(name[:end], path)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    return spec if spec is not None and (spec.origin or "").endswith(".py") and is_own(str(spec.origin)) else None


def _imported(source: bytes, name: str, spec: ModuleSpec) -> Iterator[str]:
    """Yield the names of the modules that a module says it imports, and some that are names of what these hold."""
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level and (not package or node.level > 1 + package.count(".")):
                continue  # it fails as it runs
            origin = resolve_name("." * node.level + (node.module or ""), package)
            yield from (origin, *(f"{origin}.{one.name}" for one in node.names))
