"""The one word that tells an event from others of its kind."""

from sim.history.events import Event

WORDS = (
    "function",
    "outcome",
    "end",
    "effect",
    "stream",
    "document_id",
    "result",
    "target",
    "inflight",
    "limit",
    "retrier",
)


def name_of(event: Event) -> str:
    """The function of a job's event, the outcome an attempt has in store, the target of a cancel, and so on."""
    return next((getattr(event, word) for word in WORDS if hasattr(event, word)), "")
