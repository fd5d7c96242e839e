"""The folder of a run: finds out whether the run is new, resumes, or is there already, and what it must not replace.

While the run goes on, its checkpoint is `unfinished.sqlite`; as long as that file is there, it alone counts. When all
chunks are there they are written in order into a new file, which then takes the name `results.sqlite`, and the
checkpoint is removed. So the bytes of results do not depend on when and in which process a chunk was simulated. A
process that is killed at any moment leaves either the old results or the new ones, or a checkpoint to resume from.

If the folder has something other than this run:

- results of another version of the scenario of the same name are replaced when the new ones are complete;
- results of a scenario of another name, files of other programs and damaged files are refused;
- a checkpoint with chunks of another run is refused.

`fresh` replaces all of them.
"""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sim.experiment.checks import checks_of, findings_of
from sim.experiment.chunks import PackedPart, chunk_counts, chunks_of, pack, rounds_with
from sim.experiment.precision import next_sizes
from sim.experiment.progress import ProgressCounter
from sim.results.checkpoint import Checkpoint
from sim.results.checksum import checksum_path, open_verified, write_checksum
from sim.results.description import CODE, HELD, Description, describe
from sim.results.errors import CorruptResults, NotStored, damaged, foreign, sqlite_errors, system_errors
from sim.results.reading import read_cells
from sim.results.result import Result
from sim.results.tables import RESULTS, UNFINISHED

if TYPE_CHECKING:
    from pathlib import Path

    from sim.experiment.executors import Workers
    from sim.experiment.parts import SimulatedPart
    from sim.experiment.plan import Plan
    from sim.scenario.schema import Scenario

NEW = f"{RESULTS}.new"
DIGITS = 12
"""Of a digest, in messages."""


