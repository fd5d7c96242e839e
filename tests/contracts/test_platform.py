"""What the platform owes: each invariant on histories told by hand, good ones and bad ones."""

from collections.abc import Callable
from typing import Any

import pytest

from sim.contracts.catalogue import PLATFORM, Terms, check
from sim.contracts.platform import effects, jobs, store
from sim.history.deployment_events import RangeRead
from sim.history.recorder import History

Story = Callable[[Any], Any]
TOP = (9,)


def runs(tale: Any) -> Any:
    """An action (job 0) runs from 0 to 50 ms, and a poll (job 1) sees it at 60 ms."""
    tale.submit().commit("submit", jobs=[(0, "action"), (1, "retry", 60)], writes={"runs:1": {"_id": "runs:1", "n": 0}})
    tale.starts(0).attempt(1, job=0, effect=40)
    tale.at(40).effect(1).at(50).ends(1, "returned").step(0, "inProgress", "success")
    tale.at(60).commit(own=1, reads=[(1, "pending"), (0, "success"), ("runs:1", {"_id": "runs:1", "n": 0})])
    return tale.settles("success")


def dies(tale: Any) -> Any:
    """The server dies at 20 ms, the action with it, its effect comes all the same, and a second attempt succeeds."""
    tale.submit().commit("submit", jobs=[(0, "action"), (1, "retry", 60)])
    tale.starts(0).attempt(1, job=0, effect=40)
    tale.at(20).add("restart", name="continues", detail=5_000_000, request=-1).ends(1, "died")
    tale.at(25).add("boot", request=-1).step(0, "inProgress", "failed").at(40).effect(1)
    tale.at(60).commit(own=1, reads=[(0, "failed")], jobs=[(2, "action", 80)])
    tale.at(80).starts(2).attempt(2, job=2, effect=90).at(90).effect(2, "timeout").ends(2, "returned")
    return tale.step(2, "inProgress", "success").settles("success")


def throws(tale: Any) -> Any:
    """A poll throws and fails; an action that was canceled while it ran has its child born canceled."""
    tale.submit().commit("submit", jobs=[(0, "action"), (1, "retry")]).starts(0).attempt(1, "fail", job=0)
    tale.add("rolled_back", 1, "retry", "gone").step(1, "pending", "failed")
    tale.at(10).add("cancel", name="action").step(0, "inProgress", "canceled").at(20).ends(1, "threw")
    return tale.commit("report", caller=0, reads=[(0, "canceled")], jobs=[(2, "action", 30, "canceled")])


GOOD = (runs, dies, throws)


@pytest.mark.parametrize("story", GOOD)
def test_a_good_story_breaks_nothing(tale: type, story: Story) -> None:
    assert story(tale()).broken(*PLATFORM, action_time_limit_ns=10**9, parallelism=1, idempotency_ns=0) == []


@pytest.mark.parametrize("story", GOOD)
def test_a_good_story_breaks_nothing_wherever_it_is_cut(tale: type, story: Story) -> None:
    whole = story(tale()).raw
    for length in range(len(whole) + 1):
        terms = Terms(drained=False, action_time_limit_ns=10**9, parallelism=1, idempotency_ns=0)
        assert check(History(whole[:length]), terms, PLATFORM) == []


# Time and jobs.


def test_a_clock_that_goes_back(tale: type) -> None:
    assert runs(tale()).at(59).add("sleep").broken(jobs.clock_monotone) == ["the clock goes back, to 59ms"]


def test_a_commit_before_its_snapshot(tale: type) -> None:
    assert tale().at(5).commit("late", begin=6).broken(jobs.clock_monotone) == [
        "mutation late commits at 5ms, before its snapshot at 6ms"
    ]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([("inProgress", "success")], "job 0 (action) goes from inProgress to success at 0s, but was pending"),
        ([("pending", "pending")], "job 0 (action) goes from pending to pending at 0s"),
        ([("pending", "failed"), ("failed", "pending")], "job 0 (action) goes from failed to pending at 0s"),
        (
            [("pending", "canceled"), ("canceled", "inProgress")],
            "job 0 (action) goes from canceled to inProgress at 0s",
        ),
        (
            [("pending", "inProgress"), ("inProgress", "pending")],
            "job 0 (action) goes from inProgress to pending at 0s",
        ),
    ],
)
def test_a_step_that_no_job_can_take(tale: type, steps: list[tuple[str, str]], expected: str) -> None:
    story = tale().commit(jobs=[(0, "action")])
    for before, after in steps:
        story.step(0, before, after)
    assert story.broken(jobs.legal_job_steps) == [expected]


