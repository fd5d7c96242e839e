"""The journal: what is acknowledged stays, one process writes, and what is wrong is told."""

import errno
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sim.api.run import run
from sim.experiment import chunks
from sim.experiment.chunks import Chunk, Done, Tasks, chunk_digest, chunks_of, identity_of, perform
from sim.experiment.engines import EVENT, choose
from sim.results import folder
from sim.results.description import Description, describe
from sim.results.journal import CorruptResults, Journal, NotStored, RunInProgress
from sim.scenario.cells import cells
from sim.scenario.load import parse
from sim.scenario.schema import Scenario

ROOT = Path(__file__).parents[2]
TEXT = "{name: journaled, requests: {count: 64}, retrier: helpers, action: {outcomes: {fail: 0.3}}}"
Performed = list[tuple[Chunk, Done]]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return parse(TEXT)


@pytest.fixture(scope="module")
def description(scenario: Scenario) -> Description:
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(chunks.CHUNK_REQUESTS, EVENT, 8)
        return describe(scenario, cells(scenario), choose(cells(scenario)))


@pytest.fixture(scope="module")
def performed(scenario: Scenario) -> Performed:
    """Eight chunks of eight requests."""
    found = cells(scenario)
    choice = choose(found)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(chunks.CHUNK_REQUESTS, EVENT, 8)
        tasks = Tasks(found, choice, identity_of(scenario, choice))
        return [(chunk, perform(tasks.task(chunk))) for chunk in chunks_of(found, EVENT)]


def filled(path: Path, description: Description, performed: Performed) -> Journal:
    journal = Journal(path)
    journal.begin(description)
    for chunk, done in performed:
        journal.store(description.identity, chunk, done)
    return journal


def test_what_was_stored_is_there_when_the_journal_is_opened_again(
    tmp_path: Path, description: Description, performed: Performed
) -> None:
    filled(tmp_path / "j", description, performed[:3]).close()
    with Journal(tmp_path / "j") as journal:
        journal.verify(description.identity)
        assert (journal.description(), journal.stored.keys()) == (description, {(0, 0), (0, 1), (0, 2)})


def test_a_chunk_that_comes_twice_is_there_once(tmp_path: Path, description: Description, performed: Performed) -> None:
    with filled(tmp_path / "j", description, [*performed, *performed[:2]]) as journal:
        assert journal.stored.count() == 8


def test_a_chunk_that_was_damaged_on_its_way_is_not_stored(
    tmp_path: Path, description: Description, performed: Performed
) -> None:
    (chunk, done), *_ = performed
    with Journal(tmp_path / "j") as journal:
        journal.begin(description)
        with pytest.raises(OSError, match="came back from its worker damaged"):
            journal.store(description.identity, chunk, Done(done.digest, done.payload[:-1]))
        assert journal.stored.count() == 0


@pytest.mark.parametrize("order", [range(8), range(7, -1, -1), (3, 7, 0, 6, 1, 2, 5, 4)])
def test_a_copy_has_the_same_bytes_in_whatever_order_chunks_came(
    tmp_path: Path, description: Description, performed: Performed, order: range
) -> None:
    copies = []
    for name, numbers in (("a", range(8)), ("b", order)):
        with filled(tmp_path / name, description, [performed[number] for number in numbers]) as journal:
            journal.copy_to(tmp_path / f"{name}.copy", description)
        copies.append((tmp_path / f"{name}.copy").read_bytes())
    assert copies[0] == copies[1]


def test_a_second_process_is_told_at_once_that_another_one_writes(tmp_path: Path, description: Description) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from sim.results.journal import Journal, RunInProgress\n"
        "try:\n"
        "    Journal(Path(sys.argv[1]))\n"
        "except RunInProgress as error:\n"
        "    print(error)\n"
    )
    with Journal(tmp_path / "j") as journal:
        journal.begin(description)
        done = subprocess.run(  # noqa: S603  # this interpreter
            [sys.executable, "-c", program, tmp_path / "j"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    assert done.stdout == (
        f"another process is writing to '{tmp_path}'; wait for it, or give this run a folder of its own\n"
    )
    Journal(tmp_path / "j").close()


def test_a_second_run_in_one_process_is_refused_too(tmp_path: Path, scenario: Scenario) -> None:
    with folder.Keeping(tmp_path, scenario, cells(scenario), choose(cells(scenario))), pytest.raises(RunInProgress):
        run(scenario, out=tmp_path)


def test_a_full_disk_is_told_and_keeps_what_was_acknowledged(
    tmp_path: Path, description: Description, performed: Performed
) -> None:
    with filled(tmp_path / "j", description, performed[:2]) as journal:
        execute = journal.stored.connection.execute
        ((pages,),) = execute("PRAGMA page_count")
        execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(NotStored) as full:  # noqa: PT012  # the space that is left in pages takes some
            for chunk, done in performed[2:]:
                journal.store(description.identity, chunk, done)
        there = journal.stored.keys()
        assert full.value.errno == errno.ENOSPC
        execute("PRAGMA max_page_count = 1000000")
        for chunk, done in performed:
            journal.store(description.identity, chunk, done)
        journal.verify(description.identity)
        assert there >= {(0, 0), (0, 1)}
        assert (there < journal.stored.keys(), journal.stored.count()) == (True, 8)


@pytest.mark.parametrize("data", [b"some text", b"SQLite format 3\0 and then something else" + bytes(8192)])
def test_a_file_that_is_no_database_is_refused_and_stays(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(data)
    with pytest.raises(CorruptResults, match="retrysim run --fresh"):
        Journal(path)
    assert path.read_bytes() == data


def test_another_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "j")
    connection.execute("CREATE TABLE mine (number INTEGER)")
    connection.close()
    with pytest.raises(CorruptResults, match="is a database, but no results file"):
        Journal(tmp_path / "j")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "UPDATE chunks SET payload = CAST(payload || x'00' AS BLOB) WHERE chunk = 2",
            "chunk 2 of cell 0 is not what was stored",
        ),
        ("UPDATE chunks SET payload = 7 WHERE chunk = 2", "chunk 2 of cell 0 is not what was stored"),
        ("UPDATE chunks SET chunk = 8 WHERE chunk = 2", "chunk 8 of cell 0 is not what was stored"),
        ("UPDATE chunks SET digest = x'00' WHERE chunk = 2", "chunk 2 of cell 0 is not what was stored"),
    ],
)
def test_a_row_that_was_changed_is_found(
    tmp_path: Path, description: Description, performed: Performed, change: str, told: str
) -> None:
    with filled(tmp_path / "j", description, performed) as journal:
        journal.stored.connection.execute(change)
        with pytest.raises(CorruptResults, match=told):
            journal.verify(description.identity)


@pytest.mark.parametrize("change", ["UPDATE meta SET value = '9' WHERE name = 'seed'", "UPDATE cells SET name = 'x'"])
def test_a_change_of_what_it_says_of_its_run_is_found(
    tmp_path: Path, description: Description, performed: Performed, change: str
) -> None:
    with filled(tmp_path / "j", description, performed) as journal:
        journal.stored.connection.execute(change)
        with pytest.raises(CorruptResults, match="what it says of its run is not what was written"):
            journal.description()


def test_a_chunk_of_another_run_is_found(tmp_path: Path, description: Description, performed: Performed) -> None:
    (chunk, done), *rest = performed
    with filled(tmp_path / "j", description, rest) as journal:
        other = Done(chunk_digest("another event 1", 0, 0, done.payload), done.payload)
        journal.store("another event 1", chunk, other)
        with pytest.raises(CorruptResults, match="chunk 0 of cell 0"):
            journal.verify(description.identity)
