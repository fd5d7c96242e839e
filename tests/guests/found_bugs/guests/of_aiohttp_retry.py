"""A client of aiohttp that retries."""

from aiohttp_retry import ExponentialRetry, ListRetry, RetryClient

from sim.guests.transports.aiohttp import connector

LIBRARY = "aiohttp_retry"


async def waits_of_a_list(call):
    return await asked(call, "GET", ListRetry([1.0, 3.0, 9.0]))


async def a_method_in_lower_case(call):
    return await asked(call, "GET", ExponentialRetry(attempts=4, start_timeout=0.5, methods={"get"}))


async def asked(call, method, policy):
    played = connector(call, answers={"failed": 503})
    client = RetryClient(retry_options=policy, raise_for_status=True, connector=played)
    try:
        async with client.request(method, "http://service/"):
            return "answered"
    finally:
        await client.close()
