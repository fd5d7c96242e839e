"""A client of httpx that retries."""

import httpx
from httpx_retries import Retry, RetryTransport

from sim.guests.transports.httpx import transport

LIBRARY = "httpx_retries"


class Played(httpx.HTTPTransport):
    """Versions before 0.4.0 wrap only what is an HTTPTransport."""

    def __init__(self, call):
        self.handle_request = transport(call, answers={"failed": 503}).handle_request

    def close(self):
        """There is nothing to close."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """There is nothing to close."""


def get(call):
    policy = Retry(total=4, backoff_factor=1.0, backoff_jitter=0.0)
    with httpx.Client(transport=RetryTransport(Played(call), retry=policy)) as client:
        return client.get("http://service/").raise_for_status()