def test_a_step_of_a_job_that_was_never_created(tale: type) -> None:
    assert tale().step(7, "pending", "success").broken(jobs.legal_job_steps) == [
        "job 7 () changes but was never created"
    ]


def poll(tale: type) -> Any:
    return tale().commit(jobs=[(1, "retry")])


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (lambda t: t.commit(own=1).at(5).commit(own=1), "job 1 (retry) runs at 0s and once more at 5ms"),
        (
            lambda t: t.add("rolled_back", 1).step(1, "pending", "failed").at(5).commit(own=1),
            "job 1 (retry) runs at 0s and once more at 5ms",
        ),
        (lambda t: t.step(1, "pending", "success"), "job 1 (retry) succeeds at 0s without a commit"),
        (lambda t: t.step(1, "pending", "failed"), "job 1 (retry) fails at 0s, but never threw"),
        (
            lambda t: t.add("commit", 1, "retry", t.raw[-1][5]._replace(writes=())),
            "job 1 (retry) commits at 0s, but its success is not part of that",
        ),
        (
            lambda t: t.add("rolled_back", 1).at(5).step(1, "pending", "canceled"),
            "job 1 (retry) threw at 0s but ends as canceled",
        ),
    ],
    ids=["twice", "again", "uncommitted", "failed", "torn", "thrown"],
)
def test_a_mutation_that_does_not_run_exactly_once(tale: type, story: Story, expected: str) -> None:
    assert story(poll(tale)).broken(jobs.mutations_exactly_once) == [expected]


def action(tale: type) -> Any:
    return tale().submit().commit(jobs=[(0, "action")])


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (lambda t: t.starts(0).at(5).starts(0), "job 0 (action) starts at 0s and again at 5ms"),
        (
            lambda t: t.attempt(1, job=0),
            "attempt 1 of request 0 starts at 0s in job 0 (action), which has not started",
        ),
        (lambda t: t.attempt(1, job=7), "attempt 1 of request 0 starts at 0s in job 7, which has not started"),
        (
            lambda t: t.starts(0).step(0, "inProgress", "failed").attempt(1, job=0),
            "attempt 1 of request 0 starts at 0s in job 0 (action), which had ended",
        ),
        (
            lambda t: t.starts(0).restart().attempt(1, job=0),
            "attempt 1 of request 0 starts at 0s in job 0 (action), which died with the server",
        ),
    ],
    ids=["twice", "unstarted", "unknown", "ended", "dead"],
)
def test_an_action_that_runs_outside_its_one_execution(tale: type, story: Story, expected: str) -> None:
    assert story(action(tale)).broken(jobs.actions_at_most_once) == [expected]


@pytest.mark.parametrize("how", ["canceled", "lost"])
def test_an_execution_that_goes_on_unseen_may_attempt_again(tale: type, how: str) -> None:
    story = action(tale).starts(0).attempt(1, "lost_contact", job=0)
    if how == "lost":
        story.lost(1)
    story.step(0, "inProgress", "failed" if how == "lost" else "canceled").ends(1, "returned").attempt(2, job=0)
    assert story.broken(jobs.actions_at_most_once) == []


def test_a_child_of_a_canceled_action_that_is_born_pending(tale: type) -> None:
    story = action(tale).starts(0).step(0, "inProgress", "canceled").at(5)
    story.commit("report", caller=0, jobs=[(1, "retry", 9)])
    assert story.broken(jobs.children_of_canceled) == [
        "job 1 (retry) is born pending at 5ms, scheduled by the canceled job 0 (action)"
    ]


def test_a_grandchild_of_a_canceled_action_is_nobody_s_child(tale: type) -> None:
    story = action(tale).starts(0).commit(caller=0, jobs=[(1, "action")]).step(0, "inProgress", "canceled")
    story.starts(1).commit(caller=1, jobs=[(2, "retry")])
    assert story.broken(jobs.children_of_canceled) == []


def test_a_job_that_is_born_canceled_without_a_reason(tale: type) -> None:
    assert tale().commit(jobs=[(0, "action", 0, "canceled")]).broken(jobs.children_of_canceled) == [
        "job 0 (action) is born canceled at 0s, but no canceled action scheduled it"
    ]


@pytest.mark.parametrize("excuse", ["collected", "canceled by itself"])
def test_a_canceled_caller_that_could_not_be_seen(tale: type, excuse: str) -> None:
    story = action(tale).starts(0)
    if excuse == "collected":
        story.step(0, "inProgress", "canceled").add("collected", detail=1, request=-1)
        story.commit(caller=0, jobs=[(1, "retry")])
    else:
        story.commit(caller=0, jobs=[(1, "retry")], cancels=[(0, "inProgress")])
    assert story.broken(jobs.children_of_canceled) == []


