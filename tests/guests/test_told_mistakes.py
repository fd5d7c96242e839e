"""What the command line says of a guest's mistake: one line that names the guest's own line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sim.cli.exit_codes import INVALID_SCENARIO
from tests.support.commands import run_command

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO = "schema: 1\nname: small\nrequests: {count: 3}\nretrier: none\naction: {latency: 100ms}\n"
CODE = """\
import socket


def connects(call):
    socket.create_connection(("localhost", 80))


def misspells(call):
    call()
    return undefined


async def misspells_in_a_loop(call):
    await call()
    return undefined


def never_calls(call):
    return 1
"""


@pytest.mark.parametrize(
    ("guest", "says", "place"),
    [
        ("connects", "asks for the address of 'localhost'", "told_guests.py:5)"),
        ("misspells", "has a mistake: NameError: name 'undefined' is not defined", "told_guests.py:10)"),
        ("misspells_in_a_loop", "has a mistake: NameError: name 'undefined' is not defined", "told_guests.py:15)"),
        ("never_calls", "returns without having called", ""),
    ],
)
def test_a_mistake_is_one_line_with_its_place(
    guest: str, says: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "small.yaml").write_text(SCENARIO)
    (tmp_path / "told_guests.py").write_text(CODE)
    result = run_command("run", "small.yaml", "--retrier", f"told_guests:{guest}")
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, line.startswith(f"--retrier told_guests:{guest}: the guest {says}")) == (
        INVALID_SCENARIO,
        True,
    )
    assert line.endswith(place)
    assert "CallFailed" not in line
