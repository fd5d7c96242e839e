"""The instant at which a request settles: of its commit, written down with it, or that a loop waited for."""

from typing import Any

import pytest

from sim.contracts.retrier import results

MS = 1_000_000
CLIENT = {"action_jobs": (), "poll_jobs": ()}


def concluded(tale: Any, since: float, **commit: Any) -> Any:
    """A mutation with its snapshot at 40 ms commits at 50 ms and settles its request."""
    story = tale.submit().commit("submit", jobs=[(0, "retry", 40)])
    return story.at(50).commit(own=0, begin=40, **commit).add("settled", name="success", detail=round(since * MS))


def test_a_request_settles_with_its_commit(tale: type) -> None:
    assert concluded(tale(), 50).broken(results.settles_at_its_commit) == []


def test_a_snapshot_that_is_only_said_is_no_conclusion(tale: type) -> None:
    assert concluded(tale(), 40).broken(results.settles_at_its_commit) == [
        "request 0 settles with the commit at 50ms, but says 40ms, which is written in no document"
    ]


@pytest.mark.parametrize(("field", "broken"), [(None, 0), ("at", 0), ("other", 1)])
def test_an_instant_that_is_written_down_counts(tale: type, field: str | None, broken: int) -> None:
    story = concluded(tale(), 40, writes={"runs:1": {"state": {"at": 40 * MS}}})
    assert len(story.broken(results.settles_at_its_commit, settled_field=field)) == broken


def test_a_promise_to_write_the_instant_down_is_kept(tale: type) -> None:
    story = concluded(tale(), 50, writes={"runs:1": {"at": 40 * MS}})
    assert story.broken(results.settles_at_its_commit, settled_field="at") == [
        "request 0 settles at 50ms, but its mutation, with its snapshot at 40ms, writes 40000000 as at"
    ]


def test_nothing_settles_without_a_commit(tale: type) -> None:
    story = tale().submit().commit("submit", jobs=[(0, "retry")]).at(5).settles("success")
    assert story.broken(results.settles_at_its_commit) == [
        "request 0 settles at 5ms without the commit of a mutation that concludes it"
    ]


@pytest.mark.parametrize(
    "told",
    [
        lambda t: t.attempt(1).at(5).ends(1, "returned").settles("success"),
        lambda t: t.attempt(1).at(5).timed_out(1).settles("gave_up"),
        lambda t: t.sleep(5).at(5).settles("gave_up"),
        lambda t: t.attempt(1).at(5).add("cancel", name="request").settles("canceled"),
        lambda t: t.settles("gave_up"),
    ],
)
def test_a_loop_concludes_when_something_lets_it_go_on(tale: type, told: Any) -> None:
    assert told(tale().submit()).broken(results.settles_at_its_commit, **CLIENT) == []


def test_a_loop_that_concludes_at_another_moment(tale: type) -> None:
    story = tale().submit().attempt(1).at(5).ends(1, "returned")
    assert story.at(6).settles("success").broken(results.settles_at_its_commit, **CLIENT) == [
        "request 0 settles at 6ms, when nothing lets its loop go on"
    ]
    told = tale().submit().attempt(1).at(5).ends(1, "returned").add("settled", name="success", detail=4 * MS)
    assert told.broken(results.settles_at_its_commit, **CLIENT) == [
        "request 0 settles at 5ms, but says that it did at 4ms"
    ]


def test_what_is_concluded_after_a_limit_does_not_change_what_was_not_concluded(tale: type) -> None:
    story = tale().submit().add("runaway", name="polls").add("resettled", name="success")
    assert story.broken(results.result_never_changes, results.settles_once) == []
