"""The footprint of a transaction: what it read of its snapshot, and what it is going to write.

The store needs no more of a transaction to commit or refuse it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.convex.jobs import Job
    from sim.convex.tables import Document, Range
    from sim.history.vocabulary import JobState


class Footprint:
    """Read set and write set, from one begin timestamp on; what is None stands for nothing."""

    __slots__ = ("begin_ts", "commit_ts", "created", "job_states", "ranges", "reads", "writes")

    def __init__(self, begin_ts: int) -> None:
        self.begin_ts = begin_ts
        self.commit_ts = 0
        """0 until it commits, and for a commit that writes nothing."""
        self.reads: list[int | str] = []
        """Ids of the rows read: whole numbers of jobs, text of documents."""
        self.ranges: list[Range] | None = None
        self.writes: dict[str, Document | None] | None = None
        """The documents to write, by their ids; None deletes one."""
        self.created: list[Job] | None = None
        self.job_states: dict[int, JobState] | None = None
        """The states that jobs change to, by their ids."""
