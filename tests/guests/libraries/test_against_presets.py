"""Each library, as a guest, does what its preset says: the same delays, attempts and deadlines in the same scenario.

`pip install -e ".[libraries]"` installs them; what is not installed is skipped. With `-m slow` each is compared in a
thousand drawn delays.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import library_guests as guests
import pytest
from library_guests import Kind
from side_by_side import course_of, evenly

from sim.engine.world import World
from sim.retriers.presets import find
from sim.retriers.presets.delays import LAST_BELOW_ONE
from sim.scenario.load import parse

pytestmark = pytest.mark.usefixtures("one_simulation")
FAILURES = 12
"""More than any library here has tries, of those that count them."""
DRAWN_FAILURES = 5
CORNERS = [0.0, 0.5, LAST_BELOW_ONE]
NEAR_NS = 1
"""Seconds as binary64 and ms as binary64 may differ in their last bits, so that they round to neighbors."""


@dataclass(frozen=True)
class Twin:
    """A library, and the preset that states what it does."""

    guest: Callable[[], Kind]
    preset: str
    more: Mapping[str, Any] = field(default_factory=dict)
    """In place of what the preset says: the guest has options, too."""
    kind: str | None = None
    """Of the failures."""
    retry_after: str | None = None
    without_draw: int = 0
    """How many retries come before the first for which it draws."""

    @property
    def policy(self) -> dict[str, Any]:
        return {**find(self.preset).policy, **self.more}

    def script(self, failures: int, latency: str) -> list[dict[str, Any]]:
        said = {key: value for key, value in (("kind", self.kind), ("retry_after", self.retry_after)) if value}
        failed = {"outcome": "fail", "latency": latency, **said}
        return [failed] * failures + [{"outcome": "success", "latency": latency}]


BACKOFF = "urllib3-backoff"
JITTER = "urllib3-backoff-jitter"
TWINS = {
    "tenacity": Twin(guests.tenacity, "tenacity"),
    "tenacity, async": Twin(guests.tenacity_async, "tenacity"),
    "tenacity, exponential": Twin(lambda: guests.tenacity("wait_exponential"), "tenacity-exponential"),
    "tenacity, random exponential": Twin(
        lambda: guests.tenacity("wait_random_exponential"), "tenacity-random-exponential"
    ),
    "tenacity, random exponential, async": Twin(
        lambda: guests.tenacity_async("wait_random_exponential"), "tenacity-random-exponential"
    ),
    "tenacity, exponential jitter": Twin(
        lambda: guests.tenacity("wait_exponential_jitter"), "tenacity-exponential-jitter"
    ),
    "tenacity, exponential jitter, async": Twin(
        lambda: guests.tenacity_async("wait_exponential_jitter"), "tenacity-exponential-jitter"
    ),
    "stamina": Twin(guests.stamina, "stamina"),
    "stamina, async": Twin(guests.stamina_async, "stamina"),
    "backoff": Twin(guests.backoff, "backoff-expo"),
    "backoff, async": Twin(guests.backoff_async, "backoff-expo"),
    "google-api-core": Twin(guests.google, "google-api-core"),
    "google-api-core, async": Twin(guests.google_async, "google-api-core"),
    "pub/sub publisher": Twin(
        lambda: guests.google(initial=0.1, multiplier=4, maximum=60, timeout=60), "pubsub-publisher"
    ),
    "urllib3": Twin(guests.urllib3, "urllib3"),
    "urllib3, backoff": Twin(lambda: guests.urllib3(lambda retry: retry(backoff_factor=0.1)), BACKOFF),
    "urllib3, backoff and jitter": Twin(
        lambda: guests.urllib3(lambda retry: retry(backoff_factor=0.1, backoff_jitter=1)), JITTER, without_draw=1
    ),
    "requests, backoff": Twin(
        lambda: guests.requests(lambda retry: retry(backoff_factor=0.1, status_forcelist=[500])), BACKOFF
    ),
    "requests, backoff and jitter": Twin(
        lambda: guests.requests(lambda retry: retry(backoff_factor=0.1, backoff_jitter=1, status_forcelist=[500])),
        JITTER,
        without_draw=1,
    ),
    "httpx-retries": Twin(guests.httpx, "httpx-retries"),
    "httpx-retries, async": Twin(guests.httpx_async, "httpx-retries"),
    "httpx-retries, backoff": Twin(
        lambda: guests.httpx(lambda retry: retry(backoff_factor=0.5)), "httpx-retries-backoff"
    ),
    "httpx-retries, backoff, async": Twin(
        lambda: guests.httpx_async(lambda retry: retry(backoff_factor=0.5)), "httpx-retries-backoff"
    ),
    "aiohttp-retry": Twin(guests.aiohttp, "aiohttp-retry"),
    "aiohttp-retry, jitter": Twin(lambda: guests.aiohttp("JitterRetry"), "aiohttp-retry-jitter"),
    "aiohttp-retry, jitter, 6 attempts": Twin(
        lambda: guests.aiohttp("JitterRetry", attempts=6), "aiohttp-retry-jitter", {"attempts": 6}
    ),
    "opnieuw": Twin(guests.opnieuw, "opnieuw"),
    "opnieuw, async": Twin(guests.opnieuw_async, "opnieuw"),
    "pyresilience": Twin(guests.pyresilience, "pyresilience"),
    "pyresilience, async": Twin(guests.pyresilience_async, "pyresilience"),
    "retrying": Twin(guests.retrying, "retrying"),
    "retrying, exponential jitter": Twin(
        lambda: guests.retrying(wait_exponential_multiplier=1000, wait_jitter_max=1000), "retrying-exponential-jitter"
    ),
    "celery": Twin(guests.celery, "celery"),
    "celery, backoff": Twin(lambda: guests.celery(retry_backoff=True), "celery-backoff"),
    "botocore, legacy": Twin(lambda: guests.botocore("legacy"), "botocore-legacy"),
    "botocore, legacy, dynamodb": Twin(lambda: guests.botocore("legacy", "dynamodb"), "botocore-legacy-dynamodb"),
    "botocore, standard": Twin(lambda: guests.botocore("standard"), "botocore-standard-1.44"),
    "botocore, standard, dynamodb": Twin(
        lambda: guests.botocore("standard", "dynamodb"), "botocore-standard-1.44-dynamodb"
    ),
    "botocore, standard, throttled": Twin(
        lambda: guests.botocore("standard"), "botocore-standard-1.44", kind="throttled"
    ),
    "botocore, standard, asked to wait": Twin(
        lambda: guests.botocore("standard"), "botocore-standard-1.44", retry_after="2500ms"
    ),
    "botocore, adaptive": Twin(lambda: guests.botocore("adaptive"), "botocore-adaptive-1.44"),
}


def _compare(twin: Twin, number: Callable[[int, int], float], requests: int, failures: int) -> int:
    """Compare the courses of requests, and return how many delays they had."""
    script = twin.script(failures, "10ms")
    guest = course_of(twin.guest(), script, number, requests=requests, without_draw=twin.without_draw)
    policy = course_of(twin.policy, script, number, requests=requests)
    for own, other in zip(guest, policy, strict=True):
        assert own.delays_ns == pytest.approx(other.delays_ns, rel=0, abs=NEAR_NS)
        assert (own.outcome, len(own.attempts)) == (other.outcome, len(other.attempts))
        assert own.settled_ns == pytest.approx(other.settled_ns, rel=0, abs=NEAR_NS * len(own.attempts))
    return sum(len(course.delays_ns) for course in guest)


def _corners(entity: int, index: int) -> float:
    """Serve the first three requests one number each, and the others numbers that fill [0, 1)."""
    return CORNERS[entity] if entity < len(CORNERS) else evenly(entity, index)


@pytest.mark.parametrize("name", TWINS)
def test_first_delays_and_attempts_are_those_of_the_preset(name: str) -> None:
    """With U = 0, 0.5, the last number below 1, and with drawn ones."""
    assert _compare(TWINS[name], _corners, len(CORNERS) + 1, FAILURES) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("name", TWINS)
def test_a_thousand_drawn_delays_are_those_of_the_preset(name: str) -> None:
    assert _compare(TWINS[name], evenly, 500, DRAWN_FAILURES) >= 1000


@pytest.mark.slow
@pytest.mark.parametrize("name", TWINS)
def test_nothing_of_a_request_is_left_for_the_next(name: str) -> None:
    """Requests go the same whichever come before them, with the draws of the scenario's own seed."""
    guest, script = TWINS[name].guest(), TWINS[name].script(DRAWN_FAILURES, "10ms")
    text = json.dumps({"action": {"script": script}, "requests": {"count": 6}, "retrier": "none", "until": "10h"})

    def seen(numbers: list[int]) -> dict[int, tuple[int, int, int]]:
        requests = World(parse(text), retrier=guest).isolated(numbers)
        return {one.number: (one.outcome, one.attempts, one.settled_ns) for one in requests}

    all_of_them = seen([0, 1, 2, 3, 4, 5])
    for numbers in ([4, 2, 0], [5], [1, 3]):
        assert seen(numbers) == {number: all_of_them[number] for number in numbers}
