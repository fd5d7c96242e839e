"""The settings of the pool, which every client sends along (`src/component/config.ts`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.convex.functions import FunctionError
from sim.retriers.ports.workpool.kick import kick_main_loop
from sim.retriers.ports.workpool.shared import DEFAULT_LOG_LEVEL, DEFAULT_MAX_PARALLELISM

if TYPE_CHECKING:
    from sim.convex.tables import Document
    from sim.retriers.ports.workpool.context import Ctx, QueryCtx

MAX_POSSIBLE_PARALLELISM: Final = 200
MAX_PARALLELISM_SOFT_LIMIT: Final = 100
"""Above this upstream warns."""
DEFAULTS: Final[dict[str, Any]] = {"maxParallelism": DEFAULT_MAX_PARALLELISM, "logLevel": DEFAULT_LOG_LEVEL}


def update(ctx: Ctx, config: dict[str, Any]) -> None:
    """Change the settings; a pool that may run more looks at once whether there is more to run."""
    _, previous = _get_or_update_globals(ctx, config)
    parallelism = config.get("maxParallelism")
    if parallelism and parallelism > previous:
        kick_main_loop(ctx)


def validate_config(config: dict[str, Any]) -> None:
    """Raise FunctionError for a parallelism that the component does not take."""
    parallelism = config.get("maxParallelism")
    if parallelism is None:
        return
    if parallelism > MAX_POSSIBLE_PARALLELISM:
        raise FunctionError(f"maxParallelism must be <= {MAX_POSSIBLE_PARALLELISM}")
    if parallelism < 0:
        raise FunctionError("maxParallelism must be >= 0")


def get_globals(ctx: QueryCtx) -> Document:
    """Return the settings, or the defaults if there are none."""
    return ctx.db.unique("globals") or DEFAULTS


def get_or_update_globals(ctx: Ctx, config: dict[str, Any]) -> Document:
    """Return the settings after those given have been taken over; unset ones (None) are left as they are."""
    return _get_or_update_globals(ctx, config)[0]


def _get_or_update_globals(ctx: Ctx, config: dict[str, Any]) -> tuple[Document, float]:
    given = {name: config[name] for name in DEFAULTS if config.get(name) is not None}
    validate_config(given)
    found = ctx.db.unique("globals")
    if found is None:
        settings = {**DEFAULTS, **given}
        ctx.db.insert("globals", settings)
        ctx.log("allows", settings["maxParallelism"])
        return settings, DEFAULT_MAX_PARALLELISM
    previous = found["maxParallelism"]
    if any(found[name] != value for name, value in given.items()):
        found = {**found, **given}
        ctx.db.replace(found["_id"], found)
        ctx.log("allows", found["maxParallelism"])
    return found, previous
