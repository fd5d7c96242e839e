"""The options of the action and of the faults, as models."""

import pytest
from pydantic import ValidationError

from sim.history.failure import Failure
from sim.kernel.durations import NS_PER_MS
from sim.laws.distributions import Constant
from sim.world.actions import ActionOptions
from sim.world.faults import Restart
from sim.world.outcomes import FailOptions, OutcomeOptions, OutcomesOptions


def test_an_outcome_without_a_latency_has_that_of_the_action() -> None:
    slow, fast = Constant(value_ns=9), Constant(value_ns=1)
    outcomes = OutcomesOptions(fail=FailOptions(share=0.5, latency=fast), ack_lost=OutcomeOptions(share=0.25))
    branches = ActionOptions(latency=slow, outcomes=outcomes).branches()
    laws = [branch[:3] for branch in branches[:3]]
    assert laws == [("fail", 0.5, fast), ("ack_lost", 0.25, slow), ("crash_before_effect", 0.0, slow)]


def test_shares_that_sum_to_one_in_decimals_are_fine() -> None:
    tenths = dict.fromkeys(["fail", "ack_lost", "crash_before_effect"], 1 / 3 + 1e-12)
    assert OutcomesOptions.model_validate(tenths).fails[0].share == 1 / 3 + 1e-12


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


def test_the_errors_of_a_script_say_what_is_written_there() -> None:
    says = [{}, {"final": True}, {"retry_after": "2s"}, {"final": True, "retry_after": "0s"}, {"final": False}]
    action = ActionOptions.model_validate({"script": [{"outcome": "fail", **what} for what in says]})
    two_seconds = Failure(final=False, retry_after_ns=2000 * NS_PER_MS)
    final = Failure(final=True, retry_after_ns=-1)
    assert action.script_errors() == [None, final, two_seconds, Failure(final=True, retry_after_ns=0), None]


@pytest.mark.parametrize("outcome", ["success", "ack_lost", "crash_before_effect", "hang"])
@pytest.mark.parametrize("says", [{"final": True}, {"retry_after": "1s"}])
def test_only_the_error_of_a_failure_says_anything(outcome: str, says: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=f"a {outcome} has none"):
        ActionOptions.model_validate({"script": [{"outcome": outcome, **says}]})


@pytest.mark.parametrize("outcome", ["ack_lost", "crash_after_effect", "lost_contact"])
def test_only_failures_can_be_final(outcome: str) -> None:
    with pytest.raises(ValidationError, match="final"):
        OutcomesOptions.model_validate({outcome: {"share": 0.5, "final": 0.5}})


@pytest.mark.parametrize(
    ("fail", "written"),
    [
        (0.25, 0.25),
        ({"share": 0.25, "final": 0.0}, {"share": 0.25, "final": 0.0}),
        ({"share": 0.25, "final": 0.5}, {"share": 0.25, "final": 0.5}),
        ({"share": 0.25, "retry_after": {"constant": "2s"}}, {"share": 0.25, "retry_after": {"constant": "2s"}}),
        ([{"kind": "a", "share": 0.25}], [{"kind": "a", "share": 0.25}]),
    ],
)
def test_what_failures_say_is_written_where_it_says_something(fail: object, written: object) -> None:
    dumped = OutcomesOptions.model_validate({"fail": fail}).model_dump(mode="json", exclude_none=True)["fail"]
    assert dumped == written


@pytest.mark.parametrize("options", [{}, {"at": ["1s"], "rate": "1/h"}, {"at": ["2s", "1s"]}, {"at": ["1s", "1s"]}])
def test_restarts_come_at_ascending_instants_or_at_a_rate(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Restart.model_validate(options)
