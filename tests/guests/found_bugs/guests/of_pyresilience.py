"""Retries with a breaker, and with a bulkhead, in one decorator."""

from pyresilience import BulkheadConfig, CircuitBreakerConfig, RetryConfig, resilient

LIBRARY = "pyresilience"


@resilient(
    retry=RetryConfig(max_attempts=8, delay=1.0, jitter=False),
    circuit_breaker=CircuitBreakerConfig(failure_threshold=3, recovery_timeout=600),
)
def with_a_breaker(call):
    return call()


@resilient(retry=RetryConfig(max_attempts=2, delay=32.0, jitter=False), bulkhead=BulkheadConfig(max_concurrent=1))
def one_at_a_time(call):
    return call()


def with_a_bulkhead(call):
    return one_at_a_time(call)


for guest in (with_a_breaker, with_a_bulkhead):
    guest.errors = {"failed": ConnectionError}
