"""What a service does with calls: order, limits, waits, slow work, answers, and what a timeout leaves behind."""

import pytest
from served import Patient, Served, serve

from sim.clients.client import CallFailed
from sim.history.records import COLUMNS
from sim.history.service_events import LayerEffect, ServersChanged
from sim.retriers.base import LoopRetrier

ONE_SERVER = """
requests: {count: 4, arrivals: {constant: {rate: 100/s}}}
action: {service: db}
services: {db: {servers: 1, latency: {constant: 25ms}, queue: {QUEUE}}}
"""


def queue(options: str) -> Served:
    return serve(ONE_SERVER.replace("QUEUE", options))


# The queue.


def test_calls_wait_for_a_server_and_begin_as_it_is_free() -> None:
    assert queue("order: fifo").ms("began_ns") == [0, 25, 50, 75]


def test_fifo_serves_the_first_that_came() -> None:
    assert queue("order: fifo").ms("ended_ns") == [25, 50, 75, 100]


def test_lifo_serves_the_last_that_came() -> None:
    # At 25 ms calls 1 and 2 wait; at 50 ms calls 1 and 3 do.
    assert queue("order: lifo").ms("began_ns") == [0, 75, 25, 50]


def test_a_call_that_finds_the_queue_full_is_rejected_at_once() -> None:
    served = queue("limit: 1")
    assert served.ends == ["success", "success", "rejected_queue", "success"]
    assert served.ms("ended_ns")[2] == 20


def test_a_queue_without_places_rejects_every_call_that_finds_no_server() -> None:
    assert queue("limit: 0").ends == ["success", "rejected_queue", "rejected_queue", "success"]


def test_a_call_that_waited_too_long_is_rejected_then() -> None:
    served = queue("max_wait: 20ms")
    assert served.ends == ["success", "success", "rejected_max_wait", "success"]
    assert served.ms("ended_ns")[2] == 40


def test_a_rejected_call_was_never_worked_on() -> None:
    assert queue("limit: 1").ms("began_ns")[2] == -1


def test_as_many_calls_are_worked_on_as_there_are_servers() -> None:
    served = serve(ONE_SERVER.replace("QUEUE", "").replace("servers: 1", "servers: 2"))
    assert served.ms("began_ns") == [0, 10, 25, 35]


def test_without_a_limit_of_servers_no_call_waits() -> None:
    text = "requests: {count: 3}\naction: {service: db}\nservices: {db: {latency: {constant: 25ms}}}"
    assert serve(text).ms("began_ns") == [0, 0, 0]


# What a caller's timeout leaves behind.

SLOW = """
requests: {count: 1}
action: {service: db}
services: {db: {servers: 1, latency: {constant: 100ms}, queue: {abandoned: WORD}, idempotency: none}}
"""


def abandoned(word: str) -> Served:
    return serve(SLOW.replace("WORD", word), Patient(10, 10, 500))


def test_work_that_was_given_up_is_served_all_the_same() -> None:
    served = abandoned("served")
    assert served.ms("began_ns") == [0, 100, 200]
    assert served.ms("given_up_ns") == [10, 20, -1]


def test_an_effect_comes_although_its_caller_has_gone() -> None:
    assert abandoned("served").requests.effects.tolist() == [3]


def test_waiting_work_that_was_given_up_is_dropped_at_its_turn() -> None:
    served = abandoned("dropped")
    assert served.ends == ["success", "dropped", "success"]
    assert served.ms("began_ns") == [0, -1, 100]


def test_work_that_has_begun_is_never_dropped() -> None:
    assert abandoned("dropped").requests.effects.tolist() == [2]


# Others.


@pytest.mark.parametrize("first", [True, False])
def test_a_service_that_no_caller_uses_changes_no_request(first: bool) -> None:  # noqa: FBT001  # a parameter of pytest
    used = "db: {servers: 2, latency: {exponential: {mean: 30ms}}, outcomes: {fail: 0.3}}"
    unused = "other: {servers: 1, latency: {exponential: {mean: 30ms}}, outcomes: {fail: 0.3}}"
    head = "retrier: {kind: policy, attempts: 3}\nrequests: {count: 50}\naction: {service: db}\n"
    alone = serve(f"{head}services: {{{used}}}").requests
    beside = serve(f"{head}services: {{{', '.join((unused, used) if first else (used, unused))}}}").requests
    assert all((getattr(alone, name) == getattr(beside, name)).all() for name in COLUMNS)


# The work.


def test_work_slows_down_by_each_other_call_in_progress() -> None:
    text = """
requests: {count: 3}
action: {service: db}
services: {db: {latency: {constant: 50ms}, slowdown: {per_call: 10ms}}}
"""
    assert serve(text).ms("ended_ns") == [50, 60, 70]


def test_the_network_takes_its_time_both_ways() -> None:
    text = """
requests: {count: 1}
action: {service: db}
services: {db: {latency: {constant: 50ms}, network: {request: {constant: 3ms}, reply: {constant: 4ms}}}}
"""
    served = serve(text)
    assert [served.ms(name)[0] for name in ("arrived_ns", "began_ns", "ended_ns", "over_ns")] == [3, 3, 53, 57]


def test_a_server_is_free_while_the_answer_is_on_its_way() -> None:
    text = ONE_SERVER.replace("queue: {QUEUE}", "network: {reply: {constant: 1s}}")
    assert serve(text).ms("began_ns") == [0, 25, 50, 75]


def test_a_failing_call_fails_at_the_end_of_its_work() -> None:
    text = "requests: {count: 1}\naction: {service: db}\nservices: {db: {script: [{outcome: fail, latency: 30ms}]}}"
    served = serve(text)
    assert (served.ends, served.ms("over_ns")) == (["failed"], [30])


def test_a_hang_holds_its_server_for_ever() -> None:
    text = """
requests: {count: 2}
until: 10s
action: {service: db}
services: {db: {servers: 1, script: [{outcome: hang}]}}
"""
    served = serve(text)
    assert served.ends == ["open", "open"]
    assert served.ms("began_ns") == [0, -1]


# In front of the queue.


def test_a_rate_limit_rejects_a_call_that_finds_no_token() -> None:
    text = ONE_SERVER.replace("queue: {QUEUE}", "rate_limit: {rate: 50/s, burst: 1}")
    assert serve(text).ends == ["success", "rejected_rate_limit", "success", "rejected_rate_limit"]


class Notes(LoopRetrier):
    """Writes down what its one call is answered with."""

    kind = "notes"

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[bool, float | None]] = []

    async def retry(self, call: object, ctx: object) -> None:
        del ctx
        try:
            await call()  # type: ignore[operator]
        except CallFailed as error:
            self.heard.append((error.final, error.retry_after_ms))
            raise


@pytest.mark.parametrize(
    ("retry_after", "heard"),
    [
        ("next", [(False, 1000.0), (False, 1000.0)]),
        ("{constant: 3s}", [(False, 3000.0)] * 2),
        ("none", [(False, None)] * 2),
    ],
)
def test_a_rate_limit_says_how_long_to_wait(retry_after: str, heard: list[tuple[bool, float | None]]) -> None:
    text = f"""
requests: {{count: 3}}
action: {{service: db}}
services: {{db: {{rate_limit: {{rate: 1/s, burst: 1, retry_after: {retry_after}}}}}}}
"""
    notes = Notes()
    serve(text, notes)
    assert notes.heard == heard


def test_load_is_shed_above_its_level() -> None:
    text = ONE_SERVER.replace("queue: {QUEUE}", "shed: {when: inside >= 2}")
    assert serve(text).ends == ["success", "success", "rejected_shed", "success"]


def test_a_share_of_the_load_is_shed() -> None:
    text = """
requests: {count: 2000}
action: {service: db}
services: {db: {latency: {constant: 1s}, shed: {when: in_progress > 0, share: 0.25}}}
"""
    shed = serve(text).ends.count("rejected_shed")
    assert 425 < shed < 575


# Servers over time.


def test_with_fewer_servers_work_in_progress_goes_on_and_no_other_begins() -> None:
    text = """
requests: {count: 4}
action: {service: db}
services: {db: {servers: 2, latency: {constant: 100ms}, capacity: [{from: 50ms, to: 250ms, servers: 1}]}}
"""
    assert serve(text).ms("began_ns") == [0, 0, 100, 200]


def test_with_more_servers_again_waiting_work_begins_at_once() -> None:
    text = """
requests: {count: 3}
action: {service: db}
services: {db: {servers: 2, latency: {constant: 100ms}, capacity: [{from: 0s, to: 250ms, servers: 0}]}}
"""
    assert serve(text).ms("began_ns") == [250, 250, 350]


