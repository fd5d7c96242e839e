"""Tells the writes to the tables of workpool and batch-worker as the recordings do.

They tell what a patch sets. The history has the whole document, and what differs from the one before says the same, but
for two patches that can set a field to what it was: the mark of a work that is canceled again, and the `lastWorkTs` of
a loop that works twice in an instant. The loop is known to work by its write of `internalState`, in the same
transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sim.retriers.ports.workpool.shared import from_segment

Document = Mapping[str, Any]
Told = dict[str, Any]
CURSORS: Final = ("incoming", "completion", "cancelation")
COUNTS: Final = ("completed", "succeeded", "failed", "retries", "canceled")


class Documents:
    """The documents of a pool, which is told of each write in its turn."""

    def __init__(self, epoch_ns: int) -> None:
        """Take what the instants of documents count from: what `Date.now()` gave at the kickoff, in ns."""
        self._epoch_ns = epoch_ns
        self._present: dict[str, Document] = {}
        """All documents that there are, by id."""
        self._work_of: dict[str, int] = {}
        """From the id of a work to its number, also once it is gone."""
        self._starts: dict[int, list[str]] = {}
        """The pendingStarts of each work, in order of creation."""
        self._works = False
        """Whether the transaction has written `internalState`."""
        self._tell = {
            "workpool/globals": self._globals,
            "workpool/internalState": self._internal,
            "workpool/work": self._work,
            "workpool/pendingStart": self._pending_start,
            "workpool/pendingCompletion": self._pending_completion,
            "workpool/pendingCancelation": self._pending,
            "batchWorker/workers": self._worker,
            "batchWorker/workerState": self._worker_state,
        }

    def begin(self) -> None:
        """Begin a transaction."""
        self._works = False

    def written(self, document_id: str, document: Document | None) -> Told | None:
        """Tell a write (None: a deletion); return None for one that the recordings do not tell."""
        table = document_id.rpartition(":")[0]
        tell = self._tell.get(table)
        before = self._present.pop(document_id, None)
        if document is not None:
            self._present[document_id] = document
        now = before if document is None else document
        if tell is None or now is None:
            return None
        told = tell(document_id, before, now)
        if told is None or "op" in told or told["ev"] == "internal":
            return told
        op = "insert" if before is None else "delete" if document is None else "patch"
        if document is None:
            told = {name: told[name] for name in ("ev", "work")}
        return {**told, "op": op, **({"table": table.partition("/")[2]} if told["ev"] == "pool" else {})}

    def _ms(self, absolute_ns: int) -> float | None:
        """Return an instant since the kickoff; None if it is not set yet."""
        return (absolute_ns - self._epoch_ns) / 1e6 if absolute_ns else None

    def _segment_ms(self, segment: int) -> float | None:
        return self._ms(from_segment(segment))

    # workpool

    def _globals(self, _id: str, before: Document | None, now: Document) -> Told:
        op = "insert" if before is None else "replace"
        return {"ev": "globals", "op": op, "maxParallelism": now["maxParallelism"]}

    def _internal(self, _id: str, before: Document | None, now: Document) -> Told | None:
        self._works = True
        if before is None:
            return None
        return {
            "ev": "internal",
            "running": [
                [self._work_of[one["workId"]], one["scheduledId"], self._ms(one["started"])] for one in now["running"]
            ],
            "cursors": {name: self._segment_ms(now["segmentCursors"][name]) for name in CURSORS},
            "last_recovery_at": self._segment_ms(now["lastRecovery"]),
            "report": {name: now["report"][name] for name in COUNTS},
            "last_report_at": self._ms(now["report"]["lastReportTs"]),
        }

    def _work(self, work_id: str, before: Document | None, now: Document) -> Told:
        number = self._work_of.setdefault(work_id, now["fnArgs"]["request"])
        told: Told = {"ev": "pool", "work": number}
        if before is None or before["attempts"] != now["attempts"]:
            return {**told, "attempts": now["attempts"]}
        if before.get("pendingStartId") != now.get("pendingStartId"):
            return {**told, "pending_start": self._starts[number].index(now["pendingStartId"])}
        return {**told, "canceled": True}

    def _pending(self, _id: str, _before: Document | None, now: Document) -> Told:
        return {"ev": "pool", "work": self._work_of[now["workId"]], "segment_at": self._segment_ms(now["segment"])}

    def _pending_start(self, start_id: str, before: Document | None, now: Document) -> Told:
        told = self._pending(start_id, before, now)
        if before is None:
            self._starts.setdefault(told["work"], []).append(start_id)
        return told

    def _pending_completion(self, completion_id: str, before: Document | None, now: Document) -> Told:
        told = self._pending(completion_id, before, now)
        return {**told, "retry": now["retry"], "result": now["runResult"]["kind"]}

    # batch-worker

    def _worker(self, _id: str, _before: Document | None, now: Document) -> Told:
        return {"ev": "worker", "status": now["status"]}

    def _worker_state(self, _id: str, before: Document | None, now: Document) -> Told | None:
        """Tell what a patch sets; a new loop alone, which comes with each of its jobs, is not told."""
        told: Told = {"ev": "worker_state"}
        generation, last_work_at, runner = now["generation"], self._ms(now["lastWorkTs"]), now.get("runnerId")
        if before is None:
            return {**told, "generation": generation, "last_work_at": last_work_at}
        if before.get("monitorId") != now.get("monitorId"):
            return {**told, "monitor": now.get("monitorId"), "monitor_at": self._ms(now.get("monitorRunAtMs") or 0)}
        if before["generation"] == generation:
            return {**told, "last_work_at": last_work_at}
        if runner is None:
            return {**told, "generation": generation, "runner": None}
        if self._works or before["lastWorkTs"] != now["lastWorkTs"]:
            return {**told, "generation": generation, "last_work_at": last_work_at, "runner": runner}
        return None
