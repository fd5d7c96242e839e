"""What guests keep in modules of the user's own: each request of an isolated world, and each client, has it as new."""

import builtins
import importlib
import itertools
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guests_support import run

from sim.engine.world import World
from sim.guests import GuestRefused, guest_of, named
from sim.guests.anew import ModulesAnew
from sim.history.recorder import Recorder
from sim.scenario.load import parse

# From Python 3.13 on it is told if a database is thrown away that nothing has closed, as guests leave theirs.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")

ISOLATED = "{requests: {count: 4}, action: {latency: 5ms}, retrier: none}"
SHARED = """
world: shared
requests: {count: 3, arrivals: {constant: {rate: 1/s}}}
clients: {count: 3}
action: {service: api}
services: {api: {servers: 3, latency: 5ms}}
retrier: none
"""
CONFIG = """
import enum

count = 0
seen = []


def bump():
    global count
    count += 1
    return count


class Kind(enum.Enum):
    ONLY = 1
"""
HEAD = """
import array
import logging
import operator
import sqlite3
import time

import {package}.config
from {package} import config
from {package}.config import Kind

log = logging.getLogger(__name__)
numbers = array.array("i", [0])
key = operator.attrgetter("count")


def guest(call):
{body}
    return call()
"""
BODIES = {
    "an attribute of a module": ["config.count += 1", "time.sleep(config.count)"],
    "an attribute of a module in a package": [
        "{package}.config.count += 1",
        "time.sleep({package}.config.count)",
    ],
    "a list in a module": ["config.seen.append(1)", "time.sleep(len(config.seen))"],
    "a global that a function of a module sets": ["time.sleep(config.bump())"],
    "setattr": ['setattr(config, "count", config.count + 1)', "time.sleep(key(config))"],
    "getattr": ['getattr(config, "seen").append(1)', 'time.sleep(len(getattr(config, "seen")))'],
    "globals": ['globals()["made"] = globals().get("made", 0) + 1', "time.sleep(made)"],
    "an array": ["numbers[0] += 1", "time.sleep(numbers[0])"],
}
ALONE = {
    "a member of an enumeration": ["Kind.ONLY.hits = getattr(Kind.ONLY, 'hits', 0) + 1", "time.sleep(Kind.ONLY.hits)"],
    "a logger": ["log.hits = getattr(log, 'hits', 0) + 1", "time.sleep(log.hits)"],
}
"""What stays shared by the clients of a shared world if the guest is copied."""
_numbers = itertools.count()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of a package with a module `config`."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / f"own_modules_{next(_numbers)}"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "config.py").write_text(CONFIG)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == folder.name]:
        del sys.modules[name]


def made(package: Path, lines: list[str], how: str, head: str = HEAD) -> Any:
    """Write the module of a guest; return the guest, as named or as a function."""
    body = "\n".join(f"    {line}" for line in lines)
    (package / "main.py").write_text(head.replace("{body}", body).replace("{package}", package.name))
    importlib.invalidate_caches()
    path = f"{package.name}.main"
    if how == "named":
        return named.load(f"{path}:guest")
    return guest_of(importlib.import_module(path).guest)


def slept_s(kind: Any, text: str) -> list[float]:
    """Return how long each request sleeps, in s."""
    recorder = Recorder()
    world = World(parse(text), retrier=kind, recorder=recorder)
    if "shared" in text:
        world.shared()
    else:
        world.isolated(range(4))
    return [raw[5] / 1e9 for raw in recorder.raw if raw[1] == "sleep"]


@pytest.mark.parametrize("how", ["named", "copied"])
@pytest.mark.parametrize("place", [*BODIES, *ALONE])
def test_each_request_finds_it_as_new(package: Path, place: str, how: str) -> None:
    kind = made(package, {**BODIES, **ALONE}[place], how)
    assert slept_s(kind, ISOLATED) == [1, 1, 1, 1]
    assert slept_s(kind, ISOLATED) == [1, 1, 1, 1]


