"""Retry-After: what a library makes of it on its transport is what its preset says, up to whole seconds."""

from typing import Any

import library_guests as guests
import pytest
from library_guests import Kind
from side_by_side import always, course_of

from sim.retriers.presets import find

pytestmark = pytest.mark.usefixtures("one_simulation")
SECOND_NS = 10**9


def _urllib3() -> Kind:
    return guests.urllib3(lambda retry: retry(backoff_factor=0.1), failed=429)


def _requests() -> Kind:
    return guests.requests(lambda retry: retry(backoff_factor=0.1), failed=503)


def _httpx() -> Kind:
    return guests.httpx(lambda retry: retry(backoff_factor=0.5))


def _httpx_async() -> Kind:
    return guests.httpx_async(lambda retry: retry(backoff_factor=0.5))


LIBRARIES = {
    "urllib3": (_urllib3, "urllib3-backoff"),
    "requests": (_requests, "urllib3-backoff"),
    "httpx-retries": (_httpx, "httpx-retries-backoff"),
    "httpx-retries, async": (_httpx_async, "httpx-retries-backoff"),
}
EACH = pytest.mark.parametrize("name", LIBRARIES)


def _delays(player: Any, *waits: str) -> list[int]:
    script: list[dict[str, Any]] = [{"outcome": "fail", "latency": "10ms", "retry_after": wait} for wait in waits]
    (course,) = course_of(player, [*script, {"outcome": "success", "latency": "10ms"}], always(0.5))
    assert course.outcome == "success"
    return course.delays_ns


@EACH
@pytest.mark.parametrize("wait", ["1s", "30s", "119s"])
def test_a_wait_in_whole_seconds_is_obeyed_as_the_preset_says(name: str, wait: str) -> None:
    guest, preset = LIBRARIES[name]
    assert _delays(guest(), wait, wait) == _delays(find(preset).policy, wait, wait)


@EACH
def test_the_header_has_whole_seconds_so_that_a_library_waits_longer_than_its_preset(name: str) -> None:
    guest, preset = LIBRARIES[name]
    assert _delays(guest(), "1500ms") == [2 * SECOND_NS]
    assert _delays(find(preset).policy, "1500ms") == [1_500_000_000]


@EACH
def test_a_wait_above_the_cap_of_the_library_is_cut_as_the_preset_says(name: str) -> None:
    guest, preset = LIBRARIES[name]
    assert _delays(guest(), "7h") == _delays(find(preset).policy, "7h")


@pytest.mark.parametrize("wait", ["1ms", "40ms", "2500ms", "5020ms", "60s"])
def test_botocore_obeys_waits_in_ms_within_5_s_of_its_own_delay(wait: str) -> None:
    policy = find("botocore-standard-1.44").policy
    own, other = _delays(guests.botocore("standard"), wait, wait), _delays(policy, wait, wait)
    assert own == pytest.approx(other, rel=0, abs=1)


def test_botocore_ignores_waits_in_its_legacy_mode() -> None:
    assert _delays(guests.botocore("legacy"), "60s") == _delays(find("botocore-legacy").policy, "60s")
