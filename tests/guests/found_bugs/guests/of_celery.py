"""A task whose backoff begins with half a second. Eager tasks skip their countdowns, so this one sleeps them."""

import time

import celery

LIBRARY = "celery"
APP = celery.Celery("guests", set_as_current=False, broker="memory://")


class Slept(APP.Task):
    def apply(self, *args, countdown=None, **more):
        if countdown:
            time.sleep(countdown)
        return super().apply(*args, **more)


@APP.task(base=Slept, autoretry_for=(ConnectionError,), retry_backoff=0.5, retry_jitter=False)
def work(call):
    return call()


def half_a_second(call):
    return work.apply(args=(call,)).get()


half_a_second.errors = {"failed": ConnectionError}
