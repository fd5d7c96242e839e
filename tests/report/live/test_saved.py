"""Saving: into the folder of the scenario, under a new name, never over another file unasked."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from live_pages import TWO, opened

from sim.report.live.opened import Refused, WrongNumbers
from sim.report.live.saved import AlreadyThere, save
from sim.scenario.identity import digest
from sim.scenario.load import load

VALUES = {"action.outcomes.fail": "0.4", "retrier.max_failures": "5"}


def test_what_is_saved_is_the_scenario_with_the_numbers(tmp_path: Path) -> None:
    page = opened(tmp_path)
    saved = save(page, "other", VALUES)
    again = load(saved.path)
    assert saved.path == tmp_path / "other.yaml"
    assert digest(again) == digest(page.scenario_with(VALUES))
    assert (again.name, again.why) == ("other", page.scenario.why)
    assert saved.command.endswith("other.yaml")


def test_variants_with_numbers_of_their_own_are_saved(tmp_path: Path) -> None:
    page = opened(tmp_path, TWO)
    values = {"variants.article, long.retrier.base": "3"}
    assert digest(load(save(page, "b", values).path)) == digest(page.scenario_with(values))


@pytest.mark.parametrize(
    "name",
    [
        *("../out", "/out", "a/b", "..", ".hidden", "", "a b", "con\\x", "x" * 61, "a\0b", "Größe", "-x"),
        *("../../etc/passwd", "..%2fout", "~", "a\nb"),
    ],
)
def test_a_name_that_leads_anywhere_else_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    page = opened(folder)
    with pytest.raises(Refused):
        save(page, name, VALUES)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["small.yaml"]


def test_a_file_that_is_there_stays_unless_its_replacement_is_asked_for(tmp_path: Path) -> None:
    page = opened(tmp_path)
    (tmp_path / "mine.yaml").write_text("keep me")
    with pytest.raises(AlreadyThere):
        save(page, "mine.yaml", VALUES)
    assert (tmp_path / "mine.yaml").read_text() == "keep me"
    save(page, "mine.yaml", VALUES, replace=True)
    assert digest(load(tmp_path / "mine.yaml")) == digest(page.scenario_with(VALUES))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yaml", "small.yaml"]


def test_numbers_can_be_saved_after_the_scenario_is_gone(tmp_path: Path) -> None:
    page = opened(tmp_path)
    (tmp_path / "there.yaml").write_text("old")
    (tmp_path / "small.yaml").unlink()
    save(page, "there", VALUES, replace=True)
    save(page, "new", VALUES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.yaml", "there.yaml"]


def test_a_full_disk_leaves_no_part_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened(tmp_path)
    real = Path.open

    def full(path: Path, *args: Any, **options: Any) -> Any:
        file = real(path, *args, **options)
        if path.name == "new.yaml":

            def write(_text: str) -> int:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            monkeypatch.setattr(file, "write", write)
        return file

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="No space left"):
        save(page, "new", VALUES)
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_the_scenario_itself_is_never_replaced(tmp_path: Path) -> None:
    page = opened(tmp_path)
    before = page.path.read_text()
    os.link(page.path, tmp_path / "link.yaml")
    for name in ("small", "small.yaml", "link"):
        with pytest.raises(Refused):
            save(page, name, VALUES, replace=True)
    assert page.path.read_text() == before


def test_a_link_to_a_file_elsewhere_is_replaced_itself(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    page = opened(folder)
    (tmp_path / "outside.txt").write_text("keep me")
    (folder / "link.yaml").symlink_to(tmp_path / "outside.txt")
    with pytest.raises(AlreadyThere):
        save(page, "link", VALUES)
    save(page, "link", VALUES, replace=True)
    assert (tmp_path / "outside.txt").read_text() == "keep me"
    assert not (folder / "link.yaml").is_symlink()


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    page = opened(tmp_path)
    (tmp_path / "dir.yaml").mkdir()
    for replace in (False, True):
        with pytest.raises(Refused):
            save(page, "dir", VALUES, replace=replace)


def test_numbers_that_make_no_scenario_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(WrongNumbers):
        save(opened(tmp_path), "other", {"action.outcomes.fail": "7"})
    assert not (tmp_path / "other.yaml").exists()
