"""Whose results a folder has: `source.json` names the scenario file, and the options that changed it.

Scenarios of the same name want the same folder. The first to come claims it: it makes the file, in one step that only
one of several processes can do. The same scenario file, edited or changed by options, goes on to use its folder;
another one, or another `--retrier`, is refused. Paths are relative to the folder, so a project can be moved as a whole.

`retrysim show` makes of it the lines that replay requests of the results.
"""

from __future__ import annotations

import json
import os
import shlex
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sim.cli.scenario_options import Source
from sim.results.tables import RESULTS, UNFINISHED
from sim.scenario.identity import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.scenario.schema import Scenario

FILE: Final = "source.json"
SCHEMA: Final = 1
MOST_SUGGESTED: Final = 1000


@dataclass(frozen=True, slots=True)
class Origin:
    """What `source.json` says: where results come from."""

    scenario: str
    """The path of the scenario file, relative to the folder of the results."""
    name: str
    """The scenario's name."""
    retrier: str | None
    """The value of `--retrier`."""
    seed: int | None
    requests: int | None
    overrides: tuple[tuple[str, str], ...]
    called_in: str
    """The folder in which the command was called, relative to that of the results: own retriers are found there."""
    digest: str
    """Of the scenario; empty if results have not been saved yet."""
    services: tuple[tuple[str, str], ...] = ()
    """The values of `--service`."""
    retriers: tuple[tuple[str, str], ...] = ()
    """The values of `--retrier` that have a name."""

    @property
    def code(self) -> tuple[str | None, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
        """The code that takes the place of the scenario's own, or that it names."""
        return self.retrier, self.services, self.retriers

    @property
    def owner(self) -> tuple[Any, ...]:
        """What must be the same for results to be replaced: the file, and the code of the user's own."""
        return self.scenario, *self.code

    def source(self, folder: Path, start: Path) -> Source:
        """Return the scenario and its changes, with the file as it is seen from `start`."""
        path = os.path.relpath(_real(folder) / self.scenario, start)
        return Source(path, self.seed, self.requests, self.overrides, self.retrier, self.services, self.retriers)

    def described(self, folder: Path) -> str:
        """Name the file as it is seen from the current folder, and the retrier."""
        path = os.path.relpath(_real(folder) / self.scenario)
        code = [] if self.retrier is None else [f"--retrier {self.retrier}"]
        code += [f"--retrier {name}={found}" for name, found in self.retriers]
        code += [f"--service {name}={found}" for name, found in self.services]
        return f"{path} with {' '.join(code)}" if code else path


def origin_of(source: Source, folder: Path, name: str = "", known: str = "") -> Origin:
    """Return where results of a command line come from, as a folder is to have it; `known` is their digest."""
    scenario = os.path.relpath(os.path.realpath(source.path), _real(folder))
    called_in = os.path.relpath(Path.cwd(), _real(folder))
    return Origin(
        scenario,
        name,
        source.retrier,
        source.seed,
        source.requests,
        source.overrides,
        called_in,
        known,
        source.services,
        source.retriers,
    )


def read_origin(folder: Path) -> Origin | None:
    """Return what the folder says of its results; None if it says nothing that can be read."""
    try:
        values = json.loads((folder / FILE).read_text(encoding="utf-8"))
        overrides = tuple((str(key), str(text)) for key, text in values["set"])
        return Origin(
            str(values["scenario"]),
            str(values["name"]),
            values["retrier"],
            values["seed"],
            values["requests"],
            overrides,
            str(values["called_in"]),
            str(values["digest"]),
            tuple((str(service), str(path)) for service, path in values.get("services", ())),
            tuple((str(name), str(path)) for name, path in values.get("retriers", ())),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Claim:
    """A command line's claim on a folder."""

    def __init__(self, folder: Path, source: Source, scenario: Scenario) -> None:
        self.folder = folder
        self.opened = False
        """Whether an unfinished run in the folder is one of this command line."""
        self._saved = False
        self._source = source
        self._scenario = scenario
        self._name = scenario.name

    def make(self, *, fresh: bool = False) -> bool:
        """Make the file, or find that it is this command line's; returns whether it was made. Raises UsageError.

        With `fresh` it is made whatever is there. Results of a scenario of another name are for others to refuse.
        """
        folder, mine = self.folder, origin_of(self._source, self.folder, self._name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if _write(folder, mine, replaces=fresh):
                return True
        except OSError as error:
            raise click.ClickException(f"nothing can be saved in '{folder}': {error.strerror or error}") from None
        theirs = read_origin(folder)
        if theirs is None:
            _write(folder, mine, replaces=True)
        elif theirs.owner != mine.owner and self._is_refused(theirs):
            raise click.UsageError(_refusal(folder, self._source, theirs, mine))
        return False

    def _is_refused(self, theirs: Origin) -> bool:
        """Tell whether results of another command line keep this one from the folder.

        They do not if the file, or the folder, was moved: theirs is gone, and its numbers were the same.
        """
        if theirs.name != self._name and (self.folder / RESULTS).exists():
            return False
        gone = not (_real(self.folder) / theirs.scenario).exists()
        return not (
            gone
            and theirs.code == (self._source.retrier, self._source.services, self._source.retriers)
            and theirs.digest == digest(self._scenario)
        )

    def save(self, known: str) -> None:
        """Note that results of this digest are saved now. Raises UsageError if the folder has become another one's."""
        self.make()
        _write(self.folder, origin_of(self._source, self.folder, self._name, known), replaces=True)
        self._saved = True

    @property
    def lasts(self) -> bool:
        """Whether something of this command line is in the folder now, so that the claim outlasts it."""
        return self._saved or (self.opened and (self.folder / UNFINISHED).exists())


@contextmanager
def claimed(folder: Path, source: Source, scenario: Scenario, *, fresh: bool = False) -> Iterator[Claim]:
    """Let a command line have a folder; raises UsageError if it has the results of another one, unless `fresh`.

    If nothing is kept in the folder, it is as it was before.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    claim = Claim(folder, source, scenario)
    made = claim.make(fresh=fresh)
    try:
        yield claim
    finally:
        if made and not claim.lasts:
            (folder / FILE).unlink(missing_ok=True)
        for path in new:
            with suppress(OSError):
                path.rmdir()


def refuse_foreign(folder: Path, source: Source) -> None:
    """Raise UsageError if a folder has the results of another command line."""
    theirs, mine = read_origin(folder), origin_of(source, folder)
    if theirs is not None and theirs.owner != mine.owner:
        raise click.UsageError(_refusal(folder, source, theirs, mine))


def _refusal(folder: Path, source: Source, theirs: Origin, mine: Origin) -> str:
    other = shlex.quote(str(_free_folder(folder, source, same_file=theirs.scenario == mine.scenario)))
    return (
        f"'{folder}' has the results of {theirs.described(folder)}, not of {mine.described(folder)}; give these a "
        f"folder of their own: --out {other}"
    )


def _free_folder(folder: Path, source: Source, *, same_file: bool) -> Path:
    """Name a folder that is not there yet, after the file or, if that is the same, after the retrier."""
    stem = Path(source.path).stem
    if same_file:
        words = [folder.name, (source.retrier or _code_of(source) or "own").replace(":", "-").replace(os.sep, "-")]
    elif stem != folder.name and not (folder.parent / stem).exists():
        words = [stem]
    else:
        words = [Path(os.path.realpath(source.path)).parent.name, folder.name]
    name = "-".join(word for word in words if word)
    names = [name, *(f"{name}-{number}" for number in range(2, MOST_SUGGESTED))]
    return next((path for path in (folder.parent / one for one in names) if not path.exists()), folder / name)


def _code_of(source: Source) -> str:
    return "-".join(path for _, path in (*source.retriers, *source.services))


def _write(folder: Path, origin: Origin, *, replaces: bool) -> bool:
    """Write the file, whole or not at all; returns whether it did. Without `replaces` it does if there is none."""
    values: dict[str, Any] = {
        "schema": SCHEMA,
        "scenario": origin.scenario,
        "name": origin.name,
        "retrier": origin.retrier,
        "seed": origin.seed,
        "requests": origin.requests,
        "set": [list(pair) for pair in origin.overrides],
        "called_in": origin.called_in,
        "digest": origin.digest,
        **({"retriers": [list(pair) for pair in origin.retriers]} if origin.retriers else {}),
        **({"services": [list(pair) for pair in origin.services]} if origin.services else {}),
    }
    beside = folder / f".{FILE}-{os.getpid()}"
    try:
        beside.write_text(f"{json.dumps(values, indent=1, ensure_ascii=False)}\n", encoding="utf-8")
        if replaces:
            beside.replace(folder / FILE)
            return True
        os.link(beside, folder / FILE)
    except FileExistsError:
        return False
    finally:
        beside.unlink(missing_ok=True)
    return True


def _real(folder: Path) -> Path:
    return Path(os.path.realpath(folder))
