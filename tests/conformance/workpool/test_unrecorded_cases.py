"""Cases that no recording has: what the packages' sources say of them, and laws that hold of any case."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sim.testing.conformance import replay

Case = dict[str, Any]


def played(works: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Play a case of several works; `pool` has the options of the client."""
    pool = more.pop("pool", {})
    case = {"retrier": "workpool", "options": {"pool": pool}, "attempts": [], "works": works, "random": {"seed": 1}}
    return replay({**case, **more})


def work(*attempts: tuple[str, float], **more: Any) -> dict[str, Any]:
    return {"attempts": [{"outcome": outcome, "duration_ms": ms} for outcome, ms in attempts], **more}


def told(played: dict[str, Any], ev: str) -> list[dict[str, Any]]:
    return [event for event in played["events"] if event["ev"] == ev]


def inserted(played: dict[str, Any], fn: str) -> list[dict[str, Any]]:
    return [event for event in told(played, "insert") if event["fn"] == fn]


def test_one_run_starts_65_works_of_a_pool_that_has_room_for_more() -> None:
    result = played([work(("success", 50))] * 70, pool={"maxParallelism": 200}, max_timers=1)
    assert [len(event["running"]) for event in told(result, "internal")] == [65]
    assert len(inserted(result, "runBatch")) == 3


def test_a_report_counts_in_a_job_of_its_own_if_more_than_ten_works_wait() -> None:
    for waiting, expected in ((10, 0), (11, 1)):
        works = [work(("success", 70_000)), *[work(("success", 0))] * waiting]
        result = played(works, pool={"maxParallelism": 1})
        assert len(inserted(result, "calculateBacklogAndReport")) == expected


def test_a_page_of_no_works_throws_and_nothing_of_it_stays() -> None:
    result = played([work(("success", 5000))], cancel_all=[{"at_ms": 1000, "limit": 0}])
    assert told(result, "cancel_return") == []
    assert [(event["t"], event["limit"]) for event in told(result, "cancel_throw")] == [(1000, 0)]
    assert [event for event in told(result, "pool") if event["table"] == "pendingCancelation"] == []


def test_pages_of_one_work_follow_each_other_until_the_work_is_gone() -> None:
    result = played([work(("success", 5000), options={"runAfter": 9000})], cancel_all=[{"at_ms": 1000, "limit": 1}])
    assert result["final"]["works"][0]["result"] == {"kind": "canceled"}
    assert {event["t"] for event in inserted(result, "cancelAll")} == {1000}


def test_an_enqueue_that_throws_leaves_nothing() -> None:
    result = played([work(("success", 50), enqueue_at_ms=10)] * 2, pool={"maxParallelism": -1}, status_at_ms=[20])
    assert [event["ev"] for event in result["events"]] == ["start", "enqueue_call", "enqueue_throw"]
    assert result["final"]["works"] == []
    assert result["final"]["worker"] is None


def test_an_action_that_dies_at_once_lets_none_behind_it_start() -> None:
    works = [work(("success", 0)), work(("crash", 0)), work(("success", 500)), work(("success", 0), fn="query")]
    result = played(works)
    first = [(event["ev"], event["work"]) for event in result["events"] if event["ev"].startswith("action")]
    assert first == [("action_start", 0), ("action_end", 0), ("action_start", 1), ("action_end", 1)]
    assert [one["result"] for one in result["final"]["works"]] == [{"kind": "failed"}] * 4
    assert {one["settled_at"] for one in result["final"]["works"]} == {360_000}


def test_a_retry_due_long_before_its_failure_is_never_seen() -> None:
    retry = {"maxAttempts": 3, "initialBackoffMs": -40_000, "base": 1}
    result = played([work(("fail", 50), options={"retry": retry})])
    assert result["final"]["works"][0]["status"] == {"state": "pending", "previousAttempts": 1}
    assert (result["final"]["worker"], result["final"]["left"]["pendingStart"]) == ("idle", 1)


def test_a_cancel_of_a_job_that_there_is_not_finds_none() -> None:
    result = played([work(("success", 50))], cancel_job={"at_ms": 20, "fn": "recover"})
    assert [event["job"] for event in told(result, "cancel_call")] == [-1]


