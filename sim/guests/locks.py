"""Locks of threads, for code without threads: whoever waits for one lets the simulation go on.

Conditions, events, semaphores, barriers and queues of the standard library are made of locks, so their own code runs
unchanged above these. A lock that was made before the simulation, outside of guest code, stays a real one.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from greenlet import getcurrent

from sim.guests.inside import INSIDE, Inside
from sim.guests.waits import FOR_EVER_NS, Waiting, ns_of_seconds, wait

TIMEOUT_MAX: Final = FOR_EVER_NS / 1e9


class Lock:
    """A lock of guest code, in place of `threading.Lock`."""

    def __init__(self) -> None:
        self._is_locked = False
        self._waiting: deque[Waiting] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002  # threading's signature
        """Take the lock; False if it is taken and there is no time, or no more, to wait."""
        if not blocking and timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        if timeout < 0 and timeout != -1:
            raise ValueError("timeout value must be a non-negative number")
        if not self._is_locked:
            self._is_locked = True
            return True
        if not blocking or timeout == 0:
            return False
        inside = INSIDE.get()
        if inside is None:
            raise RuntimeError("a lock of a guest is waited for outside of the simulation")
        waiting = Waiting()
        self._waiting.append(waiting)
        limit_ns = FOR_EVER_NS if timeout == -1 else ns_of_seconds(timeout)
        got: bool = inside.wait(wait(inside.client, waiting, limit_ns))
        if not got:
            self._waiting.remove(waiting)
        return got

    def release(self) -> None:
        """Give the lock to the one that has waited longest, or free it. Raises RuntimeError if it is free."""
        if not self._is_locked:
            raise RuntimeError("release unlocked lock")
        while self._waiting:
            waiting = self._waiting.popleft()
            if not (waiting.done or waiting.is_handed):
                _hand_over(waiting)
                return
        self._is_locked = False

    def locked(self) -> bool:
        """Tell whether it is taken."""
        return self._is_locked

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self.__init__()  # type: ignore[misc]  # as it was when new

    def __deepcopy__(self, memo: dict[int, Any]) -> Lock:
        return type(self)()


def _hand_over(waiting: Waiting) -> None:
    """Let one go on that waits, as soon as the code that runs waits itself."""
    inside = INSIDE.get()
    if inside is None:
        waiting.came()
    else:
        waiting.hand_over(inside.client.clock)


class RLock(Lock):
    """A lock that its owner can take again, in place of `threading.RLock`; a greenlet or a loop is an owner."""

    def __init__(self) -> None:
        super().__init__()
        self._owner: Any = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002  # as above
        """Take the lock, once more if the caller has it."""
        me = _who()
        if self._owner is me:
            self._count += 1
            return True
        if super().acquire(blocking, timeout):
            self._owner, self._count = me, 1
            return True
        return False

    def release(self) -> None:
        """Give it back once. Raises RuntimeError if another has it."""
        if self._owner is not _who():
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._owner = None
            super().release()

    # What `threading.Condition` asks of a lock.

    def _is_owned(self) -> bool:
        return self._owner is _who()

    def _release_save(self) -> tuple[int, Any]:
        saved = self._count, self._owner
        self._count, self._owner = 0, None
        super().release()
        return saved

    def _acquire_restore(self, saved: tuple[int, Any]) -> None:
        super().acquire()
        self._count, self._owner = saved


def _who() -> Any:
    """Return what counts as the present thread."""
    inside: Inside | None = INSIDE.get()
    return getcurrent() if inside is None or inside.strand is None else inside.strand


def made_rlock(real: Any) -> Any:
    """Return what takes the place of `threading.RLock`: in a process of one thread the real one does, and is faster."""

    def made() -> Any:
        inside = INSIDE.get()
        return real() if inside is None or inside.process.has_one_thread else RLock()

    made.__name__ = made.__qualname__ = "RLock"
    return made
