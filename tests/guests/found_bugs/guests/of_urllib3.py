"""A pool manager of urllib3 that retries, and looks at Retry-After."""

from urllib3.util.retry import Retry

from sim.guests.transports.urllib3 import manager

LIBRARY = "urllib3"


def get(call):
    policy = Retry(total=2, status_forcelist=[503], backoff_factor=1)
    return manager(call, answers={"failed": 503}, retries=policy).request("GET", "http://service/")
