"""Services of one's own, of the good and the bad kinds. Workers import this module by its name."""

# ruff: noqa: ARG002, S311  # most handle every call alike; the global generator is one of the leaks

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, ClassVar

from sim.options.model import DurationNs, Options
from sim.world.services import OwnService, ServiceFailed

if TYPE_CHECKING:
    from sim.world.services import HandledCall, ServiceContext

random.seed(5)  # the same sequence in each process
SERVED: list[int] = []


class Pages(Options):
    """Of `Cache`."""

    pages: int = 20
    hit_ms: float = 1.0
    miss: DurationNs = 50_000_000


class Cache(OwnService):
    """Keeps pages that were read before, and fails to read some."""

    Options: ClassVar[type[Options]] = Pages

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.warm: set[int] = set()

    async def handle(self, call: HandledCall, ctx: ServiceContext) -> None:
        page = int(self.options.pages * ctx.uniform("page"))
        if page in self.warm:
            await ctx.sleep(self.options.hit_ms)
            return
        await ctx.sleep(self.options.miss / 1e6)
        if ctx.uniform("fails") < 0.2:
            raise ServiceFailed("disk", retry_after_ms=20)
        self.warm.add(page)


class Constant(OwnService):
    """Takes 25 ms."""

    async def handle(self, call: HandledCall, ctx: ServiceContext) -> None:
        await ctx.sleep(25)


class Draws(OwnService):
    """Takes an exponential time by a draw of its own."""

    async def handle(self, call: HandledCall, ctx: ServiceContext) -> None:
        await ctx.sleep(100 * ctx.uniform("work"))


class Early(OwnService):
    """Has its effect halfway, and then fails the first call of a request."""

    async def handle(self, call: HandledCall, ctx: ServiceContext) -> None:
        await ctx.sleep(10)
        ctx.effect()
        await ctx.sleep(10)
        if call.number == 1:
            raise ServiceFailed("late")


class Fails(OwnService):
    """Always fails, and says all that an error can say."""

    async def handle(self, call: HandledCall, ctx: ServiceContext) -> None:
        await ctx.sleep(5)
        raise ServiceFailed("full", final=True, retry_after_ms=300)


class Hangs(OwnService):
    """Waits for longer than any simulation lasts, and tidies up as it ends."""

    ended: ClassVar[int] = 0

    async def handle(self, call: HandledCall, ctx: ServiceContext) -> None:
        try:
            await ctx.sleep(1e12)
        finally:
            Hangs.ended += 1


class Tidies(OwnService):
    """Works for an hour the first time, and for 20 ms later; it notes if its work is stopped."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.stopped = 0

    async def handle(self, call: Any, ctx: Any) -> None:
        """Wait, and count what did not end."""
        try:
            await ctx.sleep(20 if call.number > 1 else 3_600_000)
        except GeneratorExit:
            self.stopped += 1
            raise


class Looks(OwnService):
    """Notes what it is told of calls."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        SERVED.clear()
        self.seen: list[tuple[Any, ...]] = []
        LOOKED.append(self.seen)

    async def handle(self, call: HandledCall, ctx: ServiceContext) -> None:
        now, queue, busy = ctx.now_ms, ctx.in_queue, ctx.in_progress
        await ctx.sleep(20)
        self.seen.append((call.request, call.number, call.caller_class, call.client, call.given_up, now, queue, busy))


LOOKED: list[list[tuple[Any, ...]]] = []


class Mistaken(OwnService):
    """Divides by zero at its third call."""

    async def handle(self, call: HandledCall, ctx: ServiceContext) -> None:
        await ctx.sleep(10)
        if call.request == 2:
            1 / 0  # noqa: B018  # the mistake


class MistakenAtOnce(OwnService):
    """Divides by zero before it waits."""

    async def handle(self, call: HandledCall, ctx: ServiceContext) -> None:
        1 / 0  # noqa: B018  # the mistake


class Foreign(OwnService):
    """Waits by asyncio."""

    async def handle(self, call: HandledCall, ctx: ServiceContext) -> None:
        await asyncio.sleep(1)


class Twice(OwnService):
    """Has its effect twice."""

    async def handle(self, call: HandledCall, ctx: ServiceContext) -> None:
        ctx.effect()
        ctx.effect()


class GlobalChance(OwnService):
    """Takes as long as a generator of the whole process says."""

    async def handle(self, call: HandledCall, ctx: ServiceContext) -> None:
        await ctx.sleep(10 * random.random())


class OfTheModule(OwnService):
    """Gets slower with each call that any of its kind has had."""

    async def handle(self, call: HandledCall, ctx: ServiceContext) -> None:
        SERVED.append(call.request)
        await ctx.sleep(10 + len(SERVED))


class OfTheClass(OwnService):
    """Warms up once for a whole process."""

    warm: ClassVar[bool] = False

    async def handle(self, call: HandledCall, ctx: ServiceContext) -> None:
        await ctx.sleep(1 if OfTheClass.warm else 100)
        OfTheClass.warm = True


class Taken(OwnService):
    """Has an option by a name that every service has."""

    class Options(Options):
        servers: int = 1


LEAKS = (GlobalChance, OfTheModule, OfTheClass)
STEADY = (Cache, Constant, Draws, Early)
