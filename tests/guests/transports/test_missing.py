"""A transport without its library says what to install, and the others do not mind."""

import importlib
import sys
from types import ModuleType

import pytest

from sim.guests import transports
from sim.guests.transports import NoLibrary

NEEDS = {"aiohttp": "aiohttp", "botocore": "botocore", "httpx": "httpx", "requests": "requests", "urllib3": "urllib3"}


@pytest.mark.parametrize("name", NEEDS)
def test_a_missing_library_is_named_with_the_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for known in [one for one in sys.modules if one.partition(".")[0] == NEEDS[name]]:
        monkeypatch.delitem(sys.modules, known)
    monkeypatch.setitem(sys.modules, NEEDS[name], None)
    monkeypatch.delitem(sys.modules, f"sim.guests.transports.{name}", raising=False)
    with pytest.raises(NoLibrary, match=rf"needs {name}: pip install 'retrysim\[libraries\]'"):
        importlib.import_module(f"sim.guests.transports.{name}")


def test_transports_are_imported_when_they_are_used() -> None:
    pytest.importorskip("httpx")
    assert transports.httpx is importlib.import_module("sim.guests.transports.httpx")


def test_a_name_that_is_no_transport_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'pycurl'"):
        _ = transports.pycurl  # type: ignore[attr-defined]  # what is tested


def test_a_library_whose_version_lacks_what_a_transport_uses_is_told_apart_from_one_that_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = ModuleType("httpx")
    old.__version__ = "0.1.0"  # type: ignore[attr-defined]  # as libraries have it
    monkeypatch.setitem(sys.modules, "httpx", old)
    with pytest.raises(NoLibrary, match=r"cannot use httpx 0\.1\.0 \(cannot import name 'Client' from 'httpx'"):
        raise NoLibrary("httpx", _failed("from httpx import Client"))


def _failed(statement: str) -> ImportError:
    with pytest.raises(ImportError) as raised:
        exec(statement)  # noqa: S102  # ours
    return raised.value
