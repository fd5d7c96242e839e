"""Steps that take their time, and attempts that last as drawn."""

from typing import Any

import pytest

from sim.contracts.platform import effects, moments, numbers, store
from sim.history.recorder import Start

MS = 1_000_000
LAWS = {
    "dispatch_latency_ns": (MS, 2 * MS),
    "mutation_latency_ns": (3 * MS, 5 * MS),
    "commit_window_ns": (4 * MS, 4 * MS),
}


def looked(tale: Any, begin: float, at: float) -> Any:
    """Job 0, due at 10 ms, looks with a snapshot and commits."""
    story = tale.submit().at(4).commit("submit", begin=0, jobs=[(0, "retry", 10)])
    return story.at(at).commit(own=0, begin=begin)


@pytest.mark.parametrize(
    ("begin", "at", "expected"),
    [
        (14, 18, []),
        (17, 21, []),
        (13.5, 17.5, ["job 0 (retry) begins at 13.5ms, 3.5ms after it was due; the law says 4ms to 7ms"]),
        (18, 22, ["job 0 (retry) begins at 18ms, 8ms after it was due; the law says 4ms to 7ms"]),
        (14, 19, ["retry commits at 19ms, 5ms after its snapshot; the law says 4ms"]),
        (14, 14, ["retry commits at 14ms, 0s after its snapshot; the law says 4ms"]),
    ],
)
def test_a_mutation_takes_its_time(tale: type, begin: float, at: float, expected: list[str]) -> None:
    assert looked(tale(), begin, at).broken(moments.steps_take_their_time, **LAWS) == expected


def test_what_waits_for_a_slot_or_runs_again_may_be_late(tale: type) -> None:
    assert looked(tale(), 30, 34).broken(moments.steps_take_their_time, parallelism=1, **LAWS) == []
    refused = (
        tale().submit().at(4).commit("submit", begin=0, jobs=[(0, "retry", 10)]).at(18).add("conflict", 0, "retry", 1)
    )
    assert refused.at(40).commit(own=0, begin=36).broken(moments.steps_take_their_time, **LAWS) == []


def test_a_job_begins_anew_after_a_death(tale: type) -> None:
    story = tale().submit().at(4).commit("submit", begin=0, jobs=[(0, "retry", 10)]).at(12).restart()
    assert story.at(18).commit(own=0, begin=14).broken(moments.steps_take_their_time, **LAWS) == [
        "job 0 (retry) begins at 14ms, 2ms after it was due; the law says 4ms to 7ms"
    ]


def test_an_action_takes_the_time_of_its_dispatch(tale: type) -> None:
    story = tale().submit().at(4).commit("submit", begin=0, jobs=[(0, "action", 10)]).at(10).starts(0)
    assert story.broken(moments.steps_take_their_time, **LAWS) == [
        "job 0 (action) begins at 10ms, 0s after it was due; the law says 1ms to 2ms"
    ]


def lasting(tale: Any, outcome: str = "success") -> Any:
    """An attempt from 0 on with a latency of 50 ms."""
    return tale.submit().add("attempt", 1, outcome, Start(-1, -1, 50 * MS))


@pytest.mark.parametrize(
    ("end", "broken"),
    [
        (lambda t: t.at(50).ends(1, "returned"), 0),
        (lambda t: t.at(49).ends(1, "returned"), 1),
        (lambda t: t.at(51).ends(1, "threw"), 1),
        (lambda t: t.at(30).ends(1, "died"), 0),
        (lambda t: t.at(51).ends(1, "died"), 1),
        (lambda t: t.at(49).lost(1), 0),
        (lambda t: t.at(50).lost(1), 1),
        (lambda t: t.at(60).ends(1, "cut"), 0),
    ],
)
def test_an_attempt_lasts_as_drawn(tale: type, end: Any, broken: int) -> None:
    assert len(end(lasting(tale())).broken(moments.attempts_last_as_drawn)) == broken


