"""Looking for jobs that died without a word (`src/component/recovery.ts`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.history import vocabulary
from sim.retriers.ports.workpool.complete import complete

if TYPE_CHECKING:
    from sim.retriers.ports.workpool.context import Ctx


def recover(ctx: Ctx, args: dict[str, Any]) -> None:
    """Complete as failed the attempts of jobs that failed, were canceled, or are gone."""
    ctx.db.unique("globals")
    found: list[dict[str, Any]] = []
    for job in args["jobs"]:
        if ctx.db.unique("pendingCompletion", "workId", [job["workId"]]) is not None:
            continue  # completed, and not processed yet
        work = ctx.db.get(job["workId"])
        if work is None:
            continue  # completed without a retry
        if work["attempts"] != job["attempt"]:
            continue  # retried
        scheduled = ctx.outer.get_job(job["scheduledId"])
        if scheduled is None:
            error = "Scheduled job not found"
        else:
            match scheduled.state:
                case vocabulary.FAILED:
                    error = "the platform's error"
                case vocabulary.CANCELED:
                    error = "Canceled via scheduler"
                case _:
                    continue
        result = {"kind": "failed", "error": error}
        found.append({"workId": job["workId"], "runResult": result, "attempt": job["attempt"]})
    if found:
        complete(ctx, {"jobs": found})
