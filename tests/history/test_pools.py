"""The log of a pool: a row a turn, a row a change of its loop or its parallelism."""

from sim.history.pools import LoopState, PoolLog, Pools, TurnEnd
from sim.history.vocabulary import NEVER


class Clock:
    now_ns = 0


def log_of(*steps: tuple[object, ...]) -> Pools:
    """Let a log take entries, each with its instant."""
    clock = Clock()
    log = PoolLog(0, lambda: clock.now_ns)
    for at_ns, entry, *values in steps:
        clock.now_ns = int(str(at_ns))
        getattr(log, str(entry))(*values)
    return log.pools(3)


def row(pools: Pools, at: int) -> dict[str, int]:
    names = ("attempt", "planned_ns", "due_ns", "started_ns", "reported_ns", "freed_ns", "over_ns", "end")
    return {name: int(getattr(pools.turns, name)[at]) for name in names}


def test_a_turn_lasts_until_its_slot_is_free() -> None:
    pools = log_of(
        (5, "planned", "w", 9, 1, 7), (8, "started", ["w"]), (20, "over", "w", "success"), (25, "freed", ["w"])
    )
    assert len(pools.turns) == 1
    assert row(pools, 0) == {
        "attempt": 1,
        "planned_ns": 5,
        "due_ns": 7,
        "started_ns": 8,
        "reported_ns": 20,
        "freed_ns": 25,
        "over_ns": 20,
        "end": TurnEnd.success,
    }


def test_a_work_is_not_due_before_it_is_planned() -> None:
    assert row(log_of((50, "planned", "w", 0, 1, 0)), 0)["due_ns"] == 50


def test_a_retry_begins_another_turn_and_frees_the_slot_of_the_one_before() -> None:
    pools = log_of(
        (0, "planned", "w", 0, 1, 0),
        (1, "started", ["w"]),
        (5, "retried", "w"),
        (6, "planned", "w", 0, 2, 90),
        (6, "freed", ["w"]),
    )
    first, second = row(pools, 0), row(pools, 1)
    assert (first["reported_ns"], first["freed_ns"], first["over_ns"], first["end"]) == (5, 6, NEVER, TurnEnd.retried)
    assert (second["attempt"], second["due_ns"], second["started_ns"], second["freed_ns"]) == (2, 90, NEVER, NEVER)


def test_a_work_that_is_canceled_while_it_waits_holds_no_slot() -> None:
    pools = log_of((0, "planned", "w", 0, 1, 90), (10, "over", "w", "canceled"))
    told = row(pools, 0)
    assert (told["started_ns"], told["freed_ns"], told["over_ns"], told["end"]) == (NEVER, NEVER, 10, TurnEnd.canceled)


def test_the_loop_and_the_parallelism_have_a_row_a_change() -> None:
    pools = log_of(
        (0, "allows", 10),
        (4, "loop", LoopState.awake),
        (4, "loop", LoopState.awake),
        (7, "allows", 2.5),
        (9, "loop", LoopState.asleep),
    )
    levels = pools.levels
    assert list(zip(levels.from_ns.tolist(), levels.parallelism.tolist(), levels.loop.tolist(), strict=True)) == [
        (0, 10, LoopState.idle),
        (4, 10, LoopState.awake),
        (7, 2, LoopState.awake),
        (9, 2, LoopState.asleep),
    ]
