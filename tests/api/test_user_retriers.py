"""Retriers written in different styles that keep their promises: no check of a run finds anything."""

from typing import Any

import pytest
from loops import LOOPS, POOLS, Loop, Month, Overflowing

from sim.api.check import check
from sim.promises.promises import Promises
from sim.scenario.load import from_dict

FAILING: dict[str, Any] = {"latency": {"exponential": {"mean": "40ms"}}, "outcomes": {"fail": 0.6, "ack_lost": 0.1}}
TELLING: dict[str, Any] = {
    "latency": {"exponential": {"mean": "40ms"}},
    "outcomes": {"fail": {"share": 0.6, "final": 0.05, "retry_after": {"uniform": {"low": "0s", "high": "700ms"}}}},
}
WORLDS: dict[str, dict[str, Any]] = {
    "alone": {"action": FAILING},
    "errors that say something": {"action": TELLING},
    "cut": {"action": FAILING, "until": "1500ms"},
    "canceled": {"action": FAILING, "cancel": {"share": 0.7, "after": {"exponential": {"mean": "500ms"}}}},
    "shared": {"action": FAILING, "world": "shared", "requests": {"count": 150}, "replications": 2},
}


def broken(world: dict[str, Any], retrier: Any, seed: int, count: int = 400) -> dict[str, str]:
    kind = "article" if retrier in POOLS else "none"
    given = {"retrier": kind, "requests": {"count": count}, **world, "seed": seed}
    [cell] = check(from_dict(given), retrier=retrier).cells
    return {name: broken.violation.text for name, broken in cell.firsts.items()}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("retrier", LOOPS, ids=lambda one: one.__name__)
def test_a_loop_that_keeps_its_promises_is_not_blamed(retrier: Any, world: str, seed: int) -> None:
    assert broken(WORLDS[world], retrier, seed) == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("world", ["alone", "cut", "shared"])
@pytest.mark.parametrize("retrier", POOLS, ids=lambda one: one.__name__)
def test_a_pool_with_a_table_of_its_own_is_not_blamed(retrier: Any, world: str, seed: int) -> None:
    assert broken(WORLDS[world], retrier, seed) == {}


ALWAYS = {"action": {"latency": {"constant": "1ms"}, "outcomes": {"fail": 1.0}}}


def test_a_law_that_overflows_where_the_wait_is_at_its_cap_is_kept() -> None:
    assert broken(ALWAYS, Overflowing, 1, count=2) == {}


class Hasty(Overflowing):
    """After 1050 failures it waits half as long as its law says, where the formula of the law overflows."""

    def wait_ms(self, at: Any) -> float:
        return super().wait_ms(at) / (2 if at.failure > 1050 else 1)


def test_a_wait_off_a_law_that_overflows_is_found() -> None:
    found = broken(ALWAYS, Hasty, 1, count=1)
    assert found["delays-in-law"] == "request 0 waits 2ms after failure 1051, but the law says 4ms"


class Late(Month):
    """Gives up a second after its deadline."""

    def promises(self) -> Promises:
        return Promises(deadline_ns=round(self.deadline_ms * 1e6) - 10**9)


def test_a_deadline_after_30_days_is_missed_by_a_second() -> None:
    hanging = {"action": {"latency": {"constant": "40d"}}}
    assert set(broken(hanging, Late, 1, count=1)) == {"deadline-holds"}
    assert broken(hanging, Month, 1, count=1) == {}


class Forever(Loop):
    """Calls without a timeout, and says so as infinity."""

    def promises(self) -> Promises:
        return Promises(attempts_at_most=1, timeout_ms=float("inf"))

    async def retry(self, call: Any, ctx: Any) -> Any:
        del ctx
        return await call(timeout_ms=float("inf"))


def test_a_timeout_of_infinity_is_none() -> None:
    assert broken(ALWAYS, Forever, 1, count=3) == {}
