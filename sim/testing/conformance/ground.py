"""What every replay stands on: a deployment that takes no time, and actions that do as a case says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sim.convex.deployment import Deployment
from sim.convex.platform import Platform
from sim.convex.server import Server
from sim.history.recorder import Recorder
from sim.history.vocabulary import CRASH_AFTER_EFFECT, FAIL, HANG, SUCCESS
from sim.kernel.choices import Script
from sim.kernel.clock import Clock
from sim.testing.conformance.mulberry import numbers
from sim.world.action_model import ActionModel
from sim.world.actions import ActionOptions, ScriptedAttempt
from sim.world.fates import Fates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sim.history.vocabulary import AttemptOutcome

OUTCOMES: Final[Mapping[str, AttemptOutcome]] = {
    "success": SUCCESS,
    "fail": FAIL,
    "nonretryable": FAIL,
    "crash": CRASH_AFTER_EFFECT,
    "hang": HANG,
}
NO_HORIZON: Final = 1 << 200
"""The recordings know no end of time."""


class Ground(NamedTuple):
    """A new deployment and what belongs to it."""

    clock: Clock
    recorder: Recorder
    script: Script
    """The numbers of `Math.random`."""
    deployment: Deployment

    def model(self, attempts: Iterable[Mapping[str, Any]]) -> ActionModel:
        """Return an action whose attempts go as a case says; an execution that dies does so at the attempt's end."""
        script = tuple(_attempt(one["outcome"], one.get("duration_ms", 0)) for one in attempts)
        no_chance = Script([0.0])
        fates = Fates(no_chance, ActionOptions(script=script))
        return ActionModel(self.clock, no_chance, fates, recorder=self.recorder)


def ground(case: Mapping[str, Any]) -> Ground:
    """Make the deployment of a case."""
    script, recorder, clock = numbers(case["random"]), Recorder(), Clock()
    platform = Platform(profile="ideal", action_time_limit=None)
    server = Server(clock, platform, script, recorder=recorder, horizon_ns=NO_HORIZON)
    server.cancels_children = False
    return Ground(clock, recorder, script, Deployment(server))


def ns(ms: float) -> int:
    """Return a time of a case in whole ns."""
    return round(ms * 1e6)


def _attempt(outcome: str, duration_ms: float) -> ScriptedAttempt:
    if outcome == "hang":
        return ScriptedAttempt(outcome=HANG)
    if outcome == "nonretryable":
        return ScriptedAttempt(outcome=FAIL, latency=ns(duration_ms), final=True)
    return ScriptedAttempt(outcome=OUTCOMES[outcome], latency=ns(duration_ms))
