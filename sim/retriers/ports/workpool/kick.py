"""Waking the pool's loop (`src/component/kick.ts`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.retriers.ports.workpool.batch_worker import kick as batch_worker
from sim.retriers.ports.workpool.shared import WORKER_NAME

if TYPE_CHECKING:
    from sim.retriers.ports.workpool.context import Ctx


def kick_main_loop(ctx: Ctx) -> None:
    """Ping the batch worker. The loop's state is not read for it: that changes all the time and would conflict."""
    batch_worker.ping(ctx, WORKER_NAME)


def force_kick(ctx: Ctx) -> None:
    """Stop the batch worker and start it again: what an operator can do if the loop is lost."""
    batch_worker.stop(ctx, WORKER_NAME)
    batch_worker.start(ctx, WORKER_NAME)
