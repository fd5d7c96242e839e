"""Policies as the configurations of their libraries, with what a plain policy leaves open chosen and told."""

from typing import Any

import pytest

from sim.converters.catalogue import FORMATS
from sim.converters.configurations import Configuration, configuration_of, format_of
from sim.converters.documents import read_document
from sim.converters.same import canonical
from sim.converters.writing import CannotWrite
from sim.retriers.presets import PRESETS, Preset, find

UNSAYABLE = {"pubsub-publisher": "delay.exponential.jitter"}
"""Presets that are no configuration of their library's format, and the key that is the reason: the publisher's retries
are arguments in code, and only those of subscriptions are a configuration."""
WITH_A_FORMAT = [one for one in PRESETS if format_of(one) is not None]
presets = pytest.mark.parametrize("preset", WITH_A_FORMAT, ids=lambda one: one.name)
CODES = {"grpc": "failed.unavailable", "envoy": "failed.503", "istio": "failed.503", "urllib3": "failed.503"}


def of(kind: str, **policy: Any) -> Configuration:
    return configuration_of(kind, policy)


def written(preset: Preset) -> Configuration:
    kind = format_of(preset)
    assert kind is not None
    return configuration_of(kind, preset.policy)


def read_back(found: Configuration) -> dict[str, Any]:
    (policy,) = FORMATS[found.kind].read(read_document(found.text.encode(), "back")).policies
    return canonical(policy.tree)


def test_most_formats_have_presets() -> None:
    assert {format_of(one) for one in WITH_A_FORMAT} == set(FORMATS)


@presets
def test_a_preset_is_written_as_the_configuration_of_its_library(preset: Preset) -> None:
    if preset.name in UNSAYABLE:
        with pytest.raises(CannotWrite, match=UNSAYABLE[preset.name]):
            written(preset)
    else:
        assert (
            len(FORMATS[written(preset).kind].read(read_document(written(preset).text.encode(), "back")).policies) == 1
        )


@pytest.mark.parametrize(
    "preset", [one for one in WITH_A_FORMAT if one.name not in UNSAYABLE], ids=lambda one: one.name
)
def test_what_is_written_means_the_preset_but_for_what_is_told(preset: Preset) -> None:
    found = written(preset)
    mine, theirs = canonical(preset.policy), read_back(found)
    told = {str(choice.keys[0]) for choice in found.choices}
    assert {key for key in {*mine, *theirs} if mine.get(key) != theirs.get(key)} <= (
        {"delay", "cases", "retry_after", "budget"} if "delay" in told else told
    )
    assert (mine == theirs) == (not told)


@pytest.mark.parametrize("kind", CODES)
def test_a_policy_with_codes_of_its_own_is_written_exactly(kind: str) -> None:
    preset = next(one for one in PRESETS if format_of(one) == kind)
    more = ["failed.connection", "timed_out"] if kind == "urllib3" else []
    policy = {**preset.policy, "retry_on": [CODES[kind], *more]}
    found = configuration_of(kind, policy)
    assert (found.choices, read_back(found)) == ((), canonical(policy))


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("grpc-retry", '"UNAVAILABLE",\n          "RESOURCE_EXHAUSTED"'),
        ("envoy", "retry_on: 5xx,envoy-ratelimited\n"),
        ("istio", "retryOn: connect-failure,envoy-ratelimited,refused-stream,cancelled,unavailable,503\n"),
        ("urllib3", "- 500\n  - 502\n  - 503\n  - 504\n  - 429\n"),
    ],
)
def test_a_plain_failure_gets_the_usual_codes_and_that_is_told(name: str, codes: str) -> None:
    found = written(find(name))
    assert codes in found.text
    assert ["a plain `failed` has no code" in choice.why for choice in found.choices] == [True]


def test_what_a_configuration_always_retries_is_told() -> None:
    found = of(
        "urllib3", attempts=3, retry_on=["rejected"], retry_after={"obey": True, "at_most": "6h", "above": "cap"}
    )
    assert [choice.why for choice in found.choices] == [
        "`failed.connection` is retried, too: the configuration cannot leave it out"
    ]


def test_a_timeout_that_would_be_retried_is_told() -> None:
    policy = {**find("envoy").policy, "retry_on": ["failed"], "timeout": "1s"}
    assert ["`timed_out` is retried, too" in one.why for one in configuration_of("envoy", policy).choices] == [
        False,
        True,
    ]


def test_kinds_of_another_format_are_refused_although_failed_has_a_code() -> None:
    policy = {**find("grpc-retry").policy, "retry_on": ["failed", "failed.503"]}
    with pytest.raises(CannotWrite, match="retry_on: gRPC retries status codes"):
        configuration_of("grpc", policy)


def test_a_refusal_is_about_what_no_choice_would_mend() -> None:
    policy = {**find("grpc-retry").policy, "timeout": "1s"}
    with pytest.raises(CannotWrite, match=r"^timeout: gRPC has no timeout of one try"):
        configuration_of("grpc", policy)


def test_laws_of_an_older_sdk_are_its_mode_with_any_number_of_tries() -> None:
    found = configuration_of("aws", {**find("botocore-standard-1.43").policy, "attempts": 7})
    assert found.text == "[default]\nretry_mode = standard\nmax_attempts = 7\n"
    assert [choice.keys for choice in found.choices] == [("delay",)]


def test_a_law_of_no_sdk_is_refused() -> None:
    policy = {**find("botocore-standard-1.43").policy, "delay": {"constant": "3s"}}
    with pytest.raises(CannotWrite, match="all else belongs to the mode"):
        configuration_of("aws", policy)


@pytest.mark.parametrize(("name", "ending"), [("grpc-retry", ".json"), ("envoy", ".yaml"), ("botocore-legacy", ".ini")])
def test_the_ending_is_that_of_the_syntax(name: str, ending: str) -> None:
    assert written(find(name)).ending == ending