@pytest.mark.parametrize("how", ["named", "copied"])
@pytest.mark.parametrize("place", BODIES)
def test_each_client_finds_it_as_new(package: Path, place: str, how: str) -> None:
    kind = made(package, BODIES[place], how)
    assert slept_s(kind, SHARED) == [1, 1, 1]


def test_the_requests_of_one_client_share_it(package: Path) -> None:
    kind = made(package, BODIES["an attribute of a module"], "copied")
    assert slept_s(kind, SHARED.replace("clients: {count: 3}", "clients: {count: 1}")) == [1, 2, 3]


@pytest.mark.parametrize("how", ["named", "copied"])
def test_the_host_finds_its_modules_as_they_were(package: Path, how: str) -> None:
    kind = made(package, [*BODIES["an attribute of a module"], *BODIES["a list in a module"]], how)
    config = importlib.import_module(f"{package.name}.config")
    config.count = 7
    slept_s(kind, ISOLATED)
    assert (config.count, config.seen) == (7, [])


def test_a_database_in_memory_is_made_anew(package: Path) -> None:
    head = HEAD.replace(
        "def guest", 'base = sqlite3.connect(":memory:")\nbase.execute("create table t (x)")\n\n\ndef guest'
    )
    lines = [
        'base.execute("insert into t values (1)")',
        'time.sleep(base.execute("select count(*) from t").fetchone()[0])',
    ]
    assert slept_s(made(package, lines, "named", head), ISOLATED) == [1, 1, 1, 1]


LATE = """
import importlib
import time
{top}

def guest(call):
{body}
    return call()
"""
IMPORTS = {
    "import": ["import {package}.config", "{package}.config.count += 1", "time.sleep({package}.config.count)"],
    "import as": ["import {package}.config as it", "it.count += 1", "time.sleep(it.count)"],
    "from a package": ["from {package} import config", "config.count += 1", "time.sleep(config.count)"],
    "from the package itself": ["from . import config", "config.count += 1", "time.sleep(config.count)"],
    "a function from a module": ["from .config import bump", "time.sleep(bump())"],
    "a list from a module": ["from {package}.config import seen", "seen.append(1)", "time.sleep(len(seen))"],
    "importlib": ['it = importlib.import_module("{package}.config")', "time.sleep(it.bump())"],
}


@pytest.mark.parametrize("text", [ISOLATED, SHARED], ids=["isolated", "shared"])
@pytest.mark.parametrize("how", ["named", "copied"])
@pytest.mark.parametrize("form", IMPORTS)
def test_a_module_that_a_function_imports_is_as_new(package: Path, form: str, how: str, text: str) -> None:
    lines = [line.format(package=package.name) for line in IMPORTS[form]]
    kind = made(package, lines, how, LATE.replace("{top}", ""))
    assert set(slept_s(kind, text)) == {1}
    assert set(slept_s(kind, text)) == {1}


@pytest.mark.parametrize("how", ["named", "copied"])
def test_it_is_as_new_too_if_the_host_has_imported_it(package: Path, how: str) -> None:
    config = importlib.import_module(f"{package.name}.config")
    kind = made(package, IMPORTS["a function from a module"], how, LATE.replace("{top}", ""))
    assert slept_s(kind, ISOLATED) == [1, 1, 1, 1]
    assert config.count == 0


def test_a_container_imported_from_a_module_is_each_clients_own(package: Path) -> None:
    top = "from {package}.config import seen"
    kind = made(package, ["seen.append(1)", "time.sleep(len(seen))"], "named", LATE.replace("{top}", top))
    assert slept_s(kind, SHARED) == [1, 1, 1]


def test_a_module_named_as_the_guest_runs_is_as_new(package: Path) -> None:
    lines = ['name = ".".join([__package__, "config"])', "time.sleep(importlib.import_module(name).bump())"]
    assert slept_s(made(package, lines, "named", LATE.replace("{top}", "")), ISOLATED) == [1, 1, 1, 1]


def test_modules_that_import_each_other_in_a_circle_are_run_once(package: Path) -> None:
    (package / "one.py").write_text("runs = []\nruns.append(1)\nfrom . import other\n")
    (package / "other.py").write_text("from . import one\n\n\ndef runs():\n    return one.runs\n")
    lines = ["from . import other", "time.sleep(len(other.runs()))", "other.runs().append(1)"]
    assert slept_s(made(package, lines, "named", LATE.replace("{top}", "")), ISOLATED) == [1, 1, 1, 1]


