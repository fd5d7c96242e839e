"""Mistakes inside of formulas are told at their column."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from sim.clients.policy.delays import DelayField
from sim.scenario.mistakes.problems import Path
from sim.scenario.mistakes.pydantic_words import problems_of


@pytest.mark.parametrize(
    ("written", "keys", "reason", "offset"),
    [
        ({"formula": "2 * capp", "cap": "1s"}, ("formula",), "unknown name 'capp'; did you mean 'cap'?", 4),
        (
            {"formula": "f", "let": {"f": "1 < 2"}},
            ("let", "f"),
            "unexpected '<': a formula compares nothing; use min and max",
            2,
        ),
        ({"formula": "n", "b": "1s"}, ("b",), "the formula asks for no 'b'", 0),
        ({"formula": "b", "b": [1]}, ("b",), "expected a number, or a duration such as 250ms", 0),
        (
            {"constant": "1 second long"},
            ("constant",),
            "not a duration; write a number with a unit, such as 250ms, 1.5s or 1m30s",
            0,
        ),
        ("5", (), "not a duration; write a number with a unit, such as 250ms, 1.5s or 1m30s", 0),
    ],
    ids=str,
)
def test_a_mistake_in_a_delay_has_its_place(written: Any, keys: Path, reason: str, offset: int) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(DelayField).validate_python(written)
    (problem,) = problems_of(caught.value, written, lambda _path: ())
    assert (problem.keys, problem.reason, problem.offset) == (keys, reason, offset)
