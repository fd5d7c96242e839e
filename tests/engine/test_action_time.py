"""The time that actions run, counted also if they have not ended: hangs, calls given up, cuts, deaths, `until`."""

from typing import Any

import pytest

from sim.clients.client import CallFailed
from sim.engine import vector
from sim.engine.event import simulate
from sim.engine.vector.engine import refusal
from sim.retriers.base import LoopRetrier
from sim.scenario.load import from_dict

S = 1_000_000_000


class Impatient(LoopRetrier):
    """Calls six times, each time for at most two seconds."""

    kind = "impatient"

    async def retry(self, call: Any, ctx: Any) -> None:
        del ctx
        for _ in range(6):
            try:
                await call(timeout_ms=2000)
            except CallFailed:
                continue
            return
        raise CallFailed


def ran_s(retrier: str | LoopRetrier, *outcomes: str, **more: Any) -> float:
    """Return the action time of one request in seconds; each outcome is `KIND` or `KIND LATENCY`."""
    script = [dict(zip(("outcome", "latency"), outcome.split(), strict=False)) for outcome in outcomes]
    own = retrier if isinstance(retrier, LoopRetrier) else None
    named = "none" if own is not None else retrier
    requests = {"count": 1, **more.pop("requests", {})}
    cell = from_dict({"action": {"script": script}, "retrier": named, "requests": requests, **more})
    (ran_ns,) = simulate(cell, retrier=own).action_ns.tolist()
    if own is None and refusal(cell) is None:
        assert vector.simulate(cell, range(1)).action_ns.tolist() == [ran_ns]
    return float(ran_ns) / S


STEADY = {"arrivals": {"constant": {"rate": "1/s"}}}
NO_LIMIT = {"platform": {"action_time_limit": "none"}}


def canceled(after: str, target: str = "request") -> dict[str, Any]:
    return {"cancel": {"share": 1, "after": {"constant": after}, "target": target}}


def test_calls_that_hang_count_until_their_client_gives_up_on_them() -> None:
    assert ran_s(Impatient(), "hang") == 12


@pytest.mark.parametrize(
    "world",
    [
        {"action": {"weather": [{"outage": {"from": "0s", "to": "1h", "outcomes": {"hang": 1.0}}}]}},
        {"world": "shared", "action": {"service": "db"}, "services": {"db": {"outcomes": {"hang": 1.0}}}},
    ],
    ids=["in an outage", "at a service"],
)
def test_hangs_count_as_long_wherever_they_come_from(world: dict[str, Any]) -> None:
    cell = from_dict({"retrier": "none", "requests": {"count": 1}, **world})
    assert simulate(cell, retrier=Impatient()).action_ns.tolist() == [12 * S]


def test_calls_that_are_given_up_and_go_on_count_to_their_end() -> None:
    assert ran_s(Impatient(), "success 60s") == 6 * 60


def test_a_call_under_way_counts_up_to_the_end_of_the_observation() -> None:
    assert ran_s("none", "success 60s", until="30s") == 30


def test_calls_that_are_given_up_and_go_on_count_up_to_the_end_of_the_observation() -> None:
    assert ran_s(Impatient(), "success 60s", until="30s") == 30 + 28 + 26 + 24 + 22 + 20


def test_calls_that_hang_count_no_longer_for_a_longer_observation() -> None:
    assert ran_s(Impatient(), "hang", until="30s") == 12


def test_a_call_that_hangs_counts_up_to_the_end_of_the_observation_if_nobody_gives_up() -> None:
    assert ran_s("none", "hang", until="30s") == 30


def test_a_call_that_hangs_counts_until_its_request_is_canceled() -> None:
    assert ran_s("none", "hang", **canceled("7s")) == 7


def test_a_call_goes_on_behind_the_cancel_of_its_request() -> None:
    assert ran_s("none", "success 60s", **canceled("7s")) == 60


def test_an_endless_hang_that_nobody_waits_out_has_no_time() -> None:
    assert ran_s("none", "hang") == 0


@pytest.mark.parametrize("kind", ["article", "helpers", "component"])
def test_a_hang_counts_up_to_the_time_limit(kind: str) -> None:
    assert ran_s(kind, "hang", "success 1s") == 601


@pytest.mark.parametrize("kind", ["article", "helpers", "component"])
def test_an_action_under_way_counts_up_to_the_end_of_the_observation(kind: str) -> None:
    assert ran_s(kind, "success 60s", until="30s") == 30
    assert ran_s(kind, "hang", until="30s") == 30


@pytest.mark.parametrize("kind", ["article", "helpers", "component"])
def test_an_action_counts_to_its_end_although_its_request_was_canceled(kind: str) -> None:
    assert ran_s(kind, "success 60s", **canceled("7s")) == 60
    assert ran_s(kind, "success 60s", until="30s", **canceled("7s")) == 30


def test_without_a_time_limit_a_hang_counts_until_its_request_settles() -> None:
    assert ran_s("component", "hang", **NO_LIMIT, **canceled("7s")) == 7


def test_an_action_out_of_sight_counts_up_to_the_end_of_the_observation() -> None:
    assert ran_s("article", "lost_contact 60s", "success 1s") == 60 + 1
    assert ran_s("article", "lost_contact 60s", "success 1s", until="59s") == 59 + 1


def test_a_restart_ends_what_runs() -> None:
    fault = {"restart": {"at": ["10s"], "down": "5s"}}
    shared = {"world": "shared", "faults": [fault], "platform": {"profile": "ideal"}, "requests": STEADY}
    assert ran_s("component", "success 60s", until="12s", **shared) == 10


def test_in_a_shared_world_the_calls_under_way_count_up_to_its_end() -> None:
    cell = from_dict(
        {
            "world": "shared",
            "action": {"latency": {"constant": "60s"}},
            "retrier": "none",
            "requests": {"count": 5, "arrivals": {"constant": {"rate": "1/s"}}},
            "until": "30s",
        }
    )
    requests = simulate(cell)
    assert len(requests)
    assert requests.action_ns.tolist() == (30 * S - requests.submitted_ns).tolist()


def test_what_a_limit_of_events_cuts_off_counts_up_to_that_instant() -> None:
    cell = from_dict(
        {
            "world": "shared",
            "action": {"latency": {"constant": "60s"}},
            "retrier": "none",
            "requests": {"count": 5, "arrivals": {"constant": {"rate": "1/s"}}},
            "limits": {"events": 3},
        }
    )
    requests = simulate(cell)
    last_ns = int(requests.submitted_ns.max())
    assert requests.action_ns.tolist() == (last_ns - requests.submitted_ns).tolist()
