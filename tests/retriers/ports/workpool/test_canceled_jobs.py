"""An operator cancels the running job of a pool: what the action's end schedules is canceled from birth.

The recordings do not know this, since their test double lets such jobs live; Convex does not
(`tests/convex/test_cancel.py`). The end of an action pings, and the loop that this wakes is such a job.
"""

from typing import Any

import pytest

from sim.testing.conformance import replay
from sim.testing.conformance import workpool as player
from sim.testing.conformance.ground import Ground, ground


def as_on_the_platform(case: dict[str, Any]) -> Ground:
    base = ground(case)
    base.deployment.server.cancels_children = True
    return base


def final_of(monkeypatch: pytest.MonkeyPatch, duration_ms: float) -> dict[str, Any]:
    """Cancel the job of a work that takes so long, and put a second work into the pool at 200 s."""
    monkeypatch.setattr(player, "ground", as_on_the_platform)
    works = [
        {"attempts": [{"outcome": "success", "duration_ms": duration_ms}]},
        {"attempts": [{"outcome": "success", "duration_ms": 50}], "enqueue_at_ms": 200_000},
    ]
    case = {"retrier": "workpool", "options": {}, "attempts": [], "works": works, "random": [0.5]}
    final: dict[str, Any] = replay({**case, "cancel_job": {"at_ms": 4000, "fn": "runBatch"}})["final"]
    return final


def test_a_loop_due_within_a_second_is_kept_so_that_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    final = final_of(monkeypatch, 119_999)
    assert [work["settled_at"] for work in final["works"]] == [119_999, 200_050]


def test_the_pool_stands_still_until_its_monitor(monkeypatch: pytest.MonkeyPatch) -> None:
    final = final_of(monkeypatch, 125_000)
    assert [work["settled_at"] for work in final["works"]] == [125_000, 240_050]


@pytest.mark.parametrize("duration_ms", [110_000, 118_999])
def test_upstream_bug_a_canceled_job_that_ends_within_10_s_of_the_monitor_stops_the_pool_for_ever(
    duration_ms: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = final_of(monkeypatch, duration_ms)
    assert [work["settled_at"] for work in final["works"]] == [duration_ms, None]
    assert (final["worker"], final["left"]["pendingStart"]) == ("running", 1)
    assert set(final["jobs"][-1]) == {"monitor", "canceled"}
