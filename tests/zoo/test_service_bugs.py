"""Bugs planted in services: `--check` of a scenario that fits catches each by the invariant that is meant for it."""

from typing import Any

import pytest
from serving import Insistent

from sim.api.check import check
from sim.contracts.catalogue import PLATFORM
from sim.engine import services as engine
from sim.scenario.load import from_dict
from sim.world.services.capacity import Capacity
from sim.world.services.service import Receiver, Service
from sim.world.services.slowdown import Pace
from sim.world.services.tokens import TokenBucket
from sim.world.services.versioned_row import VersionedRowService
from sim.world.services.waiting import Waiting
from sim.world.services.work import QueueingService

Place = tuple[Any, str, tuple[str, str]]

HELD = tuple(one for one in PLATFORM if one.search.__module__.startswith("sim.contracts.services"))
BUSY: dict[str, Any] = {"servers": 2, "latency": {"uniform": {"low": "10ms", "high": "60ms"}}}
SCENARIOS: dict[str, dict[str, Any]] = {
    "queue": {"db": {**BUSY, "queue": {"limit": 4, "max_wait": "60ms"}}},
    "lifo": {"db": {**BUSY, "queue": {"order": "lifo"}}},
    "dropped": {"db": {**BUSY, "queue": {"abandoned": "dropped"}}},
    "legs": {"db": {**BUSY, "network": {"request": {"constant": "5ms"}, "reply": {"constant": "5ms"}}}},
    "rate": {"db": {**BUSY, "rate_limit": {"rate": "30/s", "burst": 2, "retry_after": "next"}}},
    "full bucket": {"db": {**BUSY, "rate_limit": {"rate": "200/s"}}},
    "shed": {"db": {**BUSY, "shed": {"when": "inside >= 3"}}},
    "capacity": {"db": {**BUSY, "capacity": [{"from": "100ms", "to": "300ms", "servers": 1}]}},
    "slow": {"db": {**BUSY, "slowdown": {"curve": [[0, 1.0], [4, 3.0]]}}},
    "outcomes": {
        "db": {
            **BUSY,
            "effect_at": 0.5,
            "outcomes": dict.fromkeys(("fail", "ack_lost", "crash_before_effect", "crash_after_effect"), 0.15),
        }
    },
    "layers": {
        "db": {**BUSY, "calls": [{"service": "ledger", "timeout": "50ms"}, {"service": "row"}]},
        "ledger": {**BUSY, "outcomes": {"fail": 0.2}, "idempotency": {"window": "1s"}},
        "row": {"kind": "versioned_row", "network": {"request": {"constant": "5ms"}}},
    },
    "row": {"db": {"kind": "versioned_row", "network": {"request": {"uniform": {"low": "5ms", "high": "50ms"}}}}},
    "canceled": {"db": BUSY},
}
CANCELS: dict[str, Any] = {"kind": "policy", "hedge": {"after": "10ms", "cancels": True}}

