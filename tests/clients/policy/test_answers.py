"""Names of answers: which there are, and which of several fits best."""

import pytest
from pydantic import TypeAdapter, ValidationError

from sim.clients.policy.answers import AnswerName, name_that_fits

NAME: TypeAdapter[str] = TypeAdapter(AnswerName)


@pytest.mark.parametrize(
    ("answer", "names", "fits"),
    [
        ("failed", ("failed", "rejected"), "failed"),
        ("failed.throttled", ("failed", "rejected"), "failed"),
        ("failed.throttled", ("failed", "failed.throttled"), "failed.throttled"),
        ("failed.a.b", ("failed.a", "failed"), "failed"),
        ("rejected.queue", ("rejected",), "rejected"),
        ("failed", ("failed.throttled",), None),
        ("conflict", ("failed",), None),
    ],
)
def test_the_more_special_name_fits(answer: str, names: tuple[str, ...], fits: str | None) -> None:
    assert name_that_fits(answer, names) == fits


@pytest.mark.parametrize(
    "name", ["failed", "failed.throttled", "rejected", "rejected.shed", "conflict", "timed_out", "refused"]
)
def test_an_answer_of_a_call_has_a_name(name: str) -> None:
    assert NAME.validate_python(name) == name


@pytest.mark.parametrize("name", ["fail", "failed.", "failed.UP", "rejected.other", "conflict.x", "timed_out.x", ""])
def test_a_name_that_no_answer_has_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=f"no answer has the name '{name}'; the answers are: failed, rejected"):
        NAME.validate_python(name)


def test_success_is_refused_with_a_reason_of_its_own() -> None:
    with pytest.raises(ValidationError, match="success is no failure"):
        NAME.validate_python("success")