@pytest.mark.parametrize(
    "story",
    [
        lambda t: t.at(9).starts(0),
        lambda t: t.at(9).add("rolled_back", 0),
        lambda t: t.at(20).commit(own=0, begin=9),
    ],
)
def test_a_job_that_starts_before_it_is_due(tale: type, story: Story) -> None:
    assert story(tale().commit(jobs=[(0, "job", 10)])).broken(jobs.nothing_starts_early) == [
        "job 0 (job) starts at 9ms but is due at 10ms"
    ]


@pytest.mark.parametrize("story", [lambda t: t.starts(0), lambda t: t.commit(own=0), lambda t: t.attempt(1, job=0)])
def test_something_that_happens_while_the_server_is_down(tale: type, story: Story) -> None:
    down = action(tale).restart().at(5).add("restart", name="continues", request=-1)
    assert [text.partition(" happens ")[2] for text in story(down).broken(jobs.nothing_starts_early)] == [
        "at 5ms while the server is down"
    ]
    assert story(action(tale).restart().at(5)).broken(jobs.nothing_starts_early) == []


def test_more_jobs_than_slots(tale: type) -> None:
    story = tale().commit(jobs=[(0, "action"), (1, "action"), (2, "retry")]).starts(0).starts(1)
    story.at(9).step(0, "inProgress", "failed").step(1, "inProgress", "failed").at(20).commit(own=2, begin=9)
    assert story.broken(jobs.slots_respected, parallelism=2) == []
    assert story.broken(jobs.slots_respected, parallelism=1) == ["2 jobs run in 1 slots at 0s"]
    assert story.broken(jobs.slots_respected) == []


def test_a_mutation_takes_a_slot_from_its_snapshot_to_its_commit(tale: type) -> None:
    story = tale().commit(jobs=[(0, "action"), (2, "retry")]).at(5).starts(0).at(20).commit(own=2, begin=4)
    assert story.broken(jobs.slots_respected, parallelism=1) == ["2 jobs run in 1 slots at 5ms"]


@pytest.mark.parametrize(("retention_ms", "count"), [(50, 0), (51, 1)])
def test_rows_that_are_collected_too_early(tale: type, retention_ms: int, count: int) -> None:
    story = action(tale).at(10).starts(0).step(0, "inProgress", "failed").at(60).add("collected", detail=1, request=-1)
    found = story.broken(jobs.rows_kept, retention_ns=retention_ms * 1_000_000)
    assert found == ["1 rows have been collected at 60ms, but 0 jobs had been over for 51ms"][:count]
    assert story.broken(jobs.rows_kept) == []


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (lambda t: t, ["job 0 (action) is pending in the end, since 0s"]),
        (lambda t: t.at(5).starts(0), ["job 0 (action) is inProgress in the end, since 5ms"]),
        (
            lambda t: t.starts(0).attempt(1, job=0).step(0, "inProgress", "failed"),
            ["attempt 1 of request 0, started at 0s, never ends"],
        ),
        (lambda t: t.starts(0).attempt(1, "hang", job=0), []),
        (lambda t: t.starts(0).attempt(1, "hang", job=0).commit(jobs=[(1, "retry")]), []),
        (lambda t: t.add("runaway", name="polls"), []),
        (
            lambda t: t.add("runaway", name="polls").starts(0),
            ["job 0 (action) is inProgress in the end, since 0s"],
        ),
    ],
    ids=["pending", "in progress", "attempt", "hang", "starved", "runaway", "in progress at a limit"],
)
def test_what_is_left_in_the_end(tale: type, story: Story, expected: list[str]) -> None:
    assert story(action(tale)).broken(jobs.nothing_left) == expected
    assert story(action(tale)).broken(jobs.nothing_left, drained=False) == []


def test_a_hang_holds_one_slot_only(tale: type) -> None:
    story = action(tale).starts(0).attempt(1, "hang", job=0).commit(jobs=[(1, "retry")])
    assert story.broken(jobs.nothing_left, parallelism=2) == ["job 1 (retry) is pending in the end, since 0s"]


# Transactions.


def test_a_job_of_a_mutation_that_did_not_commit(tale: type) -> None:
    story = tale().job(0, "action").add("rolled_back", name="call").commit(jobs=[(1, "retry")])
    assert story.broken(store.atomic_commits) == ["job 0 (action) is written at 0s and is part of no commit"]


