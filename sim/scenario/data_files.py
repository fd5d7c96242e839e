"""Files that a scenario names: they lie inside its folder, are read once and handed to the options that name them."""

import errno
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sim.laws.columns import Column, read_column
from sim.laws.distributions import Empirical
from sim.scenario.mistakes.problems import Path as Keys
from sim.scenario.mistakes.problems import Problem
from sim.world.arrivals import Recorded

MAX_BYTES = 64 << 20
COLUMN_KINDS = ("empirical", "file")


@dataclass(frozen=True)
class DataFiles:
    """The files of one scenario's folder; each column is read once."""

    folder: Path
    _columns: dict[tuple[type[Column], str, str, str | None, int | None], Column] = field(
        default_factory=dict, compare=False, repr=False
    )

    def add(self, column: Column) -> None:
        """Add a column that has its values, as if it had been read."""
        self._columns[self._key(column)] = column

    def fill(self, column: Column) -> Column:
        """Return a column with its values. Raises ValueError if the file cannot be read as one."""
        key = self._key(column)
        if key not in self._columns:
            data = self.read(column.file)
            try:
                text = data.decode("utf-8")
            except UnicodeDecodeError as error:
                line = data.count(b"\n", 0, error.start) + 1
                raise ValueError(f"{column.file} is not a text file in UTF-8 (line {line})") from None
            try:
                values_ns = read_column(text, column.column)
                self._columns[key] = column.with_values(values_ns, hashlib.sha256(data).hexdigest())
            except ValueError as error:
                raise ValueError(f"{column.file}: {error}") from None
        return self._columns[key]

    @staticmethod
    def _key(column: Column) -> tuple[type[Column], str, str, str | None, int | None]:
        return type(column), column.file, column.column, column.sha256, column.rows

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
    problems: list[Problem] = []

    def walk(node: Any, path: Keys) -> Any:
        if isinstance(node, Mapping):
            filled = {}
            for key, value in node.items():
                below = (*path, key)
                model = _column_model(below)
                filled[key] = walk(value, below) if model is None else read(model, value, below)
            return filled
        if isinstance(node, list | tuple):
            return [walk(value, (*path, position)) for position, value in enumerate(node)]
        return node

    def read(model: type[Column], value: Any, path: Keys) -> Any:
        try:
            column = model.model_validate(value)
        except ValidationError:
            return value
        if column.values_ns:
            return column
        try:
            return files.fill(column)
        except ValueError as error:
            problems.append(Problem((*path, "file"), str(error)))
            return value

    filled = walk(tree, ())
    return {key: _unwrapped(value) for key, value in filled.items()}, problems


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
