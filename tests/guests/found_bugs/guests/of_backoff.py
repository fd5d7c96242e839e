"""Limits that are read from a configuration, by functions."""

import backoff

LIBRARY = "backoff"
ERRORS = {"failed": ConnectionError}
CONFIGURED = {"max_tries": 5, "max_time": 10}


@backoff.on_exception(
    backoff.constant, ConnectionError, interval=3, jitter=None, max_time=lambda: CONFIGURED["max_time"]
)
def for_ten_seconds(call):
    return call()


@backoff.on_exception(
    backoff.constant, ConnectionError, interval=3, jitter=None, max_tries=lambda: CONFIGURED["max_tries"]
)
async def five_tries_then_two(call):
    return await call()


async def while_an_operator_turns_it_down(call):
    for tries in (5, 2):
        CONFIGURED["max_tries"] = tries
        try:
            return await five_tries_then_two(call)
        except ConnectionError as error:
            last = error
    raise last


for guest in (for_ten_seconds, while_an_operator_turns_it_down):
    guest.errors = ERRORS
