"""What only a process of its own can show: streams, signals, environment. Each costs a second, so they are few."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from sim.cli.run import FILES

Run = Callable[..., Result]
Process = Callable[..., subprocess.CompletedProcess[str]]

# A retrier that sends its own process a real Ctrl-C, at a moment that is the same every time.
INTERRUPTING = """
import os
import signal
from pathlib import Path

import sim
import sim.pictures.run_pictures

moment = os.environ["MOMENT"]


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


class Retrier(sim.LoopRetrier):
    calls = 0

    async def retry(self, call, ctx):
        Retrier.calls += 1
        if moment == "simulation" and Retrier.calls == 700:
            interrupt()
        return await call()


draw, move = sim.pictures.run_pictures.save_figures, Path.replace


def save_figures(*args, **kwargs):
    files = draw(*args, **kwargs)
    if moment == "plots":
        interrupt()
    return files


def replace(self, target):
    if moment == "moves" and self.name == "duplicates.png":
        interrupt()
    return move(self, target)


sim.pictures.run_pictures.save_figures, Path.replace = save_figures, replace
"""


# The same retrier, in a process that nobody interrupts.
def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_ctrl_c_in_the_first_chunk_ends_with_130_one_line_and_nothing_written(process: Process, folder: Path) -> None:
    (folder / "interrupting.py").write_text(INTERRUPTING)
    words = ("run", "smallest.yaml", "--requests", "1000", "--retrier", "interrupting:Retrier", "--out", "deep/out")
    done = process(*words, env={"MOMENT": "simulation"})
    assert (done.returncode, done.stderr.strip()) == (130, "interrupted; nothing was written")
    assert not (folder / "deep").exists()


def test_ctrl_c_later_keeps_what_is_done_and_says_how_to_go_on(process: Process, folder: Path) -> None:
    (folder / "interrupting.py").write_text(INTERRUPTING)
    words = ("run", "smallest.yaml", "--requests", "100", "--retrier", "interrupting:Retrier", "--out", "out")
    done = process(*words, env={"MOMENT": "plots"})
    said = "interrupted; 1 of 1 chunks are saved in 'out', and the same command resumes from there"
    assert (done.returncode, done.stderr.strip()) == (130, said)
    assert names(folder / "out") == ["source.json", "unfinished.sqlite"]
    again = process(*words, "--no-plots", env={"MOMENT": "never"})
    assert (again.returncode, again.stderr.strip()) == (0, "resuming: 1 of 1 chunks are there")


def test_ctrl_c_while_files_are_moved_comes_too_late(process: Process, folder: Path) -> None:
    (folder / "interrupting.py").write_text(INTERRUPTING)
    words = ("run", "smallest.yaml", "--requests", "10", "--retrier", "interrupting:Retrier", "--svg", "--out", "out")
    done = process(*words, env={"MOMENT": "moves"})
    assert (done.returncode, done.stderr, names(folder / "out")) == (0, "", sorted(FILES))


def test_help_needs_neither_numpy_nor_any_command(process: Process) -> None:
    program = (
        "import sys, sim.cli.main\n"
        "sys.argv = ['retrysim', '--help']\n"
        "try:\n"
        "    sim.cli.main.main()\n"
        "finally:\n"
        "    heavy = {'numpy', 'scipy', 'matplotlib', 'pydantic', 'yaml', 'rich', 'simpy', 'sim.cli.run'}\n"
        "    print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = process(program=("-c", program))
    assert (done.returncode, done.stderr) == (0, "[]\n")


def test_two_processes_give_the_same_bytes_and_nothing_on_stderr(run: Run, process: Process, folder: Path) -> None:
    """The other one prints to a closed pipe, as in `retrysim run ... | true`: it saves its files and exits the same."""
    words = ("run", "verdicts.yaml", "--requests", "60", "--out")
    first = run(*words, "one")
    read_end, write_end = os.pipe()
    os.close(read_end)
    second = process(*words, "two", env={"PYTHONHASHSEED": "2"}, stdout=write_end)
    os.close(write_end)
    assert [(first.exit_code, first.stderr), (second.returncode, second.stderr)] == [(99, ""), (99, "")]
    one, two = ({path.name: path.read_bytes() for path in (folder / out).iterdir()} for out in ("one", "two"))
    assert (sorted(one), one) == (sorted(name for name in FILES if not name.endswith(".svg")), two)


def test_what_the_terminal_cannot_say_is_spelled_out(process: Process, folder: Path) -> None:
    (folder / "names.yaml").write_text("{requests: {count: 5}, variants: {größer: {retrier: none}}}", encoding="utf-8")
    done = process("run", "names.yaml", "--no-plots", env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr, "gr\\xf6\\xdfer" in done.stdout) == (0, "", True)


def test_a_full_disk_behind_stdout_is_told_without_a_traceback(process: Process) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with full.open("w") as stdout:
        done = process("schema", stdout=stdout)
    said = "Error: cannot write the output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_a_bar_is_shown_on_a_terminal_and_only_on_stderr(process: Process) -> None:
    pty = pytest.importorskip("pty")
    own_end, terminal = pty.openpty()
    done = process("run", "smallest.yaml", "--requests", "600", "--no-plots", stderr=terminal, env={"TERM": "xterm"})
    os.close(terminal)
    shown = os.read(own_end, 1 << 16).decode()
    os.close(own_end)
    assert (done.returncode, "/600" in shown, "\x1b" in done.stdout) == (0, True, False)
