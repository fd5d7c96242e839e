"""The one writer of figures."""

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from sim.pictures.saving import save


def blank() -> Figure:
    return Figure(figsize=(1, 1))


def test_a_png_is_written_and_an_svg_only_if_asked_for(tmp_path: Path) -> None:
    assert save({"a": blank}, "", tmp_path / "new") == [tmp_path / "new" / "a.png"]
    both = save({"a": blank, "b": blank}, "", tmp_path, svg=True)
    assert [path.name for path in both] == ["a.png", "a.svg", "b.png", "b.svg"]


def test_without_figures_no_folder_is_made(tmp_path: Path) -> None:
    assert save({}, "caption", tmp_path / "new") == []
    assert not (tmp_path / "new").exists()


def test_nothing_is_written_if_a_figure_cannot_be_drawn(tmp_path: Path) -> None:
    def broken() -> Figure:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        save({"a": blank, "b": broken}, "", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_users_settings_of_matplotlib_are_left_as_they_are(tmp_path: Path) -> None:
    with mpl.rc_context({"font.size": 20.0}):
        save({"a": blank}, "", tmp_path)
        assert mpl.rcParams["font.size"] == 20.0


def test_the_caption_is_never_read_as_mathematics(tmp_path: Path) -> None:
    (_, svg) = save({"a": blank}, "$_{", tmp_path, svg=True)
    assert "<!-- $_{ -->" in svg.read_text(encoding="utf-8")


def test_pyplot_is_not_imported() -> None:
    code = (
        "import sys, sim.pictures.run_pictures; "
        "print('matplotlib.pyplot' in sys.modules, 'scipy.special' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - own code
    assert done.stdout.split() == ["False", "False"]
