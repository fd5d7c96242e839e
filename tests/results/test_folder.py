"""Runs in folders: they go on where they stopped, and replace nothing that they must not."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

from sim.api.run import run
from sim.experiment import chunks
from sim.experiment.engines import EVENT, VECTOR, VERSIONS
from sim.results.errors import CorruptResults, NotStored, UnfinishedResults
from sim.results.reading import open_results
from sim.scenario.load import parse

TEXT = """
name: kept
requests: {count: 40}
action: {outcomes: {fail: 0.3}}
retrier: helpers
sweep: {action.effect_at: [0.1, 0.5, 0.9]}
"""


class Stop(Exception):
    """Somebody stops a run."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(chunks.CHUNK_REQUESTS, VECTOR, 8)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def stopping(at: int) -> Callable[[int, int, str], None]:
    def progress(done: int, total: int, cell: str) -> None:
        del total, cell
        if done >= at:
            raise Stop

    return progress


def stopped(folder: Path, text: str = TEXT, at: int = 50) -> None:
    with pytest.raises(Stop):
        run(parse(text), out=folder, progress=stopping(at))


def simulated(text: str, folder: Path, **options: Any) -> int:
    """Run, and count the requests that were simulated for it."""
    told: list[int] = []
    run(parse(text), out=folder, progress=lambda done, *_: told.append(done), **options)
    return told[-1] - told[0] if told else 0


def test_a_run_leaves_its_results_and_nothing_else(tmp_path: Path) -> None:
    result = run(parse(TEXT), out=tmp_path / "a" / "b")
    assert sorted(files(tmp_path / "a" / "b")) == ["results.sqlite", "results.sqlite.sha256"]
    assert result.summary_json() == run(parse(TEXT)).summary_json()


def test_a_run_that_was_stopped_leaves_its_checkpoint_alone(tmp_path: Path) -> None:
    stopped(tmp_path)
    assert sorted(files(tmp_path)) == ["unfinished.sqlite"]
    with pytest.raises(UnfinishedResults, match="goes on from where it stopped"):
        open_results(tmp_path)


def test_a_run_goes_on_and_ends_with_the_bytes_of_one_that_was_not_stopped(tmp_path: Path) -> None:
    run(parse(TEXT), out=tmp_path / "whole")
    for at in (10, 50, 51, 110):
        stopped(tmp_path / "cut", at=at)
    assert simulated(TEXT, tmp_path / "cut") == 16
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_a_run_that_is_stopped_before_its_first_chunk_leaves_nothing(tmp_path: Path) -> None:
    stopped(tmp_path / "a" / "b", at=0)
    assert not (tmp_path / "a").exists()


def test_a_run_that_has_finished_is_not_simulated_again(tmp_path: Path) -> None:
    first = run(parse(TEXT), out=tmp_path)
    before = files(tmp_path)
    assert simulated(TEXT, tmp_path) == 0
    assert run(parse(TEXT), out=tmp_path).summary_json() == first.summary_json()
    assert files(tmp_path) == before


def test_expectations_may_be_mended_after_a_run(tmp_path: Path) -> None:
    run(parse(TEXT), out=tmp_path)
    mended = f"{TEXT}\nexpect: [success.rate >= 1%]\nwhy: Because.\n"
    assert simulated(mended, tmp_path) == 0
    assert [len(cell.verdicts) for cell in open_results(tmp_path).cells] == [1, 1, 1]
    run(parse(mended), out=tmp_path / "anew")
    assert files(tmp_path / "anew").items() <= files(tmp_path).items()


def test_expectations_may_be_mended_while_a_run_is_stopped(tmp_path: Path) -> None:
    stopped(tmp_path)
    mended = f"{TEXT}\nexpect: [success.rate >= 1%]\n"
    assert 0 < simulated(mended, tmp_path) < 120
    assert len(open_results(tmp_path).cells[0].verdicts) == 1


def test_results_of_an_earlier_version_are_replaced_when_the_new_ones_are_complete(tmp_path: Path) -> None:
    run(parse(TEXT), out=tmp_path)
    before = files(tmp_path)
    changed = TEXT.replace("fail: 0.3", "fail: 0.4")
    stopped(tmp_path, changed)
    assert before.items() <= files(tmp_path).items()
    run(parse(changed), out=tmp_path)
    assert open_results(tmp_path).digest == run(parse(changed)).digest
    assert sorted(files(tmp_path)) == sorted(before)


