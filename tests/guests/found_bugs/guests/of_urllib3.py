"""A pool manager of urllib3 that retries, and looks at Retry-After; and one whose pools have one connection each."""

from urllib3 import PoolManager
from urllib3.util.retry import Retry

from sim.guests.transports.replies import Reply
from sim.guests.transports.urllib3 import manager

LIBRARY = "urllib3"
MOVED = Reply(302, headers={"Location": "http://service/"})


def get(call):
    policy = Retry(total=2, status_forcelist=[503], backoff_factor=1)
    return manager(call, answers={"failed": 503}, retries=policy).request("GET", "http://service/")


POOLS: PoolManager = manager(answers={"failed.moved": MOVED}, maxsize=1, block=True)


def follow(call):  # the pools of a process call for the request that uses them
    response = POOLS.request("GET", "http://moved/", preload_content=False)
    response.read()
    response.release_conn()
