"""A client of HTTP that a process keeps serves all its requests; its pool is a limit in simulated time.

None is closed: a process of a simulation just ends.
"""

from typing import Any

import pytest
from library_guests import library
from side_by_side import Course, always, course_of

from sim.guests import GuestRetrier

SECOND_NS = 10**9
REQUESTS = 10
LIMIT = 2
URL = "https://api.example/"
WORLD = {"world": "shared", "requests": {"count": REQUESTS, "arrivals": "at_once"}, "clients": {"count": 1}}


def _courses(guest: type[GuestRetrier]) -> list[Course]:
    script = [{"outcome": "success", "latency": "1s"}]
    return course_of(guest, script, always(0.5), requests=REQUESTS, more=WORLD)


def _most_at_once(courses: list[Course]) -> int:
    spans = [span for course in courses for span in course.attempts]
    return max(sum(start <= at < end for start, end in spans) for at, _ in spans)


def test_a_pool_of_urllib3_that_blocks_lets_two_requests_through_at_a_time() -> None:
    library("urllib3")
    transport = pytest.importorskip("sim.guests.transports.urllib3")

    class Guest(GuestRetrier):
        kind = "urllib3-shared"

        def __init__(self, options: Any = None) -> None:
            super().__init__(options)
            self.http = transport.manager(maxsize=LIMIT, block=True)

        def retry(self, call: Any) -> Any:
            del call
            return self.http.request("GET", URL).status

    courses = _courses(Guest)
    assert [course.outcome for course in courses] == ["success"] * REQUESTS
    assert (_most_at_once(courses), max(course.settled_ns for course in courses)) == (LIMIT, 5 * SECOND_NS)


def test_a_session_of_requests_serves_all_requests_of_a_process() -> None:
    lib = library("requests")
    adapters = pytest.importorskip("sim.guests.transports.requests")

    class Guest(GuestRetrier):
        kind = "requests-shared"

        def __init__(self, options: Any = None) -> None:
            super().__init__(options)
            self.session = lib.Session()
            self.session.mount("https://", adapters.adapter(pool_maxsize=LIMIT, pool_block=True))

        def retry(self, call: Any) -> Any:
            del call
            self.session.get(URL).raise_for_status()

    courses = _courses(Guest)
    assert (_most_at_once(courses), max(course.settled_ns for course in courses)) == (LIMIT, 5 * SECOND_NS)


def test_a_client_of_httpx_serves_all_requests_of_a_process() -> None:
    lib = library("httpx")
    transport = pytest.importorskip("sim.guests.transports.httpx")

    class Guest(GuestRetrier):
        kind = "httpx-shared"

        def __init__(self, options: Any = None) -> None:
            super().__init__(options)
            self.client = lib.AsyncClient(transport=transport.transport())

        async def retry(self, call: Any) -> Any:
            del call
            (await self.client.get(URL)).raise_for_status()

    courses = _courses(Guest)
    assert [course.attempts for course in courses] == [((0, SECOND_NS),)] * REQUESTS


def test_a_session_of_aiohttp_that_is_limited_lets_two_requests_through_at_a_time() -> None:
    lib = library("aiohttp")
    transport = pytest.importorskip("sim.guests.transports.aiohttp")

    class Guest(GuestRetrier):
        kind = "aiohttp-shared"

        def __init__(self, options: Any = None) -> None:
            super().__init__(options)
            self.session = lib.ClientSession(connector=transport.connector(limit=LIMIT))

        async def retry(self, call: Any) -> Any:
            del call
            async with self.session.get(URL) as response:
                response.raise_for_status()

    courses = _courses(Guest)
    assert (_most_at_once(courses), max(course.settled_ns for course in courses)) == (LIMIT, 5 * SECOND_NS)
