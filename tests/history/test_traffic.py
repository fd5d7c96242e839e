"""The log of calls: a row for each, in the order of sending, and what shared worlds write into it."""

from collections.abc import Callable

import numpy as np

from sim.clients.client import Call, CallFailed, ClientContext
from sim.engine.event import simulate_replication
from sim.history.records import Requests
from sim.history.traffic import NO_SERVICE, UNLIMITED, CallEnd, CallLog, Calls, Traffic
from sim.history.vocabulary import NEVER
from sim.promises.promises import Promises
from sim.retriers.base import LoopRetrier, Retrier
from sim.scenario.load import from_dict

MS = 1_000_000


def log_of_three() -> CallLog:
    log = CallLog()
    first = log.send(0, 1, 10)
    second = log.send(1, 1, 20, service=2, caller=1)
    second.arrived_ns, second.began_ns, second.slept_ns = 25, 30, 7
    log.send(0, 2, 30)
    log.over(second, CallEnd.failed, 40)
    first.given_up_ns = 15
    log.over(first, CallEnd.success, 50)
    return log


def test_rows_come_in_the_order_of_sending_whenever_they_are_over() -> None:
    calls = log_of_three().traffic(3, 60).calls
    assert calls.sent_ns.tolist() == [10, 20, 30]
    assert calls.over_ns.tolist() == [50, 40, NEVER]
    assert [CallEnd(code).name for code in calls.end] == ["success", "failed", "open"]


def test_a_row_keeps_what_was_noted() -> None:
    calls = log_of_three().traffic(3, 60).calls
    second = {name: int(getattr(calls, name)[1]) for name in Calls.__slots__}
    assert second == {
        "replication": 3,
        "request": 1,
        "service": 2,
        "caller": 1,
        "number": 1,
        "sent_ns": 20,
        "arrived_ns": 25,
        "began_ns": 30,
        "ended_ns": 40,
        "over_ns": 40,
        "given_up_ns": NEVER,
        "effect_ns": NEVER,
        "slept_ns": 7,
        "end": CallEnd.failed,
    }


def test_a_call_that_ended_before_it_was_over_keeps_its_end() -> None:
    log = CallLog()
    call = log.send(0, 1, 0)
    call.ended_ns = 5
    log.over(call, CallEnd.success, 9)
    calls = log.traffic(0, 10).calls
    assert (calls.ended_ns.tolist(), calls.over_ns.tolist()) == ([5], [9])


def test_a_call_is_over_once() -> None:
    log = CallLog()
    call = log.send(0, 1, 0)
    log.over(call, CallEnd.success, 5)
    log.over(call, CallEnd.cut, 9)
    assert log.traffic(0, 10).calls.over_ns.tolist() == [5]


def test_reading_the_log_does_not_end_it() -> None:
    log = log_of_three()
    first, again = log.traffic(3, 60), log.traffic(3, 60)
    assert all(np.array_equal(getattr(first.calls, name), getattr(again.calls, name)) for name in Calls.__slots__)


def test_capacities_are_in_the_order_of_services_then_of_time() -> None:
    log = CallLog()
    log.capacity(1, UNLIMITED, 0)
    log.capacity(0, 10, 0)
    log.capacity(0, 2, 20)
    found = log.traffic(5, 30).capacities
    assert list(zip(found.service.tolist(), found.from_ns.tolist(), found.servers.tolist(), strict=True)) == [
        (0, 0, 10),
        (0, 20, 2),
        (1, 0, UNLIMITED),
    ]
    assert found.replication.tolist() == [5, 5, 5]


def test_an_empty_log_has_tables_without_rows() -> None:
    found = CallLog().traffic(0, 7)
    assert (len(found.calls), len(found.capacities), found.observed_ns.tolist()) == (0, 0, [7])


def test_replications_are_joined_in_order() -> None:
    joined = Traffic.concatenate([log_of_three().traffic(at, 60 + at) for at in range(3)])
    assert joined.calls.replication.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert joined.observed_ns.tolist() == [60, 61, 62]


class Patient(LoopRetrier):
    """Calls up to three times, with a timeout of 200 ms, and sleeps 70 ms in between, in two parts."""

    def promises(self) -> Promises:
        return Promises(attempts_at_most=3)

    async def retry(self, call: Call, ctx: ClientContext) -> object:
        for _ in range(2):
            try:
                return await call(timeout_ms=200)
            except CallFailed:
                await ctx.sleep(30)
                await ctx.sleep(40)
        return await call(timeout_ms=200)


def world(retrier: Callable[[], Retrier] | None = None) -> tuple[Requests, Calls]:
    scenario = from_dict(
        {
            "world": "shared",
            "requests": {"count": 60, "arrivals": {"poisson": {"rate": "20/s"}}},
            "action": {"latency": {"exponential": {"mean": "300ms"}}, "outcomes": {"fail": 0.3, "hang": 0.05}},
            "retrier": "component",
            "until": "60s",
        }
    )
    requests, traffic = simulate_replication(scenario, retrier=retrier)
    return requests, traffic.calls


def test_each_attempt_of_a_port_has_a_row() -> None:
    requests, calls = world()
    assert np.bincount(calls.request, minlength=60).tolist() == requests.attempts.tolist()
    assert set(calls.service.tolist()) == set(calls.caller.tolist()) == {NO_SERVICE}


def test_attempts_of_a_request_are_numbered_from_1() -> None:
    _, calls = world()
    for request in range(60):
        numbers = calls.number[calls.request == request].tolist()
        assert numbers == list(range(1, len(numbers) + 1))


def test_a_retrier_of_the_deployment_does_not_sleep() -> None:
    _, calls = world()
    assert set(calls.slept_ns.tolist()) == {NEVER}


def test_effects_of_calls_are_those_of_their_requests() -> None:
    requests, calls = world()
    done = np.bincount(calls.request[calls.effect_ns != NEVER], minlength=60)
    assert done.tolist() == requests.effects.tolist()


def test_a_call_that_times_out_is_given_up_then_and_goes_on() -> None:
    _, calls = world(Patient)
    gone = calls.given_up_ns != NEVER
    assert set((calls.given_up_ns - calls.sent_ns)[gone].tolist()) == {200 * MS}
    later = gone & (calls.over_ns != NEVER)
    assert later.any()
    assert (calls.over_ns > calls.given_up_ns)[later].all()


def test_a_call_that_was_answered_was_not_given_up() -> None:
    _, calls = world(Patient)
    heard = calls.given_up_ns == NEVER
    assert heard.any()
    assert (calls.over_ns - calls.sent_ns)[heard].max() <= 200 * MS


def test_a_loop_says_how_long_it_slept_before_each_call_but_the_first() -> None:
    _, calls = world(Patient)
    assert set(calls.slept_ns[calls.number == 1].tolist()) == {NEVER}
    assert set(calls.slept_ns[calls.number > 1].tolist()) == {70 * MS}