def test_a_write_that_no_commit_follows(tale: type) -> None:
    story = tale().add("write", name="runs:1", detail={})
    assert story.broken(store.atomic_commits) == ["runs:1 is written at 0s and is part of no commit"]
    assert story.broken(store.atomic_commits, drained=False) == []


def test_a_commit_of_what_has_not_happened(tale: type) -> None:
    story = tale().commit("call", writes={"runs:1": {}})
    del story.raw[0]
    assert story.broken(store.atomic_commits) == [
        "mutation call commits at 0s with a write of runs:1 that has not happened"
    ]


def at_one(tale: type) -> Any:
    """Document runs:1 holds 1, written with timestamp 1; job 0 runs since timestamp 2."""
    return tale().commit(writes={"runs:1": {"_id": "runs:1", "n": 1}}, jobs=[(0, "action")]).starts(0)


ONE = {"_id": "runs:1", "n": 1}
TWO = {"_id": "runs:1", "n": 2}


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (
            lambda t: t.at(5).commit("call", reads=[("runs:1", TWO)]),
            (
                "mutation call reads runs:1 as {'_id': 'runs:1', 'n': 2};"
                " when it commits at 5ms that is {'_id': 'runs:1', 'n': 1}"
            ),
        ),
        (
            lambda t: t.at(5).commit("call", reads=[("runs:1", None)]),
            "mutation call reads runs:1 as nothing; when it commits at 5ms that is {'_id': 'runs:1', 'n': 1}",
        ),
        (
            lambda t: t.at(5).commit("call", reads=[("runs:2", ONE)]),
            "mutation call reads runs:2 as {'_id': 'runs:1', 'n': 1}; when it commits at 5ms that is nothing",
        ),
        (
            lambda t: t.at(5).commit("call", reads=[(0, "pending")]),
            "mutation call reads job 0 (action) as pending; when it commits at 5ms that is inProgress",
        ),
        (
            lambda t: t.at(5).commit("call", reads=[(0, None)]),
            "mutation call reads job 0 (action) as nothing; when it commits at 5ms that is inProgress",
        ),
        (
            lambda t: t.at(5).commit("call", reads=[(0, "pending")], cancels=[(0, "inProgress")]),
            "mutation call reads job 0 (action) as pending; when it commits at 5ms that is inProgress",
        ),
        (
            lambda t: t.at(4).commit(writes={"runs:1": ONE}).at(5).commit("call", begin_ts=2, reads=[("runs:1", ONE)]),
            (
                "mutation call reads runs:1 as {'_id': 'runs:1', 'n': 1};"
                " when it commits at 5ms that is {'_id': 'runs:1', 'n': 1}, written at 4ms after its snapshot"
            ),
        ),
        (
            lambda t: t.at(5).commit("call", begin_ts=1, reads=[(0, "inProgress")]),
            (
                "mutation call reads job 0 (action) as inProgress;"
                " when it commits at 5ms that is inProgress, written at 0s after its snapshot"
            ),
        ),
    ],
    ids=["dirty", "missed", "invented", "stale", "vanished", "overwritten", "same again", "ahead of its snapshot"],
)
def test_a_read_of_what_was_not_there(tale: type, story: Story, expected: str) -> None:
    assert story(at_one(tale)).broken(store.serializable) == [expected]


def test_reads_of_what_was_there(tale: type) -> None:
    story = at_one(tale).at(5).commit(reads=[("runs:1", ONE), (0, "inProgress"), ("runs:2", None), (9, None)])
    story.commit(reads=[("runs:1", dict(ONE)), (0, "inProgress")], writes={"runs:1": TWO}, cancels=[(0, "inProgress")])
    story.commit(reads=[("runs:1", TWO), (0, "canceled")], writes={"runs:1": None})
    assert story.commit(reads=[("runs:1", None)]).broken(store.serializable) == []


def test_a_lost_update(tale: type) -> None:
    story = at_one(tale).at(5).commit("first", begin=1, begin_ts=2, reads=[("runs:1", ONE)], writes={"runs:1": TWO})
    story.commit("second", begin=1, begin_ts=2, reads=[("runs:1", ONE)], writes={"runs:1": TWO})
    assert [text.partition(" as ")[0] for text in story.broken(store.serializable)] == ["mutation second reads runs:1"]


def test_write_skew(tale: type) -> None:
    documents = {name: {"_id": name, "on": True} for name in ("doctors:1", "doctors:2")}
    off = {name: {"_id": name, "on": False} for name in documents}
    reads = list(documents.items())
    story = tale().commit(writes=documents).at(5)
    story.commit("first", begin_ts=1, reads=reads, writes={"doctors:1": off["doctors:1"]})
    story.commit("second", begin_ts=1, reads=reads, writes={"doctors:2": off["doctors:2"]})
    assert [text.partition(" as ")[0] for text in story.broken(store.serializable)] == [
        "mutation second reads doctors:1"
    ]


