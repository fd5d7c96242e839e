"""Each invariant of a pool catches a port that is wrong in just what it claims, and holds of the port as it is."""

from inspect import getsource
from types import ModuleType
from typing import Any

import pytest

from sim.contracts.catalogue import POOL, check_view
from sim.retriers.ports.workpool import complete, loop
from sim.retriers.ports.workpool.batch_worker import kick
from sim.retriers.ports.workpool.batch_worker import loop as batch_worker_loop
from sim.scenario.load import from_dict
from sim.testing.histories import simulated

FAILS = {"outcomes": {"fail": 1.0}}
BUSY: dict[str, Any] = {
    "world": "shared",
    "requests": {"count": 6, "arrivals": {"constant": {"rate": "20/s"}}},
    "retrier": {"kind": "workpool", "max_parallelism": 2, "attempts": 3},
    "action": {"latency": {"constant": "130ms"}, "outcomes": {"fail": 0.4}},
}
CANCELED = {
    **BUSY,
    "retrier": {"kind": "workpool", "max_parallelism": 1},
    "action": {"latency": {"constant": "1s"}},
    "cancel": {"target": "request", "share": 1.0, "after": {"uniform": {"low": "0s", "high": "2s"}}},
}
LATE = {**BUSY, "retrier": {"kind": "workpool", "run_after": "5s"}}

BUGS: dict[str, tuple[str, ModuleType, str, str, dict[str, Any]]] = {
    # name: (the invariant meant for it, the module, the text, the text that makes it a bug, the world)
    "capacity forgets what runs": (
        "pool-slots-hold",
        loop,
        'capacity = settings["maxParallelism"] - len(kept)',
        'capacity = settings["maxParallelism"] - len(kept) + 1',
        BUSY,
    ),
    "starts before their segment": (
        "pool-starts-in-segment",
        loop,
        'if start["segment"] <= segment]',
        'if start["segment"] <= segment + 20]',
        LATE,
    ),
    "an exponent too many": (
        "pool-retries-in-law",
        loop,
        'power(behavior["base"], work["attempts"] - 1)',
        'power(behavior["base"], work["attempts"])',
        {**BUSY, "action": FAILS},
    ),
    "a segment rounded up": (
        "pool-retries-in-law",
        loop,
        "segment = segment_after(ctx.now_ns, next_attempt_ms)",
        "segment = segment_after(ctx.now_ns, next_attempt_ms) + 1",
        {**BUSY, "action": FAILS},
    ),
    "an attempt too many": (
        "pool-retries-in-budget",
        complete,
        "attempts < max_attempts",
        "attempts <= max_attempts",
        {**BUSY, "action": FAILS},
    ),
    "an attempt too few": (
        "pool-retries-in-budget",
        complete,
        "attempts < max_attempts",
        "attempts + 1 < max_attempts",
        {**BUSY, "action": FAILS},
    ),
    "ends count twice": (
        "pool-attempts-counted",
        complete,
        'attempts = work["attempts"] + 1',
        'attempts = work["attempts"] + 2',
        BUSY,
    ),
    "a work that never ends": (
        "pool-works-end-once",
        complete,
        '        ctx.db.delete(work["_id"])\n',
        "",
        BUSY,
    ),
    "onComplete inline and scheduled": (
        "pool-callbacks-once",
        complete,
        "        else:\n            return\n",
        "",
        BUSY,
    ),
    "a cancel that marks nothing": (
        "pool-cancels-hold",
        loop,
        '    ctx.db.patch(work_id, {"canceled": True})\n',
        "",
        CANCELED,
    ),
    "two loops": (
        "pool-loop-runs-alone",
        kick,
        "    runner_id = ctx.batch_worker.run_at(",
        "    for _ in (1, 2): runner_id = ctx.batch_worker.run_at(",
        BUSY,
    ),
    "canceled works that are never completed": (
        "pool-tables-are-empty",
        loop,
        "    if jobs:\n",
        "    if jobs and not jobs:\n",
        CANCELED,
    ),
}


def broken(world: dict[str, Any]) -> set[str]:
    scenario = from_dict({"limits": {"events": 20_000}, "seed": 3, **world})
    return {found.invariant for one in simulated(scenario) for found in check_view(one.view, POOL)}


def plant(module: ModuleType, old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = getsource(module)
    assert source.count(old) == 1
    changed = dict(vars(module))
    exec(compile(source.replace(old, new), module.__file__ or "", "exec", dont_inherit=True), changed)  # noqa: S102  # our own source
    for name, value in vars(module).items():
        if callable(value) and getattr(value, "__module__", "") == module.__name__ and hasattr(value, "__code__"):
            monkeypatch.setattr(value, "__code__", changed[name].__code__)


@pytest.mark.parametrize("world", [BUSY, CANCELED, LATE, {**BUSY, "action": FAILS}])
def test_the_port_as_it_is_keeps_all(world: dict[str, Any]) -> None:
    assert broken(world) == set()


@pytest.mark.parametrize(("meant", "module", "old", "new", "world"), BUGS.values(), ids=BUGS)
def test_a_planted_bug_is_caught(  # noqa: PLR0917  # the columns of the table
    meant: str, module: ModuleType, old: str, new: str, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(module, old, new, monkeypatch)
    assert meant in broken(world)


def test_a_loop_that_goes_idle_although_a_start_is_to_come_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def go_idle(ctx: Any, worker: Any, timeout_ns: int) -> None:
        del timeout_ns
        kick.go_idle(ctx, worker, ctx.batch_worker.get(worker["stateId"]))

    for module in (kick, batch_worker_loop):
        if hasattr(module, "schedule_waiting"):
            monkeypatch.setattr(module, "schedule_waiting", go_idle)
    assert "pool-sleeps-only-if-nothing-is-due" in broken(LATE)
