"""Where a guest does what it must not: the line of the user's own code, wherever that is kept."""

import importlib
import sys
import sysconfig
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest
from in_guest import seen_in_guest

from sim.guests import GuestRefused
from sim.guests.refused import is_own, line_of_error

STANDARD = Path(sysconfig.get_path("stdlib"))
SIM = Path(sys.modules["sim"].__file__ or "").parent


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/home/me/service/fetching.py", True),
        ("/home/me/service/src/fetching/__init__.py", True),  # installed so that it can be edited
        (f"{SIM.parent}/simulations/mine.py", True),
        (f"{SIM}ulated/mine.py", True),
        (f"{SIM.parent}/tests/guests/test_refused.py", True),
        (f"{gettempdir()}/ipykernel_4711/1234567.py", True),  # where notebooks keep their cells
        ("<ipython-input-3-0123456789ab>", True),
        ("<python-input-0>", True),
        ("<stdin>", True),
        ("<string>", True),
        ("<console>", True),
        ("/home/me/service.zip/fetching.py", True),
        ("/home/me/.venv/lib/python3.11/site-packages/tenacity/__init__.py", False),
        ("/usr/lib/python3/dist-packages/requests/api.py", False),
        (f"{STANDARD}/socket.py", False),
        (f"{STANDARD}/asyncio/events.py", False),
        (f"{STANDARD}/site-packages/tenacity/nap.py", False),
        (f"{STANDARD.parent}/python{sys.version_info[0]}{sys.version_info[1]}.zip/socket.py", False),
        (f"{SIM}/guests/calls.py", False),
        ("<frozen importlib._bootstrap>", False),
        ("<attrs generated init fetching.Client>", False),
        ("<__array_function__ internals>", False),
    ],
)
def test_code_is_the_user_s_own_or_not(path: str, own: bool) -> None:  # a parameter of a test
    assert is_own(path) is own


SOCKET = """
import socket

def helper():
    return socket.socket()

def deeper():
    helper()
"""
LINE = 5


def refused_at(body: Callable[[], Any]) -> str:
    with pytest.raises(GuestRefused) as caught:
        seen_in_guest(body)
    first, *_ = str(caught.value).split("\n")
    return first.rpartition("(")[2].rstrip(")")


def module_at(place: Path, name: str, monkeypatch: pytest.MonkeyPatch, inside: str = "") -> Any:
    monkeypatch.syspath_prepend(place)
    if inside:
        with zipfile.ZipFile(place, "w") as packed:
            packed.writestr(f"{name}.py", SOCKET)
    else:
        place.mkdir(parents=True)
        (place / f"{name}.py").write_text(SOCKET)
    importlib.invalidate_caches()
    return importlib.import_module(name)


def test_the_innermost_line_of_the_user_s_own_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = module_at(tmp_path / "src", "own_helper", monkeypatch)
    assert refused_at(module.deeper) == f"{tmp_path}/src/own_helper.py:{LINE}"


def test_an_installed_package_is_passed_over_for_the_user_s_own_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = module_at(tmp_path / "lib" / "site-packages", "installed_helper", monkeypatch)
    body = lambda: module.deeper()  # noqa: E731  # its line is told
    assert refused_at(body) == f"{__file__}:{body.__code__.co_firstlineno}"


def test_without_code_of_the_user_s_own_an_installed_package_s_line_is_told_not_the_standard_library_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "lib" / "site-packages"
    module = module_at(place, "installed_guest", monkeypatch)
    (place / "installed_guest.py").write_text(SOCKET.replace("def deeper():", "def deeper(call=None):"))
    monkeypatch.delitem(sys.modules, "installed_guest")
    module = importlib.import_module("installed_guest")
    from in_guest import _run

    with pytest.raises(GuestRefused, match=rf"\({place}/installed_guest\.py:{LINE}\)"):
        _run(module.deeper, [0])


def test_code_in_a_zip_file_is_told_by_its_place_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = module_at(tmp_path / "packed.zip", "packed_helper", monkeypatch, inside="packed_helper.py")
    assert refused_at(module.deeper) == f"{tmp_path}/packed.zip/packed_helper.py:{LINE}"


def test_a_cell_of_a_notebook_is_told_by_its_name() -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(SOCKET, "<ipython-input-3-0123456789ab>", "exec"), names)  # noqa: S102  # as IPython does
    assert refused_at(names["deeper"]) == f"<ipython-input-3-0123456789ab>:{LINE}"


def test_generated_code_is_passed_over_for_the_code_that_runs_it() -> None:
    names: dict[str, Any] = {"__name__": __name__, "__file__": __file__}
    exec(SOCKET, names)  # noqa: S102  # as `dataclasses` does
    body = lambda: names["deeper"]()  # noqa: E731  # its line is told
    assert refused_at(body) == f"{__file__}:{body.__code__.co_firstlineno}"


def test_the_line_of_an_error_is_found_the_same_way() -> None:
    with pytest.raises(ImportError) as caught:
        importlib.import_module("there.is.no.such.module")
    (own,) = [frame for frame in traceback.extract_tb(caught.tb) if frame.filename == __file__]
    assert line_of_error(caught.tb) == f"{__file__}:{own.lineno}"
    assert line_of_error(None) == ""
