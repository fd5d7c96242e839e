"""Results that are opened are those of the run, or are refused: not a byte of them may change."""

import gzip
import hashlib
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pytest

import sim
from sim.experiment import chunks
from sim.experiment.engines import VECTOR
from sim.history.records import Requests
from sim.results.checksum import write_checksum
from sim.results.errors import CorruptResults, UnfinishedResults
from sim.results.export import write_csv
from sim.scenario.identity import digest

TEXT = """
name: opened
seed: 3
requests: {count: 300}
action: {latency: {lognormal: {median: 120ms, p99: 900ms}}, outcomes: {fail: 0.3, ack_lost: 0.1, hang: 0.01}}
variants:
  "Größe: viel": {retrier: component}
  helpers: {retrier: {kind: helpers, max_failures: 2}}
expect: [success.rate >= 50%]
"""

REQUESTS_OF_FORMAT_1 = "a6161177b624e5b9c91f564966a97f2a839a8f5bd8489539d1b8e16703999dcd"
"""Of the CSV that the version which wrote `format-1.sqlite.gz` exported from it."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of results; tests copy it before they damage it."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(chunks.CHUNK_REQUESTS, VECTOR, 100)
        sim.run(sim.scenario.parse(TEXT), out=folder)
    return folder


def copied(whole: Path, folder: Path) -> Path:
    for path in whole.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder / "results.sqlite"


@pytest.mark.parametrize("name", ["", "results.sqlite"])
def test_opened_results_are_those_of_the_run(
    whole: Path, name: str, columns: Callable[[Requests], dict[str, list[Any]]]
) -> None:
    result, opened = sim.run(sim.scenario.parse(TEXT)), sim.open_results(whole / name)
    assert opened.summary_json() == result.summary_json()
    assert [(cell.id, cell.cell.name, cell.cell.params) for cell in opened.cells] == [
        (cell.id, cell.cell.name, cell.cell.params) for cell in result.cells
    ]
    for cell in result.cells:
        assert columns(opened.requests(cell.id)) == columns(cell.requests)
    assert (opened.sentences(), opened.ruling, opened.digest) == (result.sentences(), result.ruling, result.digest)


def test_opened_results_of_a_shared_world_are_those_of_the_run(tmp_path: Path, shared: str) -> None:
    result = sim.run(sim.scenario.parse(shared), out=tmp_path)
    assert sim.open_results(tmp_path).summary_json() == result.summary_json()


def test_opening_results_of_ones_own_retrier_imports_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sim\nclass Mine(sim.LoopRetrier):\n    async def retry(self, call, ctx):\n        await call()\n"
    code += "    def promises(self):\n        return sim.contracts.Promises(attempts_at_most=3)\n"
    (tmp_path / "opened_mine.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    result = sim.run(sim.scenario.parse("requests: {count: 9}", retrier="opened_mine:Mine"), out=tmp_path / "out")
    summary = result.summary_json()
    (tmp_path / "opened_mine.py").unlink()
    del sys.modules["opened_mine"]
    opened = sim.open_results(tmp_path / "out")
    assert (opened.summary_json(), opened.assumed, "opened_mine" in sys.modules) == (summary, [], False)


def test_the_checksum_beside_is_one_that_sha256sum_checks(whole: Path) -> None:
    digest = hashlib.sha256((whole / "results.sqlite").read_bytes()).hexdigest()
    assert (whole / "results.sqlite.sha256").read_text() == f"{digest}  results.sqlite\n"


def damage(path: Path, places: int, seed: int) -> Iterator[tuple[int, int]]:
    """Flip one bit after the other at random places, and put it back."""
    data, chance = bytearray(path.read_bytes()), Random(seed)  # noqa: S311  # places, no secrets
    for _ in range(places):
        place, bit = chance.randrange(len(data)), chance.randrange(8)
        data[place] ^= 1 << bit
        path.write_bytes(data)
        yield place, bit
        data[place] ^= 1 << bit


def unnoticed(whole: Path, folder: Path, name: str, places: int) -> list[tuple[int, int]]:
    path = copied(whole, folder).with_name(name)
    found = []
    for place in damage(path, places, seed=places):
        try:
            sim.open_results(folder)
        except CorruptResults:
            continue
        found.append(place)
    return found


@pytest.mark.parametrize(("name", "places"), [("results.sqlite", 50), ("results.sqlite.sha256", 25)])
def test_a_flipped_bit_anywhere_is_noticed(whole: Path, tmp_path: Path, name: str, places: int) -> None:
    assert unnoticed(whole, tmp_path, name, places) == []


@pytest.mark.slow
def test_a_thousand_flipped_bits_are_noticed_one_by_one(whole: Path, tmp_path: Path) -> None:
    assert unnoticed(whole, tmp_path, "results.sqlite", 1000) == []


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.3, 0.9999])
def test_a_file_that_was_cut_off_is_noticed(whole: Path, tmp_path: Path, share: float) -> None:
    path = copied(whole, tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(CorruptResults, match=r"results\.sqlite' is"):
        sim.open_results(tmp_path)


def test_a_byte_more_is_noticed(whole: Path, tmp_path: Path) -> None:
    path = copied(whole, tmp_path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(CorruptResults, match="its bytes have changed"):
        sim.open_results(path)


def changed(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()
    write_checksum(path, path.name)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM chunks WHERE cell = 1 AND chunk = 2", "5 chunks are there, not 6"),
        ("UPDATE chunks SET cell = 9 WHERE cell = 1 AND chunk = 2", "cell 1 has 2 chunks of 3"),
        (
            "UPDATE chunks SET payload = CAST(payload || x'00' AS BLOB)",
            "chunk 0 of cell 0 has changed since it was stored",
        ),
        ("UPDATE meta SET value = 'event' WHERE name = 'engine'", "the description of its run"),
        ("UPDATE cells SET scenario = '{}'", "the description of its run"),
        ("DROP TABLE data", "is a database, but no results file"),
        ("PRAGMA application_id = 0", "is a database, but no results file"),
    ],
)
def test_contents_that_do_not_fit_are_refused_even_where_their_checksum_fits(
    whole: Path, tmp_path: Path, statement: str, told: str
) -> None:
    changed(copied(whole, tmp_path), statement)
    with pytest.raises(CorruptResults, match=told):
        sim.open_results(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("results.sqlite", "hello", "is no results file, or its beginning is damaged"),
        ("results.sqlite.sha256", "hello", "its checksum, 'results.sqlite.sha256', is damaged"),
        ("results.sqlite.sha256", None, "its checksum, 'results.sqlite.sha256', is missing"),
        ("results.sqlite", None, "there are no results at"),
    ],
)
def test_what_is_wrong_with_the_files_is_told(
    whole: Path, tmp_path: Path, name: str, text: str | None, told: str
) -> None:
    path = copied(whole, tmp_path).with_name(name)
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(CorruptResults, match=told):
        sim.open_results(tmp_path)


def test_a_checkpoint_is_no_results_file(whole: Path, tmp_path: Path) -> None:
    path = copied(whole, tmp_path).rename(tmp_path / "unfinished.sqlite")
    for asked in (path, tmp_path):
        with pytest.raises(UnfinishedResults, match="the command that began it goes on"):
            sim.open_results(asked)


def test_results_of_the_first_version_open_with_the_same_requests(tmp_path: Path) -> None:
    """The file was written before the classes of `sim` moved to where they are now; it must name none of them."""
    path = tmp_path / "results.sqlite"
    path.write_bytes(gzip.decompress(Path(__file__).with_name("format-1.sqlite.gz").read_bytes()))
    write_checksum(path, path.name)
    opened = sim.open_results(tmp_path)
    text = StringIO()
    assert write_csv(tmp_path, text) == 120
    heading, *rows = text.getvalue().splitlines()
    later = {"client": "0", "caller_class": "", "submissions": "1", "duplicates_repeated": "0"}
    lines = [line.split(",") for line in (heading, *rows)]
    assert [{line[lines[0].index(name)] for line in lines[1:]} for name in later] == [
        {blank} for blank in later.values()
    ]
    kept = [place for place, name in enumerate(lines[0]) if name not in {*later, *opened.cells[0].cell.params}]
    older = "".join(f"{','.join(line[place] for place in kept)}\n" for line in lines)
    assert hashlib.sha256(older.encode()).hexdigest() == REQUESTS_OF_FORMAT_1
    assert [cell.id for cell in opened.cells] == ["helpers", "component"]
    assert opened.digest == digest(opened.scenario)


REQUESTS_OF_FORMAT_3 = {
    "component": "322ebe29d8cc3477e929886c4cb37d7df9956628f058b7a72a9885ed40f69ee0",
    "helpers": "cdaa2cbec89d45c6b0e4bb5780ecd86cc9a9581ae64c7d0359ed9d96d8f9bfea",
}
"""Of the types and bytes of all columns of requests and of calls, as the version had them that wrote the file."""


def test_results_of_format_3_have_the_requests_and_calls_that_they_had(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    path.write_bytes(gzip.decompress(Path(__file__).with_name("format-3.sqlite.gz").read_bytes()))
    write_checksum(path, path.name)
    found = {}
    for cell in sim.open_results(tmp_path).cells:
        made = hashlib.sha256()
        for field in fields(Requests):
            column = getattr(cell.requests, field.name)
            made.update(column.dtype.str.encode())
            made.update(column.tobytes())
        assert cell.traffic is not None
        for part in (cell.traffic.calls, cell.traffic.capacities):
            for name in part.__slots__:
                made.update(getattr(part, name).tobytes())
        found[cell.id] = made.hexdigest()
    assert found == REQUESTS_OF_FORMAT_3
