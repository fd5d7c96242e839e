"""How requests end: what is proved stuck, what is only open, what runs away; and that nothing else matters.

An unsettled request is `stuck` when nothing that is left, nor anything that may cause, will ever look at it again. That
holds where a simulation is cut off too, so each way in which something may still be coming has its test.
"""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from sim.convex.functions import mutation
from sim.engine.event import simulate
from sim.engine.world import World
from sim.history.deployment_events import Noted
from sim.history.recorder import Recorder
from sim.history.records import Requests
from sim.history.vocabulary import NEVER, Cause, Outcome
from sim.retriers.base import LoopRetrier, Retrier, ScheduledRetrier
from sim.retriers.ports.article import Article
from sim.scenario.load import parse
from sim.scenario.schema import Scenario

S = 1_000_000_000
PORTS = ("article", "helpers", "component")
ALL = ("none", *PORTS)


def scripted(retrier: str, *attempts: str, more: str = "") -> str:
    script = ", ".join(
        f"{{outcome: {attempt.split()[0]}" + (f", latency: {attempt.split()[1]}}}" if " " in attempt else "}")
        for attempt in attempts
    )
    return f"retrier: {retrier}\naction: {{script: [{script}]}}\n{more}\n"


def ended(text: str, retrier: Retrier | None = None) -> str:
    """Simulate one request, and name its outcome."""
    scenario = parse(f"requests: {{count: 1}}\n{text}" if "requests:" not in text else text)
    return Outcome(int(simulate(scenario, retrier=retrier).outcome[0])).name


def equal(one: Requests, other: Requests) -> list[str]:
    """Name the columns in which two tables differ."""
    names = [field.name for field in fields(one)]
    return [name for name in names if not np.array_equal(getattr(one, name), getattr(other, name))]


# Stuck, when everything has come to rest.


def test_a_component_that_crashed_twice_is_stuck() -> None:
    assert ended(scripted("component", "crash_before_effect 1s")) == "stuck"


@pytest.mark.parametrize("retrier", ["article", "helpers"])
def test_whoever_polls_is_never_stuck_by_crashes(retrier: str) -> None:
    assert ended(scripted(retrier, "crash_before_effect 1s")) == "gave_up"


@pytest.mark.parametrize("retrier", PORTS)
def test_a_canceled_poll_is_what_gets_them_stuck(retrier: str) -> None:
    cancel = "cancel: {share: 1, after: {constant: 500ms}, target: poll}"
    assert ended(scripted(retrier, "crash_before_effect 1s", more=cancel)) == "stuck"


def test_a_hang_that_nothing_cuts_off_is_stuck_for_whoever_waits() -> None:
    assert ended(scripted("none", "hang")) == "stuck"


@pytest.mark.parametrize("retrier", PORTS)
def test_a_hang_ends_with_the_time_limit_and_is_a_failure(retrier: str) -> None:
    assert ended(scripted(retrier, "hang", "success 1s")) == "success"


@pytest.mark.parametrize("retrier", PORTS)
def test_a_hang_without_a_time_limit_is_looked_at_until_that_is_too_often(retrier: str) -> None:
    more = "platform: {action_time_limit: none}\nlimits: {polls_per_request: 1000}"
    assert ended(scripted(retrier, "hang", more=more)) == "runaway"


# Cut off by `until`: open while something may still come, stuck all the same when nothing can.


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("500ms", "open"),  # the first attempt runs
        ("2s", "open"),  # it has crashed, and a heartbeat is to come
        ("15s", "open"),  # the retry is scheduled, or runs
        ("30s", "stuck"),  # that has crashed too, and no heartbeat is left
    ],
)
def test_a_component_is_open_while_an_execution_or_a_heartbeat_is_left(until: str, expected: str) -> None:
    more = f"until: {until}\nseed: 3"
    assert ended(scripted("{kind: component, initial_backoff: 1s}", "crash_before_effect 5s", more=more)) == expected


@pytest.mark.parametrize(("until", "expected"), [("500ms", "open"), ("1500ms", "stuck"), ("1h", "stuck")])
@pytest.mark.parametrize("retrier", ["article", "helpers"])
def test_a_running_action_does_not_make_up_for_a_missing_poll(retrier: str, until: str, expected: str) -> None:
    cancel = "cancel: {share: 1, after: {constant: 1s}, target: poll}"
    assert ended(scripted(retrier, "success 5m", more=f"{cancel}\nuntil: {until}")) == expected


