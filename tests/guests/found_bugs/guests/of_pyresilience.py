"""Retries with a breaker, with a bulkhead, and with a budget, in one decorator."""

import pyresilience
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


def with_a_budget(call):
    return ten_retries_in_all(call)


if hasattr(pyresilience, "RetryBudgetConfig"):

    @resilient(
        retry=RetryConfig(max_attempts=3, delay=1.0, jitter=False, retry_on_result=lambda answer: answer is None),
        retry_budget=pyresilience.RetryBudgetConfig(max_retries=10, refill_rate=1e-6),
    )
    def ten_retries_in_all(call):
        try:
            return call()
        except ConnectionError:
            return None


for guest in (with_a_breaker, with_a_bulkhead, with_a_budget):
    guest.errors = {"failed": ConnectionError}
