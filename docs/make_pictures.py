"""Make the pictures of the pages again: `python docs/make_pictures.py [NAME ...]`, all if none is named.

Each picture is what a command saves; `PICTURES` in `_ext/reference/gallery.py` has the commands, and the pages show
them. Pictures with an address of their own (those of README) are made, too.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

from reference.gallery import PICTURES, Picture  # noqa: E402  # below what makes it importable


def make(one: Picture, folder: Path) -> Path:
    """Run the commands of a picture in a folder with `scenarios` in it; return what they saved."""
    for command in filter(None, (one.before, one.command)):
        words = [sys.executable, "-m", "sim", *shlex.split(command)[1:]]
        subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # ours
    return folder / one.saved


def main() -> None:
    """Make the pictures that are named."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "scenarios").symlink_to(ROOT / "scenarios")
        for name in sys.argv[1:] or PICTURES:
            shutil.copyfile(make(PICTURES[name], folder), ROOT / PICTURES[name].path(name))


if __name__ == "__main__":
    main()