def test_a_latency_beyond_its_law(tale: type) -> None:
    story = lasting(tale()).at(50).ends(1, "returned")
    assert story.broken(moments.attempts_last_as_drawn, latencies_ns=({"success": (0, 50 * MS)},)) == []
    (text,) = story.broken(moments.attempts_last_as_drawn, latencies_ns=({"success": (0, 40 * MS)},))
    assert text.startswith(
        "attempt 1 of request 0 with 'success' in store takes 0s to 40ms by its law, but its latency"
    )


def test_what_a_system_error_strikes_does_not_answer(tale: type) -> None:
    story = (
        tale().submit().commit("submit", jobs=[(0, "action")]).add("system_error", 0, "action", "execution").starts(0)
    )
    story.add("attempt", 1, "success", Start(0, -1, 50 * MS))
    (text,) = story.at(50).ends(1, "returned").broken(moments.attempts_last_as_drawn)
    assert "returned at 50ms, although a system error strikes its execution before" in text


# What other invariants say of moments.


def test_an_attempt_that_ends_within_the_time_limit_is_not_cut_off(tale: type) -> None:
    story = (
        tale()
        .submit()
        .commit("submit", jobs=[(0, "action")])
        .starts(0)
        .add("attempt", 1, "fail", Start(0, -1, 50 * MS))
    )
    assert story.at(60).ends(1, "cut").broken(effects.time_limit_holds, action_time_limit_ns=60 * MS) == [
        "attempt 1 of request 0 is cut off at 60ms, but answers at 50ms"
    ]


def test_a_timestamp_for_nothing(tale: type) -> None:
    assert tale().submit().commit("read", ts=1).broken(store.serializable) == [
        "mutation read commits at 0s with timestamp 1, but writes nothing"
    ]


def test_a_job_created_and_canceled_in_one_mutation_is_written_once(tale: type) -> None:
    story = tale().submit().commit("submit", jobs=[(0, "retry", 5)], cancels=[(0, "pending")])
    assert story.broken(store.atomic_commits) == []


def test_a_client_goes_on_when_it_hears_of_its_call(tale: type) -> None:
    story = tale().submit().attempt(1, "lost_contact").at(10).lost(1)
    assert story.sleep(5).broken(numbers.clients_wait) == []
    late = tale().submit().attempt(1, "lost_contact").at(10).lost(1).at(20).ends(1, "returned").sleep(5)
    assert late.broken(numbers.clients_wait) == [
        "request 0 goes on at 20ms behind its attempt 1, of which it hears at 10ms"
    ]
    assert late.broken(numbers.clients_wait, hedges=True) == []


def test_a_call_that_has_ended_is_not_given_up(tale: type) -> None:
    story = tale().submit().attempt(1).at(10).ends(1, "returned").timed_out(1)
    assert story.broken(numbers.clients_wait) == ["attempt 1 of request 0 is given up at 10ms, but had ended at 10ms"]


def test_a_world_begins_with_an_empty_store(tale: type) -> None:
    assert tale().submit().commit("submit", begin_ts=3, ts=4).broken(store.serializable)[0] == (
        "mutation submit commits at 0s, the first in its world, with a snapshot of timestamp 3"
    )


def test_an_execution_that_goes_on_after_its_attempt_is_cut_off_too(tale: type) -> None:
    story = (
        tale().submit().commit("submit", jobs=[(0, "execute")]).starts(0).attempt(1, job=0).at(10).ends(1, "returned")
    )
    story.at(61).step(0, "inProgress", "success")
    assert story.broken(effects.time_limit_holds, action_time_limit_ns=61 * MS) == []
    assert story.broken(effects.time_limit_holds, action_time_limit_ns=60 * MS) == [
        "job 0 (execute) ends at 61ms, later than its time limit allows after its start at 0s"
    ]


def test_a_call_that_is_refused_runs_again(tale: type) -> None:
    story = tale().submit().commit("submit", jobs=[(0, "execute")]).starts(0).add("conflict", -1, "report", 1)
    assert story.broken(numbers.reruns_in_law, occ_reruns=4) == [
        "report of request 0 is refused at 0s and never runs again, after 0 of 4 reruns"
    ]
    assert story.broken(numbers.reruns_in_law, occ_reruns=4, drained=False) == []
    assert story.at(5).commit("report", caller=0).broken(numbers.reruns_in_law, occ_reruns=4) == []
