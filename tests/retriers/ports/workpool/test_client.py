"""What an app calls: each call of the pool is a sub-transaction, and large arguments have documents of their own."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from sim.convex.functions import FunctionError, mutation
from sim.history.deployment_events import DocumentWritten, JobCreated
from sim.history.request import Request
from sim.retriers.ports.workpool import lib
from sim.retriers.ports.workpool.context import Ctx
from sim.retriers.ports.workpool.pool import Workpool
from sim.testing.conformance.ground import ground


def app(handler: Callable[[Any, Workpool], Any]) -> list[str]:
    """Run a mutation of an app and return the tables that it wrote to and the jobs that it made, in order."""
    base, pool = ground({"random": [0.5]}), Workpool()
    pool.own = Request(-1)
    for table, indexes in pool.tables.items():
        base.deployment.store.define(table, indexes)
    base.deployment.call(mutation("app", lambda ctx, _: handler(ctx, pool)), None, pool.own)
    told = []
    for event in base.recorder.history():
        if isinstance(event, DocumentWritten):
            told.append(event.document_id.rpartition(":")[0])
        elif isinstance(event, JobCreated):
            told.append(event.function)
    return told


def test_an_app_that_catches_what_an_enqueue_throws_goes_on_with_nothing_of_it() -> None:
    def handler(ctx: Any, pool: Workpool) -> None:
        with pytest.raises(FunctionError):
            pool.enqueue(ctx, Request(0), runAt=math.nan)

    assert app(handler) == []


def test_what_an_app_did_before_an_enqueue_that_throws_stays() -> None:
    def handler(ctx: Any, pool: Workpool) -> None:
        pool.update_config(ctx, maxParallelism=3)
        with pytest.raises(FunctionError):
            pool.enqueue(ctx, Request(0), maxParallelism=201)

    assert app(handler) == ["workpool/globals"]


ITEM: dict[str, Any] = {"fnType": "action", "fnArgs": {"request": 0, "submission": 1}, "contextSize": 0}


def batch(*sizes: int, contexts: int = 0) -> list[str]:
    """Put works with arguments of these sizes into the pool in one call, and return the tables written to behind it."""
    items = [{**ITEM, "runAt": 1e17, "fnArgsSize": size, "contextSize": contexts} for size in sizes]

    def handler(ctx: Any, pool: Workpool) -> None:
        lib.enqueue_batch(Ctx(ctx, pool), items, {})

    written = [name.removeprefix("workpool/") for name in app(handler) if name.startswith("workpool/")]
    return written[1:]  # without the settings


def test_a_work_with_large_arguments_goes_one_step_behind_the_others_of_its_call() -> None:
    assert batch(100, 8000, 100) == [
        *["work", "payload", "work"],
        *["pendingStart", "work", "pendingStart"],
        *["work", "pendingStart", "work"],
        "work",
    ]


@pytest.mark.parametrize(("args", "context", "payloads"), [(7999, 0, 0), (8000, 0, 1), (7000, 999, 0), (7000, 1000, 1)])
def test_a_payload_is_made_from_8000_bytes_on(args: int, context: int, payloads: int) -> None:
    assert batch(args, contexts=context).count("payload") == payloads


@pytest.mark.parametrize("sizes", [(100, 1_000_001), (1_000_001,)])
def test_one_work_that_is_too_large_keeps_all_of_its_call_out(sizes: tuple[int, ...]) -> None:
    assert batch(*sizes) == []
