"""A budget is written as one key, and its cell runs from the flat numbers of its options."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from sim.clients.policy.budgets import BudgetOptions, budget_cell, cell_of

ADAPTER: TypeAdapter[Any] = TypeAdapter(BudgetOptions)

WRITTEN = [
    {"tokens": {"capacity": 10, "on_success": 0.1, "charges": "on_failure", "allows": "above_half"}},
    {"window": {"share": 0.2, "of": "10s", "at_least": "10/s", "round": "down", "scope": "service"}},
    {"window": {"share": 0.2, "at_least": "10/s", "slots": 10, "slot_rule": "tower", "per_request": 0.3}},
    {"active": {"share": 0.2, "at_least": 3, "sleeping": True}},
    {"failures": {"share": 0.1, "of": "life"}},
    {"failures": {"share": 0.25, "of": "10s", "scope": "world"}},
]


@pytest.mark.parametrize("written", WRITTEN)
def test_a_budget_is_written_as_it_was_read(written: dict[str, Any]) -> None:
    options = ADAPTER.validate_python(written)
    assert ADAPTER.dump_python(options, mode="json", exclude_unset=True) == written
    assert ADAPTER.validate_python(ADAPTER.dump_python(options, mode="json")) == options


@pytest.mark.parametrize("written", WRITTEN)
def test_an_encoding_has_only_whole_numbers_and_the_names_of_answers(written: dict[str, Any]) -> None:
    def flat(value: Any) -> bool:
        return type(value) in {int, str} or (isinstance(value, tuple) and all(map(flat, value)))

    assert flat(ADAPTER.validate_python(written).encoded())


@pytest.mark.parametrize("written", WRITTEN)
def test_a_cell_of_the_encoding_is_that_of_the_options(written: dict[str, Any]) -> None:
    options = ADAPTER.validate_python(written)
    one, other = budget_cell(options), cell_of(options.encoded())
    for budget in (one, other):
        budget.request_started(0)
        budget.failed(0, "failed", retryable=True)
    assert type(one) is type(other)
    assert one.level(0) == other.level(0)


def test_a_percentage_is_the_share_that_it_says() -> None:
    assert ADAPTER.validate_python({"active": {"share": "33.3%"}}).share == 0.333


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="the names are: tokens, window, active, failures"):
        ADAPTER.validate_python({"bucket": {}})


def test_two_kinds_at_once_are_refused() -> None:
    with pytest.raises(ValidationError, match="a budget has one key"):
        ADAPTER.validate_python({"active": {}, "failures": {}})


def test_the_schema_of_a_budget_names_its_kinds() -> None:
    assert set(ADAPTER.json_schema()["properties"]) == {
        "tokens",
        "window",
        "active",
        "failures",
    }
