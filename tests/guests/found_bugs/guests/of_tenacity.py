"""A retry that repairs first, by the same decorated function; and a loop over attempts that takes a result."""

from tenacity import AsyncRetrying, retry, retry_if_result, stop_after_attempt, wait_fixed

LIBRARY = "tenacity"
ERRORS = {"failed": ConnectionError}


def repair_first(state):
    """Renew the session before a retry: by the function itself, which needs retries no less."""
    if state.outcome.failed and state.args[1] == "work" and state.attempt_number < 4:
        ask(state.args[0], "session")
        return True
    return False


@retry(retry=repair_first, wait=wait_fixed(1), reraise=True)
def ask(call, what):
    return call() if what == "work" else "a new session"


def work(call):
    return ask(call, "work")


async def until_there_is_a_result(call):
    async for attempt in AsyncRetrying(
        retry=retry_if_result(lambda result: result is None), stop=stop_after_attempt(4), wait=wait_fixed(1)
    ):
        with attempt:
            try:
                answer = await call()
            except ConnectionError:
                answer = None
        attempt.retry_state.set_result(answer)
    return answer


for guest in (work, until_there_is_a_result):
    guest.errors = ERRORS
