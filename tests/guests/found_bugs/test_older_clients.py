"""Transports run with versions of their libraries that are some years old, and which services still have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from old_versions import With

pytestmark = pytest.mark.library_versions

FAILS = (
    "requests: {count: 1}\naction: {script: ["
    "{outcome: fail, latency: 1s}, {outcome: fail, kind: reset, latency: 1s}, {outcome: hang}, "
    "{outcome: success, latency: 1s}]}\n"
)
"""A status, a connection that ends, and a timeout of 5 s; each is worth a retry."""
OLD = {
    # urllib3 waits 2^(n-1) s, and before the first retry not at all if it is as old.
    "by_urllib3": (("urllib3==1.26.20",), [0, 1, 4, 13]),
    "by_requests": (("urllib3==1.26.20", "requests==2.28.2"), [0, 1, 4, 13]),
    "by_aiohttp": (("urllib3==1.26.20", "aiohttp==3.9.5"), [0, 3, 8, 21]),
}


def _at(request: dict[str, Any]) -> list[float]:
    return [round(instant, 2) for instant in request["attempts"]]


@pytest.mark.parametrize("guest", OLD)
def test_an_older_version_sends_by_the_transport_and_retries_as_it_does(guest: str, simulated: With) -> None:
    versions, instants = OLD[guest]
    request = simulated(f"of_older_clients:{guest}", FAILS, *versions).request
    assert (request["outcome"], _at(request)) == ("success", instants)


def test_an_older_botocore_on_an_older_urllib3_tries_as_often(simulated: With) -> None:
    """Its waits are drawn: up to 1, 2 and 4 s."""
    request = simulated("of_older_clients:by_botocore", FAILS, "urllib3==1.26.20", "botocore==1.34.106").request
    assert (request["outcome"], len(request["attempts"])) == ("success", 4)
    assert all(0 <= sleep <= 2**number for number, sleep in enumerate(request["sleeps"]))
