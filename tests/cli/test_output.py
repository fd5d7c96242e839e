"""What commands print through, and how files come to be."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from sim.cli.interrupts import Interrupts
from sim.cli.output import Printer, saving


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Give an empty folder that exists."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_appear_at_the_end_of_the_block(out: Path) -> None:
    folder = out / "a" / "b"
    with saving(folder, ()) as beside:
        (beside / "x.txt").write_text("new")
        assert [name for name in names(folder) if not name.startswith(".")] == []
    assert names(folder) == ["x.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_exception_leaves_the_folder_as_it_was(out: Path, error: type[BaseException]) -> None:
    (out / "x.txt").write_text("old")
    with pytest.raises(error), saving(out, ("x.txt",)) as beside:  # noqa: PT012  # what is interrupted
        (beside / "x.txt").write_text("new")
        raise error
    assert (names(out), (out / "x.txt").read_text()) == (["x.txt"], "old")


def test_an_exception_takes_folders_away_that_were_not_there(out: Path) -> None:
    with pytest.raises(KeyboardInterrupt), saving(out / "a" / "b", ()):
        raise KeyboardInterrupt
    assert names(out) == []


def test_what_an_earlier_run_left_goes_and_all_else_stays(out: Path) -> None:
    for name in ("stale.svg", "kept.svg"):
        (out / name).touch()
    with saving(out, ("stale.svg", "never-there.svg")) as beside:
        (beside / "x.txt").touch()
    assert names(out) == ["kept.svg", "x.txt"]


def test_sentences_break_between_words_but_not_before_a_unit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    Printer().sentence("a success rate that is as high as 99.50 % (98.20 % to 99.86 %), after 4.71 s")
    assert capsys.readouterr().out.splitlines() == [
        "a success rate that is as high as",
        "99.50 % (98.20 % to 99.86 %), after",
        "4.71 s",
    ]


def test_lines_to_copy_are_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    line = "retrysim replay " + "very-long/" * 30 + "x.yaml --request [3]"
    Printer().verbatim(line)
    assert capsys.readouterr().out == f"{line}\n"


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_no_number_of_the_table_is_lost_on_any_terminal(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    def table() -> list[str]:
        lines = run("run", "verdicts.yaml", "--requests", "50", "--no-plots").stdout.splitlines()
        start = next(number for number, line in enumerate(lines) if line.startswith("cell"))
        return lines[start : start + 6]

    wide = table()
    monkeypatch.setenv("COLUMNS", columns)
    assert table() == wide


def test_interrupts_are_raised_and_remembered() -> None:
    interrupts = Interrupts()
    interrupts.check()
    with pytest.raises(KeyboardInterrupt):
        interrupts(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()


def test_interrupts_wait_for_the_end_of_an_import() -> None:
    interrupts = Interrupts()
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts.held():  # noqa: PT012  # what is held back
        interrupts(signal.SIGINT, None)
        reached.append("end")
    assert reached == ["end"]
