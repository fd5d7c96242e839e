"""The one form of a policy: what has no order is sorted, and nothing else is touched."""

import pytest

from sim.converters.same import canonical

FIRST = ["failed", "rejected"]


def test_lists_of_answers_have_no_order() -> None:
    one, other = (canonical({"attempts": 2, "retry_on": list(answers)}) for answers in (FIRST, FIRST[::-1]))
    assert one == other


@pytest.mark.parametrize(
    ("policy", "counts"),
    [
        ({"attempts": 2, "deadline": {"after": "1s", "counts": "sleeps"}}, ("deadline", "sleeps")),
        ({"attempts": 2, "redeliver": {"after": "1s", "counts": False}}, ("redeliver", False)),
    ],
)
def test_counts_is_a_list_of_answers_in_breakers_alone(policy: dict[str, object], counts: tuple[str, object]) -> None:
    part, value = counts
    assert canonical(policy)[part]["counts"] == value
