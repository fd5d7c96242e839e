"""Files that a scenario names: they lie inside its folder, are read once and handed to the options that name them."""

import errno
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from sim.laws.columns import Column, FileColumn
from sim.laws.distributions import Empirical
from sim.scenario.mistakes.problems import Path as Keys
from sim.scenario.mistakes.problems import Problem
from sim.world.arrivals import Recorded
from sim.world.counted import KEYS, Counted, with_shares, without_file

Filled = Column | Counted
AnyColumn = TypeVar("AnyColumn", Column, Counted)

MAX_BYTES = 64 << 20
COLUMN_KINDS = ("empirical", "file")


@dataclass(frozen=True)
class DataFiles:
    """The files of one scenario's folder; each column is read once."""

    folder: Path
    _columns: dict[tuple[type[FileColumn], str], Any] = field(default_factory=dict, compare=False, repr=False)

    def add(self, column: Filled) -> None:
        """Add a column that has its values, as if it had been read."""
        self._columns[self._key(column)] = column

    def fill(self, column: AnyColumn) -> AnyColumn:
        """Return a column with its values. Raises ValueError if the file cannot be read as one."""
        key = self._key(column)
        if key not in self._columns:
            data = self.read(column.file)
            try:
                self._columns[key] = column.with_values(column.read(data), hashlib.sha256(data).hexdigest())
            except ValueError as error:
                raise ValueError(f"{column.file}: {error}") from None
        found: AnyColumn = self._columns[key]
        return found

    @staticmethod
    def _key(column: Filled) -> tuple[type[FileColumn], str]:
        """Return all that the values depend on: the same column with another `where` is another one."""
        return type(column), json.dumps(column.model_dump(mode="json"), sort_keys=True)

    def read(self, name: str) -> bytes:
        """Read a file of the folder. Raises ValueError if there is none, it lies outside, or it is too large."""
        if Path(name).is_absolute():
            raise ValueError("a path must be relative to the scenario's folder, not start at the root")
        if "\0" in name:
            raise ValueError("no file can have this name")
        try:
            folder = self.folder.resolve(strict=True)
            path = (folder / name).resolve()
            if not path.is_relative_to(folder):
                raise ValueError(f"{name} lies outside of the scenario's folder")
            if path.is_dir():
                raise ValueError(f"{name} is a folder, not a file")
            if path.exists() and not path.is_file():
                raise ValueError(f"{name} is not an ordinary file")
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            raise ValueError(f"there is no file {name} in the scenario's folder") from None
        except (OSError, RuntimeError) as error:
            # Too long a name, no permission, or a loop of links, which is a RuntimeError up to Python 3.12.
            if isinstance(error, RuntimeError) or error.errno == errno.ELOOP:
                raise ValueError(f"{name} cannot be read: its links lead nowhere") from None
            reason = error.strerror
            raise ValueError(f"{name} cannot be read: {reason}") from None
        if len(data) > MAX_BYTES:
            raise ValueError(f"{name} is larger than {MAX_BYTES >> 20} MiB")
        return data


def brought_along(node: Any, files: DataFiles) -> tuple[Any, dict[str, bytes]]:
    """Return plain values that name their files in one folder, and by these names the contents of the files.

    So a scenario that is written elsewhere finds them beside itself. Raises ValueError if one cannot be read.
    """
    found: dict[str, bytes] = {}

    def walk(node: Any) -> Any:
        if isinstance(node, Mapping):
            filled = {key: walk(value) for key, value in node.items()}
            if isinstance(node.get("file"), str) and "column" in node:
                data = files.read(node["file"])
                filled["file"] = f"{hashlib.sha256(data).hexdigest()[:8]}-{Path(node['file']).name}"
                found[filled["file"]] = data
            return filled
        return [walk(value) for value in node] if isinstance(node, list | tuple) else node

    return walk(node), found


def attach(tree: Any, files: DataFiles) -> tuple[Any, list[Problem]]:
    """Return a copy of a scenario's plain values with the columns of files read in, and the problems of these files.

    A value that does not look like a column stays as it is; the models find the mistake.
    """
    attaching = _Attaching(files)
    filled = attaching.walk(tree, ())
    return {key: _unwrapped(value) for key, value in filled.items()}, attaching.problems


class _Attaching:
    """A walk through a scenario's plain values that reads the columns of files."""

    def __init__(self, files: DataFiles) -> None:
        self.problems: list[Problem] = []
        self._files = files

    def walk(self, node: Any, path: Keys) -> Any:
        """Return a copy of the values below a path."""
        if isinstance(node, Mapping):
            filled = {}
            for key, value in node.items():
                below = (*path, key)
                model = _column_model(below)
                filled[key] = self.walk(value, below) if model is None else self._read(model, value, below)
            is_counted = path and path[-1] == "outcomes" and isinstance(node.get("file"), str)
            return self._count(filled, path) if is_counted else filled
        if isinstance(node, list | tuple):
            return [self.walk(value, (*path, position)) for position, value in enumerate(node)]
        return node

    def _read(self, model: type[Column], value: Any, path: Keys) -> Any:
        try:
            column = model.model_validate(value)
        except ValidationError:
            return value
        if column.values_ns:
            return column
        try:
            return self._files.fill(column)
        except ValueError as error:
            self.problems.append(Problem((*path, "file"), str(error)))
            return value

    def _count(self, outcomes: dict[str, Any], path: Keys) -> Any:
        """Return the options of outcomes with the shares that a file gives."""
        try:
            empty = Counted.model_validate({key: outcomes[key] for key in KEYS if outcomes.get(key) is not None})
        except ValidationError:
            return outcomes
        try:
            counted = self._files.fill(empty)
        except ValueError as error:
            self.problems.append(Problem((*path, "file"), str(error)))
            return without_file(outcomes)
        try:
            filled = with_shares(outcomes, counted.shares)
        except ValueError as error:
            self.problems.append(Problem(path, str(error)))
            return without_file(outcomes)
        return {**filled, "sha256": counted.sha256, "rows": counted.rows}


def _column_model(path: Keys) -> type[Column] | None:
    if path == ("requests", "arrivals", "file"):
        return Recorded
    return Empirical if path[-1] == "empirical" else None


def _unwrapped(node: Any) -> Any:
    """Put each column with values in place of the mapping that names its kind: validated again it would lose them."""
    if isinstance(node, Mapping):
        for kind in COLUMN_KINDS:
            if len(node) == 1 and isinstance(node.get(kind), Column):
                return node[kind]
        return {key: _unwrapped(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_unwrapped(value) for value in node]
    return node
