"""Files that commands write: whole and all together, or not at all."""

from pathlib import Path

import pytest

from sim.cli.files import saving


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
