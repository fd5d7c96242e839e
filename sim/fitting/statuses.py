"""Which statuses are failures, and which of these no retry would mend.

HTTP: RFC 9110 section 15; 408, 425 and 429 ask to come again (RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4), other codes
of 400 to 499 say that the request itself is wrong, so the same request would fail again. 499 is nginx' word for a
client that has gone, 0 and 000 what clients write who had no answer at all. gRPC: which codes are worth a retry is said
by https://grpc.io/docs/guides/status-codes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.fitting.spans import GRPC_WORDS
from sim.fitting.units import status_text
from sim.tabular.durations import BLANK
from sim.tabular.words import Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TRANSIENT_4XX: Final = frozenset({408, 409, 425, 429, 499})
FINE: Final = frozenset(
    {
        *(
            "ok",
            "okay",
            "success",
            "succeeded",
            "successful",
            "completed",
            "complete",
            "done",
            "pass",
            "passed",
            "true",
        ),
        *("yes", "t", "y", "status_code_ok", "good", "hit", "approved", "delivered", "sent", "accepted"),
        *("unset", "status_code_unset"),
    }
)
FINAL_GRPC: Final = frozenset(
    {
        *("INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "FAILED_PRECONDITION"),
        *("OUT_OF_RANGE", "UNIMPLEMENTED", "UNAUTHENTICATED", "DATA_LOSS"),
    }
)
OF_ERRORS: Final = re.compile(
    r"(^|[._ -])(errors?|err|exception|failure|failed|timed?[._ -]?out|"
    r"error[._]?(type|code|kind|message)|exit[._]?(code|status)|rc)$",
    re.IGNORECASE,
)
"""Names of columns that are blank, false or 0 if all went well."""
_HTTP: Final = re.compile(r"(?:http(?:/[0-9.]+)?[ _-]?)?([1-5][0-9]{2})(\.0)?( .*)?", re.IGNORECASE)
_CLASS: Final = re.compile("[1-5]xx", re.IGNORECASE)
_NO: Final = frozenset({"false", "no", "f", "n", "0"})


def failures(
    statuses: Sequence[str], column: str, failed: Sequence[str], ok: Sequence[str]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], list[str]]:
    """Return which statuses are failures, which of them are final, and sentences about that.

    What `failed` and `ok` say goes first: with `failed` alone all others are none, with `ok` alone all others are.
    """
    guessed = [_guess(status, column, statuses) for status in statuses]
    is_failed, is_final = [list(flags) for flags in zip(*guessed, strict=True)] if guessed else ([], [])
    told = []
    said_failed, said_ok = Words(failed), Words(ok)
    if failed or ok:
        for at, status in enumerate(statuses):
            if status in said_failed:
                is_failed[at] = True
            elif status in said_ok or (failed and not ok):
                is_failed[at] = False
            elif not failed:
                is_failed[at] = True
    is_final = [one and two for one, two in zip(is_failed, is_final, strict=True)]
    how = "as the command line says" if failed or ok else "by what such words mean"
    bad = [_named(status) for status, one in zip(statuses, is_failed, strict=True) if one]
    good = [_named(status) for status, one in zip(statuses, is_failed, strict=True) if not one]
    final = [_named(status) for status, one in zip(statuses, is_final, strict=True) if one]
    if bad:
        not_bad = f"; {_listed(good)} {'is' if len(good) == 1 else 'are'} not" if good else ", so every call failed"
        told.append(f"Failures are {_listed(bad)}, {how}{not_bad}.")
    else:
        told.append(f"No call failed: {_listed(good)} {'is' if len(good) == 1 else 'are'} no failure, {how}.")
    if final:
        told.append(f"Of these {_listed(final)} would fail again however often it is retried: final failures.")
    return np.array(is_failed, np.bool_), np.array(is_final, np.bool_), told


def _guess(status: str, column: str, statuses: Sequence[str]) -> tuple[bool, bool]:  # a case each
    """Return whether a status is a failure, and a final one."""
    word = status.strip()
    folded = word.casefold()
    if OF_ERRORS.search(column):
        return not (word in BLANK or folded in _NO or folded in FINE), False
    if match := _HTTP.fullmatch(word):
        code = int(match[1])
        return code >= 400, 400 <= code < 500 and code not in TRANSIENT_4XX
    if _CLASS.fullmatch(word):
        return word[0] in "45", False  # 429 and 408 are worth a retry, 404 is not: the class does not say
    if _are_grpc_numbers(statuses) and re.fullmatch(r"[0-9]+", word):
        code = int(word)
        return code != 0, GRPC_WORDS[code] in FINAL_GRPC
    upper = re.sub("(?<=[a-z])(?=[A-Z])", "_", word).upper()
    if upper in GRPC_WORDS:
        return upper != "OK", upper in FINAL_GRPC
    return folded not in FINE and not (folded == "1" and set(statuses) <= {"0", "1"}), False


def _are_grpc_numbers(statuses: Sequence[str]) -> bool:
    """Whether all statuses are codes of gRPC: 0 is OK; 0 and 1 alone are no and yes."""
    numbers = [one for one in statuses if one]
    whole = all(re.fullmatch(r"[0-9]+", one) and int(one) < len(GRPC_WORDS) for one in numbers)
    return whole and not set(numbers) <= {"0", "1"}


def _named(status: str) -> str:
    if not status or status in BLANK:
        return "rows without a status"
    return status_text(status)


def _listed(words: Sequence[str], most: int = 12) -> str:
    if not words:
        return "none"
    shown = [*words[:most], *([f"{len(words) - most} more"] if len(words) > most else [])]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
