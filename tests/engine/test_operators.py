"""Operators who act on a deployment: jobs that they cancel, and what then happens."""

from sim.convex.jobs import Job
from sim.engine.world import World
from sim.history.events import JobStepped, OperatorActed, ServerBooted
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
    _, outcomes, history = played("retrier: workpool\nfaults: [{cancel_jobs: {at: [1s], jobs: [loop, monitor]}}]")
    assert outcomes[-5:] == [Outcome.stuck] * 5
    assert [event.name for event in history if isinstance(event, OperatorActed)] == ["cancel_jobs"]
    ended = [event.function for event in history if isinstance(event, JobStepped) and event.after == CANCELED]
    assert sorted(ended) == ["loop", "monitor"]


def test_a_pool_without_its_loop_goes_on_when_the_monitor_finds_out() -> None:
    world, outcomes, _ = played("retrier: workpool\nfaults: [{cancel_jobs: {at: [1s], jobs: [loop]}}]")
    assert outcomes == [Outcome.success] * 12
    assert world.clock.now_ns > 100 * 10**9


def test_all_pending_jobs_of_a_function_are_canceled_and_no_others() -> None:
    world, outcomes, history = played("retrier: component\nfaults: [{cancel_jobs: {at: [600ms], jobs: [heartbeat]}}]")
    ended = [event for event in history if isinstance(event, JobStepped) and event.after == CANCELED]
    assert {event.function for event in ended} == {"heartbeat"}
    assert len(ended) > 1
    assert all(event.t_ns == 600 * 10**6 for event in ended)
    assert not any(isinstance(job, Job) and job.state == "pending" for job in world.deployment.store.jobs.values())
    assert outcomes == [Outcome.success] * 12


def test_an_operator_waits_for_a_deployment_that_is_down() -> None:
    _, _, history = played(
        "retrier: component\n"
        "faults: [{restart: {at: [500ms], down: 1s}}, {cancel_jobs: {at: [600ms], jobs: [heartbeat]}}]"
    )
    (acted,) = (event for event in history if isinstance(event, OperatorActed))
    (booted,) = (event for event in history if isinstance(event, ServerBooted))
    assert acted.t_ns == booted.t_ns == 1500 * 10**6


def test_no_operator_acts_after_the_world_has_healed() -> None:
    _, _, history = played(
        "retrier: workpool\nheals_at: 1s\nfaults: [{cancel_jobs: {at: [900ms, 1s, 2s], jobs: [loop]}}]"
    )
    assert [event.t_ns for event in history if isinstance(event, OperatorActed)] == [900 * 10**6]