def test_the_last_callback_is_told_even_if_the_case_is_cut_off_before_its_second_try() -> None:
    throws = [work(("success", 50), on_complete="throw")]
    whole, cut = (played(throws, max_timers=most)["final"]["works"][0] for most in (4000, 4))
    assert cut["settled_at"] == whole["settled_at"] == 50


# Any case.

times = st.integers(0, 60).map(lambda tenths: tenths * 100) | st.integers(0, 6000) | st.floats(0, 6000).map(round)
retries = st.booleans() | st.fixed_dictionaries(
    {
        "maxAttempts": st.integers(1, 4),
        "initialBackoffMs": st.sampled_from([0, 100, 250, 1000]),
        "base": st.sampled_from([0, 1, 2]),
    }
)


@st.composite
def works(draw: st.DrawFn) -> dict[str, Any]:
    fn = draw(st.sampled_from(["action", "action", "mutation", "query"]))
    outcomes = ["success", "fail", "nonretryable", *(["crash"] if fn == "action" else [])]
    attempt = st.fixed_dictionaries({"outcome": st.sampled_from(outcomes), "duration_ms": times | st.just(0)})
    options = st.fixed_dictionaries(
        {},
        optional={
            "retry": retries,
            "runAfter": times,
            "onCompleteExcludeKinds": st.lists(st.sampled_from(["success", "failed", "canceled"]), unique=True),
        },
    )
    optional: dict[str, st.SearchStrategy[Any]] = {
        "options": options,
        "enqueue_at_ms": times,
        "batch": st.sampled_from("ab"),
        "cancel_at_ms": times.map(lambda at_ms: at_ms + 6000) | st.lists(times.map(lambda at_ms: at_ms + 6000)),
        "on_complete": st.sampled_from(["ok", "throw", "none"]),
    }
    fixed = {"fn": st.just(fn), "attempts": st.lists(attempt, min_size=1, max_size=3)}
    return draw(st.fixed_dictionaries(fixed, optional=optional))


cases: st.SearchStrategy[Case] = st.fixed_dictionaries(
    {
        "retrier": st.just("workpool"),
        "options": st.fixed_dictionaries(
            {"pool": st.fixed_dictionaries({}, optional={"maxParallelism": st.integers(1, 6)})}
        ),
        "attempts": st.just([]),
        "works": st.lists(works(), max_size=8),
        "random": st.lists(st.floats(0, 0.999), min_size=1, max_size=3) | st.just({"seed": 5}),
    },
    optional={
        "start_at_ms": times,
        "cancel_all": st.lists(
            st.fixed_dictionaries({"at_ms": times}, optional={"limit": st.integers(2, 5)}), max_size=2
        ),
        "config": st.lists(st.fixed_dictionaries({"at_ms": times, "maxParallelism": st.integers(1, 201)}), max_size=2),
        "status_at_ms": st.lists(times, max_size=2),
    },
)


@settings(max_examples=60)
@given(case=cases)
def test_any_case_is_played_to_its_end_and_the_same_again(case: Case) -> None:
    result = replay(case)
    assert replay(json.loads(json.dumps(case))) == result
    final = result["final"]
    assert "truncated" not in final
    assert set(final["left"].values()) == {0}
    assert final["worker"] in (None, "idle")
    assert [one["status"] for one in final["works"]] == [{"state": "finished"}] * len(case["works"])


@settings(max_examples=40)
@given(case=cases)
def test_in_any_case_slots_and_attempts_stay_within_their_bounds(case: Case) -> None:
    result = replay(case)
    most = 10
    for event in result["events"]:
        if event["ev"] == "globals":
            most = max(most if event["op"] == "replace" else 0, event["maxParallelism"])
        elif event["ev"] == "internal":
            assert len(event["running"]) <= most
    allowed = {True: 5, False: 1, None: 1}
    for one in result["final"]["works"]:
        given_retry = case["works"][one["work"]].get("options", {}).get("retry")
        is_batched = "batch" in case["works"][one["work"]]
        budget = given_retry["maxAttempts"] if isinstance(given_retry, dict) else allowed[given_retry]
        assert is_batched or one["attempts"] <= budget
