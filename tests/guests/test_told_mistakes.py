"""What the command line says of a guest's mistake: one line that names the guest's own line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sim.cli.exit_codes import INVALID_SCENARIO
from tests.support.commands import run_command

if TYPE_CHECKING:
    from pathlib import Path

    from _pytest.mark.structures import ParameterSet

SCENARIO = (
    "schema: 1\nname: small\nrequests: {count: 20}\nretrier: none\naction: {latency: 100ms, outcomes: {fail: 50%}}\n"
)
CODE = """\
import asyncio
import socket

import tenacity

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
an_interrupt = declares({"failed": KeyboardInterrupt})
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


def two_arguments(call):
    try:
        call(1, 2)
    except Exception:
        pass


async def another_argument(call):
    await call(retries=3)


class ATextAsTimeout(GuestRetrier):
    def retry(self, call):
        call("1s")


def a_truth_as_timeout(call):
    call(timeout=True)


def takes_nothing():
    return 1


async def takes_two(call, other):
    return await call()


class TakesNothing(GuestRetrier):
    def retry(self):
        return 1


class TakesTwo(GuestRetrier):
    async def retry(self, call, ctx):
        return await call()


@tenacity.retry(stop=tenacity.stop_after_attempt(1), reraise=True)
def decorated(call, other):
    return call()


class NoOptions(GuestRetrier):
    def __init__(self):
        pass


def generates(call):
    yield call()


async def generates_in_a_loop(call):
    yield await call()


def runs_a_loop(call):
    asyncio.get_event_loop().run_until_complete(asyncio.sleep(1))


async def runs_its_loop(call):
    asyncio.get_running_loop().run_until_complete(asyncio.sleep(1))


def no_memory(call):
    call_anyway(call)
    raise MemoryError


def call_anyway(call):
    try:
        call()
    except Exception:
        pass
"""


def _slow(*values: str) -> ParameterSet:
    return pytest.param(*values, marks=pytest.mark.slow)


def _with_line(place: str) -> str:
    """Put the number of the line that has the text between braces in its place."""
    before, brace, rest = place.partition("{")
    text, _, after = rest.partition("}")
    return f"{before}{CODE[: CODE.index(text)].count(chr(10)) + 1}{after}" if brace else place


@pytest.mark.parametrize(
    ("guest", "says", "place"),
    [
        ("connects", " asks for the address of 'localhost'", "told_guests.py:{socket.create})"),
        (
            "misspells",
            " has a mistake: NameError: name 'undefined' is not defined",
            "told_guests.py:{return undefined})",
        ),
        pytest.param(
            "misspells_in_a_loop",
            " has a mistake: NameError: name 'undefined' is not defined",
            "told_guests.py:{return undefined\n\n\ndef never})",
            marks=pytest.mark.slow,
        ),
        ("never_calls", " returns without having called", "told_guests.py:{never_calls})"),
        (
            "is_not_set_up",
            " ends before its first call, which no request of it ever makes then: Unset: no key",
            'told_guests.py:{raise Unset("no key")})',
        ),
        pytest.param(
            "is_not_set_up_in_a_loop",
            " ends before its first call, which no request of it ever makes then: Unset (",
            "told_guests.py:{raise Unset\n})",
            marks=pytest.mark.slow,
        ),
        pytest.param("in_a_list", "'s `errors` is ['failed']: it maps", "", marks=pytest.mark.slow),
        ("misspelled", "'s `errors` has the name 'fail'", ""),
        pytest.param("a_name", "'s `errors['failed']` is 'ConnectionError'", "", marks=pytest.mark.slow),
        pytest.param("a_number", "'s `errors['failed']` is <class 'int'>", "", marks=pytest.mark.slow),
        pytest.param("an_error", "'s `errors['failed']` is ConnectionError('no')", "", marks=pytest.mark.slow),
        ("of_two_parts", " cannot make the error TwoParts of its `errors` (TypeError", ""),
        ("an_interrupt", "'s `errors['failed']` is <class 'KeyboardInterrupt'>, which ends a program", ""),
        pytest.param(
            "of_two_parts_in_a_loop",
            " cannot make the error TwoParts of its `errors` (TypeError",
            "",
            marks=pytest.mark.slow,
        ),
        pytest.param("no_error", " makes 'no error' by <lambda> of its `errors`", "", marks=pytest.mark.slow),
        ("calls_for_another", " calls by the `call` of request 0, which is over", "told_guests.py:{first[0]()})"),
        ("NoRetry", " NoRetry has no `retry`", ""),
        ("two_arguments", " calls with `call(1, 2)`: it takes a timeout", "told_guests.py:{call(1, 2)})"),
        ("another_argument", " calls with `call(retries=3)`: it takes", "told_guests.py:{call(retries=3)})"),
        ("ATextAsTimeout", " calls with a timeout of '1s': it is", 'told_guests.py:{call("1s")})'),
        _slow("a_truth_as_timeout", " calls with a timeout of True: it is", "told_guests.py:{timeout=True})"),
        ("takes_nothing", " cannot be called with `call` alone (too many", "told_guests.py:{takes_nothing()})"),
        ("takes_two", " cannot be called with `call` alone (missing", "told_guests.py:{takes_two(})"),
        _slow("TakesNothing", " cannot be called with `call` alone (too many", "told_guests.py:{retry(self):})"),
        ("TakesTwo", " cannot be called with `call` alone (missing", "told_guests.py:{retry(self, call, ctx)})"),
        ("decorated", " cannot be called with `call` alone (missing", "told_guests.py:{tenacity.retry})"),
        ("NoOptions", " NoOptions cannot be made with its options", "told_guests.py:{__init__(self):})"),
        ("generates", " generates returns a generator, of which nothing has run", "told_guests.py:{generates(})"),
        _slow(
            "generates_in_a_loop",
            " generates_in_a_loop returns a generator",
            "told_guests.py:{_in_a_loop(call):\n    y})",
        ),
        ("runs_a_loop", " calls asyncio.get_event_loop: the simulation has", "told_guests.py:{get_event_loop})"),
        ("runs_its_loop", " asks its event loop for run_until_complete", "told_guests.py:{get_running_loop})"),
        _slow("no_memory", " has a mistake: MemoryError (", "told_guests.py:{raise Mem})"),
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
    assert line.endswith(_with_line(place))
    assert "CallFailed" not in line
