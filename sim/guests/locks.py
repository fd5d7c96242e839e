"""Locks of threads, for code without threads: code that waits for one lets the simulation go on.

Conditions, events, semaphores, barriers and queues of the standard library are made of locks, so their own code runs
unchanged above these. `queue.SimpleQueue` is written in C; guests get the standard library's own version in Python.
A lock that was made before the simulation, outside of guest code, stays a real one.
"""

from __future__ import annotations

import _queue
import _thread
import queue
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent

from sim.guests.anew import refuse_in_import
from sim.guests.inside import INSIDE
from sim.guests.waits import FOR_EVER_NS, Waiting, ns_of_seconds, wait

if TYPE_CHECKING:
    from collections.abc import Callable


class Lock:
    """A lock of guest code, in place of `threading.Lock`; the one that waits longest gets it first."""

    __slots__ = ("__weakref__", "_is_locked", "_waiting")

    def __init__(self) -> None:
        self._is_locked = False
        self._waiting: deque[Waiting] | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002  # threading's signature
        """Take the lock; False if it is taken and there is no time, or no more, to wait."""
        if timeout != -1:
            if not blocking:
                raise ValueError("can't specify a timeout for a non-blocking call")
            if timeout < 0:
                raise ValueError("timeout value must be a non-negative number")
            if timeout > threading.TIMEOUT_MAX:
                raise OverflowError("timeout value is too large")
        if not self._is_locked:
            self._is_locked = True
            return True
        if not blocking or timeout == 0:
            return False
        return self._wait(FOR_EVER_NS if timeout == -1 else ns_of_seconds(timeout))

    def _wait(self, limit_ns: int) -> bool:
        inside = INSIDE.get()
        if inside is None:
            raise RuntimeError("a lock of a guest is waited for outside of the simulation, where it is never released")
        refuse_in_import(inside)
        waiting = Waiting()
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(waiting)
        got = False
        try:
            got = wait(inside, waiting, limit_ns)
        finally:
            if not got:
                self._let_pass(waiting)
        return got

    def _let_pass(self, waiting: Waiting) -> None:
        """Count on one no more that has waited long enough, or was stopped."""
        if waiting.is_handed:  # in vain
            Lock.release(self)
        elif self._waiting is not None and waiting in self._waiting:
            self._waiting.remove(waiting)

    def release(self) -> None:
        """Give the lock to the one that has waited longest, or free it. Raises RuntimeError if it is free."""
        if not self._is_locked:
            raise RuntimeError("release unlocked lock")
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done:
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

    acquire_lock, release_lock, locked_lock = acquire, release, locked
    """Their names of old."""

    def _at_fork_reinit(self) -> None:
        self.__init__()  # type: ignore[misc]  # as it was when new

    def __deepcopy__(self, memo: dict[int, Any]) -> Lock:
        return type(self)()

    def __repr__(self) -> str:
        return f"<{'locked' if self._is_locked else 'unlocked'} simulated {type(self).__name__} at {id(self):#x}>"


def _hand_over(waiting: Waiting) -> None:
    """Let one go on that waits, as soon as the code that runs waits itself."""
    inside = INSIDE.get()
    if inside is None:
        waiting.came()
    elif not inside.process.is_over:  # else its world has ended, and nothing is to come
        waiting.hand_over(inside.clock)


class RLock(Lock):
    """A lock that its owner can take again, in place of `threading.RLock`; a greenlet or a loop is an owner."""

    __slots__ = ("_count", "_owner")

    def __init__(self) -> None:
        super().__init__()
        self._owner: Any = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002  # as above
        """Take the lock, once more if the caller has it."""
        inside = INSIDE.get()
        me = getcurrent() if inside is None else inside.strand
        if self._owner is me:
            self._count += 1
            return True
        if not self._is_locked and timeout == -1:
            self._is_locked = True
        elif not super().acquire(blocking, timeout):
            return False
        self._owner = me
        self._count = 1
        return True

    __enter__ = acquire

    def release(self) -> None:
        """Give it back once. Raises RuntimeError if another has it."""
        inside = INSIDE.get()
        if self._owner is not (getcurrent() if inside is None else inside.strand):
            raise RuntimeError("cannot release un-acquired lock")
        self._count = count = self._count - 1
        if not count:
            self._owner = None
            if self._waiting:
                super().release()
            else:
                self._is_locked = False

    # What `threading.Condition` asks of a lock.

    def _is_owned(self) -> bool:
        inside = INSIDE.get()
        return self._owner is (getcurrent() if inside is None else inside.strand)

    def _recursion_count(self) -> int:
        return self._count if self._is_owned() else 0

    def _release_save(self) -> tuple[int, Any]:
        if not self._count:
            raise RuntimeError("cannot release un-acquired lock")
        saved = self._count, self._owner
        self._count, self._owner = 0, None
        super().release()
        return saved

    def _acquire_restore(self, saved: tuple[int, Any]) -> None:
        super().acquire()
        self._count, self._owner = saved


class _Maker(type):
    """The class of what stands for the makers of locks: classes, so that annotations such as `Lock | None` work."""

    make: Callable[..., Any]
    is_one: Callable[[object], bool]

    def __call__(cls, *args: Any, **more: Any) -> Any:
        return cls.make(*args, **more)

    def __instancecheck__(cls, one: object) -> bool:
        return cls.is_one(one)


def _maker(real: Any, simulated: Any) -> Any:
    """Return what stands for `real`, which may be a function: it makes simulated locks inside guests."""
    # In a process of one thread a real lock that can be taken again does as well, and is faster.
    is_reentrant = simulated is RLock
    reentrant = _thread.RLock  # which `threading.RLock` calls

    def make(*args: Any, **more: Any) -> Any:
        inside = INSIDE.get()
        if inside is None:
            return real(*args, **more)
        if is_reentrant and inside.process.has_one_thread:
            return reentrant(*args, **more)
        return simulated(*args, **more)

    kind = real if isinstance(real, type) else type(real())

    def is_one(one: object) -> bool:
        return isinstance(one, (kind, simulated))

    return _Maker(
        real.__name__,
        (),
        {
            "__doc__": real.__doc__,
            "__module__": real.__module__,
            "__class_getitem__": classmethod(lambda cls, _: cls),
            "__closure__": (*(make.__closure__ or ()), *(is_one.__closure__ or ())),  # these refer to the real one
            "make": staticmethod(make),
            "is_one": staticmethod(is_one),
        },
    )


def replaced_functions() -> dict[Any, Any]:
    """Return what makes locks, each with what takes its place."""
    simple_queue = queue._PySimpleQueue  # type: ignore[attr-defined]  # noqa: SLF001  # the version in Python
    pairs = (
        *((threading.Lock, Lock), (_thread.allocate_lock, Lock), (threading.RLock, RLock), (_thread.RLock, RLock)),
        (_queue.SimpleQueue, simple_queue),
    )
    return {real: _maker(real, simulated) for real, simulated in pairs}
