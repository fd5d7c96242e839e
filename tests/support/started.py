"""A retrier of the deployment, at work on one request."""

from typing import Any


def started(b: Any, retrier: Any) -> Any:
    """Bind a retrier to a bench's action, define its tables, submit the request, and run to the end."""
    retrier.bind(b.action)
    for name, indexes in retrier.tables.items():
        b.store.define(name, indexes)
    b.call(retrier.submit)
    b.run()
    return b
