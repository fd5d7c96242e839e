"""What the command line says of a guest's mistake: one line that names the guest's own line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sim.cli.exit_codes import INVALID_SCENARIO
from tests.support.commands import run_command

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO = (
    "schema: 1\nname: small\nrequests: {count: 20}\nretrier: none\naction: {latency: 100ms, outcomes: {fail: 50%}}\n"
)
CODE = """\
import socket

from sim.guests import GuestRetrier


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


class Unset(Exception):
    pass


def is_not_set_up(call):
    raise Unset("no key")


async def is_not_set_up_in_a_loop(call):
    raise Unset


def declares(errors):
    def guest(call):
        call(timeout=1)

    guest.errors = errors
    return guest


class TwoParts(Exception):
    def __init__(self, one, other):
        super().__init__(one, other)


in_a_list = declares(["failed"])
misspelled = declares({"fail": ConnectionError})
a_name = declares({"failed": "ConnectionError"})
a_number = declares({"failed": int})
an_error = declares({"failed": ConnectionError("no")})
of_two_parts = declares({"failed": TwoParts})
no_error = declares({"failed": lambda failed: "no error"})


async def of_two_parts_in_a_loop(call):
    try:
        await call()
    except Exception:
        await call()


of_two_parts_in_a_loop.errors = {"failed": TwoParts}

first = []


def calls_for_another(call):
    first.append(call)
    first[0]()


calls_for_another.stateless = True


class NoRetry(GuestRetrier):
    pass
"""


@pytest.mark.parametrize(
    ("guest", "says", "place"),
    [
        ("connects", " asks for the address of 'localhost'", "told_guests.py:7)"),
        ("misspells", " has a mistake: NameError: name 'undefined' is not defined", "told_guests.py:12)"),
        pytest.param(
            "misspells_in_a_loop",
            " has a mistake: NameError: name 'undefined' is not defined",
            "told_guests.py:17)",
            marks=pytest.mark.slow,
        ),
        ("never_calls", " returns without having called", ""),
        (
            "is_not_set_up",
            " ends before its first call, which no request of it ever makes then: Unset: no key",
            ".py:29)",
        ),
        pytest.param(
            "is_not_set_up_in_a_loop",
            " ends before its first call, which no request of it ever makes then: Unset (",
            ".py:33)",
            marks=pytest.mark.slow,
        ),
        pytest.param("in_a_list", "'s `errors` is ['failed']: it maps", "", marks=pytest.mark.slow),
        ("misspelled", "'s `errors` has the name 'fail'", ""),
        pytest.param("a_name", "'s `errors['failed']` is 'ConnectionError'", "", marks=pytest.mark.slow),
        pytest.param("a_number", "'s `errors['failed']` is <class 'int'>", "", marks=pytest.mark.slow),
        pytest.param("an_error", "'s `errors['failed']` is ConnectionError('no')", "", marks=pytest.mark.slow),
        ("of_two_parts", " cannot make the error TwoParts of its `errors` (TypeError", ""),
        pytest.param(
            "of_two_parts_in_a_loop",
            " cannot make the error TwoParts of its `errors` (TypeError",
            "",
            marks=pytest.mark.slow,
        ),
        pytest.param("no_error", " makes 'no error' by <lambda> of its `errors`", "", marks=pytest.mark.slow),
        ("calls_for_another", " calls by the `call` of request 0, which is over", "told_guests.py:72)"),
        ("NoRetry", " NoRetry has no `retry`", ""),
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
    assert (
        result.exit_code,
        line.startswith(f"--retrier told_guests:{guest}: the guest{says}"),
    ) == (
        INVALID_SCENARIO,
        True,
    )
    assert line.endswith(place)
    assert "CallFailed" not in line
