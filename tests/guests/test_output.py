"""What guests print comes to the error stream, marked and in few lines; what the host prints is as ever."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from guests_support import run

if TYPE_CHECKING:
    from pathlib import Path


def printed(body: Any, capsys: pytest.CaptureFixture[str], count: int = 1) -> list[str]:
    """Run a guest that prints; return the lines on the error stream. Nothing may come to the standard output."""

    def guest(call: Any) -> None:
        call()
        body()

    run(guest, count=count)
    out, err = capsys.readouterr()
    assert out == ""
    return list(err.splitlines())


def test_what_a_guest_prints_is_marked_on_the_error_stream(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(lambda: print("hello", 1), capsys) == ["the guest prints: hello 1"]
    assert printed(lambda: print("hello", file=sys.stderr), capsys) == ["the guest prints: hello"]


def test_of_many_lines_the_first_are_told_and_then_that_there_are_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(lambda: print("a\nb"), capsys, count=100) == [
        *(f"the guest prints: {letter}" for letter in "ababa"),
        "the guest prints more, which is left out",
    ]


def test_each_run_tells_its_first_lines(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert len(printed(lambda: print("line"), capsys, count=10)) == 6


def test_a_last_line_without_an_end_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(lambda: print("a", end=""), capsys, count=3) == ["the guest prints: aaa"]


def test_both_streams_have_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        print("out", end="")
        print("err", file=sys.stderr)
        print("put")

    assert printed(body, capsys) == ["the guest prints: err", "the guest prints: output"]


def test_bytes_and_characters_that_no_terminal_knows_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        sys.stdout.buffer.write(b"raw \xff\n")
        sys.stdout.buffer.flush()
        print("lone \ud800 surrogate")
        sys.stdout.writelines(["some ", "lines\n"])
        with pytest.raises(TypeError):
            sys.stdout.write(b"bytes")  # type: ignore[arg-type]  # the mistake in question
        sys.stdout.flush()

    assert printed(body, capsys) == [
        "the guest prints: raw \\xff",
        "the guest prints: lone \\ud800 surrogate",
        "the guest prints: some lines",
    ]


def test_a_line_without_end_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = printed(lambda: [print("x" * 100, end="") for _ in range(1000)], capsys)
    assert len(line) < 600
    assert line.endswith("x…")


def test_an_error_in_a_callback_of_the_loop_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    async def guest(call: Any) -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await call()

    run(guest)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("the guest prints: Exception in callback")
    assert "ZeroDivisionError: division by zero" in err
    assert err.count("\n") == 1


def test_the_streams_are_back_after_a_run_also_after_a_mistake() -> None:
    def fails(call: Any) -> None:
        raise TypeError("a mistake")

    before = sys.stdout, sys.stderr
    run(lambda call: call())
    with pytest.raises(RuntimeError):
        run(fails)
    assert (sys.stdout, sys.stderr) == before


def test_the_host_prints_as_ever_also_during_a_run_and_from_other_threads(capsys: pytest.CaptureFixture[str]) -> None:
    def guest(call: Any) -> None:
        call()
        go.set()
        done.wait_really()

    class Done:
        def __init__(self) -> None:
            self.event = threading.Event()

        def wait_really(self) -> None:
            while not self.event.is_set():
                pass

    def host() -> None:
        go.wait(10)
        print("the host's line")
        done.event.set()

    go, done = threading.Event(), Done()
    thread = threading.Thread(target=host)
    thread.start()
    run(guest)
    thread.join()
    assert capsys.readouterr() == ("the host's line\n", "")


def test_a_process_without_streams_can_run_guests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)

    def guest(call: Any) -> None:
        print("into the void")
        call()

    assert run(guest).outcomes == ["success"]


@pytest.mark.slow
def test_a_terminal_that_knows_few_characters_gets_the_others_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(written, encoding="ascii"))

    def guest(call: Any) -> None:
        print("naïve ☃", sys.stdout.isatty())
        call()

    run(guest)
    sys.stderr.flush()
    assert written.getvalue() == b"the guest prints: na\\xefve \\u2603 False\n"


NOISY = """
import logging, sys, warnings

def fetch(call):
    print("printed")
    logging.warning("logged")
    warnings.warn("warned")
    sys.stdout.buffer.write(b"raw")
    return call()
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_prints_warnings_and_logs_of_a_guest_leave_the_standard_output_of_the_command_clean(
    workers: int, tmp_path: Path
) -> None:
    (tmp_path / "noisy.py").write_text(NOISY)
    (tmp_path / "quiet.py").write_text("def fetch(call):\n    return call()\n")
    (tmp_path / "a.yaml").write_text("seed: 1\nrequests: {count: 300}\naction: {latency: 10ms}\nretrier: none\n")

    def told(guest: str) -> tuple[str, list[str]]:
        command = [sys.executable, "-m", "sim", "run", "a.yaml", "--retrier", f"{guest}:fetch", "--fresh"]
        ran = subprocess.run(  # noqa: S603  # the command itself
            [*command, "--workers", str(workers), "--no-plots"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return ran.stdout.replace(guest, "GUEST"), ran.stderr.splitlines()

    noisy, lines = told("noisy")
    quiet, _ = told("quiet")
    assert noisy.splitlines()[1:] == quiet.splitlines()[1:]
    assert lines[:2] == ["the guest prints: printed", "the guest prints: WARNING:root:logged"]
    assert lines[2].endswith("noisy.py:7: UserWarning: warned")
    assert lines[4:6] == ["the guest prints: rawprinted", "the guest prints more, which is left out"]
    assert len(lines) <= 6 * workers
