"""Real processes and real signals: whatever kills a run, nothing that was acknowledged is lost."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from sim.api.run import run
from sim.experiment import chunks
from sim.experiment.engines import EVENT
from sim.results.checkpoint import Checkpoint
from sim.scenario.load import parse

ROOT = Path(__file__).parents[2]
TEXT = """
name: killed
requests: {count: 40}
action: {latency: {lognormal: {median: 120ms, p99: 900ms}}, outcomes: {fail: 0.3, ack_lost: 0.1}}
retrier: helpers
sweep: {seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}
"""
MANY = TEXT.replace("count: 40", "count: 200").replace("10]", "10], action.effect_at: [0, 0.3, 0.6, 1]")

# Prints how many requests are done behind every acknowledged chunk, so that the test knows what must be there.
PROGRAM = """
import sys
from pathlib import Path

from sim.experiment import chunks
from sim.api.run import run
from sim.scenario.load import parse

text, out, workers, size = Path(sys.argv[1]).read_text(), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


def told(done, total, cell):
    print(done, flush=True)


if __name__ == "__main__":
    chunks.CHUNK_REQUESTS["event"] = size
    run(parse(text), engine="event", out=out, workers=workers, progress=told)
"""


class Running:
    """A run in a process of its own."""

    def __init__(self, folder: Path, text: str, workers: int, size: int = 20, **options: object) -> None:
        (folder / "program.py").write_text(PROGRAM)
        (folder / "text.yaml").write_text(text)
        self.out = folder / "out"
        self.size = size
        words = [sys.executable, "program.py", "text.yaml", self.out, str(workers), str(size)]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(  # type: ignore[call-overload]  # noqa: S603  # this interpreter
            words, cwd=folder, env=env, stdout=subprocess.PIPE, text=True, **options
        )

    def acknowledged(self, until: int) -> int:
        """Wait until so many requests are acknowledged, or the end; return how many are."""
        done = 0
        for line in self.process.stdout:
            done = int(line) // self.size * self.size
            if done >= until:
                break
        return done

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


def there(folder: Path) -> set[tuple[int, int]]:
    """Return the chunks that a killed run has left."""
    with Checkpoint(folder / "unfinished.sqlite") as checkpoint:
        return checkpoint.keys()


def undisturbed(folder: Path, text: str, size: int) -> dict[str, bytes]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(chunks.CHUNK_REQUESTS, EVENT, size)
        run(parse(text), engine=EVENT, out=folder / "undisturbed")
    return files(folder / "undisturbed")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_kill_9_loses_no_acknowledged_chunk_and_the_run_ends_with_the_same_bytes(tmp_path: Path, workers: int) -> None:
    kept: set[tuple[int, int]] = set()
    for until in (60, 300):
        running = Running(tmp_path, TEXT, workers)
        done = running.acknowledged(until)
        running.kill()
        now = there(tmp_path / "out")
        assert until <= done <= len(now) * 20
        assert kept <= now
        kept = now
    assert 0 < len(kept) < 20
    running = Running(tmp_path, TEXT, workers)
    assert running.acknowledged(10**9) == 400
    assert running.process.wait() == 0
    running.process.stdout.close()
    assert files(tmp_path / "out") == undisturbed(tmp_path, TEXT, 20)


@pytest.mark.slow
def test_workers_end_when_the_run_is_killed(tmp_path: Path) -> None:
    """They hold the other end of its pipe, which is closed when the last of them has gone."""
    running = Running(tmp_path, TEXT, 2)
    running.acknowledged(40)
    running.process.send_signal(signal.SIGKILL)
    assert running.process.stdout.read() is not None  # returns when nobody can write any more
    running.kill()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_sweep_that_is_killed_five_times_at_random_ends_with_the_same_bytes(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)  # noqa: S311  # moments, no secrets
    whole = undisturbed(tmp_path, MANY, 20)
    total = 40 * 200
    done = 0
    for _ in range(5):
        running = Running(tmp_path, MANY, 2)
        done = running.acknowledged(done + chance.randrange(total // 6))
        running.kill()
        if (tmp_path / "out" / "unfinished.sqlite").exists():
            assert done <= len(there(tmp_path / "out")) * 20
    running = Running(tmp_path, MANY, 2)
    running.acknowledged(10**9)
    assert (running.process.wait(), files(tmp_path / "out")) == (0, whole)
    running.process.stdout.close()


@pytest.mark.slow
def test_a_file_that_may_not_grow_is_told_keeps_what_is_there_and_the_run_goes_on_later(tmp_path: Path) -> None:
    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    running = Running(tmp_path, TEXT, 1, stderr=subprocess.PIPE, preexec_fn=bounded)
    done = running.acknowledged(10**9)
    _, told = running.process.communicate()
    assert (running.process.returncode, "NotStored" in told.splitlines()[-1]) == (1, True)
    assert 0 < done <= len(there(tmp_path / "out")) * 20 < 400
    running = Running(tmp_path, TEXT, 1)
    running.acknowledged(10**9)
    running.process.communicate()
    assert files(tmp_path / "out") == undisturbed(tmp_path, TEXT, 20)


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """Give a file system of 600 KB; only where one may be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(words, check=False, capture_output=True)  # noqa: S603  # words of ours
    except OSError:
        pytest.skip("there is no mount")
    if mounted.returncode != 0:
        pytest.skip("no file system may be mounted here")
    return folder


@pytest.mark.slow
def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_space(small_disk: Path) -> None:
    try:
        running = Running(small_disk, TEXT, 1, stderr=subprocess.PIPE)
        done = running.acknowledged(10**9)
        _, told = running.process.communicate()
        assert "No space left on device" in told.splitlines()[-1]
        assert 0 < done <= len(there(small_disk / "out")) * 20 < 400
        words = ["mount", "-o", "remount,size=20m", str(small_disk)]
        subprocess.run(words, check=True)  # noqa: S603  # words of ours
        running = Running(small_disk, TEXT, 1)
        running.acknowledged(10**9)
        running.process.communicate()
        assert files(small_disk / "out") == undisturbed(small_disk, TEXT, 20)
    finally:
        subprocess.run(["umount", str(small_disk)], check=True)  # noqa: S603, S607  # words of ours
