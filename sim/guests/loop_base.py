"""What asyncio asks of an event loop besides running: its tasks and callbacks, its settings, its errors."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Final

from sim.guests.inside import INSIDE
from sim.guests.loop_refusals import RefusingLoop
from sim.guests.strands import GuestStopped

if TYPE_CHECKING:
    from contextvars import Context

FEW_TASKS: Final = 16
"""So many tasks that are over may be kept."""
SLOW_S: Final = 0.1
"""From when on asyncio calls a callback slow; nothing depends on it."""


class Handle(asyncio.Handle):
    """A callback that is to run; it keeps no traceback of its making, whatever mode the loop is in."""

    __slots__ = ()
    _source_traceback = None  # read by asyncio, which sets it in debug mode alone

    def __init__(self, callback: Any, args: Any, loop: asyncio.AbstractEventLoop, context: Context) -> None:
        self._callback, self._args, self._loop, self._context = callback, args, loop, context
        self._cancelled = False
        self._repr = None


class GuestTask(asyncio.Task[Any]):
    """A task whose name and place in sets come from a number of its own, so that no run differs from the next.

    `asyncio.wait` returns sets, and a `TaskGroup` keeps its tasks in one: they would stand where their addresses in
    memory put them. For names, asyncio counts the tasks of the whole process.
    """

    def __init__(self, number: int, coro: Any, *, name: str | None = None, **more: Any) -> None:
        """Make a task; `number` counts those of its loop."""
        self._number = number
        self.serves: object = None
        """The request of a guest that it serves; None for a task that guest code has made."""
        super().__init__(coro, name=f"Task-{number}" if name is None else name, **more)

    def __hash__(self) -> int:
        return self._number


class LoopBase(RefusingLoop):
    """What asyncio asks of a loop besides running: its tasks, its settings, its errors."""

    def __init__(self) -> None:
        self._debug = False
        self._closed = False
        self._task_factory: Any = None
        self._handler: Any = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._tasks_made = 0
        self._sweep_at = FEW_TASKS
        self.slow_callback_duration = SLOW_S

    def create_future(self) -> asyncio.Future[Any]:
        """Return a new future."""
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None, **more: Any
    ) -> asyncio.Task[Any]:
        """Return a new task."""
        self._check_open()
        task: asyncio.Task[Any]
        if self._task_factory is None:
            self._tasks_made += 1
            task = GuestTask(self._tasks_made, coro, loop=self, name=name, context=context, **more)
        else:
            given = more if context is None else {**more, "context": context}
            task = self._task_factory(self, coro, **given)
            if name is not None:
                task.set_name(name)
        self._note(task)
        return task

    def _note(self, task: asyncio.Task[Any]) -> None:
        """Remember a task until it is over: asyncio itself only knows the tasks of all loops together."""
        tasks = self._tasks
        tasks.append(task)
        if len(tasks) > self._sweep_at:
            tasks[:] = [one for one in tasks if not one.done()]
            self._sweep_at = 2 * len(tasks) + FEW_TASKS

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that are not over, in the order in which they were created."""
        return [task for task in self._tasks if not task.done()]

    def set_task_factory(self, factory: Any) -> None:
        """Make tasks by a factory."""
        self._task_factory = factory

    def get_task_factory(self) -> Any:
        """Return the factory of tasks, or None."""
        return self._task_factory

    def get_exception_handler(self) -> Any:
        """Return the handler of exceptions, or None."""
        return self._handler

    def set_exception_handler(self, handler: Any) -> None:
        """Set the handler of exceptions."""
        self._handler = handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Print an error that code raised where only the loop could hear of it, in a line."""
        error, text = context.get("exception"), context.get("message") or "Unhandled exception in event loop"
        sys.stderr.write(f"{text}\n" if error is None else f"{text}: {type(error).__name__}: {error}\n")

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Let the handler hear of an error, inside the request that it comes from.

        It does not hear of errors that nothing looks at (`never retrieved`) and of tasks that are thrown away: when
        Python finds these is no part of a simulation.
        """
        if isinstance(context.get("exception"), GuestStopped) or self._closed:
            return
        handle = context.get("handle")
        if INSIDE.get() is None and handle is not None:
            handle._context.run(self._hear, context)  # noqa: SLF001   # as asyncio itself does
        elif INSIDE.get() is not None and "future" not in context and "task" not in context:
            self._hear(context)

    def _hear(self, context: dict[str, Any]) -> None:
        if self._handler is None:
            self.default_exception_handler(context)
            return
        try:
            self._handler(self, context)
        except Exception as error:  # noqa: BLE001  # an error of the handler is told as the one that it was to handle
            self.default_exception_handler({"message": "Unhandled error in exception handler", "exception": error})

    def get_debug(self) -> bool:
        """Tell whether the loop is in debug mode."""
        return self._debug

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001  # asyncio's signature
        """Note the mode; nothing depends on it."""
        self._debug = enabled

    def is_running(self) -> bool:
        """Tell whether the loop runs: as seen by its own code, it always does."""
        return not self._closed

    def is_closed(self) -> bool:
        """Tell whether the simulation is over."""
        return self._closed

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the event loop is closed: its simulation is over")

    async def shutdown_asyncgens(self) -> None:
        """Do nothing: generators are closed as they are freed."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109   # its signature
        """Do nothing: there is none."""