@pytest.mark.parametrize(("retrier", "expected"), [("article", "open"), ("helpers", "open"), ("component", "stuck")])
def test_a_dead_execution_that_nobody_has_noticed_will_not_look_at_anything(retrier: str, expected: str) -> None:
    more = "platform: {crash_detection: 1h}\ncancel: {share: 1, after: {constant: 10ms}, target: poll}\nuntil: 30m"
    if retrier != "component":
        more = more.replace("target: poll", "target: action").replace("share: 1", "share: 0")
    assert ended(scripted(retrier, "crash_before_effect 1s", more=more)) == expected


def test_an_execution_that_hangs_for_ever_will_not_look_at_anything() -> None:
    more = "platform: {action_time_limit: none}\ncancel: {share: 1, after: {constant: 1s}, target: poll}\nuntil: 1h"
    assert ended(scripted("component", "hang", more=more)) == "stuck"


def test_an_execution_that_lost_contact_may_still_settle() -> None:
    more = "cancel: {share: 1, after: {constant: 1s}, target: poll}\nuntil: 4m"
    assert ended(scripted("component", "lost_contact 5m", more=more)) == "open"


def test_what_has_settled_before_the_cut_is_what_it_is() -> None:
    assert ended(scripted("component", "success 1s", more="until: 2s")) == "success"


def test_a_cancel_to_come_that_would_settle_keeps_it_open() -> None:
    more = "cancel: {share: 1, after: {constant: 2h}}\nuntil: 1h"
    assert ended(scripted("component", "crash_before_effect 1s", more=more)) == "open"


@pytest.mark.parametrize("target", ["action", "poll"])
def test_a_cancel_to_come_that_settles_nothing_does_not(target: str) -> None:
    more = f"cancel: {{share: 1, after: {{constant: 2h}}, target: {target}}}\nuntil: 1h"
    assert ended(scripted("component", "crash_before_effect 1s", more=more)) == "stuck"


def test_a_cancel_of_its_action_does_not_help_whom_nobody_looks_at() -> None:
    more = "cancel: {share: 1, after: {constant: 2h}}\nuntil: 1h"
    # A negative wait throws in the first poll, and it is the last.
    assert ended(scripted("article", "success 1s", more=more), Article(waitBackoff=-1)) == "stuck"


SLOW_TO_SUBMIT = """
world: shared
requests: {count: 1}
action: {script: [{outcome: success, latency: 1s}]}
platform: {profile: ideal, mutation_latency: {constant: 1s}}
"""


@pytest.mark.parametrize("retrier", PORTS)
def test_a_submission_on_its_way_keeps_it_open(retrier: str) -> None:
    assert ended(f"retrier: {retrier}\n{SLOW_TO_SUBMIT}\nuntil: 500ms") == "open"


def test_a_submission_that_waits_for_the_boot_keeps_it_open() -> None:
    faults = "faults: [{restart: {at: [500ms], down: 1h}}]"
    assert ended(f"retrier: helpers\n{SLOW_TO_SUBMIT}\n{faults}\nuntil: 30m") == "open"


# Clients outside.


class Loop(LoopRetrier):
    """Calls with a timeout, sleeps for an hour, and calls again without one."""

    async def retry(self, call: Any, ctx: Any) -> None:
        try:
            await call(timeout_ms=1000)
        except Exception:  # noqa: BLE001  # whatever a call can fail with
            await ctx.sleep(3_600_000)
        await call()


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("500ms", "open"),  # the timeout of the first call is to come
        ("30m", "open"),  # it sleeps
        ("2h", "stuck"),  # it waits for a call that never ends
    ],
)
def test_a_loop_is_open_while_it_sleeps_or_waits_for_an_answer_that_will_come(until: str, expected: str) -> None:
    assert ended(scripted("none", "hang", more=f"until: {until}"), Loop()) == expected


def test_a_loop_is_open_while_a_call_without_timeout_has_its_end_ahead() -> None:
    assert ended(scripted("none", "success 1h", more="until: 30m")) == "open"


