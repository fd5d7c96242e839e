"""Commands run in a folder of their own, with a few scenarios in it.

RETRYSIM_UPDATE_GOLDEN=1 writes the golden files anew, to be read as a diff.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from commands import run_command

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PLAIN = {"COLUMNS": "100", "NO_COLOR": "1"}
Run = Callable[..., Result]
Process = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that has copies of `scenarios/`; what commands change of Python's own state is put back."""
    shutil.copytree(HERE / "scenarios", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "LINES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in PLAIN.items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture
def run() -> Run:
    """Run a command line in this process; internal errors come out as they are."""

    return run_command


@pytest.fixture
def process(folder: Path) -> Process:
    """Run a command line as a process of its own (about a second each); `program` replaces `-m sim`."""

    # A shell starts what it puts in the background with Ctrl-C ignored; children inherit that, but no handler.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def run(*words: str, program: tuple[str, ...] = ("-m", "sim"), **options: object) -> object:
        env = {**os.environ, "PYTHONPATH": str(ROOT), **dict(options.pop("env", {}))}  # type: ignore[call-overload]
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": folder, **options}
        return subprocess.run([sys.executable, *program, *words], env=env, check=False, **given)  # type: ignore[call-overload]  # noqa: S603  # this interpreter

    return run  # type: ignore[return-value]


@pytest.fixture
def golden() -> Callable[[str, str, Result], None]:
    """Compare what a command line gave with the golden file of a name."""

    def compare(name: str, line: str, result: Result) -> None:
        text = f"$ {line}\n{result.stdout}"
        if result.stderr:
            text += f"--- stderr\n{result.stderr}"
        text += f"--- exit {result.exit_code}\n"
        text = "".join(f"{part.rstrip()}\n" for part in text.splitlines())
        path = HERE / "golden" / f"{name}.txt"
        if os.environ.get("RETRYSIM_UPDATE_GOLDEN") == "1":
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare
