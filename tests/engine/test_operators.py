"""Operators who act on a deployment: jobs that they cancel, and what then happens."""

from sim.convex.jobs import Job
from sim.engine.world import World
from sim.history.dealing import FIRST_OWN
from sim.history.deployment_events import JobStepped, OperatorActed, ServerBooted
from sim.history.events import RanAway
from sim.history.recorder import History, Recorder
from sim.history.vocabulary import CANCELED, Outcome
from sim.scenario.load import parse

SEVERAL = (
    "world: shared\nrequests: {count: 12, arrivals: {constant: {rate: 4/s}}}\naction: {latency: {constant: 300ms}}\n"
)


def played(text: str) -> tuple[World, list[Outcome], History]:
    recorder = Recorder()
    world = World(parse(SEVERAL + text), recorder=recorder)
    requests = world.shared()
    return world, [request.outcome for request in requests], recorder.history()


def test_a_pool_without_loop_and_monitor_is_stuck_for_ever() -> None:
    _, outcomes, history = played("retrier: workpool\nfaults: [{cancel_jobs: {at: [1s], functions: [loop, monitor]}}]")
    assert outcomes[-5:] == [Outcome.stuck] * 5
    assert [event.name for event in history if isinstance(event, OperatorActed)] == ["cancel_jobs"]
    ended = [event.function for event in history if isinstance(event, JobStepped) and event.after == CANCELED]
    assert sorted(ended) == ["loop", "monitor"]


def test_a_pool_without_its_loop_goes_on_when_the_monitor_finds_out() -> None:
    world, outcomes, _ = played("retrier: workpool\nfaults: [{cancel_jobs: {at: [1s], functions: [loop]}}]")
    assert outcomes == [Outcome.success] * 12
    assert world.clock.now_ns > 100 * 10**9


def test_all_pending_jobs_of_a_function_are_canceled_and_no_others() -> None:
    world, outcomes, history = played(
        "retrier: component\nfaults: [{cancel_jobs: {at: [600ms], functions: [heartbeat]}}]"
    )
    ended = [event for event in history if isinstance(event, JobStepped) and event.after == CANCELED]
    assert {event.function for event in ended} == {"heartbeat"}
    assert len(ended) > 1
    assert all(event.t_ns == 600 * 10**6 for event in ended)
    assert not any(isinstance(job, Job) and job.state == "pending" for job in world.deployment.store.jobs.values())
    assert outcomes == [Outcome.success] * 12


def test_an_operator_waits_for_a_deployment_that_is_down() -> None:
    _, _, history = played(
        "retrier: component\n"
        "faults: [{restart: {at: [500ms], down: 1s}}, {cancel_jobs: {at: [600ms], functions: [heartbeat]}}]"
    )
    (acted,) = (event for event in history if isinstance(event, OperatorActed))
    (booted,) = (event for event in history if isinstance(event, ServerBooted))
    assert acted.t_ns == booted.t_ns == 1500 * 10**6


def test_no_operator_acts_after_the_world_has_healed() -> None:
    _, _, history = played(
        "retrier: workpool\nheals_at: 1s\nfaults: [{cancel_jobs: {at: [900ms, 1s, 2s], functions: [loop]}}]"
    )
    assert [event.t_ns for event in history if isinstance(event, OperatorActed)] == [900 * 10**6]


def test_a_cancel_of_all_a_work_at_a_time_that_stands_still_is_stopped_at_a_limit() -> None:
    _, outcomes, history = played(
        "platform: {profile: ideal}\nretrier: {kind: workpool, max_parallelism: 1}\n"
        "faults: [{cancel_all: {at: [1100ms], limit: 1}}]"
    )
    (stopped,) = (event for event in history if isinstance(event, RanAway))
    assert (stopped.request, stopped.limit, stopped.t_ns) == (FIRST_OWN, "progress", 1100 * 10**6)
    ended = outcomes.count(Outcome.success)
    assert 0 < ended < 5
    assert outcomes[ended:] == [Outcome.runaway] * (12 - ended)


def test_a_paused_pool_waits_for_the_operator_who_raises_its_slots() -> None:
    paused = "retrier: workpool\nfaults: [{set_parallelism: {at: [1s], slots: 0}}"
    _, outcomes, _ = played(f"{paused}]")
    assert set(outcomes[5:]) == {Outcome.runaway}  # its loop looks for dead jobs every minute, for ever
    world, outcomes, history = played(f"{paused}, {{set_parallelism: {{at: [5m], slots: 10}}}}]")
    assert set(outcomes) == {Outcome.success}
    assert world.clock.now_ns > 300 * 10**9
    acts = [(event.name, event.detail) for event in history if isinstance(event, OperatorActed)]
    assert acts == [("set_parallelism", {"pool": None, "slots": slots}) for slots in (0, 10)]


def test_what_an_operator_may_still_set_going_is_open_and_not_stuck() -> None:
    _, outcomes, _ = played(
        "until: 1m\nretrier: workpool\n"
        "faults: [{set_parallelism: {at: [1s], slots: 0}}, {set_parallelism: {at: [5m], slots: 10}}]"
    )
    assert set(outcomes[5:]) == {Outcome.open}


def test_a_client_that_names_its_slots_sets_them_again_with_its_next_enqueue() -> None:
    fault = "faults: [{set_parallelism: {at: [1s], slots: 0}}]"
    _, outcomes, _ = played(f"retrier: {{kind: workpool, max_parallelism: 10}}\n{fault}")
    assert set(outcomes) == {Outcome.success}


def test_a_kick_sets_a_pool_going_that_was_stuck() -> None:
    _, outcomes, _ = played(
        "retrier: workpool\nfaults: [{cancel_jobs: {at: [1s], functions: [loop, monitor]}}, {force_kick: {at: [3m]}}]"
    )
    assert set(outcomes) == {Outcome.success}


def test_a_pool_waits_for_an_action_of_hours_and_retries_it() -> None:
    recorder = Recorder()
    world = World(
        parse(
            "world: shared\nrequests: {count: 1, arrivals: at_once}\nplatform: {action_time_limit: none}\n"
            "action: {script: [{outcome: fail, latency: 7h}, {outcome: success, latency: 1s}]}\nretrier: workpool\n"
        ),
        recorder=recorder,
    )
    (request,) = world.shared()
    assert (request.outcome, request.attempts) == (Outcome.success, 2)
    assert not any(isinstance(event, RanAway) for event in recorder.history())


def test_a_pool_whose_only_action_hangs_is_stopped_at_a_limit() -> None:
    recorder = Recorder()
    scenario = parse(
        "world: shared\nrequests: {count: 1, arrivals: at_once}\nplatform: {action_time_limit: none}\n"
        "action: {script: [{outcome: hang}]}\nretrier: workpool\n"
    )
    (request,) = World(scenario, recorder=recorder).shared()
    assert request.outcome == Outcome.runaway
    assert any(isinstance(event, RanAway) for event in recorder.history())
