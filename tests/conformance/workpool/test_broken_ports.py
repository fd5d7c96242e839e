"""A pool that is wrong by a little is seen: a test that cannot fail would be a defect."""

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, NamedTuple

import pytest

from sim.testing.conformance import replay

Recordings = Mapping[str, Any]
Difference = Callable[..., str | None]

PORT = "sim.retriers.ports.workpool."


def one_after_the_other(running: Iterable[Generator[None, None, None]]) -> None:
    """Run each handler to its end before the next begins."""
    for handler in running:
        for _ in handler:
            pass


class Broken(NamedTuple):
    """What is put in the place of a part of the port, and a recording that it must not meet."""

    part: str
    value: Any
    recording: str


BROKEN = {
    "no jitter": Broken("loop.jitter", lambda delay_ms, _uniform: delay_ms, "fail1-then-success"),
    "a backoff off by one exponent": Broken("loop.power", lambda base, of: base ** (of + 1), "fail1-then-success"),
    "a longer cool-down": Broken("loop.STATUS_COOLDOWN_NS", 2_200_000_000, "no-retry-success"),
    "a full pool that cools down sooner": Broken(
        "loop.SATURATED_COOLDOWN_NS", 2_000_000_000, "cancel-running-saturated"
    ),
    "retries one after the other": Broken("loop.promise_all", one_after_the_other, "two-fail-together"),
    "ends one after the other": Broken("complete.promise_all", one_after_the_other, "crash-order-callbacks"),
    "works put in one after the other": Broken("lib.promise_all", one_after_the_other, "batch-of-five"),
    "small batches": Broken("loop.RUN_BATCH_SIZE", 16, "forty-on-fifty"),
    "few cancelations a run": Broken("loop.CANCELLATION_BATCH_SIZE", 63, "cancel-all-seventy"),
    "large pages of cancelAll": Broken("lib.PAGE_SIZE", 100, "cancel-all-seventy"),
    "an early recovery": Broken("loop.RECOVERY_THRESHOLD_NS", 240_000_000_000, "crash-no-retry"),
    "small recoveries": Broken("loop.RECOVERY_BATCH_SIZE", 16, "crash-forty"),
    "small pages of the report": Broken("stats.LEAST_PAGE", 1, "thirty-backlog"),
    "a ping that keeps no run": Broken("batch_worker.kick.RUNNING_THRESHOLD_NS", 0, "enqueue-999-before-wake"),
    "an early monitor": Broken("batch_worker.kick.MONITOR_LAG_NS", 119_000_000_000, "no-retry-success"),
    "a monitor renewed late": Broken("batch_worker.kick.MONITOR_REFRESH_WITHIN_NS", 0, "run-after-120000"),
    "creations at one time": Broken("sim.convex.component.STEP_NS", 0, "cancel-all-at-0"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_port_is_seen(
    broken: Broken, monkeypatch: pytest.MonkeyPatch, recordings: Recordings, difference: Difference
) -> None:
    recorded = recordings[f"workpool-{broken.recording}"]
    assert difference(recorded, replay(recorded["case"])) is None
    monkeypatch.setattr(broken.part if broken.part.startswith("sim.") else PORT + broken.part, broken.value)
    assert difference(recorded, replay(recorded["case"])) is not None
