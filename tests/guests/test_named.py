"""What a command line names as a guest: functions, objects that can be called, and classes of guests."""

from typing import Any

import pytest

from sim.engine.world import World
from sim.guests import named
from sim.history.vocabulary import Outcome
from sim.scenario.load import parse

ISOLATED = "{requests: {count: 2}, action: {script: [{outcome: success, latency: 5ms}]}, retrier: none}"
MODULE = """
import functools
from dataclasses import dataclass

from sim.guests import GuestRetrier


def plain(call):
    return call()


async def asynchronous(call):
    return await call()


@dataclass
class Client:
    timeout: float = 1.0

    def __call__(self, call):
        return call(timeout=self.timeout)


an_object = Client()
a_method = Client().__call__


async def _with_timeout(timeout, call):
    return await call(timeout=timeout)


partial = functools.partial(_with_timeout, 1)


class AGuest(GuestRetrier):
    kind = "mine"

    def retry(self, call):
        return call()


number = 3
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("named")
    (folder / "of_all_kinds.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield "of_all_kinds"


NAMES = ["plain", "asynchronous", "an_object", "a_method", "partial", "AGuest"]


@pytest.mark.parametrize("name", NAMES)
def test_a_thing_that_can_be_called_or_is_a_guest_serves_requests(name: str, module: str) -> None:
    requests = World(parse(ISOLATED), retrier=named.load(f"{module}:{name}")).isolated(range(2))
    assert [request.outcome for request in requests] == [Outcome.success] * 2


@pytest.mark.parametrize("name", NAMES)
def test_a_name_stands_for_one_class_of_guests(name: str, module: str) -> None:
    assert named.load(f"{module}:{name}") is named.load(f"{module}:{name}")


def test_a_name_that_means_something_else_meanwhile_stands_for_that(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = named.load(f"{module}:plain")
    monkeypatch.setattr(f"{module}.plain", lambda call: call())
    assert named.load(f"{module}:plain") is not before


def test_what_cannot_be_called_is_told(module: str) -> None:
    with pytest.raises(TypeError, match="'of_all_kinds:number' is neither a ScheduledRetrier"):
        named.load(f"{module}:number")