def test_a_loop_that_a_cancel_will_stop_is_open() -> None:
    more = "cancel: {share: 1, after: {constant: 2h}}\nuntil: 1h"
    assert ended(scripted("none", "hang", more=more)) == "open"


def test_a_canceled_loop_is_canceled() -> None:
    more = "cancel: {share: 1, after: {constant: 2h}}"
    assert ended(scripted("none", "hang", more=more)) == "canceled"


# Runaway.


@pytest.mark.parametrize("retrier", PORTS)
def test_too_many_polls_are_a_runaway(retrier: str) -> None:
    scenario = parse(scripted(retrier, "success 9m", more="limits: {polls_per_request: 5}\nrequests: {count: 1}"))
    requests = simulate(scenario)
    assert (Outcome(int(requests.outcome[0])).name, requests.polls[0]) == ("runaway", 5)


@pytest.mark.parametrize("retrier", ["article", "helpers"])
def test_time_beyond_its_end_is_a_runaway(retrier: str) -> None:
    kind = f"{{kind: {retrier}, base: 1000}}"
    more = "platform: {action_time_limit: none}"
    assert ended(scripted(kind, "hang", more=more)) == "runaway"


class Spinning(ScheduledRetrier):
    """Schedules itself at once, for ever, and calls none of it a poll."""

    def bind(self, action: Any) -> None:
        del action
        self.spin = mutation("spin", lambda ctx, _: ctx.run_after(0, self.spin))

    def submit(self, ctx: Any) -> None:
        ctx.run_after(0, self.spin)


def test_a_retrier_that_runs_for_ever_at_one_instant_is_a_runaway() -> None:
    more = "limits: {polls_per_request: 10}"
    assert ended(scripted("article", "success 1s", more=more), Spinning()) == "runaway"


# One request alone is the same request in the whole run.

CALM = """
requests: {count: 60}
seed: 11
action:
  latency: {lognormal: {median: 120ms, p99: 900ms}}
  outcomes: {fail: 0.2, ack_lost: 0.05, crash_before_effect: 0.05, crash_after_effect: 0.1, lost_contact: 0.05}
  effect_at: 0.8
  permanent_failure: 0.05
cancel: {share: 0.1, after: {exponential: {mean: 1s}}}
"""
STORMY = "{on_off: {up: {exponential: {mean: 5s}}, down: {exponential: {mean: 1s}}, fail: 0.9}}"
BUSY = CALM.replace("effect_at: 0.8", f"effect_at: 0.8\n  weather: [{STORMY}]")


@pytest.mark.parametrize("retrier", ALL)
def test_an_isolated_request_is_the_same_alone(retrier: str) -> None:
    cell = parse(f"retrier: {retrier}\n{BUSY}")
    whole = simulate(cell)
    alone = Requests.concatenate([simulate(cell, numbers=[number]) for number in (59, 0, 17, 3)])
    assert equal(whole.select(np.array([59, 0, 17, 3])), alone) == []


@pytest.mark.parametrize("retrier", ALL)
def test_recording_changes_nothing(retrier: str) -> None:
    cell = parse(f"retrier: {retrier}\n{BUSY}")
    assert equal(simulate(cell), simulate(cell, recorder=Recorder())) == []


@pytest.mark.parametrize("retrier", ALL)
def test_another_seed_is_another_run(retrier: str) -> None:
    one, other = (simulate(parse(f"retrier: {retrier}\n{BUSY.replace('11', seed)}")) for seed in ("11", "12"))
    assert "first_effect_ns" in equal(one, other)


# Shared worlds.


def shared(retrier: str, arrivals: str, more: str = "platform: {profile: ideal}") -> Scenario:
    text = CALM.replace("{count: 60}", f"{{count: 60, arrivals: {arrivals}}}")
    return parse(f"retrier: {retrier}\nworld: shared\n{text}\n{more}")


