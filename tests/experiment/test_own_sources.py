"""The digest of the user's own code: it covers the modules that are used, and no others."""

import sys
from pathlib import Path

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


@pytest.mark.parametrize("imports", ["import own_limits", "from own_limits import more"])
def test_it_covers_the_modules_that_the_code_uses(folder: Path, imports: str) -> None:
    (folder / "own_guest.py").write_text(f"{imports}\n\n\ndef fetch(call):\n    return call()\n")
    first = of_guest()
    (folder / "own_limits.py").write_text("TRIES = 12345\n\n\ndef more():\n    pass\n")
    assert of_guest() != first


def test_code_whose_file_cannot_be_read_any_more_has_none(folder: Path) -> None:
    scenario = parse("{}", retrier="own_guest:fetch")
    (folder / "own_guest.py").write_text("def fetch(call)\n")
    assert sources_digest(scenario) == ""