@pytest.mark.parametrize(
    ("ts", "begin_ts", "expected"),
    [
        (1, 0, "mutation call commits at 0s with timestamp 1; the one before has 2"),
        (3, 3, "mutation call commits at 0s with timestamp 3; its snapshot has 3"),
        (0, 2, "mutation call commits at 0s with writes and no timestamp"),
    ],
)
def test_timestamps_that_do_not_grow(tale: type, ts: int, begin_ts: int, expected: str) -> None:
    story = tale().commit(ts=2, writes={"runs:1": {}}).commit("call", ts=ts, begin_ts=begin_ts, writes={"runs:2": {}})
    assert story.broken(store.serializable) == [expected]


def test_rows_that_are_collected_are_gone(tale: type) -> None:
    story = at_one(tale).step(0, "inProgress", "success").add("collected", detail=1, request=-1)
    assert story.commit("call", reads=[(0, None)]).broken(store.serializable) == []
    assert story.commit("call", reads=[(0, "success")]).broken(store.serializable) == [
        "mutation call reads job 0 (action) as success; when it commits at 0s that is gone"
    ]


def test_no_more_rows_are_gone_than_were_collected(tale: type) -> None:
    story = tale().commit(jobs=[(0, "action"), (1, "action")])
    story.step(0, "pending", "canceled").step(1, "pending", "canceled").add("collected", detail=1, request=-1)
    story.commit("call", reads=[(0, None), (1, None)])
    assert story.broken(store.serializable) == [
        "mutation call reads job 1 (action) as nothing; when it commits at 0s that is canceled"
    ]


def in_table(*ids: str, own: tuple[str, ...] = (), high: tuple[Any, ...] = (TOP,)) -> RangeRead:
    return RangeRead("runs", ("n",), (), high, ids, own)


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (in_table("runs:1"), []),
        (in_table(high=((2, 1),)), []),
        (in_table("runs:1", high=((2, 1), TOP)), []),
        (in_table(own=("runs:1",)), []),
        (in_table(), ["mutation call finds nothing in runs; when it commits at 0s that is runs:1"]),
        (
            in_table("runs:1", "runs:2"),
            ["mutation call finds runs:1, runs:2 in runs; when it commits at 0s that is runs:1"],
        ),
        (RangeRead("others", (), (), (TOP,), (), ()), []),
    ],
)
def test_ranges(tale: type, read: RangeRead, expected: list[str]) -> None:
    assert at_one(tale).commit("call", ranges=[read]).broken(store.serializable) == expected


def test_a_phantom(tale: type) -> None:
    story = at_one(tale).at(5).commit(writes={"runs:2": {"_id": "runs:2", "n": 5}})
    assert story.commit("call", begin_ts=2, ranges=[in_table("runs:1")]).broken(store.serializable) == [
        "mutation call finds runs:1 in runs; when it commits at 5ms that is runs:1, runs:2"
    ]


def test_a_document_of_a_range_that_changed_within_it(tale: type) -> None:
    story = at_one(tale).at(5).commit(writes={"runs:1": TWO})
    assert story.commit("call", begin_ts=2, ranges=[in_table("runs:1")]).broken(store.serializable) == [
        "mutation call finds runs:1 in runs; runs:1 is written at 5ms, after its snapshot"
    ]


def test_index_keys_sort_as_in_convex(tale: type) -> None:
    values = [{}, {"n": None}, {"n": -1.5}, {"n": 7}, {"n": False}, {"n": True}, {"n": "a"}, {"n": {"m": 1}}]
    nested = RangeRead("runs", ("n.m",), ((2, 1),), ((2, 1), TOP), ("runs:8",), ())
    story = tale().commit(writes={f"runs:{n}": {"_id": f"runs:{n}", **v} for n, v in enumerate(values[:7], 1)})
    everything = in_table(*(f"runs:{n}" for n in range(1, 8)))
    assert story.commit(ranges=[everything]).broken(store.serializable) == []
    story = tale().commit(writes={"runs:8": {"_id": "runs:8", **values[7]}, "runs:9": {"_id": "runs:9"}})
    assert story.commit(ranges=[nested]).broken(store.serializable) == []


# Attempts and effects.


