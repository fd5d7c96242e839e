"""The rows themselves, how they are found, and what a policy takes from one."""

import re

import pytest

from sim.retriers.presets import PRESETS, Preset, expanded, find, names
from sim.retriers.registry import KINDS

EVERY = pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)


def test_names_are_in_kebab_case_and_each_is_used_once() -> None:
    assert len(set(names())) == len(PRESETS)
    assert [name for name in names() if not re.fullmatch(r"[a-z][a-z0-9]*([-.][a-z0-9]+)*", name)] == []


def test_no_preset_has_the_name_of_a_kind_of_retrier() -> None:
    assert set(names()) & set(KINDS) == set()


@EVERY
def test_a_row_says_where_it_is_from(preset: Preset) -> None:
    assert all((preset.formula, preset.library, preset.version, preset.source))
    assert [note for note in preset.notes if not note.endswith(".")] == []


def test_a_preset_is_found_by_its_name() -> None:
    assert find("stamina").library == "stamina"


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(
        LookupError, match=r"^there is no preset 'tenacity-exponental'; did you mean 'tenacity-exponential'\?$"
    ):
        find("tenacity-exponental")


def test_a_name_that_is_near_to_none_gets_the_command_that_lists_them() -> None:
    with pytest.raises(LookupError, match=r"^there is no preset 'xyzzy'; retrysim presets lists them$"):
        find("xyzzy")


def test_a_policy_that_names_a_preset_has_all_of_it() -> None:
    assert expanded({"kind": "policy", "preset": "hyx"}) == {
        "kind": "policy",
        "attempts": 4,
        "delay": {"constant": "500ms"},
    }


def test_a_key_that_is_given_replaces_the_one_of_the_preset_with_all_below_it() -> None:
    given = {"preset": "stamina", "deadline": "10s", "timeout": "1s"}
    policy = expanded(given)
    assert policy == {**find("stamina").policy, "deadline": "10s", "timeout": "1s"}


def test_null_takes_a_key_of_the_preset_away() -> None:
    assert expanded({"preset": "hyx", "delay": None}) == {"attempts": 4}


def test_null_stays_where_the_preset_has_nothing() -> None:
    assert expanded({"preset": "hyx", "timeout": None})["timeout"] is None


def test_a_policy_without_a_preset_stays_as_it_is() -> None:
    tree = {"kind": "policy", "attempts": 3, "timeout": None}
    assert expanded(tree) == tree


def test_changes_of_an_expanded_policy_leave_the_preset_alone() -> None:
    expanded({"preset": "stamina"})["delay"]["exponential"]["initial"] = "1h"
    assert find("stamina").policy["delay"]["exponential"]["initial"] == "100ms"


def test_a_preset_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="a preset is a name"):
        expanded({"preset": 3})


@pytest.mark.parametrize(
    ("name", "attempts"),
    [
        ("hyx", "4"),
        ("tenacity", "unlimited"),
        ("stamina", "10, 45s"),
        ("envoy", "2, 15s"),
        ("grpc-hedge", "1 + 3 copies"),
        ("app-engine-queue-yaml", "8 and 2d"),
    ],
)
def test_attempts_are_told_with_the_deadline_and_the_copies(name: str, attempts: str) -> None:
    assert find(name).attempts == attempts