def test_a_module_that_is_missing_is_missing_for_the_guest_too(package: Path) -> None:
    lines = ["try:", "    from . import nothing", "except ImportError as error:", "    time.sleep(2)"]
    assert slept_s(made(package, lines, "named", LATE.replace("{top}", "")), ISOLATED) == [2, 2, 2, 2]


def test_the_host_keeps_the_modules_that_it_has_and_gets_none(package: Path) -> None:
    kind = made(package, IMPORTS["import"], "named", LATE.replace("{top}", ""))
    before = {name: one for name, one in sys.modules.items() if name.startswith(package.name)}
    slept_s(kind, ISOLATED)
    assert {name: one for name, one in sys.modules.items() if name.startswith(package.name)} == before
    assert not hasattr(sys.modules[package.name], "config")


WAITS = {
    "a sleep": ("import time", "time.sleep(1)"),
    "a lock": ("import threading", "threading.Event().wait(1)"),
    "a selector": ("import select", "select.select([], [], [], 1)"),
}


@pytest.mark.parametrize("text", [ISOLATED, SHARED], ids=["isolated", "shared"])
@pytest.mark.parametrize("wait", WAITS)
def test_a_module_that_waits_as_it_is_imported_is_refused_with_its_line(package: Path, wait: str, text: str) -> None:
    (package / "slow.py").write_text("\n".join(WAITS[wait]))
    kind = made(package, ["from . import slow"], "named", LATE.replace("{top}", ""))
    with pytest.raises(GuestRefused, match=r"waits while one of its modules is imported, .*slow\.py:2\)"):
        slept_s(kind, text)
    assert not any(isinstance(one, ModulesAnew) for one in sys.meta_path)
    assert f"{package.name}.main" in sys.modules


ACTS = {
    "a thread": ("import threading", "threading.Thread(target=print).start()", "starts a thread"),
    "an address": ("import socket", "socket.getaddrinfo('127.0.0.1', 80)", "asks for the address"),
    "a file": ("import os", "open(os.path.join(os.path.dirname(__file__), 'log.txt'), 'a')", "writes the file"),
}


@pytest.mark.parametrize("act", ACTS)
def test_what_a_module_must_not_do_as_it_is_imported_is_told_to_be_done_there(package: Path, act: str) -> None:
    imports, line, what = ACTS[act]
    (package / "acts.py").write_text(f"{imports}\n{line}\n")
    kind = made(package, ["from . import acts"], "named", LATE.replace("{top}", ""))
    with pytest.raises(GuestRefused, match=rf"{what}.*\. Its module does so as it is imported, .*acts\.py:2\)"):
        slept_s(kind, ISOLATED)


def test_simulations_in_two_threads_run_their_modules_one_at_a_time(package: Path) -> None:
    kind = made(package, IMPORTS["a function from a module"], "named", LATE.replace("{top}", ""))
    alone, found = slept_s(kind, SHARED), []
    threads = [threading.Thread(target=lambda: found.append(slept_s(kind, SHARED))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 3
    assert not any(isinstance(one, ModulesAnew) for one in sys.meta_path)


def test_the_locks_of_imports_are_those_of_the_process(package: Path) -> None:
    lines = ["import importlib._bootstrap", 'lock = importlib._bootstrap._ModuleLock("any")', "time.sleep(1)"]
    lines += ['assert "simulated" not in repr(lock.lock)']
    assert slept_s(made(package, lines, "named", LATE.replace("{top}", "")), ISOLATED) == [1, 1, 1, 1]


def test_a_table_of_builtins_that_a_library_keeps_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__
    table = {one: name for name, one in vars(builtins).items() if callable(one)}
    monkeypatch.setattr(sys.modules[__name__], "table", table, raising=False)

    def guest(call: Any) -> None:
        seen.append(real in table)
        call()

    seen: list[bool] = []
    run(guest)
    assert seen == [True]
    assert builtins.__import__ is real