@pytest.mark.parametrize(
    ("story", "kind"),
    [
        (lambda t: t.ends(1, "returned").ends(1, "threw"), "attempt_end"),
        (lambda t: t.ends(2, "returned"), "attempt_end"),
        (lambda t: t.effect(2), "effect"),
        (lambda t: t.lost(3), "lost"),
        (lambda t: t.timed_out(3), "timed_out"),
    ],
)
def test_what_is_heard_of_attempts_that_are_not_there(tale: type, story: Story, kind: str) -> None:
    (text,) = story(tale().submit().attempt(1)).broken(effects.attempts_end_once)
    assert text.startswith(f"'{kind}' of attempt")


@pytest.mark.parametrize(
    ("outcome", "effect", "how", "expected"),
    [
        ("success", 5, "returned", ""),
        ("success", 5, "died", ""),
        ("success", 5, "threw", "threw at 9ms"),
        ("fail", None, "returned", "returned at 9ms"),
        ("fail", 5, "threw", "is to have an effect"),
        ("ack_lost", None, "threw", "is to have no effect"),
        ("crash_before_effect", None, "cut", ""),
        ("crash_after_effect", 5, "returned", "returned at 9ms"),
        ("hang", None, "threw", "threw at 9ms"),
        ("an outcome of the future", None, "returned", ""),
    ],
)
def test_an_attempt_against_what_it_had_in_store(
    tale: type, outcome: str, effect: float | None, how: str, expected: str
) -> None:
    story = tale().submit().attempt(1, outcome, effect=effect).at(9).ends(1, how)
    found = story.broken(effects.attempts_go_as_drawn)
    assert found == ([f"attempt 1 of request 0, with '{outcome}' in store, {expected}"] if expected else [])


def test_only_an_attempt_that_is_to_be_lost_is_lost(tale: type) -> None:
    assert tale().submit().attempt(1, "fail").lost(1).broken(effects.attempts_go_as_drawn) == [
        "attempt 1 of request 0, with 'fail' in store, is lost at 0s"
    ]


@pytest.mark.parametrize(("limit_ms", "count"), [(50, 0), (49, 1)])
@pytest.mark.parametrize("ended", [True, False])
def test_an_attempt_past_the_time_limit(tale: type, limit_ms: int, count: int, *, ended: bool) -> None:
    story = action(tale).starts(0).attempt(1, "hang", job=0).at(50)
    story = story.ends(1, "cut") if ended else story.submit(1)
    found = story.broken(effects.time_limit_holds, action_time_limit_ns=limit_ms * 1_000_000, drained=False)
    assert found == ["attempt 1 of request 0 runs on after 49ms, the time limit of job 0 (action)"][:count]


def test_a_client_has_no_time_limit(tale: type) -> None:
    story = tale().submit().attempt(1).at(50).ends(1, "returned")
    assert story.broken(effects.time_limit_holds, action_time_limit_ns=1) == []


def due(tale: type) -> Any:
    """An attempt of a client whose effect is due at 40 ms."""
    return tale().submit().attempt(1, effect=40)


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (lambda t: t.at(40).effect(1), []),
        (lambda t: t, ["the effect of attempt 1 of request 0 is due at 40ms but never comes"]),
        (lambda t: t.at(41).effect(1), ["the effect of attempt 1 of request 0 comes at 41ms but is due at 40ms"]),
        (
            lambda t: t.at(40).effect(1).effect(1),
            ["the effect of attempt 1 of request 0 comes at 40ms and again at 40ms"],
        ),
        (
            lambda t: t.at(40).effect(1).attempt(2).effect(2),
            ["the effect of attempt 2 of request 0 comes at 40ms; it has none"],
        ),
    ],
    ids=["on time", "never", "late", "twice", "unasked"],
)
def test_effects_as_they_are_due(tale: type, story: Story, expected: list[str]) -> None:
    assert story(due(tale)).broken(effects.effects_happen) == expected


@pytest.mark.parametrize(
    ("cut_ms", "end_ms", "count"), [(39, None, 0), (40, None, 0), (41, None, 1), (39, 39, 0), (39, 40, 1)]
)
def test_an_effect_that_was_due_by_the_cut(tale: type, cut_ms: float, end_ms: float | None, count: int) -> None:
    end_ns = None if end_ms is None else round(end_ms * 1e6)
    story = due(tale).at(cut_ms).submit(1)
    assert len(story.broken(effects.effects_happen, drained=False, end_ns=end_ns)) == count


def running(tale: type) -> Any:
    """The same in an action's job."""
    return action(tale).starts(0).attempt(1, job=0, effect=40).at(20)


