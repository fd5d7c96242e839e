"""The numbers of the platform, their profiles and their sources."""

import pytest
from pydantic import ValidationError

from sim.convex.platform import ASSUMED, PROFILES, Backoff, Platform, assumed
from sim.kernel.durations import NS_PER_MS, NS_PER_S
from sim.laws.distributions import Constant

FIXED = Constant(value_ns=NS_PER_MS)
LAWS = {"mutation_latency": FIXED, "commit_window": FIXED, "dispatch_latency": FIXED}


def test_ideal_takes_no_time_and_keeps_everything() -> None:
    ideal = Platform()
    got = (ideal.parallelism, ideal.retention, ideal.mutation_latency, ideal.commit_window, ideal.dispatch_latency)
    assert got == (None, None, None, None, None)
    assert ideal.action_time_limit == 600 * NS_PER_S


def test_convex_has_the_numbers_of_the_backend() -> None:
    convex = Platform(profile="convex", **LAWS)
    assert convex.model_dump(exclude={"profile", *LAWS}) == {
        "parallelism": 8,
        "action_time_limit": "10m",
        "crash_detection": "0s",
        "retention": "7d",
        "collection_batch": 1000,
        "collection_pause": "10s",
        "occ_reruns": 4,
        "occ_backoff": {"initial": "100ms", "max": "2s"},
        "scheduled_occ_backoff": {"initial": "100ms", "max": "1m"},
        "system_error_backoff": {"initial": "500ms", "max": "2h"},
        "completion_backoff": {"initial": "500ms", "max": "2h"},
    }


def test_profiles_set_every_number() -> None:
    numbers = set(Platform.model_fields) - {"profile"}
    assert {name: set(profile) for name, profile in PROFILES.items()} == {"ideal": numbers, "convex": numbers}


def test_every_number_names_its_source() -> None:
    fields = {name: field for name, field in Platform.model_fields.items() if name != "profile"}
    sources = {name: field.json_schema_extra["x-source"] for name, field in fields.items()}
    assert [name for name, source in sources.items() if source == ASSUMED] == list(LAWS)
    assert all("August 2026" in source for source in sources.values() if source != ASSUMED)


def test_what_is_given_replaces_the_profile() -> None:
    options = Platform.model_validate({"parallelism": 2, "retention": "1d", "occ_backoff": {"initial": "1s"}})
    assert (options.parallelism, options.retention) == (2, 86_400 * NS_PER_S)
    assert options.occ_backoff == Backoff(initial=NS_PER_S, max=2 * NS_PER_S)


def test_only_what_is_given_counts_as_set() -> None:
    assert Platform().model_fields_set == set()
    assert Platform(parallelism=2).model_fields_set == {"parallelism"}


@pytest.mark.parametrize("value", ["none", None])
def test_limits_can_be_switched_off(value: str | None) -> None:
    options = Platform.model_validate({"action_time_limit": value, "retention": value, "parallelism": None})
    assert (options.action_time_limit, options.retention, options.parallelism) == (None, None, None)
    assert options.model_dump()["action_time_limit"] == "none"
    assert options.model_dump()["parallelism"] == "unlimited"


@pytest.mark.parametrize(
    "numbers",
    [
        {"profile": "fast"},
        {"parallelism": 0},
        {"parallelism": 1_000_001},
        {"parallelism": True},
        {"action_time_limit": "0s"},
        {"crash_detection": "-1s"},
        {"collection_batch": 0},
        {"occ_reruns": -1},
        {"occ_backoff": {"initial": "3s"}},
        {"occ_backoff": {"initial": "0s", "max": "1s"}},
        {"mutation_latency": {"constant": "-5ms"}},
        {"mutation_latency": "fast"},
        {"unknown": 1},
    ],
)
def test_numbers_out_of_bounds_are_refused(numbers: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Platform.model_validate(numbers)


def test_nothing_is_assumed_in_an_ideal_world() -> None:
    assert assumed(Platform()) == []


def test_the_latencies_of_the_convex_profile_are_assumed() -> None:
    assert assumed(Platform(profile="convex")) == [f"platform.{name}" for name in LAWS]


def test_what_is_given_is_not_assumed() -> None:
    assert assumed(Platform(mutation_latency=FIXED, crash_detection=NS_PER_MS)) == []
    assert assumed(Platform(profile="convex", **LAWS)) == []
