"""One thread that simulates, while the server answers: jobs one after the other, each of which can be called off.

All scenarios are made and simulated in this thread, the user's own code included. It is a daemon: a server that ends
does not wait for a world that takes a minute.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

from sim.report.live.stages import Outdated

if TYPE_CHECKING:
    from collections.abc import Callable

    Tell = Callable[[Any], None]
    Check = Callable[[], None]


class Job:
    """Work for the thread: `work` gets what it tells news with, and what it asks whether it is still wanted."""

    def __init__(self, work: Callable[[Tell, Check], None], tell: Tell, end: Callable[[], None]) -> None:
        self._work = work
        self._tell = tell
        self.end = end
        """Tells that nothing more comes; the job itself does so when it is over."""
        self._off = threading.Event()

    def call_off(self) -> None:
        """Say that nothing waits for the job any more."""
        self._off.set()

    def check(self) -> None:
        """Raise Outdated if nothing waits for the job any more."""
        if self._off.is_set():
            raise Outdated

    def run(self) -> None:
        """Do the work, unless it is called off."""
        try:
            self.check()
            self._work(self._tell, self.check)
        except Outdated:
            pass
        finally:
            self.end()


class Worker:
    """The thread."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        threading.Thread(target=self._go_on, daemon=True, name="retrysim live").start()

    def add(self, job: Job) -> None:
        """Put a job behind the others."""
        self._jobs.put(job)

    def _go_on(self) -> None:
        while True:
            self._jobs.get().run()