LOST_WITH_THE_SERVER = {
    "running": lambda t: t.restart("lost").ends(1, "died"),
    "out of sight": lambda t: t.lost(1).step(0, "inProgress", "failed").restart("lost").ends(1, "died"),
    "canceled": lambda t: t.step(0, "inProgress", "canceled").restart("lost").ends(1, "died"),
    "dead, undetected": lambda t: t.ends(1, "died").restart("lost").step(0, "inProgress", "failed"),
}
KEPT = {
    "continues": lambda t: t.restart("continues").ends(1, "died"),
    "dead, detected": lambda t: t.ends(1, "died").step(0, "inProgress", "failed").restart("lost"),
    "dead, out of sight": lambda t: t.lost(1).step(0, "inProgress", "failed").ends(1, "died").restart("lost"),
}


@pytest.mark.parametrize("story", LOST_WITH_THE_SERVER.values(), ids=LOST_WITH_THE_SERVER)
def test_an_effect_that_is_lost_with_the_server(tale: type, story: Story) -> None:
    assert story(running(tale)).broken(effects.effects_happen) == []
    assert story(running(tale)).at(40).effect(1).broken(effects.effects_happen) == [
        "the effect of attempt 1 of request 0 comes at 40ms although it was lost at 20ms"
    ]


@pytest.mark.parametrize("story", KEPT.values(), ids=KEPT)
def test_an_effect_that_no_restart_loses(tale: type, story: Story) -> None:
    assert story(running(tale)).at(40).effect(1).broken(effects.effects_happen) == []
    assert story(running(tale)).broken(effects.effects_happen) == [
        "the effect of attempt 1 of request 0 is due at 40ms but never comes"
    ]


def test_a_restart_after_the_effect_is_due_excuses_nothing(tale: type) -> None:
    story = running(tale).at(41).restart("lost").ends(1, "died")
    assert len(story.broken(effects.effects_happen)) == 1


def test_of_a_canceled_job_nobody_can_tell_whether_the_effect_was_lost(tale: type) -> None:
    story = running(tale).step(0, "inProgress", "canceled").ends(1, "died").restart("lost")
    assert story.broken(effects.effects_happen) == []
    assert story.at(40).effect(1).broken(effects.effects_happen) == []


# Causes: attempt 1 has had its effect at 10 ms; something befalls it; the effect of attempt 2 comes at 50 ms.


def first_effect(tale: type, outcome: str = "success", *, job: bool = True) -> Any:
    story = tale().submit()
    if job:
        story.commit(jobs=[(0, "action")]).starts(0)
    return story.attempt(1, outcome, job=0 if job else -1, effect=10).at(10).effect(1).at(20)


CAUSES: dict[str, tuple[str, Story, str]] = {
    "ack lost": ("ack_lost", lambda t: t.ends(1, "threw").step(0, "inProgress", "failed"), "ack_lost"),
    "crash": ("crash_after_effect", lambda t: t.ends(1, "died").step(0, "inProgress", "failed"), "crash_after_effect"),
    "server died": (
        "success",
        lambda t: t.restart().ends(1, "died").step(0, "inProgress", "failed"),
        "crash_after_effect",
    ),
    "server died before the report": (
        "success",
        lambda t: t.ends(1, "returned").restart().step(0, "inProgress", "failed"),
        "crash_after_effect",
    ),
    "time limit": ("success", lambda t: t.ends(1, "cut").step(0, "inProgress", "failed"), "timeout"),
    "lost": ("lost_contact", lambda t: t.lost(1).step(0, "inProgress", "failed"), "timeout"),
    "lost and dead": (
        "lost_contact",
        lambda t: t.lost(1).step(0, "inProgress", "failed").ends(1, "died"),
        "timeout",
    ),
    "report lost": (
        "success",
        lambda t: t.ends(1, "returned").at(30).add("conflict", detail=5).step(0, "inProgress", "failed"),
        "report_lost",
    ),
    "retried all the same": (
        "success",
        lambda t: t.ends(1, "returned").step(0, "inProgress", "success"),
        "repeated",
    ),
    "still running": ("success", lambda t: t.at(90).ends(1, "returned").at(20), "timeout"),
    "still reporting": ("success", lambda t: t.ends(1, "returned"), "timeout"),
}


@pytest.mark.parametrize("case", CAUSES.values(), ids=CAUSES)
def test_a_duplicate_names_what_befell_the_attempt_before(tale: type, case: tuple[str, Story, str]) -> None:
    outcome, story, cause = case
    for name in ("ack_lost", "crash_after_effect", "timeout", "report_lost", "repeated", "applied"):
        told = story(first_effect(tale, outcome)).attempt(2, effect=50).at(50).effect(2, name)
        found = told.broken(effects.duplicates_have_causes)
        expected = f"the effect of attempt 2 of request 0 at 50ms is '{name}' but should be '{cause}'"
        assert found == ([] if name == cause else [expected])


