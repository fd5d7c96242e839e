"""A service that is called until it is back, at most every five seconds; and one call whose limits are both zero."""

import stamina

LIBRARY = "stamina"
ERRORS = {"failed": ConnectionError}
stamina.instrumentation.set_on_retry_hooks([])


@stamina.retry(on=ConnectionError, attempts=None, timeout=None)
def until_it_is_back(call):
    return call()


def with_limits_of_zero(call):
    return stamina.retry(on=ConnectionError, attempts=0, timeout=0)(call)()


for guest in (until_it_is_back, with_limits_of_zero):
    guest.errors = ERRORS
