"""`none`: calls once and never retries; the baseline against which every retrier is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sim.promises.promises import Promises
from sim.retriers.base import LoopRetrier

if TYPE_CHECKING:
    from sim.clients.client import Call, ClientContext


class NoRetry(LoopRetrier):
    """One call, no retry."""

    kind: ClassVar[str] = "none"
    stateless: ClassVar[bool] = True

    def promises(self) -> Promises:
        """State that there is one attempt."""
        return Promises(attempts_at_most=1)

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        """Call once."""
        del ctx
        return await call()
