"""grpcio is not in the extra `libraries`, since it cannot run as a guest: here it is installed, and refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from old_versions import With

pytestmark = pytest.mark.library_versions


@pytest.mark.parametrize("guest", ["ask", "ask_later"])
@pytest.mark.parametrize("version", ["1.62.3", "1.85.3"])
def test_a_guest_that_calls_by_grpc_is_refused_by_its_name(guest: str, version: str, simulated: With) -> None:
    scenario = "requests: {count: 1}\naction: {latency: 1s}\n"
    ran = simulated(f"of_grpcio:{guest}", scenario, f"grpcio=={version}")
    assert "calls by gRPC, whose retries, timers and sockets are in its core" in (ran.refused or "")
