"""An action of a test's own choosing, as the world plays it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sim.kernel.choices import Choices
from sim.kernel.clock import Clock
from sim.laws.distributions import Constant, Law
from sim.world.action_model import ActionModel
from sim.world.actions import ActionOptions
from sim.world.fates import Fates


class Seen:
    """A host that notes what it is told and what happens around it, with the instants in ns."""

    def __init__(self, clock: Clock, deadline_ns: int | None, strike: float | None) -> None:
        self.deadline_ns = deadline_ns
        self.strike = strike
        self.job_id = -1
        self.is_copy = False
        self.attempt: Any = None
        self.told: list[tuple[int, str]] = []
        self._clock = clock

    def attempt_over(self, how: str) -> None:
        self.told.append((self._clock.now_ns, how))

    def attempt_lost(self) -> None:
        self.told.append((self._clock.now_ns, "lost"))


def action_model(
    clock: Clock,
    choices: Choices,
    *,
    latency: Law | None = None,
    script: Sequence[tuple[str, int]] = (),
    outcomes: Mapping[str, Any] | None = None,
    heals_at_ns: int | None = None,
    weather: Sequence[Mapping[str, Any]] = (),
    **options: Any,
) -> ActionModel:
    """Make the model of an action; each attempt of a script is (outcome, latency in ns), or a mapping of its options.

    `weather` has what outages say beside their intervals; when they are down, the weather of the requests says.
    Without a latency an attempt takes no time.
    """
    attempts = [
        {"outcome": one[0], **({} if one[0] == "hang" else {"latency": one[1]})} if isinstance(one, tuple) else one
        for one in script
    ]
    action = ActionOptions.model_validate(
        {
            "latency": latency or Constant(value_ns=0),
            "outcomes": outcomes or {},
            "script": attempts,
            "weather": [{"outage": {"from": "0s", "to": "1h", **source}} for source in weather],
        }
    )
    return ActionModel(clock, choices, Fates(choices, action, heals_at_ns=heals_at_ns), **options)