def since_submission(requests: Requests) -> Requests:
    """Return the records with times counted from each request's submission."""
    columns = {field.name: getattr(requests, field.name) for field in fields(requests)}
    for name in ("first_effect_ns", "settled_ns", "known_attempt_end_ns", "last_attempt_end_ns"):
        columns[name] = np.where(columns[name] == NEVER, NEVER, columns[name] - requests.submitted_ns)
    columns["submitted_ns"] = np.zeros_like(requests.submitted_ns)
    return Requests(**columns)


@pytest.mark.parametrize("arrivals", ["at_once", "{poisson: {rate: 20/s}}", "{constant: {rate: 7/s}}"])
@pytest.mark.parametrize("retrier", ALL)
def test_in_an_ideal_shared_world_each_request_is_as_if_alone(retrier: str, arrivals: str) -> None:
    alone = simulate(parse(f"retrier: {retrier}\n{CALM}"))
    platform = "" if retrier == "none" else "platform: {profile: ideal}"
    assert equal(since_submission(simulate(shared(retrier, arrivals, platform))), alone) == []


def test_in_the_convex_profile_requests_are_not_alone() -> None:
    alone = simulate(parse(f"retrier: component\n{CALM}"))
    together = simulate(shared("component", "at_once", "platform: {profile: convex}"))
    assert np.median(together.first_effect_ns) > 2 * np.median(alone.first_effect_ns)


def test_replications_differ_and_each_is_the_same_again() -> None:
    cell = shared("component", "{poisson: {rate: 20/s}}", "replications: 2")
    first, second, again = (simulate(cell, replication) for replication in (0, 1, 1))
    assert ("submitted_ns" in equal(first, second), equal(second, again), set(second.replication)) == (True, [], {1})


def test_requests_come_in_order_of_submission() -> None:
    requests = simulate(shared("helpers", "{poisson: {rate: 20/s}}"))
    assert (list(requests.number), bool(np.all(np.diff(requests.submitted_ns) >= 0))) == (list(range(60)), True)


EVERYTHING = """
world: shared
seed: 5
requests: {count: 300, arrivals: {poisson: {rate: 20/s}}}
action:
  latency: {lognormal: {median: 300ms, p99: 20s}}
  outcomes:
    {fail: 0.2, ack_lost: 0.05, crash_before_effect: 0.05, crash_after_effect: 0.1, lost_contact: 0.1, hang: 0.02}
  effect_at: 0.7
  idempotency: {window: 2s}
  weather: [{outage: {from: 5s, to: 6s}}]
platform: {profile: convex, action_time_limit: 10s, crash_detection: 1s, retention: 1m, parallelism: 16}
faults: [{restart: {at: [7s, 20s], down: 500ms}}, {system_error: {share: 0.02}}]
cancel: {share: 0.05, after: {exponential: {mean: 1s}}}
"""


def everything(retrier: str) -> tuple[World, Requests, Recorder]:
    recorder = Recorder()
    cell = parse(f"retrier: {retrier}\n{EVERYTHING}")
    return World(cell), simulate(cell, recorder=recorder), recorder


@pytest.mark.parametrize("retrier", PORTS)
def test_whatever_happens_is_of_a_known_kind(retrier: str) -> None:
    history = everything(retrier)[2].history()
    assert [event for event in history if isinstance(event, Noted)] == []


@pytest.mark.parametrize("retrier", PORTS)
def test_a_shared_world_happens_the_same_way_each_time(retrier: str) -> None:
    assert everything(retrier)[2].history().digest() == everything(retrier)[2].history().digest()


@pytest.mark.parametrize(
    ("retrier", "expected"),
    [
        ("article", {"ack_lost", "crash_after_effect", "timeout"}),
        ("helpers", {"ack_lost", "crash_after_effect", "timeout"}),
        ("component", {"ack_lost", "crash_after_effect", "timeout", "report_lost"}),
    ],
)
def test_each_cause_of_duplicates_is_reached(retrier: str, expected: set[str]) -> None:
    counts = everything(retrier)[1].duplicates.sum(axis=0)
    assert {cause.name for cause in Cause if counts[cause]} == expected


@pytest.mark.parametrize("retrier", PORTS)
def test_effects_are_the_first_ones_and_the_duplicates(retrier: str) -> None:
    requests = everything(retrier)[1]
    assert np.array_equal(requests.effects, (requests.first_effect_ns != NEVER) + requests.duplicates.sum(axis=1))
