"""Fixtures of the scenario tests; RETRYSIM_UPDATE_GOLDEN=1 writes the golden files anew, to be read as a diff."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with data files, good and bad."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "good.csv").write_text("status,latency_ms\n200,1.5\n200,2\n500,10\n")
    (data / "arrivals.csv").write_text("at_s\n0\n0.5\n2\n")
    (data / "bad-row.csv").write_text("status,latency_ms\n200,1.5\n200,fast\n")
    (data / "short-row.csv").write_text("status,latency_ms\n200\n")
    (data / "no-rows.csv").write_text("status,latency_ms\n")
    (data / "empty.csv").write_text("")
    (data / "latin.csv").write_bytes(b"latency_ms\n1\n\xe9\n")
    (data / "large.csv").touch()
    os.truncate(data / "large.csv", (64 << 20) + 1)
    os.mkfifo(data / "pipe.csv")
    (data / "loop.csv").symlink_to("loop.csv")
    (data / "out.csv").symlink_to("/etc/hostname")
    return tmp_path


@pytest.fixture
def check_golden() -> Callable[[str, str], None]:
    """Compare a text with a golden file."""

    def check(name: str, text: str) -> None:
        path = HERE / "golden" / f"{name}.txt"
        if os.environ.get("RETRYSIM_UPDATE_GOLDEN") == "1":
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return check
