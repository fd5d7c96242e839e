"""`retrysim live` as a command: what it prints, how it ends, what it refuses before it serves anything."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sim.cli import live

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("jinja2")
ROOT = Path(__file__).parents[2]
Run = Callable[..., Any]
SCENARIO = "requests: {count: 50}\naction: {outcomes: {fail: 0.2}}\nretrier: helpers\n"


@pytest.fixture(autouse=True)
def scenario(folder: Path) -> Path:
    path = folder / "small.yaml"
    path.write_text(SCENARIO)
    return path


@contextmanager
def serving(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve the scenario in a process of its own; yields it and the address that it prints."""
    command = [sys.executable, "-m", "sim", "live", "small.yaml", "--no-open", *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(  # noqa: S603  # this interpreter
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "small.yaml is live at\n"
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def status(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310  # http on this machine
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.browser  # takes seconds, and belongs to those of the page
def test_two_servers_serve_at_once_each_with_its_token_and_ctrl_c_ends_with_130() -> None:
    with serving() as (first, one), serving() as (_, other):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{40,}", one)
        assert one.partition("?")[0] != other.partition("?")[0]
        assert [status(one), status(other)] == [200, 200]
        assert status(one.partition("?")[0] + "?" + other.partition("?")[2]) == 403
        # A request that is cut off by the end is no failure, and is told with no traceback.
        host, _, token = one.removeprefix("http://").partition("/?token=")
        cut_off = socket.create_connection(("127.0.0.1", int(host.partition(":")[2])))
        head = f"POST /play HTTP/1.1\r\nHost: {host}\r\nX-Retrysim-Token: {token}\r\nContent-Length: 9\r\n\r\n"
        cut_off.sendall(head.encode())
        assert status(one) == 200
        first.send_signal(signal.SIGINT)
        _, err = first.communicate(timeout=60)
        assert (first.returncode, err.strip()) == (130, "interrupted; nothing was written")
        cut_off.close()


def test_a_port_that_is_taken_is_a_wrong_command_line(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = run("live", "small.yaml", "--no-open", "--port", str(port))
    assert found.exit_code == 2
    assert f"cannot listen on port {port}" in found.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "retrier: helpers\naction: {outcomes: {fail: 2}}\n",
            "small.yaml:2:27: action.outcomes.fail: must be at most 1",
        ),
        ("retrier: helpers\ncourse: {}\n", "small.yaml:2:1: course: this is one course of events"),
        ("retrier: helpers\naction: {permanent_failure: 1}\nlimits: {events: 1}\n", "limits.events"),
    ],
)
def test_a_scenario_that_cannot_run_is_told_with_its_place(run: Run, scenario: Path, text: str, reason: str) -> None:
    scenario.write_text(text)
    found = run("live", "small.yaml", "--no-open")
    assert found.exit_code == 3
    assert reason in found.stderr


@pytest.mark.parametrize("package", ["starlette.applications", "uvicorn", "jinja2"])
def test_a_missing_package_is_told_with_its_extra(run: Run, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    from sim.report.templates import environment

    environment.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    found = run("live", "small.yaml", "--no-open")
    environment.cache_clear()
    assert found.exit_code == 2
    assert "pip install 'retrysim[live]'" in found.stderr


def test_the_line_to_copy_has_the_options_of_the_command_line_and_the_numbers() -> None:
    from sim.cli.scenario_options import Source

    source = Source("a b.yaml", 7, None, (("retrier.base", "3"), ("action.outcomes.fail", "0.1")), None)
    line = live._line(source, [("variants.my v.retrier.base", "4"), ("action.outcomes.fail", "0.5")])  # noqa: SLF001
    assert line == (
        "retrysim run 'a b.yaml' --seed 7 --set retrier.base=3 --set 'variants.my v.retrier.base=4' "
        "--set action.outcomes.fail=0.5"
    )


def test_a_browser_that_would_take_the_terminal_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    import webbrowser

    opened: list[str] = []

    class Text(webbrowser.GenericBrowser):
        def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002
            opened.append(url)
            return True

    monkeypatch.setattr(webbrowser, "get", lambda: Text("lynx"))
    live._open("http://127.0.0.1")  # noqa: SLF001
    assert opened == []
