"""An action of a test's own choosing, as the world plays it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sim.kernel.choices import Choices
from sim.kernel.clock import Clock
from sim.laws.distributions import Constant, Law
from sim.world.action_model import ActionModel
from sim.world.actions import ActionOptions
from sim.world.fates import Fates


def action_model(
    clock: Clock,
    choices: Choices,
    *,
    latency: Law | None = None,
    script: Sequence[tuple[str, int]] = (),
    outcomes: Mapping[str, Any] | None = None,
    heals_at_ns: int | None = None,
    **options: Any,
) -> ActionModel:
    """Make the model of an action; each attempt of a script is (outcome, latency in ns), or a mapping of its options.

    Without a latency an attempt takes no time.
    """
    attempts = [
        {"outcome": one[0], **({} if one[0] == "hang" else {"latency": one[1]})} if isinstance(one, tuple) else one
        for one in script
    ]
    action = ActionOptions.model_validate(
        {"latency": latency or Constant(value_ns=0), "outcomes": outcomes or {}, "script": attempts}
    )
    return ActionModel(clock, choices, Fates(choices, action, heals_at_ns=heals_at_ns), **options)