def test_results_of_an_earlier_engine_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VERSIONS, VECTOR, 0)
    run(parse(TEXT), out=tmp_path)
    monkeypatch.undo()
    assert simulated(TEXT, tmp_path) == 120


def test_results_of_another_scenario_are_refused_and_stay(tmp_path: Path) -> None:
    run(parse(TEXT), out=tmp_path)
    before = files(tmp_path)
    with pytest.raises(CorruptResults, match=r"has the results of another scenario, 'kept'"):
        run(parse(TEXT.replace("kept", "other")), out=tmp_path)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("fail: 0.3", "fail: 0.4"), "has 6 of 15 chunks of an unfinished run of another scenario, or of this one"),
        (("seed: 0", "seed: 1"), "before it was changed"),
    ],
)
def test_an_unfinished_run_of_another_scenario_is_refused_and_stays(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    text = f"{TEXT}\nseed: 0\n"
    stopped(tmp_path, text)
    before = files(tmp_path)
    with pytest.raises(CorruptResults, match=told):
        run(parse(text.replace(*change)), out=tmp_path)
    assert files(tmp_path) == before


def test_an_unfinished_run_of_another_engine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VERSIONS, VECTOR, 0)
    stopped(tmp_path)
    monkeypatch.setitem(VERSIONS, VECTOR, 1)
    with pytest.raises(CorruptResults, match="chunks of an unfinished run with engine vector 0"):
        run(parse(TEXT), out=tmp_path)


def database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (number INTEGER)")
    connection.close()


@pytest.mark.parametrize("name", ["results.sqlite", "unfinished.sqlite"])
@pytest.mark.parametrize("make", [lambda path: path.write_text("mine"), database, Path.mkdir])
def test_files_of_others_are_refused_and_stay_unless_a_fresh_start_is_asked_for(
    tmp_path: Path, name: str, make: Callable[[Path], object]
) -> None:
    make(tmp_path / name)
    mine = None if (tmp_path / name).is_dir() else (tmp_path / name).read_bytes()
    with pytest.raises((CorruptResults, NotStored)):
        run(parse(TEXT), out=tmp_path)
    if mine is not None:
        assert (tmp_path / name).read_bytes() == mine
        run(parse(TEXT), out=tmp_path, fresh=True)
        assert sorted(files(tmp_path)) == ["results.sqlite", "results.sqlite.sha256"]


@pytest.mark.parametrize("text", [TEXT, TEXT.replace("fail: 0.3", "fail: 0.4"), TEXT.replace("kept", "other")])
def test_a_fresh_start_simulates_everything_whatever_is_there(tmp_path: Path, text: str) -> None:
    run(parse(TEXT), out=tmp_path)
    stopped(tmp_path, TEXT.replace("fail: 0.3", "fail: 0.5"))
    assert simulated(text, tmp_path, fresh=True) == 120
    assert open_results(tmp_path).scenario.name == parse(text).name


@pytest.mark.parametrize("moment", ["checksum", "results"])
def test_a_run_that_is_killed_while_results_take_their_place_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    run(parse(TEXT.replace("fail: 0.3", "fail: 0.4")), out=tmp_path)
    move = Path.replace

    def replace(self: Path, target: Path) -> Path:
        moved = move(self, target)
        if self.name == {"checksum": "results.sqlite.new.sha256", "results": "results.sqlite.new"}[moment]:
            raise Stop
        return moved

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(Stop):
        run(parse(TEXT), out=tmp_path)
    monkeypatch.setattr(Path, "replace", move)
    assert (tmp_path / "unfinished.sqlite").exists()
    assert simulated(TEXT, tmp_path) == 0
    run(parse(TEXT), out=tmp_path / "whole")
    assert files(tmp_path / "whole").items() <= files(tmp_path).items()
    assert not (tmp_path / "unfinished.sqlite").exists()


