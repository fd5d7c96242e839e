"""The options of the action and of the faults, as models."""

import pytest
from pydantic import ValidationError

from sim.kernel.durations import NS_PER_MS
from sim.world.actions import ActionOptions, OutcomeOptions, OutcomesOptions
from sim.world.distributions import Constant
from sim.world.faults import Restart


def test_an_outcome_without_a_latency_has_that_of_the_action() -> None:
    slow, fast = Constant(value_ns=9), Constant(value_ns=1)
    outcomes = OutcomesOptions(fail=OutcomeOptions(share=0.5, latency=fast), ack_lost=OutcomeOptions(share=0.25))
    branches = ActionOptions(latency=slow, outcomes=outcomes).branches()
    assert branches[:3] == [("fail", 0.5, fast), ("ack_lost", 0.25, slow), ("crash_before_effect", 0.0, slow)]


def test_shares_that_sum_to_one_in_decimals_are_fine() -> None:
    tenths = dict.fromkeys(["fail", "ack_lost", "crash_before_effect"], 1 / 3 + 1e-12)
    assert OutcomesOptions.model_validate(tenths).fail.share == 1 / 3 + 1e-12


def test_a_script_has_a_constant_latency_per_attempt() -> None:
    action = ActionOptions.model_validate({"script": [{"outcome": "fail", "latency": "5ms"}, {"outcome": "success"}]})
    assert action.scripted() == [
        ("fail", Constant(value_ns=5 * NS_PER_MS)),
        ("success", Constant(value_ns=100 * NS_PER_MS)),
    ]


def test_the_window_is_none_where_nothing_is_remembered() -> None:
    assert ActionOptions.model_validate({"idempotency": "none"}).window_ns is None
    assert ActionOptions.model_validate({"idempotency": {"window": "1us"}}).window_ns == 1000


def test_a_hang_has_no_latency() -> None:
    with pytest.raises(ValidationError, match="a hang never ends"):
        OutcomesOptions(hang=OutcomeOptions(share=0.5, latency=Constant(value_ns=1)))
    with pytest.raises(ValidationError, match="a hang never ends"):
        ActionOptions.model_validate({"script": [{"outcome": "hang", "latency": "1s"}]})


@pytest.mark.parametrize("options", [{}, {"at": ["1s"], "rate": "1/h"}, {"at": ["2s", "1s"]}, {"at": ["1s", "1s"]}])
def test_restarts_come_at_ascending_instants_or_at_a_rate(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Restart.model_validate(options)