def test_of_overlapping_changes_the_smallest_number_of_servers_counts() -> None:
    text = """
requests: {count: 1}
action: {service: db}
services:
  db:
    servers: 9
    latency: {constant: 1s}
    capacity: [{from: 10ms, to: 40ms, servers: 3}, {from: 20ms, to: 30ms, servers: 5}]
"""
    levels = [
        (event.t_ns // 10**6, event.servers) for event in serve(text).history if isinstance(event, ServersChanged)
    ]
    assert levels == [(0, 9), (10, 3), (20, 3), (30, 3), (40, 9)]


def test_a_change_to_come_keeps_no_world_going() -> None:
    text = """
requests: {count: 1}
action: {service: db}
services: {db: {servers: 2, latency: {constant: 1s}, capacity: [{from: 1h, to: 2h, servers: 1}]}}
"""
    assert serve(text).traffic.observed_ns.tolist() == [10**9]


def test_a_slow_down_changes_for_work_that_starts_meanwhile() -> None:
    text = """
requests: {count: 3, arrivals: {constant: {rate: 100/s}}}
action: {service: db}
services: {db: {latency: {constant: 50ms}, capacity: [{from: 5ms, to: 15ms, slowdown: {curve: [[0, 3.0]]}}]}}
"""
    assert serve(text).ms("ended_ns") == [50, 160, 70]


def test_random_changes_come_and_go() -> None:
    text = """
requests: {count: 200, arrivals: {constant: {rate: 10/s}}}
action: {service: db}
services:
  db: {servers: 4, capacity: [{on_off: {up: {constant: 2s}, down: {constant: 500ms}, servers: 1}}]}
"""
    changes = [event for event in serve(text).history if isinstance(event, ServersChanged)]
    assert [(event.t_ns / 1e9, event.servers) for event in changes[:5]] == [(0, 4), (2, 1), (2.5, 4), (4.5, 1), (5, 4)]


# Layers.

LAYERS = """
requests: {count: 1}
action: {service: front}
services:
  front: {servers: 1, latency: {constant: 10ms}, calls: [{service: back, timeout: 50ms}]}
  back: {servers: 1, script: [SCRIPT]}
"""


def layers(script: str) -> Served:
    return serve(LAYERS.replace("SCRIPT", script))


def test_a_layer_is_called_after_the_work_and_its_server_is_held() -> None:
    served = layers("{outcome: success, latency: 30ms}")
    assert served.ms("sent_ns") == [0, 10]
    assert served.ms("ended_ns") == [40, 40]


def test_the_effect_of_work_with_layers_comes_after_them() -> None:
    served = layers("{outcome: success, latency: 30ms}")
    assert served.requests.first_effect_ns.tolist() == [40 * 10**6]


def test_work_fails_without_an_effect_if_a_layer_is_given_up() -> None:
    served = layers("{outcome: fail, latency: 30ms}")
    assert served.ends == ["failed", "failed"]
    assert served.requests.effects.tolist() == [0]


def test_a_layer_is_given_up_at_its_timeout_but_its_call_goes_on() -> None:
    served = layers("{outcome: success, latency: 200ms}")
    assert served.ms("ended_ns") == [60, 210]
    assert served.ms("given_up_ns") == [-1, 60]


def test_an_effect_of_a_layer_is_not_one_of_the_request() -> None:
    served = layers("{outcome: success, latency: 200ms}")
    assert served.requests.effects.tolist() == [0]
    assert [event.effect for event in served.history if isinstance(event, LayerEffect)] == ["applied"]


def test_retries_of_the_caller_repeat_the_effect_of_a_layer() -> None:
    text = LAYERS.replace("SCRIPT", "{outcome: success, latency: 200ms}")
    served = serve(text, Patient(None, None))
    assert [event.effect for event in served.history if isinstance(event, LayerEffect)] == ["applied", "timeout"]


JITTERED = "retrier: {kind: policy, attempts: 2, delay: {exponential: {initial: 100ms, jitter: full}}}"


def test_each_run_of_a_layer_draws_numbers_of_its_own() -> None:
    layered = LAYERS.replace("timeout: 50ms", JITTERED).replace("SCRIPT", "{outcome: fail, latency: 1ms}")
    served = serve(f"retrier: {{kind: policy, attempts: 2}}\n{layered}")
    waits = [wait for wait in served.ms("slept_ns") if wait > 0]
    assert len(waits) == len(set(waits)) == 2


# A versioned row.

ROW = """
requests: {count: 3}
action: {service: counter}
services: {counter: {kind: versioned_row, network: {request: {constant: 10ms}, reply: {constant: 5ms}}}}
"""


def test_an_attempt_at_a_row_takes_four_legs() -> None:
    served = serve(ROW.replace("count: 3", "count: 1"))
    assert served.ms("over_ns") == [30]


def test_of_writes_with_the_same_version_one_is_made() -> None:
    assert serve(ROW).ends == ["success", "conflict", "conflict"]


def test_a_retry_reads_the_row_anew() -> None:
    served = serve(ROW, Patient(None, None, None))
    assert served.requests.effects.tolist() == [1, 1, 1]
    assert served.requests.attempts.tolist() == [1, 2, 3]