def test_a_job_that_fails_for_no_visible_reason_may_have_reached_its_time_limit(tale: type) -> None:
    for name, count in {"report_lost": 0, "timeout": 0, "ack_lost": 1}.items():
        story = first_effect(tale).ends(1, "returned").at(30).step(0, "inProgress", "failed")
        story.attempt(2, effect=50).at(50).effect(2, name)
        assert len(story.broken(effects.duplicates_have_causes)) == count


@pytest.mark.parametrize("given_up", [lambda t: t.timed_out(2), lambda t: t.ends(2, "died"), lambda t: t.lost(2)])
def test_an_effect_of_an_attempt_that_was_given_up_is_a_timeout(tale: type, given_up: Story) -> None:
    story = given_up(first_effect(tale, "ack_lost", job=False).ends(1, "threw").attempt(2, effect=50)).at(50)
    assert story.effect(2, "timeout").broken(effects.duplicates_have_causes) == []


def test_a_client_that_timed_out_is_blamed_for_what_it_left_behind(tale: type) -> None:
    story = first_effect(tale, job=False).timed_out(1).at(30).ends(1, "returned").attempt(2, effect=50).at(50)
    assert story.effect(2, "timeout").broken(effects.duplicates_have_causes) == []


def test_a_client_that_calls_again_after_a_success_has_lost_nothing(tale: type) -> None:
    story = first_effect(tale, job=False).ends(1, "returned").attempt(2, effect=50).at(50)
    assert story.effect(2, "report_lost").broken(effects.duplicates_have_causes) == [
        "the effect of attempt 2 of request 0 at 50ms is 'report_lost' but should be 'repeated'"
    ]


def asked_again(tale: Any, reason: str = "failed") -> Any:
    """Tell of an attempt that fails although its effect is done, and of the attempt of a second submission."""
    told = tale().submit().attempt(1, "ack_lost", effect=10).at(10).effect(1).ends(1, "threw").settles("gave_up")
    return told.at(20).submit_again(2, reason).attempt(2, effect=30).at(30)


def test_a_duplicate_of_another_submission_is_charged_to_the_caller(tale: type) -> None:
    assert asked_again(tale).effect(2, "resubmit").broken(effects.duplicates_have_causes) == []
    assert len(asked_again(tale).effect(2, "ack_lost").broken(effects.duplicates_have_causes)) == 1


def test_a_duplicate_of_submissions_side_by_side_may_have_any_cause_but_is_no_first_effect(tale: type) -> None:
    for cause, count in (("resubmit", 0), ("timeout", 0), ("applied", 1)):
        story = asked_again(tale, "silent").effect(2, cause)
        assert len(story.broken(effects.duplicates_have_causes)) == count


def test_a_handler_that_runs_the_action_twice_has_lost_nothing(tale: type) -> None:
    story = first_effect(tale).ends(1, "returned").attempt(2, job=0, effect=50).at(50)
    assert story.effect(2, "repeated").broken(effects.duplicates_have_causes) == []


def test_the_first_effect_is_no_duplicate(tale: type) -> None:
    assert due(tale).at(40).effect(1, "ack_lost").broken(effects.duplicates_have_causes) == [
        "the effect of attempt 1 of request 0 at 40ms is 'ack_lost' but should be 'applied'"
    ]


@pytest.mark.parametrize(
    ("name", "window_ms", "count"),
    [
        ("suppressed", None, 0),
        ("ack_lost", None, 0),
        ("suppressed", 41, 0),
        ("ack_lost", 41, 1),
        ("suppressed", 40, 1),
        ("ack_lost", 40, 0),
        ("suppressed", 0, 1),
    ],
)
def test_an_effect_is_recognized_within_the_window_only(
    tale: type, name: str, window_ms: int | None, count: int
) -> None:
    story = first_effect(tale, "ack_lost", job=False).ends(1, "threw").attempt(2, effect=50).at(50).effect(2, name)
    window_ns = None if window_ms is None else window_ms * 1_000_000
    assert len(story.broken(effects.duplicates_have_causes, idempotency_ns=window_ns)) == count


def test_a_recognized_effect_is_not_the_one_before(tale: type) -> None:
    story = first_effect(tale, "ack_lost", job=False).ends(1, "threw").attempt(2, effect=20).effect(2, "suppressed")
    story.ends(2, "returned").attempt(3, effect=50).at(50).effect(3, "ack_lost")
    assert story.broken(effects.duplicates_have_causes) == []
