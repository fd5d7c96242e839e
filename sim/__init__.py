"""retrysim: a discrete-event simulator and test harness for retry semantics.

If I retry like this, what happens? `load` reads a scenario file, or names every mistake in it (`Scenario`,
`ScenarioError`). The verbs are `run` (simulate), `check` (hold every history against what retriers and the platform
owe), `compare` (one cell against another), `tune` (search for parameters), `explore` (search a small world for courses
of events that break something), `replay` (tell the story of one request) and `open_results`; they give and take a
`Result`, `Requests`, a `History`, an `Outcome`.

A retrier of your own is a `LoopRetrier` (one coroutine that calls and sleeps: `Call`, `CallFailed`, `ClientContext`) or
a `ScheduledRetrier` (handlers against contexts, as in Convex: `Function`, `MutationContext`, `mutation`, `action`), or,
as it is, the code that you ship (`sim.guests`). Its `Promises` are what `check` holds it to. `InternalError` is a
mistake of ours.

More names stand in `sim.scenario`, `sim.contracts`, `sim.explorer`, `sim.guests`, `sim.history`, `sim.convex`,
`sim.clients`, `sim.options` and `sim.retriers`. All are imported when first used; `__init__.pyi` beside this file is
the one table.
"""

from pathlib import Path

import lazy_loader

__getattr__, __dir__, _names_and_rooms = lazy_loader.attach_stub(__name__, __file__)
__all__ = [name for name in _names_and_rooms if not Path(__file__).with_name(name).is_dir()]
