"""What a guest must not do is refused in one sentence, with the line of the guest, and the guest cannot go on."""

# ruff: noqa: S602, S605, S606, S607  # none of it is done

import asyncio
import concurrent.futures
import contextlib
import dbm
import importlib
import io
import locale
import logging
import multiprocessing
import os
import pty
import select
import selectors
import shelve
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from in_guest import seen_in_async_guests, seen_in_guest

from sim.guests import GuestRefused
from sim.guests.standard_library import simulated

HERE = Path(__file__)


@pytest.fixture(autouse=True, scope="module")
def _one_session() -> Iterator[None]:
    """Exchange everything once for all tests of this file."""
    with simulated():
        yield


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing is written."""
    (tmp_path / "there.txt").write_text("there")
    before = sorted((path.name, path.stat().st_size) for path in tmp_path.iterdir())
    FOLDERS[:] = [tmp_path]
    yield tmp_path
    assert sorted((path.name, path.stat().st_size) for path in tmp_path.iterdir()) == before


FOLDERS: list[Path] = []


def new() -> str:
    return str(FOLDERS[0] / "new")


def there() -> str:
    return str(FOLDERS[0] / "there.txt")


def refusal(body: Callable[[], Any]) -> str:
    """The first line of what is said when a guest runs a function."""
    with pytest.raises(GuestRefused) as caught:
        seen_in_guest(body)
    return str(caught.value).split("\n")[0]


NETWORK = [
    (lambda: socket.socket(), "opens a socket"),
    (lambda: socket.create_connection(("localhost", 1)), "asks for the address of 'localhost'"),
    (lambda: socket.getaddrinfo("example.org", 80), "asks for the address of 'example.org'"),
    (lambda: socket.gethostbyname("example.org"), "asks for the address of 'example.org'"),
    (lambda: socket.socketpair(), "calls socket.socketpair"),
    (lambda: urllib.request.urlopen("http://example.org"), "asks for the address of 'example.org'"),
]
FILES = [
    (lambda: open(new(), "w"), "writes the file"),  # noqa: SIM115, PTH123  # never opened
    (lambda: open(there(), "a"), "writes the file"),  # noqa: SIM115, PTH123  # as above
    (lambda: open(there(), "r+b"), "writes the file"),  # noqa: SIM115, PTH123  # as above
    (lambda: open(new(), "x"), "writes the file"),  # noqa: SIM115, PTH123  # as above
    (lambda: io.FileIO(new(), "w"), "writes the file"),
    (lambda: os.open(new(), os.O_CREAT | os.O_WRONLY), "writes the file"),
    (lambda: os.open(there(), os.O_RDWR), "writes the file"),
    (lambda: Path(new()).write_text("new"), "writes the file"),
    (lambda: Path(new()).touch(), "changes the file"),
    (lambda: Path(new()).mkdir(), "makes the folder"),
    (lambda: Path(there()).unlink(), "removes the file"),
    (lambda: Path(there()).rename(new()), "renames the file"),
    (lambda: Path(there()).chmod(0o600), "changes the file"),
    (lambda: Path(new()).symlink_to(there()), "makes the file"),
    (lambda: os.link(there(), new()), "makes the file"),
    (lambda: os.truncate(there(), 0), "cuts the file"),
    (lambda: os.utime(there()), "changes the file"),
    (lambda: shutil.rmtree(FOLDERS[0]), "removes the file"),
    (lambda: shutil.copy(there(), new()), "writes the file"),
    (lambda: tempfile.NamedTemporaryFile(dir=FOLDERS[0]), "writes the file"),  # noqa: SIM115  # never opened
    (lambda: tempfile.mkdtemp(dir=FOLDERS[0]), "makes the folder"),
    (lambda: logging.FileHandler(new()), "writes the file"),
    (lambda: sqlite3.connect(new()), "opens the database"),
    (lambda: shelve.open(new()), "the file"),  # noqa: S301, SIM115  # never opened
    (lambda: os.mkfifo(new()), "calls os.mkfifo"),
    (lambda: os.write(1, b"text"), "calls os.write"),
    (lambda: dbm.open(new(), "n"), "the file"),  # noqa: SIM115  # as above
]
PROCESSES = [
    (lambda: subprocess.run(["true"], check=True), "starts the process 'true'"),
    (lambda: subprocess.check_output("true", shell=True), "starts the process"),
    (lambda: os.system("true"), "runs the command"),
    (lambda: os.popen("true"), "starts the process"),
    (lambda: os.fork(), "forks the process"),
    (lambda: os.execv("/bin/true", ["true"]), "replaces the process by '/bin/true'"),
    (lambda: os.execvp("true", ["true"]), "replaces the process by"),
    (lambda: os.posix_spawn("/bin/true", ["true"], {}), "starts the process '/bin/true'"),
    (lambda: os.spawnv(os.P_WAIT, "/bin/true", ["true"]), "the process"),
    (lambda: os.kill(os.getpid(), signal.SIGTERM), "sends a signal"),
    (lambda: os._exit(3), "calls os._exit"),  # the name of a public function
    (lambda: os.abort(), "calls os.abort"),
    (lambda: multiprocessing.get_context("fork").Process(target=print).start(), "forks the process"),
    (lambda: multiprocessing.get_context("spawn").Process(target=print).start(), "starts a process"),
    (lambda: concurrent.futures.ProcessPoolExecutor(1).submit(print), ""),
    (lambda: os.chdir("/"), "changes the folder of the process"),
    (lambda: os.environ.update(RETRYSIM_TEST="1"), "sets the environment variable"),
    (lambda: os.nice(0), "calls os.nice"),
    (lambda: os.waitpid(-1, 0), "calls os.waitpid"),
]
THREADS = [
    (lambda: threading.Thread(target=print, name="mine").start(), "starts a thread (mine)"),
    (lambda: threading.Timer(1, print).start(), "starts a thread"),
    (lambda: concurrent.futures.ThreadPoolExecutor().submit(print), "starts a thread"),
    (lambda: asyncio.run(asyncio.sleep(0)), "calls asyncio.run"),
    (lambda: asyncio.new_event_loop(), "calls asyncio.new_event_loop"),
]
SIGNALS = [
    (lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN), "calls signal.signal"),
    (lambda: signal.alarm(1), "calls signal.alarm"),
    (lambda: signal.setitimer(signal.ITIMER_REAL, 1), "calls signal.setitimer"),
    (lambda: signal.raise_signal(signal.SIGINT), "calls signal.raise_signal"),
    (lambda: signal.pause(), "calls signal.pause"),
]
HOST = [
    (lambda: input("how long? "), "waits for input from the terminal"),
    (lambda: sys.stdin.readline(), "reads from the terminal"),
    (lambda: list(sys.stdin), "reads from the terminal"),
    (lambda: time.clock_settime(time.CLOCK_REALTIME, 0), "calls time.clock_settime"),
    (lambda: sys.setrecursionlimit(50), "calls sys.setrecursionlimit"),
    (lambda: sys.addaudithook(print), "adds an audit hook"),
    (lambda: locale.setlocale(locale.LC_ALL, "C"), "calls locale.setlocale"),
    (lambda: importlib.reload(time), "reloads the module time"),
    (lambda: importlib.reload(sys.modules["random"]), "reloads the module random"),
    (lambda: select.select([0], [], [], 1), "waits for files"),
    (lambda: select.poll().poll(1), "calls select.poll"),
    (lambda: selectors.DefaultSelector().select(1), "calls select."),
]


@pytest.mark.parametrize(("body", "said"), [*NETWORK, *FILES, *PROCESSES, *THREADS, *SIGNALS, *HOST])
def test_it_is_refused_with_its_name_and_the_line_of_the_guest(body: Callable[[], Any], said: str) -> None:
    line = body.__code__.co_firstlineno
    text = refusal(body)
    assert text.startswith("the guest ")
    assert said in text
    assert text.endswith(f"({HERE}:{line})")


def test_a_child_is_never_made_and_no_thread_waits_to_start() -> None:
    refusal(lambda: threading.Thread(target=print, name="never").start())
    assert [thread.name for thread in threading.enumerate() if thread.name == "never"] == []


def test_a_refusal_says_what_to_do_instead() -> None:
    assert "sim.guests.transports" in refusal(lambda: socket.socket())
    assert "async def" in refusal(lambda: threading.Thread(target=print).start())
    assert "in memory" in refusal(lambda: Path(new()).write_text("new"))
    assert "':memory:'" in refusal(lambda: sqlite3.connect(new()))


@pytest.mark.parametrize("caught", [Exception, BaseException, GuestRefused])
def test_a_guest_cannot_swallow_it(caught: type[BaseException]) -> None:
    def body() -> None:
        while True:
            try:
                socket.socket()
            except caught:
                continue

    assert "opens a socket" in refusal(body)


async def _to_thread() -> None:
    await asyncio.to_thread(print)


async def _socket() -> None:
    await asyncio.sleep(1)
    socket.socket()


async def _connection() -> None:
    await asyncio.open_connection("localhost", 1)


async def _process() -> None:
    await asyncio.create_subprocess_exec("true")


@pytest.mark.parametrize("body", [_to_thread, _socket, _connection, _process])
def test_asynchronous_guests_are_refused_the_same(body: Callable[[], Any]) -> None:
    with pytest.raises(GuestRefused, match=rf"^the guest .* \({HERE}:{body.__code__.co_firstlineno + 1}\)|:\d+\)"):
        seen_in_async_guests(body, [0])


# What a guest may do.


def test_a_guest_reads_files_and_writes_to_nowhere() -> None:
    def body() -> Any:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123  # of its kind
            nowhere.write("gone")
        with contextlib.closing(sqlite3.connect(":memory:")) as database:
            (one,) = database.execute("select 1").fetchone()
        return Path(there()).read_text(), os.listdir(FOLDERS[0]), one, io.StringIO("kept").read()  # noqa: PTH208  # as above

    assert seen_in_guest(body) == ("there", os.listdir(FOLDERS[0]), 1, "kept")  # noqa: PTH208  # as above


@pytest.mark.parametrize("prefix", [False, True], ids=["beside", "elsewhere"])
def test_a_guest_imports_a_module_which_is_compiled_and_kept(
    prefix: bool,  # a parameter of a test
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, kept = tmp_path_factory.mktemp("modules"), tmp_path_factory.mktemp("kept")
    name = f"imported_by_a_guest_{prefix}"
    (place / f"{name}.py").write_text("ANSWER = 42\n")
    monkeypatch.syspath_prepend(place)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", str(kept) if prefix else None)
    importlib.invalidate_caches()
    assert seen_in_guest(lambda: importlib.import_module(name).ANSWER) == 42
    assert len(list((kept if prefix else place).rglob("*.pyc"))) == 1


@pytest.mark.parametrize("name", ["time", "random", "datetime"])
def test_a_second_copy_of_a_simulated_module_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def body() -> None:
        monkeypatch.delitem(sys.modules, name)
        __import__(name)

    assert f"loads a second copy of the module {name}" in refusal(body)


# The debugger.


def test_a_breakpoint_without_a_terminal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "breakpointhook", sys.__breakpointhook__)
    monkeypatch.setattr(os, "isatty", lambda _: False)
    assert "stops in the debugger" in refusal(lambda: breakpoint())  # noqa: T100  # what is tested


def test_a_breakpoint_of_a_tool_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[int] = []
    monkeypatch.setattr(sys, "breakpointhook", lambda: stopped.append(1))
    seen_in_guest(lambda: breakpoint())  # noqa: T100  # what is tested
    assert stopped == [1]


DEBUGGED = f"""
import sys, time
sys.path.insert(0, {str(HERE.parents[1] / "support")!r})
from in_guest import seen_in_guest

def body():
    time.sleep(3)
    x = 6
    breakpoint()
    for line in range(9):
        print("line", line)
    return x

print("seen", seen_in_guest(body))
"""


@pytest.mark.slow
def test_a_breakpoint_at_a_terminal_lets_the_debugger_ask_and_answer(tmp_path_factory: pytest.TempPathFactory) -> None:
    script = tmp_path_factory.mktemp("debugged") / "debugged.py"
    script.write_text(DEBUGGED)
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, str(script)])
    questions = [b"p x * 7\n", b"p time.monotonic()\n", *[b"p x\n"] * 9, b"c\n"]
    said = ""
    while select.select([terminal], [], [], 60)[0]:
        try:
            said += os.read(terminal, 4096).decode()
        except OSError:  # the process has ended
            break
        if said.endswith("(Pdb) "):
            os.write(terminal, questions.pop(0))
    os.waitpid(process, 0)
    assert "\n42\r" in said
    assert "\n3.0\r" in said
    assert said.count("\n6\r") == 9
    assert "seen 6" in said
