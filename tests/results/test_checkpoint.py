"""The checkpoint: acknowledged chunks stay, one process writes, and damage is found."""

import errno
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sim.api.run import run
from sim.experiment import chunks
from sim.experiment.chunks import Chunk, PackedPart, Tasks, chunk_digest, chunks_of, perform
from sim.experiment.engines import EVENT
from sim.experiment.plan import plan
from sim.results.checkpoint import Checkpoint
from sim.results.description import Description, describe
from sim.results.errors import CorruptResults, NotStored, RunInProgress
from sim.results.folder import RunFolder
from sim.results.tables import PAGE_BYTES
from sim.scenario.load import parse
from sim.scenario.schema import Scenario

ROOT = Path(__file__).parents[2]
TEXT = "{name: journaled, requests: {count: 64}, retrier: helpers, action: {outcomes: {fail: 0.3}}}"
Performed = list[tuple[Chunk, PackedPart]]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return parse(TEXT)


@pytest.fixture(scope="module")
def description(scenario: Scenario) -> Description:
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(chunks.CHUNK_REQUESTS, EVENT, 8)
        return describe(plan(scenario, EVENT))


@pytest.fixture(scope="module")
def performed(scenario: Scenario) -> Performed:
    """Eight chunks of eight requests."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(chunks.CHUNK_REQUESTS, EVENT, 8)
        planned = plan(scenario, EVENT)
        tasks = Tasks(planned)
        return [(chunk, perform(tasks.task(chunk))) for chunk in chunks_of(planned)]


def filled(path: Path, description: Description, performed: Performed) -> Checkpoint:
    checkpoint = Checkpoint(path)
    checkpoint.begin(description)
    for chunk, done in performed:
        checkpoint.store(description.identity, chunk, done)
    return checkpoint


def test_what_was_stored_is_there_when_the_checkpoint_is_opened_again(
    tmp_path: Path, description: Description, performed: Performed
) -> None:
    filled(tmp_path / "j", description, performed[:3]).close()
    with Checkpoint(tmp_path / "j") as checkpoint:
        checkpoint.verify(description.identity)
        assert (checkpoint.description(), checkpoint.tables.keys()) == (description, {(0, 0), (0, 1), (0, 2)})


def test_a_chunk_that_comes_twice_is_there_once(tmp_path: Path, description: Description, performed: Performed) -> None:
    with filled(tmp_path / "j", description, [*performed, *performed[:2]]) as checkpoint:
        assert checkpoint.tables.count() == 8


def test_a_chunk_that_was_damaged_on_its_way_is_not_stored(
    tmp_path: Path, description: Description, performed: Performed
) -> None:
    (chunk, done), *_ = performed
    with Checkpoint(tmp_path / "j") as checkpoint:
        checkpoint.begin(description)
        with pytest.raises(OSError, match="came back from its worker damaged"):
            checkpoint.store(description.identity, chunk, PackedPart(done.digest, done.payload[:-1]))
        assert checkpoint.tables.count() == 0


@pytest.mark.parametrize("order", [range(8), range(7, -1, -1), (3, 7, 0, 6, 1, 2, 5, 4)])
def test_a_copy_has_the_same_bytes_in_whatever_order_chunks_came(
    tmp_path: Path, description: Description, performed: Performed, order: range
) -> None:
    copies = []
    for name, numbers in (("a", range(8)), ("b", order)):
        with filled(tmp_path / name, description, [performed[number] for number in numbers]) as checkpoint:
            checkpoint.copy_to(tmp_path / f"{name}.copy", description)
        copies.append((tmp_path / f"{name}.copy").read_bytes())
    assert copies[0] == copies[1]


def test_a_second_process_is_told_at_once_that_another_one_writes(tmp_path: Path, description: Description) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from sim.results.checkpoint import Checkpoint\n"
        "from sim.results.errors import RunInProgress\n"
        "try:\n"
        "    Checkpoint(Path(sys.argv[1]))\n"
        "except RunInProgress as error:\n"
        "    print(error)\n"
    )
    with Checkpoint(tmp_path / "j") as checkpoint:
        checkpoint.begin(description)
        done = subprocess.run(  # noqa: S603  # this interpreter
            [sys.executable, "-c", program, tmp_path / "j"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    assert done.stdout == (
        f"another process is writing to '{tmp_path}'; wait for it, or give this run a folder of its own\n"
    )
    Checkpoint(tmp_path / "j").close()


def test_a_second_run_in_one_process_is_refused_too(tmp_path: Path, scenario: Scenario) -> None:
    with RunFolder(tmp_path, plan(scenario)), pytest.raises(RunInProgress):
        run(scenario, out=tmp_path)


def larger(description: Description, chunk: Chunk, done: PackedPart) -> PackedPart:
    """Return a part whose bytes take more than a page."""
    data = done.payload + bytes(PAGE_BYTES)
    return PackedPart(chunk_digest(description.identity, chunk.cell, chunk.number, data), data)


def test_a_full_disk_is_told_and_keeps_what_was_acknowledged(
    tmp_path: Path, description: Description, performed: Performed
) -> None:
    performed = [(chunk, larger(description, chunk, done)) for chunk, done in performed]
    with filled(tmp_path / "j", description, performed[:2]) as checkpoint:
        execute = checkpoint.tables.connection.execute
        ((pages,),) = execute("PRAGMA page_count")
        execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(NotStored) as full:  # noqa: PT012  # the space that is left in pages takes some
            for chunk, done in performed[2:]:
                checkpoint.store(description.identity, chunk, done)
        there = checkpoint.tables.keys()
        assert full.value.errno == errno.ENOSPC
        execute("PRAGMA max_page_count = 1000000")
        for chunk, done in performed:
            checkpoint.store(description.identity, chunk, done)
        checkpoint.verify(description.identity)
        assert there >= {(0, 0), (0, 1)}
        assert (there < checkpoint.tables.keys(), checkpoint.tables.count()) == (True, 8)


@pytest.mark.parametrize("data", [b"some text", b"SQLite format 3\0 and then something else" + bytes(8192)])
def test_a_file_that_is_no_database_is_refused_and_stays(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(data)
    with pytest.raises(CorruptResults, match=r"is no results file|is damaged"):
        Checkpoint(path)
    assert path.read_bytes() == data


def test_another_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "j")
    connection.execute("CREATE TABLE mine (number INTEGER)")
    connection.close()
    with pytest.raises(CorruptResults, match="is a database, but no results file"):
        Checkpoint(tmp_path / "j")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "UPDATE chunks SET payload = CAST(payload || x'00' AS BLOB) WHERE chunk = 2",
            "chunk 2 of cell 0 has changed since it was stored",
        ),
        ("UPDATE chunks SET payload = 7 WHERE chunk = 2", "chunk 2 of cell 0 has changed since it was stored"),
        ("UPDATE chunks SET chunk = 8 WHERE chunk = 2", "chunk 8 of cell 0 has changed since it was stored"),
        ("UPDATE chunks SET digest = x'00' WHERE chunk = 2", "chunk 2 of cell 0 has changed since it was stored"),
    ],
)
def test_a_row_that_was_changed_is_found(
    tmp_path: Path, description: Description, performed: Performed, change: str, told: str
) -> None:
    with filled(tmp_path / "j", description, performed) as checkpoint:
        checkpoint.tables.connection.execute(change)
        with pytest.raises(CorruptResults, match=told):
            checkpoint.verify(description.identity)


@pytest.mark.parametrize("change", ["UPDATE meta SET value = '9' WHERE name = 'seed'", "UPDATE cells SET name = 'x'"])
def test_a_change_of_its_description_is_found(
    tmp_path: Path, description: Description, performed: Performed, change: str
) -> None:
    with filled(tmp_path / "j", description, performed) as checkpoint:
        checkpoint.tables.connection.execute(change)
        with pytest.raises(CorruptResults, match="the description of its run has changed since it was written"):
            checkpoint.description()


def test_a_chunk_of_another_run_is_found(tmp_path: Path, description: Description, performed: Performed) -> None:
    (chunk, done), *rest = performed
    with filled(tmp_path / "j", description, rest) as checkpoint:
        other = PackedPart(chunk_digest("another event 1", 0, 0, done.payload), done.payload)
        checkpoint.store("another event 1", chunk, other)
        with pytest.raises(CorruptResults, match="chunk 0 of cell 0"):
            checkpoint.verify(description.identity)
