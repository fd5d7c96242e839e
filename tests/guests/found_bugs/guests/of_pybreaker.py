"""A breaker that opens after two failures, with a trial call after its timeout; and one storage for many breakers."""

import time

import pybreaker

LIBRARY = "pybreaker"
ERRORS = {"failed": ConnectionError}
BREAKER = pybreaker.CircuitBreaker(fail_max=2, reset_timeout=10)


def until_it_works(call):
    while True:
        try:
            return BREAKER.call(call)
        except (ConnectionError, pybreaker.CircuitBreakerError):
            time.sleep(4)


STORAGE = pybreaker.CircuitMemoryStorage("closed") if hasattr(pybreaker, "CircuitMemoryStorage") else None


def a_worker_for_each(call):
    breaker = pybreaker.CircuitBreaker(fail_max=3, reset_timeout=30, state_storage=STORAGE)
    return breaker.call(call)


for guest in (until_it_works, a_worker_for_each):
    guest.errors = ERRORS
