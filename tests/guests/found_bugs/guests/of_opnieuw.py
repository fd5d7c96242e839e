"""A function that may be called once in all: no retries."""

from opnieuw import retry

LIBRARY = "opnieuw"


@retry(retry_on_exceptions=ConnectionError, max_calls_total=1, retry_window_after_first_call_in_seconds=60)
def once(call):
    return call()


once.errors = {"failed": ConnectionError}
