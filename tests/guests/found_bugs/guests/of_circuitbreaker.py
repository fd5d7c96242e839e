"""A breaker around an asynchronous function: three failures open it, for half a minute."""

from circuitbreaker import circuit

LIBRARY = "circuitbreaker"


@circuit(failure_threshold=3, recovery_timeout=30, expected_exception=ConnectionError)
async def guarded(call):
    return await call()


async def ask(call):
    return await guarded(call)


ask.errors = {"failed": ConnectionError}
