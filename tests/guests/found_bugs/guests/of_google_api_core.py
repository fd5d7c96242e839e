"""A call of a Google client, with a deadline."""

from google.api_core.exceptions import ServiceUnavailable
from google.api_core.retry import Retry

LIBRARY = "google.api_core.retry"
ERRORS = {"failed": ServiceUnavailable}


def with_a_deadline(call):
    return Retry(initial=1.0, maximum=60.0, multiplier=2.0, deadline=100.0)(call)()


def with_another_multiplier(call):
    return Retry(initial=1.0, maximum=60.0, multiplier=2.0, deadline=100.0).with_delay(multiplier=4.0)(call)()


def with_a_cap(call):
    return Retry(initial=1.0, maximum=8.0, multiplier=2.0, deadline=100.0)(call)()


for guest in (with_a_deadline, with_another_multiplier, with_a_cap):
    guest.errors = ERRORS
