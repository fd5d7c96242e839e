"""What is wrong with a module that a command line names: its own mistakes are told as its own, with their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sim.options.own_code import find

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("raises", "\nraise ValueError('too early')", "cannot be imported: ValueError: too early ({}:2)"),
        ("asks", "import os\nos.nothing_of_it", "AttributeError: module 'os' has no attribute 'nothing_of_it' ({}:2)"),
        ("looks", "{}['key']", "cannot be imported: KeyError: 'key' ({}:1)"),
        ("adds", "def add():\n    return 1 + ''\nadd()", "({}:2)"),
        ("takes", "from os import nothing_of_it", "cannot be imported: ImportError: cannot import name"),
        ("needs", "\n\nimport nothing_of_it", "no module 'nothing_of_it', which 'told_needs' imports ({}:3)"),
    ],
)
def test_a_mistake_of_the_module_is_told_with_its_line(
    name: str, code: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / f"told_{name}.py"
    path.write_text(code)
    with pytest.raises(LookupError) as caught:
        find(f"told_{name}:fetch", "retrier")
    assert says.format(path) in str(caught.value)


def test_a_module_that_is_not_there_and_a_name_that_it_has_not_are_told() -> None:
    with pytest.raises(LookupError, match=r"^no module 'nothing_of_it' \(looking for 'nothing_of_it:fetch'\)$"):
        find("nothing_of_it:fetch", "retrier")
    with pytest.raises(LookupError, match=r"^module 'os' has no 'fetch'$"):
        find("os:fetch", "retrier")


@pytest.mark.parametrize("module", ["guest.py", "./services/guest.py"])
def test_a_file_in_place_of_a_module_is_told_with_the_name_of_the_module(module: str) -> None:
    with pytest.raises(LookupError, match=r"^'.*guest\.py' is a file: name the module, 'guest:pay', from the folder"):
        find(f"{module}:pay", "retrier")


def test_a_method_is_told_that_it_cannot_be_named() -> None:
    with pytest.raises(
        LookupError, match=r"^module 'os' has no 'PathLike\.fetch': what is named stands at its top level"
    ):
        find("os:PathLike.fetch", "retrier")
