"""A client whose loop a test writes."""

from collections.abc import Awaitable, Callable
from typing import Any

from sim.retriers.base import LoopRetrier

Body = Callable[[Any, Any, list[Any]], Awaitable[Any]]


class Loop(LoopRetrier):
    """A retrier whose loop a test writes; it has a list to note things in."""

    kind = "loop"

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.body = body
        self.noted: list[Any] = []

    async def retry(self, call: Any, ctx: Any) -> Any:
        return await self.body(call, ctx, self.noted)
