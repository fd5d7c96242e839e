"""Repeated keys at services: the rules of `test_keys.py`, which a service looks at as the work begins."""

from typing import Any

import pytest
from told_services import ServiceTale

from sim.contracts.catalogue import PLATFORM, check_view
from sim.contracts.platform import keys
from sim.contracts.services import calls, queues
from sim.history.failure import Failure
from sim.promises.terms import KeyRules
from sim.scenario.load import from_dict
from sim.testing.histories import simulated

MS = 1_000_000
FIRST = KeyRules(100 * MS, first=True)
REJECTS = KeyRules(100 * MS, rejects=True)
FINAL = Failure(final=True, retry_after_ns=-1)
IN_USE = Failure(final=False, retry_after_ns=-1, kind="rejected.in_use")


def broken(story: ServiceTale, rules: KeyRules) -> list[str]:
    found = story.broken_by(keys.keys_are_known, keys=rules)
    return [text.partition(", which starts at ")[2].partition(", ")[2] for text in found]


def fails(story: ServiceTale, call: int, number: int, *, by_key: str = "", says: Failure | None = FINAL) -> ServiceTale:
    """A call of request 0 is worked on for 10 ms and fails."""
    story.asks(call, number, request=0).arrives(call)
    story.of(call, "work", "fail", 10 * MS, 10 * MS, -1, 0, by_key).at(story.t_ns / MS + 10)
    return story.works(call, "failed").answered(call, "threw", says)


def test_a_service_gives_the_first_failure_again(served: type[ServiceTale]) -> None:
    story = fails(served().servers(), 0, 1).at(20)
    assert broken(fails(story, 1, 2, by_key="first"), FIRST) == []


@pytest.mark.parametrize(
    ("at", "by_key", "says", "complaint"),
    [
        (20, "", FINAL, "does its work although the first answer is known"),
        (20, "first", None, "gets another error than the first"),
        (111, "first", FINAL, "gets a first answer although there is none"),
    ],
)
def test_a_service_that_forgets_its_first_answer_is_seen(
    served: type[ServiceTale], at: float, by_key: str, says: Failure | None, complaint: str
) -> None:
    story = fails(served().servers(), 0, 1).at(at)
    assert broken(fails(story, 1, 2, by_key=by_key, says=says), FIRST) == [complaint]


def in_use(story: ServiceTale, *, over: bool) -> ServiceTale:
    """A second call waits for the only server, and is rejected while the first works, or when it is over."""
    story.servers().asks(0).arrives(0).begins(0).at(10).asks(1, 2, request=0).arrives(1, 0, 1).queues(1)
    if over:
        story.at(50).add("effect", 1, "applied").works(0).answered(0)
    story.of(1, "rejected", "in_use", -1)
    return story.answered(1, "threw", IN_USE)


def test_a_key_in_use_is_rejected_at_its_turn(served: type[ServiceTale]) -> None:
    story = in_use(served(), over=False)
    assert broken(story, REJECTS) == []
    assert story.broken_by(calls.calls_go_one_way, queues.waits_end_in_time) == []


def test_a_key_that_is_free_and_rejected_is_seen(served: type[ServiceTale]) -> None:
    assert broken(in_use(served(), over=True), REJECTS) == ["is rejected although no other call has its key"]


def test_services_that_remember_keys_keep_what_they_owe() -> None:
    outcomes: dict[str, Any] = {"fail": 0.2, "ack_lost": 0.1, "crash_before_effect": 0.1, "lost_contact": 0.05}
    memory = {"window": "2s", "from": "last_seen", "answers": "first", "in_use": "rejected"}
    work = {"servers": 3, "latency": {"exponential": {"mean": "100ms"}}, "outcomes": outcomes, "idempotency": memory}
    ledger = {**work, "latency": {"constant": "5ms"}, "idempotency": {"window": "1s", "answers": "first"}}
    calls_of = [{"service": "ledger", "retrier": {"kind": "policy", "attempts": 2}}]
    scenario = {
        "world": "shared",
        "requests": {"count": 80, "arrivals": {"poisson": {"rate": "30/s"}}},
        "action": {"service": "payments"},
        "retrier": {"kind": "policy", "attempts": 4, "timeout": "200ms"},
        "classes": {"web": {"share": 0.7}, "direct": {"share": 0.3, "action": {"service": "ledger"}}},
        "services": {"payments": {**work, "queue": {"order": "lifo"}, "calls": calls_of}, "ledger": ledger},
    }
    (one,) = simulated(from_dict(scenario))
    assert any(call.work is not None and call.work.by_key for call in one.view.calls.values())
    assert check_view(one.view, PLATFORM) == []
