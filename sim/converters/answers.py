"""Names of errors as answers of a call: HTTP status codes, status codes of gRPC, exceptions and error names.

A simulated call answers `failed` (or `failed.NAME`), `rejected`, `conflict` or `timed_out`. Every format maps its names
onto these in one way, which its module states; the pieces are here.

- An HTTP status is `failed.CODE`, but 409 is `conflict` and 429 is `rejected`.
- The class or name of an error is `failed.NAME` with its capitals as hyphens: `Lambda.ServiceException` is
  `failed.lambda.service-exception`. Most names can be told from that again. Of a path of modules only the class counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

EVERY: Final = ("failed", "rejected", "conflict", "timed_out")
"""All answers that are no success and that a call was made for."""
EVERYTHING: Final = (*EVERY, "refused")
"""These, and what the caller's own breaker, bulkhead or rate limit answers."""

_STATUS: Final = {409: "conflict", 429: "rejected"}
_STATUS_OF: Final = {answer: code for code, answer in _STATUS.items()}
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_RESERVED: Final = {
    *("success", "failed", "rejected", "conflict", "timed_out", "refused"),
    *("queue", "max_wait", "rate_limit", "shed", "in_use"),
}


def answer_of_status(code: int) -> str:
    """Return the answer that stands for an HTTP status."""
    return _STATUS.get(code, f"failed.{code}")


def status_of_answer(answer: str) -> int | None:
    """Return the HTTP status that an answer stands for, None if it stands for none."""
    if answer in _STATUS_OF:
        return _STATUS_OF[answer]
    head, _, kind = answer.partition(".")
    return int(kind) if head == "failed" and re.fullmatch("[1-5][0-9][0-9]", kind) else None


def answer_of_error(name: str) -> str | None:
    """Return the answer that stands for the name of an error; None if the name is too long or has other characters."""
    parts = [re.sub(r"(?<!^)(?=[A-Z])", "-", part).lower() for part in name.split(".")]
    kind = ".".join(parts)
    if kind in _RESERVED:
        kind = f"{kind}-error"
    return f"failed.{kind}" if _NAME.fullmatch(kind) else None


def error_of_answer(answer: str) -> str | None:
    """Return the name of the error for which an answer stands; None if it is no `failed.NAME`."""
    head, _, kind = answer.partition(".")
    if head != "failed" or not kind:
        return None
    return ".".join("".join(piece[:1].upper() + piece[1:] for piece in part.split("-")) for part in kind.split("."))


def is_retried(answer: str, retry_on: Collection[str]) -> bool:
    """Tell whether an answer, or all answers of its head, are among those that are retried."""
    return answer in retry_on or answer.partition(".")[0] in retry_on


def class_of_path(path: str) -> str:
    """Return the class of a dotted path such as `java.io.IOException`."""
    return path.rpartition(".")[2]