def damaged_checkpoints(tmp_path: Path, places: int) -> list[str]:
    """Flip bits of a checkpoint, one at a time, and go on; return what became of each."""
    stopped(tmp_path / "stopped")
    data = (tmp_path / "stopped" / "unfinished.sqlite").read_bytes()
    run(parse(TEXT), out=tmp_path / "whole")
    whole = files(tmp_path / "whole")
    chance = Random(places)  # noqa: S311  # places, no secrets
    found = []
    for number in range(places):
        folder = tmp_path / f"damaged-{number}"
        folder.mkdir()
        changed = bytearray(data)
        # A quarter of them in the header of the database.
        changed[chance.randrange(100 if number % 4 == 0 else len(data))] ^= 1 << chance.randrange(8)
        (folder / "unfinished.sqlite").write_bytes(changed)
        try:
            run(parse(TEXT), out=folder)
        except CorruptResults:
            found.append("refused" if (folder / "unfinished.sqlite").exists() else "gone")
        else:
            found.append("harmless" if files(folder) == whole else "wrong")
    return found


def test_a_flipped_bit_in_a_checkpoint_is_noticed_or_does_no_harm(tmp_path: Path) -> None:
    assert set(damaged_checkpoints(tmp_path, 20)) == {"refused", "harmless"}


@pytest.mark.slow
def test_hundreds_of_flipped_bits_in_a_checkpoint_are_noticed_or_do_no_harm(tmp_path: Path) -> None:
    assert set(damaged_checkpoints(tmp_path, 400)) == {"refused", "harmless"}


def test_a_version_of_the_file_format_that_forbids_writing_is_damage(tmp_path: Path) -> None:
    stopped(tmp_path)
    path = tmp_path / "unfinished.sqlite"
    data = bytearray(path.read_bytes())
    data[18] = 3  # the write version; SQLite knows 1 and 2
    path.write_bytes(data)
    with pytest.raises(CorruptResults, match="must not be written to"):
        run(parse(TEXT), out=tmp_path)


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_disk_that_is_full_at_the_end_keeps_all_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.results.folder.write_checksum", full_disk)
    with pytest.raises(NotStored, match="No space left on device"):
        run(parse(TEXT), out=tmp_path)
    assert sorted(files(tmp_path)) == ["unfinished.sqlite"]
    monkeypatch.undo()
    monkeypatch.setitem(chunks.CHUNK_REQUESTS, VECTOR, 8)
    assert simulated(TEXT, tmp_path) == 0
    assert sorted(files(tmp_path)) == ["results.sqlite", "results.sqlite.sha256"]


# Requests that did something else when they were simulated again.

LEAKY = "{name: leaky, retrier: none, requests: {count: 40}, action: {outcomes: {fail: 0.5}}}"


def test_what_did_not_repeat_is_said_whenever_results_are_opened(leaking: ModuleType, tmp_path: Path) -> None:
    result = run(parse(LEAKY, retrier=leaking.named(leaking.GlobalChance)), out=tmp_path)
    assert not result.repeats
    assert open_results(tmp_path).cells[0].unrepeated == result.cells[0].unrepeated
    assert open_results(tmp_path).sentences()[0].startswith("NOT REPEATABLE")


@pytest.mark.parametrize("more", ["", "keep: histogram, "])
def test_what_did_not_repeat_before_a_stop_is_said_after_it(
    leaking: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    monkeypatch.setitem(chunks.CHUNK_REQUESTS, EVENT, 10)
    monkeypatch.setattr(chunks, "BLOCKS_A_TALLY", 1)
    scenario = parse(LEAKY.replace("requests", f"{more}requests", 1), retrier=leaking.named(leaking.GlobalChance))
    with pytest.raises(Stop):
        run(scenario, out=tmp_path, progress=stopping(20))
    monkeypatch.setattr(leaking.GlobalChance, "wait_ms", leaking.Steady.wait_ms)  # from here on nothing leaks
    found = run(scenario, out=tmp_path).cells[0].unrepeated
    assert {one.request // 10 for one in found} == {0, 1}


def test_results_of_retriers_that_repeat_have_the_bytes_that_they_always_had(
    leaking: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = parse(LEAKY, retrier=leaking.named(leaking.Steady))
    run(scenario, out=tmp_path / "tried")
    monkeypatch.setattr(chunks, "repeat_isolated", lambda *_: [])
    run(scenario, out=tmp_path / "untried")
    assert files(tmp_path / "tried") == files(tmp_path / "untried")
