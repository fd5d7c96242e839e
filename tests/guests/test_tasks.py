"""What runs the code of a request tells its client once how that ends, or nothing if it was stopped."""

from __future__ import annotations

from contextvars import Context
from typing import Any

from sim.guests.strands import ToBegin
from sim.guests.tasks import StrandTask


class Hears:
    """A client that notes what it is told."""

    stopped = False

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def code_over(self, value: Any, error: BaseException | None) -> None:
        self.heard.append(value if error is None else error)

    def fail(self, error: Exception) -> None:
        self.heard.append(error)


class Begins(ToBegin):
    """What begins by a function, and is there at once."""

    __slots__ = ("_function",)

    def __init__(self, function: Any) -> None:
        super().__init__()
        self._function = function

    def begin(self) -> None:
        self._function()
        self.succeed()


def test_what_ends_at_once_lets_the_code_go_on() -> None:
    client = Hears()
    asked = Begins(lambda: None)
    task = StrandTask(lambda: (task.ask(asked), "over")[1], Context(), client)
    task.go_on()
    assert client.heard == ["over"]


def test_code_that_is_stopped_by_what_it_begins_never_goes_on() -> None:
    client, ran = Hears(), []
    asked = Begins(lambda: task.stop())

    def body() -> None:
        try:
            task.ask(asked)
            ran.append("on")
        finally:
            ran.append("tidied")

    task = StrandTask(body, Context(), client)
    task.go_on()
    assert (ran, client.heard, task.is_over) == (["tidied"], [], True)


def test_an_error_of_what_it_begins_is_told_and_stops_the_code() -> None:
    client, error, ran = Hears(), ValueError("no such thing"), []

    def fail() -> None:
        raise error

    def body() -> None:
        try:
            task.ask(Begins(fail))
        finally:
            ran.append("tidied")

    task = StrandTask(body, Context(), client)
    task.go_on()
    assert (ran, client.heard, client.stopped) == (["tidied"], [error], True)
