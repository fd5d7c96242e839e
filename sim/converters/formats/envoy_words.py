"""What Envoy calls the answers that it retries, its delays and its budgets; Istio passes them on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.converters.answers import answer_of_status, status_of_answer
from sim.converters.delays import exponential

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sim.converters.fields import Fields
    from sim.scenario.mistakes.problems import Path

PARALLEL: Final = 3
"""How many retries at a time a cluster allows unless stated."""
CONDITIONS: Final[dict[str, tuple[str, ...]]] = {
    "5xx": ("failed", "timed_out"),
    "gateway-error": ("failed.gateway-error", "timed_out"),
    "reset": ("failed.reset", "timed_out"),
    "reset-before-request": ("failed.reset-before-request",),
    "connect-failure": ("failed.connect-failure",),
    "envoy-ratelimited": ("rejected",),
    "retriable-4xx": ("conflict",),
    "refused-stream": ("failed.refused-stream",),
    "http3-post-connect-failure": ("failed.http3-post-connect-failure",),
    "cancelled": ("failed.cancelled",),
    "deadline-exceeded": ("timed_out",),
    "internal": ("failed.internal",),
    "resource-exhausted": ("rejected",),
    "unavailable": ("failed.unavailable",),
}
"""What `retry_on` can name, and the answers that stand for it."""
STATUS_CODES: Final = "retriable-status-codes"
HEADERS: Final = "retriable-headers"


def answers_of(policy: Fields, field: str, words: Sequence[str], codes: Sequence[tuple[Path, Any]]) -> list[str]:
    """Return the answers for conditions and for a list of status codes, which holds only if a condition says so."""
    answers: list[str] = []
    for word in words:
        if word in CONDITIONS:
            answers += CONDITIONS[word]
        elif word == HEADERS:
            policy.note(field, "retriable-headers: headers are not modeled")
        elif word != STATUS_CODES:
            policy.note(field, f"'{word}' is no condition that Envoy knows, and it ignores it")
    for path, code in codes:
        if not isinstance(code, int) or isinstance(code, bool) or not 100 <= code <= 599:
            policy.reading.wrong(path, "not a status code of HTTP, such as 503")
        elif STATUS_CODES not in words:
            policy.reading.lost(path, f"Envoy ignores it, since `{field}` does not name {STATUS_CODES}")
        else:
            answers.append(answer_of_status(code))
    return list(dict.fromkeys(answers))


def conditions_of(answers: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return conditions and status codes that stand for answers: those whose own answers are all wanted."""
    left = dict.fromkeys(answers)
    conditions = []
    for condition, own in CONDITIONS.items():
        if set(own) <= set(answers) and set(own) & left.keys():
            conditions.append(condition)
            for answer in own:
                left.pop(answer, None)
    codes = [code for code in map(status_of_answer, left) if code is not None]
    return [*conditions, *([STATUS_CODES] if codes else [])], codes


def envoy_delay(base_ns: int, cap_ns: int) -> dict[str, Any]:
    """Return the delays of Envoy, in whole ms below a bound that doubles."""
    return exponential(base_ns, 2, cap_ns, jitter="full", floor="1ms")


def parallel_retries(most: int) -> dict[str, Any]:
    """Return the budget of so many retries at a time, those that sleep included."""
    return {"active": {"share": 0, "at_least": most, "sleeping": True}}


def share_of_active(share: float, least: int) -> dict[str, Any]:
    """Return the budget of a share of the requests in flight, cut to a whole number as Envoy does."""
    return {"active": {"share": share, "at_least": least, "sleeping": True, "round": "down"}}


def is_allowed(budget: Mapping[str, Any] | None) -> bool:
    """Tell whether a budget ever allows a retry."""
    return budget is None or bool(budget["active"]["share"] or budget["active"]["at_least"])
