"""The digest of the user's own code: it covers the modules that are used, and no others."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sim.experiment.own_sources import sources_digest
from sim.scenario.load import parse

GUEST = "from own_limits import TRIES\n\n\ndef fetch(call):\n    return call(timeout=TRIES)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a guest and a module that it uses, both forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_guest.py").write_text(GUEST)
    (tmp_path / "own_limits.py").write_text("TRIES = 3\n\n\ndef more():\n    pass\n")
    for name in ("own_guest", "own_limits"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def of_guest() -> str:
    for name in ("own_guest", "own_limits"):
        sys.modules.pop(name, None)
    return sources_digest(parse("{}", retrier="own_guest:fetch"))


def test_a_scenario_without_own_code_has_none() -> None:
    assert sources_digest(parse("retrier: helpers")) == ""


def test_it_is_the_same_until_the_module_changes(folder: Path) -> None:
    first = of_guest()
    assert len(first) == 64
    (folder / "unused.py").write_text("X = 1\n")
    assert of_guest() == first
    (folder / "own_guest.py").write_text(GUEST.replace("TRIES)", "TRIES + 10)"))
    assert of_guest() != first


@pytest.mark.parametrize(
    "imports",
    [
        "import own_limits",
        "from own_limits import more",
        "from own_limits import TRIES",
        "def late():\n    import own_limits",
        "import own_limits as limits, json",
    ],
)
def test_it_covers_the_modules_that_the_code_uses(folder: Path, imports: str) -> None:
    (folder / "own_guest.py").write_text(f"{imports}\n\n\ndef fetch(call):\n    return call()\n")
    first = of_guest()
    (folder / "own_limits.py").write_text("TRIES = 12345\n\n\ndef more():\n    pass\n")
    assert of_guest() != first


def test_code_whose_file_cannot_be_read_any_more_has_none(folder: Path) -> None:
    scenario = parse("{}", retrier="own_guest:fetch")
    (folder / "own_guest.py").write_text("def fetch(call)\n")
    assert sources_digest(scenario) == ""


def test_it_covers_what_a_package_imports_by_relative_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "own_service" / "parts"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("from .parts.client import fetch\n")
    (package / "__init__.py").write_text("")
    (package / "client.py").write_text("from ..config import TRIES\nfrom .. import names\ndef fetch(call): call()\n")
    (package.parent / "config.py").write_text("TRIES = 3\n")
    (package.parent / "names.py").write_text("A = 1\n")
    scenario = parse("{}", retrier="own_service:fetch")
    seen = {sources_digest(scenario)}
    for file in (package.parent / "config.py", package.parent / "names.py", package / "client.py"):
        file.write_text(file.read_text() + "# changed\n")
        seen.add(sources_digest(scenario))
    assert len(seen) == 4


def test_code_of_an_installed_package_has_none() -> None:
    scenario: Any = SimpleNamespace(surroundings=SimpleNamespace(trusted={"sum": "numpy:sum"}))
    assert sources_digest(scenario) == ""


def test_a_relative_import_of_a_module_without_a_package_is_left_out(folder: Path) -> None:
    (folder / "own_guest.py").write_text("def fetch(call):\n    from . import nothing\n")
    assert len(of_guest()) == 64
