"""The words of a history, each once: how requests, jobs and attempts go and end.

A history holds plain strings and numbers, so these are constants and not enumerations; `Literal` types name the sets.
"""

import re
from enum import IntEnum
from typing import Final, Literal

NEVER: Final = -1
"""The time of something that did not happen."""

ASKS_TO_STOP: Final = -2
"""In place of the wait that an error asks for: it asks for no retry at all."""

# Requests: names of an `Outcome` that histories have; success and canceled have the same words as a job's.
GAVE_UP: Final = "gave_up"

# Jobs.
PENDING: Final = "pending"
IN_PROGRESS: Final = "inProgress"
SUCCESS: Final = "success"
FAILED: Final = "failed"
CANCELED: Final = "canceled"
JobState = Literal["pending", "inProgress", "success", "failed", "canceled"]
"""The states of a row of `_scheduled_functions`, in the words of Convex."""
ALIVE: Final = (PENDING, IN_PROGRESS)
"""States of a job that is not over."""

AT_SERVICE: Final = "at_service"
"""In place of what the world has in store for an attempt: it shows when a service works on its call."""

# Attempts: what the world has in store for one; success has the same word as a job's.
FAIL: Final = "fail"
ACK_LOST: Final = "ack_lost"
CRASH_BEFORE_EFFECT: Final = "crash_before_effect"
CRASH_AFTER_EFFECT: Final = "crash_after_effect"
LOST_CONTACT: Final = "lost_contact"
HANG: Final = "hang"
AttemptOutcome = Literal[
    "success", "fail", "ack_lost", "crash_before_effect", "crash_after_effect", "lost_contact", "hang"
]
"""What an attempt can do."""
ATTEMPT_OUTCOMES: Final[tuple[AttemptOutcome, ...]] = (
    SUCCESS,
    FAIL,
    ACK_LOST,
    CRASH_BEFORE_EFFECT,
    CRASH_AFTER_EFFECT,
    LOST_CONTACT,
    HANG,
)
"""All of them: success first, then in the order in which a drawn number is compared with their shares."""
OWN: Final = "own"
"""In place of an outcome: a service of the user's own does the work, and how it goes shows as it ends."""

# Attempts: how one ends.
RETURNED: Final = "returned"
THREW: Final = "threw"
DIED: Final = "died"
CUT: Final = "cut"
End = Literal["returned", "threw", "died", "cut"]
"""How an attempt ends: it returned, it threw, its execution died, or it was cut off at a time limit."""
ANSWERED: Final = (RETURNED, THREW)
"""Ends of an attempt that come with an answer."""

# Answers: what a caller hears of a call; success and failed have the same words as a job's.
REJECTED: Final = "rejected"
CONFLICT: Final = "conflict"
TIMED_OUT: Final = "timed_out"
"""The caller's own: it stopped waiting."""
REFUSED: Final = "refused"
"""The caller's own: its breaker, bulkhead or rate limit let no call be made."""
ANSWERS: Final = (SUCCESS, FAILED, REJECTED, CONFLICT, TIMED_OUT, REFUSED)
"""All of them. `failed` and `rejected` also stand in front of a kind: `failed.NAME`, `rejected.queue`."""
QUEUE: Final = "queue"
MAX_WAIT: Final = "max_wait"
"""It had waited in the queue for as long as calls may."""
RATE_LIMIT: Final = "rate_limit"
SHED: Final = "shed"
IN_USE: Final = "in_use"
"""Another call has the idempotency key and is not over."""
REJECTIONS: Final = (QUEUE, MAX_WAIT, RATE_LIMIT, SHED, IN_USE)
"""Why a call is rejected."""


def failed_of_kind(kind: str) -> str:
    """Return the answer of a failure of this kind."""
    return f"{FAILED}.{kind}"


def rejected_by(reason: str) -> str:
    """Return the answer of a call that is rejected for a reason of `REJECTIONS`."""
    return f"{REJECTED}.{reason}"


# Attempts: by which rule of its idempotency key one goes as it does; the other is `in_use`.
FIRST: Final = "first"
"""It gets the first answer again."""

# Effects: these two, or the name of a `Cause` for an effect after the first.
APPLIED: Final = "applied"
SUPPRESSED: Final = "suppressed"
"""The receiver recognized it by its idempotency key."""

# Backoffs of the platform: the streams of their jitter.
OCC_BACKOFF: Final = "occ_backoff"
"""Of a mutation that was refused."""
SYSTEM_BACKOFF: Final = "system_backoff"
"""Of a job that a system error has put back."""
COMPLETION_BACKOFF: Final = "completion_backoff"
"""Of the write of an action's end that a system error has struck."""

# Cancels.
OF_THE_REQUEST: Final = "request"
"""The target of a cancel that asks the retrier itself."""
OF_THE_ACTION: Final = "action"
"""The target of a cancel by an operator: the newest unfinished job of the action."""
OF_THE_POLL: Final = "poll"
"""The target of a cancel by an operator: the newest unfinished job that looks."""
CancelTarget = Literal["request", "action", "poll"]
CANCEL: Final = "cancel"
"""The mutation in which a retrier of the deployment cancels."""

# Submissions again: why the caller asks once more; told of a failure has the same word as a job's.
SILENT: Final = "silent"
"""It has heard nothing for as long as it waits."""

# Restarts: what becomes of the effects of attempts that the server ran.
CONTINUES: Final = "continues"
LOST: Final = "lost"
Inflight = Literal["continues", "lost"]


class Outcome(IntEnum):
    """How a request ended: what the retrier concluded, or why it never concluded."""

    open = 0
    """`until` cut it off."""
    success = 1
    gave_up = 2
    canceled = 3
    stuck = 4
    """Nothing pending or running will ever look at it again."""
    runaway = 5
    """It ran into the limit of polls or of simulated time."""


class Cause(IntEnum):
    """Why a second effect came about; one column of `Requests.duplicates` each."""

    ack_lost = 0
    """The effect was done, the attempt reported failure."""
    crash_after_effect = 1
    """The execution died after the effect, before its end was recorded."""
    timeout = 2
    """The attempt had been given up, or another was made before it was over; its work went on."""
    report_lost = 3
    """The attempt succeeded, but what should record that ran out of reruns or hit a system error."""
    resubmit = 4
    """The caller asked again."""
    repeated = 5
    """The attempt had succeeded, and nothing of that was lost: another was made all the same."""


def job_not_found(number: int) -> str:
    """Return the error that `article` and `helpers` throw when they look for a row that was collected."""
    return f"job {number} not found"


def missing_job(error: str) -> int | None:
    """Return the number of the job that an error of `job_not_found` names, None for any other error.

    A history has the text, as upstream throws it, and its digest covers the text.
    """
    match = _JOB_NOT_FOUND.fullmatch(error)
    return None if match is None else int(match[1])


_JOB_NOT_FOUND = re.compile(r"job ([0-9]+) not found")
