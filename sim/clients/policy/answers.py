"""Names of answers as policies write them: `failed` and its kinds, `rejected` and its reasons, and the others.

`failed` stands for all failures, `failed.throttled` for those of this kind. Of several names that fit an answer the
more special one counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, Field

from sim.clients.cells import Scope
from sim.history.vocabulary import CONFLICT, FAILED, REFUSED, REJECTED, REJECTIONS, SUCCESS, TIMED_OUT
from sim.options.model import NAME

if TYPE_CHECKING:
    from collections.abc import Collection

FAILURES: Final = (FAILED, REJECTED, CONFLICT, TIMED_OUT)
"""Answers of calls that did not succeed; all that were made, so `refused` is none of them."""
_PLAIN: Final = (*FAILURES, REFUSED)
ANSWER_PATTERN: Final = (
    rf"^({FAILED}(\.{NAME.pattern})?|{REJECTED}(\.({'|'.join(REJECTIONS)}))?|{CONFLICT}|{TIMED_OUT}|{REFUSED})$"
)

ScopeField = Annotated[
    Scope | None,
    Field(description="Whose state it is: `request`, `client`, `service` or `world`; that of the policy if left out."),
]


def name_that_fits(answer: str, names: Collection[str]) -> str | None:
    """Return the most special of these names that fits an answer, None if none does."""
    if answer in names:
        return answer
    head = answer.partition(".")[0]
    return head if head in names else None


def _checked(name: str) -> str:
    if name == SUCCESS:
        raise ValueError(f"success is no failure; the answers are: {', '.join(_PLAIN)}")
    if not re.fullmatch(ANSWER_PATTERN, name):
        raise ValueError(
            f"no answer has the name '{name[:40]}'; the answers are: {', '.join(_PLAIN)}, {FAILED}.NAME and"
            f" {REJECTED}. with one of {', '.join(REJECTIONS)}"
        )
    return name


AnswerName = Annotated[str, AfterValidator(_checked), Field(json_schema_extra={"pattern": ANSWER_PATTERN})]
"""The name of an answer that is no success."""


def check_answer_name(name: str) -> str:
    """Return a name that an answer can have. Raises ValueError with the names that there are."""
    return _checked(name)
