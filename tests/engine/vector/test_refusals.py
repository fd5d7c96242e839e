"""Which cells the vector engine refuses, and the reasons that it gives."""

import pytest

from sim.engine import vector
from sim.scenario.load import parse


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("retrier: component-repaired", "it has no port of component-repaired"),
        ("retrier: helpers\nworld: shared", "in a shared world requests wait for each other"),
        ("retrier: none\nuntil: 5s", "it follows each request to its end, but `until` cuts requests off"),
        (
            "retrier: helpers\nplatform: {commit_window: {constant: 1ms}}",
            "platform.commit_window lets steps overlap that otherwise share one instant",
        ),
        (
            "retrier: article\nplatform: {profile: convex}",
            "platform.mutation_latency lets steps overlap that otherwise share one instant",
        ),
        (
            "retrier: {kind: component, clean_up_after: 1s}",
            "retrier.clean_up_after deletes runs that may be under way",
        ),
        (
            "retrier: {kind: component, daily_cleanup: true}",
            "retrier.daily_cleanup deletes runs that may be under way",
        ),
    ],
)
def test_the_reason_is_given(text: str, reason: str) -> None:
    assert vector.refusal(parse(text)) == reason


@pytest.mark.parametrize("kind", ["none", "article", "helpers", "component"])
def test_isolated_worlds_of_its_ports_are_not_refused(kind: str) -> None:
    assert vector.refusal(parse(f"retrier: {kind}")) is None
