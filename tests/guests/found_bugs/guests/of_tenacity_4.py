"""Waits that are listed one by one, by a version from before Python 3.8 had its own coroutines alone."""

import asyncio
import types

asyncio.coroutine = types.coroutine  # which Python 3.11 no longer has, and the version decorates by

from tenacity import retry, stop_after_attempt, wait_chain, wait_fixed  # noqa: E402  # see above

LIBRARY = "tenacity"


@retry(wait=wait_chain(wait_fixed(30), wait_fixed(10), wait_fixed(1)), stop=stop_after_attempt(4), reraise=True)
def ask(call):
    return call()


def thirty_then_ten_then_one(call):
    return ask(call)


thirty_then_ten_then_one.errors = {"failed": ConnectionError}
