"""Saves the scenarios of tests to a folder, and makes the command lines that replay them.

The command line gets a retrier of the test's own as `--retrier MODULE:NAME`. If it could not find that class, or could
not make the retrier as the test did, there is no command line; then only the test itself can run it again.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.convex.functions import Function
from sim.retriers.base import Retrier
from sim.retriers.ports import PORTS
from sim.scenario.data_files import brought_along
from sim.scenario.identity import digest, resolved_yaml
from sim.scenario.load import load
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.yaml.writer import flow_text, yaml_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sim.scenario.schema import Scenario


@dataclass(frozen=True, slots=True)
class Named:
    """How files and command lines name a retrier: by its kind or `module:Class`, and its options as written."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_code(self) -> bool:
        """Whether it is a class that no file may name."""
        return ":" in self.kind

    @property
    def tree(self) -> Any:
        """The value of `retrier` in a scenario."""
        return {"kind": self.kind, **self.options} if self.options else self.kind


def named(retrier: str | type[Retrier] | Retrier | Callable[[Any], Any]) -> Named | None:
    """Name a retrier so that a scenario can make it again; None if the scenario would make a different one."""
    if isinstance(retrier, str):
        return Named(retrier)
    if not isinstance(retrier, (type, Retrier)):
        return _named_function(retrier)
    cls = retrier if isinstance(retrier, type) else type(retrier)
    if getattr(sys.modules.get(cls.__module__), cls.__qualname__, None) is not cls:
        return None
    kind = f"{cls.__module__}:{cls.__qualname__}"
    kind = next((port for port, path in PORTS.items() if path == kind), kind)
    if isinstance(retrier, type):
        return Named(kind)
    if not _is_made_of_its_options(retrier):
        return None
    return Named(kind, retrier.options.model_dump(mode="json", by_alias=True, exclude_unset=True))


def _named_function(function: Callable[[Any], Any]) -> Named | None:
    """Name a plain function; None if its module has another one by its name, or none."""
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    known = getattr(sys.modules.get(module), name, None)
    return Named(f"{module}:{name}") if known is function else None


def _is_made_of_its_options(retrier: Retrier) -> bool:
    """Tell whether the constructor, given the options alone, makes a retrier with the same attributes."""
    try:
        ours, others = vars(retrier), vars(type(retrier)(retrier.options))
        return ours.keys() == others.keys() and all(_is_same(value, others[name]) for name, value in ours.items())
    except Exception:  # noqa: BLE001  # a constructor or comparison of the user's own may do anything
        return False


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, Function) and isinstance(other, Function):
        return one.name == other.name
    return bool(one == other)


@dataclass(frozen=True, slots=True)
class Saved:
    """A scenario in a file, as command lines name it."""

    path: Path
    seed: int
    retrier: Named | None
    """The retrier that replaces the one in the file, as this process knows it."""

    def words(self, folder: Path, roots: Sequence[Path] = ()) -> tuple[str, list[str]]:
        """Return the text before the command and the words that name the scenario, for a shell in this folder.

        `roots` are more folders from which the test's modules may import.
        """
        words = [_relative(self.path, folder), "--seed", str(self.seed)]
        if self.retrier is None:
            return "", words
        root, name = _found_at(self.retrier.kind)
        words += ["--retrier", name]
        for key, text in _overrides(self.retrier):
            words += ["--set", f"{key}={text}"]
        known = {folder, *_installed()}
        places = [_relative(path, folder) for path in dict.fromkeys([root, *roots]) if path not in known]
        if not places:
            return "", words
        others = f"{os.pathsep}$PYTHONPATH" if os.environ.get("PYTHONPATH") else ""
        return f"PYTHONPATH={shlex.quote(os.pathsep.join(places))}{others} ", words


def save(scenario: Scenario, retrier: Named | None, directory: Path, stem: str) -> Saved | None:
    """Write a scenario to `directory`; return None if the file would not describe the same scenario.

    `retrier` names the scenario's retrier if no file can. Files that the scenario names are copied beside it. The
    file's name depends on everything but the seed, so that a test with many seeds leaves one file.
    """
    surroundings = scenario.surroundings
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if surroundings.from_file:
            tree = {key: value for key, value in scenario.written.items() if key != "seed"}
            if retrier is not None:
                tree.pop("retrier", None)
            tree, data = brought_along(tree, surroundings.files)
            for name, content in data.items():
                _write(directory / name, content)
            text = "".join(f"{line}\n" for line in yaml_lines(tree, {}))
        else:
            text = resolved_yaml(scenario)
        path = directory / f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.yaml"
        _write(path, text.encode())
        _write(directory / ".gitignore", b"*\n")
        overrides = [] if retrier is None else list(_overrides(retrier))
        again = load(path, overrides, seed=scenario.seed, retrier=None if retrier is None else retrier.kind)
        return Saved(path, scenario.seed, retrier) if digest(again) == digest(scenario) else None
    except (ScenarioError, TypeError, ValueError, OSError):
        return None


def _overrides(retrier: Named) -> Iterator[tuple[str, str]]:
    for key, value in retrier.options.items():
        yield f"retrier.{key}", flow_text(value)


def _write(path: Path, data: bytes) -> None:
    """Replace a file in one step, since several processes may write it at once."""
    if path.exists() and path.read_bytes() == data:
        return
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_bytes(data)
    beside.replace(path)


def _found_at(kind: str) -> tuple[Path, str]:
    """Return the folder from which Python can import a class, and its `module:Class` relative to that folder."""
    module, _, name = kind.partition(":")
    file = Path(str(sys.modules[module].__file__)).resolve()
    place = file.parent if file.name == "__init__.py" else file.with_suffix("")
    parts = module.split(".")
    if place.parts[-len(parts) :] == tuple(parts):
        return Path(*place.parts[: -len(parts)]), kind
    # The module's name does not lead to its file, so start from the folder around its package.
    root = file.parent
    while (root / "__init__.py").exists():
        root = root.parent
    return root, f"{'.'.join(place.relative_to(root).parts)}:{name}"


def _installed() -> set[Path]:
    return {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")}


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path, folder)
