"""A run whose chunks are kept in a folder: whether it is new, goes on, is there already, or must not touch what is.

While the run goes on, its journal is `unfinished.sqlite`; as long as that file is there it has the say. When all chunks
are there they are written in order into a new file, which then takes the name `results.sqlite`, and the journal goes.
So the bytes of results do not depend on who simulated which chunk when, and a process that is killed at any moment
leaves either the old results or the new ones, or a journal to go on from.

What is there already and is not the same run:

- results of another version of the scenario of the same name are replaced when the new ones are complete;
- results of a scenario of another name, files of others and damaged files are refused;
- a journal with chunks of another run is refused.

`fresh` replaces all of them.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

from sim.experiment.chunks import Tasks, chunks_of, rounds_of
from sim.experiment.executors import runner
from sim.experiment.precision import next_sizes
from sim.experiment.progress import Watch
from sim.results.description import Description, describe
from sim.results.journal import Journal
from sim.results.reading import read_cells
from sim.results.result import Result
from sim.results.seal import opened, seal, seal_path
from sim.results.tables import (
    RESULTS,
    UNFINISHED,
    CorruptResults,
    NotStored,
    damaged,
    errors_told,
    foreign,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Executor
    from pathlib import Path
    from types import TracebackType

    from sim.experiment.engines import Choice
    from sim.experiment.parts import Kept
    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario

NEW = f"{RESULTS}.new"
NAMED = 12
"""Digits of a digest that are told."""


class Keeping:
    """A run in a folder; use it as a context manager, which holds the folder against other processes.

    Raises CorruptResults where the folder has something that this run must not replace, RunInProgress where another
    process writes there, NotStored where it cannot be written.
    """

    def __init__(
        self, folder: Path, scenario: Scenario, cells: Sequence[Cell], choice: Choice, *, fresh: bool = False
    ) -> None:
        self.folder = folder
        self.results = folder / RESULTS
        """Where the results are when all is done."""
        self.scenario = scenario
        self.cells = cells
        self.choice = choice
        self.rounds = 1
        """How many rounds of `precision` there are so far; one without it."""
        self.description = describe(scenario, cells, choice)
        self.chunks = list(chunks_of(cells, choice.engine))
        self._simulated: dict[tuple[int, int], Kept] = {}
        """Chunks, by cell and number, that need not be read from the journal."""
        self.journal: Journal | None = None
        """None where the results are there already, and nothing has to be simulated or written."""
        self.replaced: Description | None = None
        """What the results say of themselves that are there and that this run replaces."""
        self._new_folders = [path for path in (folder, *folder.parents) if not path.exists()]
        try:
            with _system_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                self._find(fresh=fresh)
        except BaseException:
            self.close()
            raise
        self.found = self.stored
        """How many chunks were there when this began."""

    @property
    def stored(self) -> int:
        """How many chunks are kept."""
        return len(self.chunks) if self.journal is None else self.journal.count()

    # What is there.

    def _find(self, *, fresh: bool) -> None:
        unfinished = self.folder / UNFINISHED
        if fresh:
            _discard(unfinished)
        elif unfinished.exists():
            self._go_on(Journal(unfinished))
            return
        elif self.results.exists():
            theirs = replaceable(self.results, self.scenario)
            if self._is_same(theirs):
                self.description = self.description.made_by(theirs)
                if theirs != self.description:  # the same numbers, of which something else is said or expected
                    copy = unfinished.with_name(NEW)
                    shutil.copyfile(self.results, copy)
                    copy.replace(unfinished)
                    self._begin(Journal(unfinished))
                return
            self.replaced = theirs
        self._begin(Journal(unfinished))

    def _begin(self, journal: Journal) -> None:
        self.journal = journal
        journal.begin(self.description)

    def _go_on(self, journal: Journal) -> None:
        """Take over a journal, if it is one of this run or has nothing in it."""
        self.journal = journal
        count = 0 if journal.is_new else journal.count()
        if count:
            theirs = journal.description()
            if not self._is_same(theirs):
                raise foreign(journal.path, f"has {count} of {sum(theirs.chunks)} chunks of {self._another(theirs)}")
            journal.verify(self.description.identity)
            if not journal.keys() <= {(chunk.cell, chunk.number) for chunk in self.chunks}:
                raise damaged(journal.path, "it has chunks that no run has")
            self.description = self.description.made_by(theirs)
        if count < len(self.chunks) and self.results.exists():
            # Where all chunks are there, the run may have been stopped while it replaced the results.
            self.replaced = replaceable(self.results, self.scenario)
        journal.begin(self.description)

    def _set_rounds(self, rounds: int) -> None:
        self.rounds = rounds
        self.description = describe(self.scenario, self.cells, self.choice, rounds)
        self.chunks = list(chunks_of(self.cells, self.choice.engine, rounds))

    def _is_same(self, theirs: Description) -> bool:
        """Tell whether this is the same run; if so, go on from as many rounds as it has."""
        rounds = rounds_of(self.cells, self.choice.engine, theirs.chunks)
        if theirs.identity != self.description.identity or rounds is None:
            return False
        self._set_rounds(rounds)
        return True

    def _another(self, theirs: Description) -> str:
        if theirs.value("digest") != self.description.value("digest"):
            digest = theirs.value("digest")[:NAMED]
            return f"an unfinished run of another scenario, or of this one before it was changed (digest {digest})"
        return f"an unfinished run with engine {theirs.value('engine')} {theirs.value('engine version')}"

    # What is to be done.

    def run(self, executor: Executor | str | None = None, workers: int = 1, watch: Watch | None = None) -> Result:
        """Simulate what is not there, round by round where there is `precision`, and return the results."""
        self.simulate(executor, workers, watch)
        result = self.result()
        while self._grow(result):
            self.simulate(executor, workers, watch)
            result = self.result()
        return result

    def simulate(self, executor: Executor | str | None = None, workers: int = 1, watch: Watch | None = None) -> None:
        """Simulate the chunks that are not there, and keep each when it is done."""
        if self.journal is None:
            return
        watch = Watch(self.cells) if watch is None else watch
        there = self.journal.keys()
        missing = [chunk for chunk in self.chunks if (chunk.cell, chunk.number) not in there]
        kept = sum(chunk.count for chunk in self.chunks if (chunk.cell, chunk.number) in there)
        watch.begin(kept, sum(chunk.count for chunk in self.chunks))
        identity = self.description.identity
        tasks = Tasks(self.cells, self.choice, identity)
        if not missing:
            return
        with runner(executor, workers, watch.at_work) as made:
            for chunk, done in made.results(map(tasks.task, missing)):
                self.journal.store(identity, chunk, done)
                if done.part is not None:
                    self._simulated[chunk.cell, chunk.number] = done.part
                watch.finished(chunk)

    def _grow(self, result: Result) -> bool:
        """Add a round where `precision` asks for one after these results; say whether it did."""
        if self.journal is None or next_sizes(result.cells, self.rounds - 1) is None:
            return False
        before = self.description
        self._set_rounds(self.rounds + 1)
        self.description = self.description.made_by(before)
        self.journal.begin(self.description)
        return True

    def result(self) -> Result:
        """Return the results; all chunks must be there. Raises CorruptResults."""
        if self.journal is None:
            with opened(self.results) as stored:
                cells = read_cells(stored, self.description, self.cells)
        else:
            with errors_told(self.journal.path):
                cells = read_cells(self.journal.stored, self.description, self.cells, self._simulated)
        versions = json.loads(self.description.value("versions"))
        return Result(self.scenario, cells, self.choice, versions=versions)

    def finish(self) -> None:
        """Write the results beside their place, where `publish` takes them from. Raises NotStored."""
        if self.journal is None:
            return
        new = self.folder / NEW
        try:
            with _system_errors(self.folder):
                new.unlink(missing_ok=True)
                self.journal.copy_to(new, self.description)
                seal(new, RESULTS)
        except BaseException:
            _remove(new, seal_path(new))
            raise

    def publish(self) -> None:
        """Let the results take their place; the journal goes."""
        if self.journal is None:
            return
        new = self.folder / NEW
        with _system_errors(self.folder):
            seal_path(new).replace(seal_path(self.results))
            new.replace(self.results)
            _see_to_disk(self.folder)
            self.journal.remove()
        self.journal = None

    def close(self) -> None:
        """Let go of the folder; a journal without any chunk goes, as do folders that were made for it alone."""
        journal, self.journal = self.journal, None
        if journal is not None:
            new = self.folder / NEW
            _remove(new, seal_path(new))
            try:
                empty = journal.count() == 0
            except (CorruptResults, NotStored):
                empty = False
            if empty:
                journal.remove()
            else:
                journal.close()
        for path in self._new_folders:
            with suppress(OSError):
                path.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        self.close()


def is_stale(folder: Path, scenario: Scenario, cells: Sequence[Cell], choice: Choice) -> bool:
    """Tell whether a folder has results of another version of a scenario; CorruptResults where they are to stay."""
    results = folder / RESULTS
    if not results.exists():
        return False
    theirs = replaceable(results, scenario)
    return theirs.value("digest") != describe(scenario, cells, choice).value("digest")


def replaceable(results: Path, scenario: Scenario) -> Description:
    """Return what results say of themselves that are there. Raises CorruptResults where they are to stay."""
    with opened(results) as stored:
        theirs = stored.description()
    if theirs.value("name") != scenario.name:
        raise foreign(results, f"has the results of another scenario, '{theirs.value('name')}'")
    return theirs


def _discard(unfinished: Path) -> None:
    """Remove a journal, whatever it is, unless another process writes it."""
    if not unfinished.exists():
        return
    try:
        Journal(unfinished).remove()
    except CorruptResults:
        _remove(unfinished, *(unfinished.with_name(unfinished.name + suffix) for suffix in ("-wal", "-shm")))


def _remove(*paths: Path) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _see_to_disk(folder: Path) -> None:
    """Let the names in a folder survive a power failure, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _system_errors(folder: Path) -> Iterator[None]:
    """Turn what the system refuses into NotStored."""
    try:
        yield
    except NotStored:
        raise
    except OSError as error:
        raise NotStored(error.errno, error.strerror or str(error), str(folder)) from None
