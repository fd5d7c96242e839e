"""Which invariants a scenario asks to be held against."""

import pytest

from sim.contracts.catalogue import INVARIANTS, PLATFORM, POLICY, POOL, RETRIER, STRICTER
from sim.scenario.cells import cells
from sim.scenario.identity import digest, resolved
from sim.scenario.load import parse
from sim.scenario.parts.invariants import invariants_named


def test_nothing_is_asked_for_unless_stated() -> None:
    assert parse("retrier: none").check == ()
    assert invariants_named(()) == ()


def test_all_stands_for_all_contracts_and_not_for_what_nobody_owes() -> None:
    names = parse("{retrier: none, check: all}").check
    assert names == ("all",)
    assert invariants_named(names) == INVARIANTS == (*RETRIER, *PLATFORM, *POLICY, *POOL)


def test_names_stand_for_themselves_in_the_order_of_the_contracts() -> None:
    names = parse("{retrier: none, check: [legal-job-steps, settles]}").check
    assert [one.name for one in invariants_named(names)] == ["settles", "legal-job-steps"]


def test_all_and_what_is_stricter_can_be_asked_for_together() -> None:
    names = parse("{retrier: none, check: [all, effect-once]}").check
    assert invariants_named(names) == (*INVARIANTS, *(one for one in STRICTER if one.name == "effect-once"))


@pytest.mark.parametrize("check", ["all", ["settles"], ["all", "no-runaway"], []])
def test_the_resolved_form_says_it_as_files_do(check: str | list[str]) -> None:
    assert resolved(parse(f"{{retrier: none, check: {check!s}}}"))["check"] == check


def test_cells_may_differ_in_what_they_ask_for() -> None:
    found = cells(parse("{retrier: none, variants: {a: {check: all}, b: {check: [settles]}, c: {}}}"))
    assert [cell.scenario.check for cell in found] == [("all",), ("settles",), ()]


def test_what_is_checked_does_not_belong_to_the_identity() -> None:
    assert digest(parse("{retrier: none, check: all}")) == digest(parse("retrier: none"))