class RunFolder(AbstractContextManager["RunFolder"]):
    """A run and its folder; use it as a context manager, which locks the folder against other processes.

    Raises CorruptResults if the folder has something that this run must not replace, RunInProgress if another process
    writes there, NotStored if it cannot be written.
    """

    def __init__(self, folder: Path, plan: Plan, *, fresh: bool = False) -> None:
        self.folder = folder
        self.plan = plan
        self.results = folder / RESULTS
        """The file of the results when all is done."""
        self.rounds = 1
        """How many rounds of `precision` there are so far; one without it."""
        self.description = describe(plan)
        self.chunks = list(chunks_of(plan))
        self.checkpoint: Checkpoint | None = None
        """None if the results are there already, so that nothing has to be simulated or written."""
        self.replaces: Description | None = None
        """The description of results that are there and that this run replaces."""
        self._parts: dict[tuple[int, int], SimulatedPart] = {}
        """Parts simulated in this process, by cell and number of the chunk, which need not be read from a file."""
        self._new_folders = [path for path in (folder, *folder.parents) if not path.exists()]
        try:
            with system_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                self._open(fresh=fresh)
        except BaseException:
            self.close()
            raise
        self.resumed = self.stored
        """How many chunks were there already when the folder was opened."""

    @property
    def stored(self) -> int:
        """How many chunks are stored."""
        return len(self.chunks) if self.checkpoint is None else self.checkpoint.count()

    # What is there already.

    def _open(self, *, fresh: bool) -> None:
        unfinished = self.folder / UNFINISHED
        if fresh:
            _discard(unfinished)
        elif unfinished.exists():
            self._resume(Checkpoint(unfinished))
            return
        elif self.results.exists():
            theirs = replaceable(self.results, self.plan.scenario)
            if self._is_same_run(theirs):
                self.description = self.description.with_versions_of(theirs).with_findings(theirs.findings)
                if theirs != self.description:  # the numbers are the same, but not what is said or expected of them
                    copy = unfinished.with_name(NEW)
                    shutil.copyfile(self.results, copy)
                    copy.replace(unfinished)
                    self._begin(Checkpoint(unfinished))
                return
            self.replaces = theirs
        self._begin(Checkpoint(unfinished))

    def _begin(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        checkpoint.begin(self.description)

    def _resume(self, checkpoint: Checkpoint) -> None:
        """Resume from a checkpoint, if it is one of this run or has no chunk."""
        self.checkpoint = checkpoint
        count = 0 if checkpoint.is_new else checkpoint.count()
        if count:
            theirs = checkpoint.description()
            if not self._is_same_run(theirs):
                raise foreign(checkpoint.path, f"has {count} of {sum(theirs.chunks)} chunks of {self._other(theirs)}")
            checkpoint.verify(self.description.identity)
            if not checkpoint.keys() <= {chunk.key for chunk in self.chunks}:
                raise damaged(checkpoint.path, "it has chunks that no run has")
            self.description = self.description.with_versions_of(theirs)
        if count < len(self.chunks) and self.results.exists():
            # With all chunks in the checkpoint, the run may have been stopped while it replaced the results.
            self.replaces = replaceable(self.results, self.plan.scenario)
        checkpoint.begin(self.description)

    def _is_same_run(self, theirs: Description) -> bool:
        """Tell whether a description is of this run; if so, take over its number of rounds."""
        rounds = rounds_with(self.plan, theirs.chunks)
        if theirs.identity != self.description.identity or rounds is None:
            return False
        self._set_rounds(rounds)
        return True

    def _set_rounds(self, rounds: int) -> None:
        self.rounds = rounds
        self.description = self.description.with_chunks(chunk_counts(self.plan, rounds))
        self.chunks = list(chunks_of(self.plan, rounds))

    def _other(self, theirs: Description) -> str:
        if theirs.value("digest") != self.plan.digest:
            digest = theirs.value("digest")[:DIGITS]
            return f"an unfinished run of another scenario, or of this one before it was changed (digest {digest})"
        if theirs.value_or(CODE) != self.plan.code:
            return "an unfinished run of your own code before it was changed"
        checked = " whose histories are checked" if theirs.value_or(HELD) else ""
        return f"an unfinished run with engine {theirs.value('engine')} {theirs.value('engine version')}{checked}"

    # What is still to do.

    def run(self, workers: Workers, progress: ProgressCounter | None = None) -> Result:
        """Simulate the chunks that are missing, round by round with `precision`, and return the results."""
        progress = ProgressCounter(self.plan) if progress is None else progress
        self.simulate_missing(workers, progress)
        result = self.result()
        while self._add_round(result):
            self.simulate_missing(workers, progress)
            result = self.result()
        return result

    def simulate_missing(self, workers: Workers, progress: ProgressCounter) -> None:
        """Simulate the chunks that are not in the checkpoint, and store each as soon as it is done."""
        if self.checkpoint is None:
            return
        stored = self.checkpoint.keys()
        missing = [chunk for chunk in self.chunks if chunk.key not in stored]
        total = sum(chunk.count for chunk in self.chunks)
        progress.start(total - sum(chunk.count for chunk in missing), total)
        if not missing:
            return
        identity = self.plan.identity
        with workers.start(progress.working) as runner:
            for chunk, part in runner.simulate(self.plan, missing):
                if isinstance(part, PackedPart):
                    self.checkpoint.store(identity, chunk, part)
                else:
                    self.checkpoint.store(identity, chunk, pack(identity, chunk, part), verify=False)
                    self._parts[chunk.key] = part
                progress.finished(chunk)

    def _add_round(self, result: Result) -> bool:
        """Add a round if `precision` asks for one after these results; say whether it did."""
        if self.checkpoint is None or next_sizes(result.cells, self.rounds - 1) is None:
            return False
        self._set_rounds(self.rounds + 1)
        self.checkpoint.begin(self.description)
        return True

    def result(self) -> Result:
        """Return the results; no chunk may be missing. Raises CorruptResults."""
        plan = replace(self.plan, known_digest=self.plan.digest, versions=self.description.versions)
        if self.checkpoint is None:
            with open_verified(self.results) as tables:
                cells = read_cells(tables, self.description, self.plan.cells)
            return Result(plan, cells, checked=self.description.findings)
        checks = checks_of(self.plan)
        with sqlite_errors(self.checkpoint.path):
            cells = read_cells(self.checkpoint.tables, self.description, self.plan.cells, self._parts, checks)
        findings = findings_of(checks)
        self.description = self.description.with_findings(findings)
        return Result(plan, cells, checked=findings)

    # The end.

    def write_results(self) -> None:
        """Write the results into a new file beside their place; `publish` puts it there. Raises NotStored."""
        if self.checkpoint is None:
            return
        new = self.folder / NEW
        try:
            with system_errors(self.folder):
                new.unlink(missing_ok=True)
                self.checkpoint.copy_to(new, self.description)
                write_checksum(new, RESULTS)
        except BaseException:
            _remove(new, checksum_path(new))
            raise

    def publish(self) -> None:
        """Put the new results in their place, and remove the checkpoint."""
        if self.checkpoint is None:
            return
        new = self.folder / NEW
        with system_errors(self.folder):
            checksum_path(new).replace(checksum_path(self.results))
            new.replace(self.results)
            _sync(self.folder)
            self.checkpoint.remove()
        self.checkpoint = None

    def close(self) -> None:
        """Unlock the folder; a checkpoint without chunks is removed, as are folders that were made for it alone."""
        checkpoint, self.checkpoint = self.checkpoint, None
        if checkpoint is not None:
            new = self.folder / NEW
            _remove(new, checksum_path(new))
            try:
                empty = checkpoint.count() == 0
            except (CorruptResults, NotStored):
                empty = False
            if empty:
                checkpoint.remove()
            else:
                checkpoint.close()
        for path in self._new_folders:
            with suppress(OSError):
                path.rmdir()

    def __exit__(self, *_: object) -> None:
        self.close()


def replaceable(results: Path, scenario: Scenario) -> Description:
    """Return the description of results that a run may replace. Raises CorruptResults if it must not."""
    with open_verified(results) as tables:
        theirs = tables.description()
    if theirs.value("name") != scenario.name:
        raise foreign(results, f"has the results of another scenario, '{theirs.value('name')}'")
    return theirs


def _discard(unfinished: Path) -> None:
    """Remove a file in the place of the checkpoint, whatever it is, unless another process writes it."""
    if not unfinished.exists():
        return
    try:
        Checkpoint(unfinished).remove()
    except CorruptResults:
        _remove(unfinished, *(unfinished.with_name(unfinished.name + suffix) for suffix in ("-wal", "-shm")))


def _remove(*paths: Path) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _sync(folder: Path) -> None:
    """Make the names in a folder survive a power failure, if the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
