"""Methods that code keeps apart from their class are found, among whatever else is bound in the process."""

import datetime
import functools
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from sim.guests import kept_methods
from sim.guests.kept_methods import KeptMethods


class Kept:
    """What keeps a method."""

    clock: Callable[[], Any] = datetime.datetime.now


REAL = Kept.clock


def simulated(_: type) -> str:
    return "the simulation"


@pytest.fixture
def kept() -> KeptMethods:
    return KeptMethods([(vars(datetime.datetime)["now"], classmethod(simulated))], {})


def test_a_method_is_exchanged_and_put_back(kept: KeptMethods) -> None:
    assert kept.install() == []
    try:
        assert Kept.clock() == "the simulation"
    finally:
        kept.restore()
    assert Kept.clock is REAL


class Strange:
    """It has no name, and no method of its own knows one."""

    def __call__(self, *_: Any) -> None: ...


@pytest.mark.parametrize(
    "make",
    [
        lambda: types.MethodType(functools.partial(print), 1),
        lambda: types.MethodType(Strange(), 1),
        lambda: types.MethodType(functools.cache(print), 1),
    ],
)
def test_a_method_without_a_name_is_left_alone(make: Callable[[], Any], kept: KeptMethods) -> None:
    method = make()
    kept.install()
    try:
        assert Kept.clock() == "the simulation"
    finally:
        kept.restore()
    assert method.__self__ == 1


def test_a_search_that_was_interrupted_is_made_again(kept: KeptMethods, monkeypatch: pytest.MonkeyPatch) -> None:
    class Later:
        clock: Callable[[], Any]

    def interrupted() -> None:
        raise KeyboardInterrupt

    kept.install()
    kept.restore()
    Later.clock = datetime.datetime.now
    monkeypatch.setitem(sys.modules, "one_more", types.ModuleType("one_more"))
    with monkeypatch.context() as patch:
        patch.setattr(kept_methods.gc, "get_objects", interrupted)
        with pytest.raises(KeyboardInterrupt):
            kept.install()
        kept.restore()
    assert kept.install() == []
    try:
        assert (Kept.clock(), Later.clock()) == ("the simulation", "the simulation")
    finally:
        kept.restore()


def test_nothing_is_searched_twice(kept: KeptMethods, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.install()
    kept.restore()
    monkeypatch.setattr(kept_methods.gc, "get_objects", lambda: pytest.fail("it searches again"))
    kept.install()
    kept.restore()
    assert Kept.clock is REAL


@pytest.mark.parametrize("counts", [sys.getrefcount, lambda _: 1 << 30], ids=["as they are", "of what lives for ever"])
def test_a_method_kept_since_the_last_run_is_found(
    counts: Callable[[object], int], kept: KeptMethods, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Later:
        clock: Callable[[], Any]

    monkeypatch.setattr(kept_methods.sys, "getrefcount", counts)
    kept.install()
    kept.restore()
    Later.clock = datetime.datetime.now
    kept.install()
    try:
        assert Later.clock() == "the simulation"
    finally:
        kept.restore()
    assert isinstance(Later.clock(), datetime.datetime)