BUGS: dict[str, tuple[str, str, list[Place]]] = {
    # what is wrong: (the invariant meant for it, the scenario, the changed methods)
    "a lifo queue serves the first": (
        "calls-served-in-order",
        "lifo",
        [(Waiting, "take", ("line.popitem(last=self.takes_last)", "line.popitem(last=False)"))],
    ),
    "one call too many is worked on": (
        "servers-respected",
        "queue",
        [
            (
                Service,
                "arrive",
                ("self.in_progress < self.capacity.servers", "self.in_progress <= self.capacity.servers"),
            )
        ],
    ),
    "a server that is free takes none of those that wait": (
        "no-server-idles",
        "queue",
        [(Service, "finish", ("        self._admit()\n", ""))],
    ),
    "one call too many waits": (
        "queue-limits-hold",
        "queue",
        [(Service, "arrive", ("len(self.waiting) >= self._limit", "len(self.waiting) > self._limit"))],
    ),
    "a wait has no end": (
        "waits-end-in-time",
        "queue",
        [(Service, "_wait", ("if self._max_wait_ns is not None:", "if False:"))],
    ),
    "a call that arrives is told of itself": (
        "arrivals-count-calls",
        "queue",
        [
            (
                Service,
                "arrive",
                ("(len(self.waiting), self.in_progress, tokens)", "(len(self.waiting), self.in_progress + 1, tokens)"),
            )
        ],
    ),
    "abandoned calls are served": (
        "only-abandoned-dropped",
        "dropped",
        [(Service, "_admit", ("self._drops and visit.attempt.given_up", "False"))],
    ),
    "all calls that waited are dropped": (
        "only-abandoned-dropped",
        "dropped",
        [(Service, "_admit", ("self._drops and visit.attempt.given_up", "self._drops"))],
    ),
    "the bucket overflows": (
        "rate-limits-hold",
        "full bucket",
        [(TokenBucket, "_fill", ("min(self._most, ", "max(0, "))],
    ),
    "the named wait is a moment too short": (
        "rate-limits-hold",
        "rate",
        [
            (
                TokenBucket,
                "take",
                ("return -(-(self._token - level) // self._gain)", "return (self._token - level) // self._gain"),
            )
        ],
    ),
    "load is shed too late": (
        "load-shed-as-stated",
        "shed",
        [(Service, "_sheds", ("< shed.when.at_least", "<= shed.when.at_least"))],
    ),
    "servers that are gone never come back": (
        "servers-change-as-planned",
        "capacity",
        [(Capacity, "_turn", ("state.is_on = not state.is_on", "state.is_on = True"))],
    ),
    "work is slowed by itself": (
        "work-slows-as-stated",
        "slow",
        [(Pace, "work_ns", ("self._factor(others)", "self._factor(others + 1)"))],
    ),
    "work takes a moment too long": (
        "work-takes-its-time",
        "queue",
        [(QueueingService, "work", ("clock.set_timer(visit, end_ns)", "clock.set_timer(visit, end_ns + 1)"))],
    ),
    "work has what its service has not": (
        "work-goes-as-stated",
        "queue",
        [(QueueingService, "work", ("visit.outcome = outcome\n", 'visit.outcome = outcome = "ack_lost"\n'))],
    ),
    "a crash has its effect all the same": (
        "service-effects-happen",
        "outcomes",
        [(QueueingService, "_unusual", ("int(moment * effect_ns), None", "int(moment * effect_ns), effect_ns"))],
    ),
    "an effect comes twice": (
        "service-effects-happen",
        "outcomes",
        [
            (
                QueueingService,
                "_effect",
                ("self._apply(timer.visit)", "self._apply(timer.visit); self._apply(timer.visit)"),
            )
        ],
    ),
    "a rejected call has an effect": (
        "service-effects-happen",
        "queue",
        [
            (
                Service,
                "_reject",
                ("        self.reply(visit)\n", "        self.apply(visit, None)\n        self.reply(visit)\n"),
            )
        ],
    ),
    "calls take no time to arrive": (
        "calls-arrive",
        "legs",
        [(Receiver, "begin", ("self.go(self.way_there, visit", "self.go(None, visit"))],
    ),
    "a call that finds the queue full is worked on beside": (
        "calls-go-one-way",
        "queue",
        [
            (
                Service,
                "_reject",
                ("        self.reply(visit)\n", "        self.reply(visit)\n        self.work(visit, 0)\n"),
            )
        ],
    ),
    "answers take no time": (
        "calls-answered",
        "legs",
        [(Receiver, "reply", ("self.go(self.way_back, visit", "self.go(None, visit"))],
    ),
    "a rejection tells of a success": (
        "calls-answered",
        "queue",
        [(Service, "_reject", ("visit.end, visit.how = end, THREW", 'visit.end, visit.how = end, "returned"'))],
    ),
    "a timeout of a call ends nothing": (
        "layers-called-in-turn",
        "layers",
        [(engine.CallOfService, "call", ("if self._timeout_ns is not None:", "if False:"))],
    ),
    "the second call is made beside the first": (
        "layers-called-in-turn",
        "layers",
        [
            (
                QueueingService,
                "_call",
                (
                    "        call = self.layers[number].call(visit, done)\n",
                    "        for layer in self.layers[number:]:\n            call = layer.call(visit, done)\n",
                ),
            )
        ],
    ),
    "calls forget the key of their request": (
        "repeated-calls-recognized",
        "layers",
        [(engine.CallOfService, "call", ("request.key = _key_at(root.at(self._target.name))", "request.key = None"))],
    ),
    "a call goes on although its caller has canceled it": (
        "cancels-stop-calls",
        "canceled",
        [(Receiver, "_hear_cancel", ("            self.stop_visit(visit)\n", ""))],
    ),
    "an old version counts": (
        "row-versions-hold",
        "row",
        [(VersionedRowService, "_write", ("visit.seen == self.version", "True"))],
    ),
}


def broken_in(name: str) -> set[str]:
    """Return what a check of a scenario finds broken."""
    scenario = from_dict(
        {
            "name": "zoo",
            "seed": 3,
            "world": "shared",
            "requests": {"count": 40, "arrivals": {"constant": {"rate": "70/s"}}},
            "action": {"service": "db"},
            "services": SCENARIOS[name],
            "retrier": CANCELS if name == "canceled" else "none",
        }
    )
    checked = check(scenario, retrier=None if name == "canceled" else Insistent, invariants=HELD)
    return {broken for cell in checked.cells for broken in cell.broken}


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_caught_by_the_invariant_meant_for_it(zoo: Any, name: str) -> None:
    meant, scenario, places = BUGS[name]
    with zoo.planted(*places):
        assert meant in broken_in(scenario)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_original_breaks_nothing_in_the_same_scenarios(name: str) -> None:
    assert broken_in(name) == set()


def test_every_invariant_of_services_catches_a_bug() -> None:
    assert {meant for meant, _, _ in BUGS.values()} == {one.name for one in HELD}
