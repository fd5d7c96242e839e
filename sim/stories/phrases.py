"""The plain words in which a story is told."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sim.history.events import CUT_SHORT, ON_LOCK, ON_TIMER
from sim.history.vocabulary import (
    ASKS_TO_STOP,
    CUT,
    DIED,
    FAILED,
    IN_PROGRESS,
    PENDING,
    RETURNED,
    SUCCESS,
    THREW,
    Outcome,
)
from sim.kernel.durations import UNITS_NS
from sim.text.numerals import duration_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.history.events import GuestWoken, SleepStarted
    from sim.history.failure import Failure

CALLER, CLIENT, PLATFORM, WORLD, ACTION = "caller", "client", "platform", "world", "action"
OPERATOR = "operator"
"""Who does things, besides the functions of the retrier."""

KILLED = "killed"
"""How an attempt ended that was running when the server died."""
WITH_OTHERS = "with_others"
"""How an attempt ends that dies with others in one job, through no fault of its own."""

LATE_NS = 500_000_000
"""From here on a reader asks why a job that was due did not start."""

SAW = MappingProxyType({PENDING: "not started yet", IN_PROGRESS: "still running", SUCCESS: "it succeeded"})
"""What a poll finds, by the state of the job it looks at."""

SETTLES = MappingProxyType(
    {
        Outcome.success.name: "settled: success",
        Outcome.gave_up.name: "gives up (settled: gave up)",
        Outcome.canceled.name: "settled: canceled",
    }
)
CANCELS = MappingProxyType(
    {
        "request": "cancel of the request",
        "action": "cancel of the action, by hand",
        "poll": "cancel of the poll, by hand",
    }
)
_DECIMAL = re.compile(r"([0-9]+\.[0-9]+) (ns|us|ms|s)")
_TWO_UNITS = re.compile(r"(([0-9]+)(m|h|d))00[smh]")
_ENDS = MappingProxyType({RETURNED: "returns", THREW: "fails", DIED: "dies", CUT: "is cut off"})
_REASONS = MappingProxyType(
    {
        "ack_lost": "ack_lost: its effect is done",
        "crash_before_effect": "crash_before_effect",
        "crash_after_effect": "crash_after_effect",
        "hang": "hang",
    }
)


def span_text(duration_ns: int) -> str:
    """Write a duration as `duration_text` does, without zeros that say nothing: `1 s`, `9m`; `1.00 s` for 1.001 s."""
    text = duration_text(duration_ns)
    if match := _DECIMAL.fullmatch(text):
        number, unit = match[1].rstrip("0").rstrip("."), match[2]
        return f"{number} {unit}" if float(number) * UNITS_NS[unit] == duration_ns else text
    match = _TWO_UNITS.fullmatch(text)
    return match[1] if match and int(match[2]) * UNITS_NS[match[3]] == duration_ns else text


def operator_words(name: str, detail: Mapping[str, Any]) -> str:
    """Say what an operator does, by the name of the fault and its options."""
    pool = f"the pool {detail['pool']}" if detail.get("pool") else "the pool"
    match name:
        case "cancel_jobs":
            return f"cancels all jobs of {', '.join(detail['functions'])}"
        case "cancel_all":
            return f"cancels all works of {pool}"
        case "set_parallelism":
            return f"gives {pool} {count_text(detail['slots'], 'slot')}"
        case "force_kick":
            return f"stops the loop of {pool} and starts it again"
        case _:
            return name.replace("_", " ")


def count_text(number: int, thing: str) -> str:
    """Count things: `1 poll`, `2 polls`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def when_words(delay_ns: int) -> str:
    """Say when something is due."""
    return f"in {span_text(delay_ns)}" if delay_ns > 0 else "at once"


def late_words(due_ns: int, now_ns: int) -> str:
    """Say how late a job starts, if that is worth a word."""
    return f", {span_text(now_ns - due_ns)} late" if now_ns - due_ns >= LATE_NS else ""


def effect_words(attempt: int, name: str) -> str:
    """Say what an effect was: the first, a duplicate with its cause, or one that the receiver recognized."""
    if name == "applied":
        return f"effect applied (attempt {attempt})"
    if name == "suppressed":
        return f"effect suppressed: recognized as a repeat (attempt {attempt})"
    return f"effect applied AGAIN (attempt {attempt}, duplicate: {name})"


def wait_words(sleep: SleepStarted) -> str:
    """Say that a client sleeps, or that guest code waits for something, and how long at most."""
    if sleep.awaits:
        return f"waits for a {sleep.awaits}, at most {span_text(sleep.duration_ns)}"
    return f"sleeps {span_text(sleep.duration_ns)}"


def woken_words(woken: GuestWoken, cut: SleepStarted | None = None) -> str:
    """Say by what guest code goes on; `cut` is the sleep that does not last, if there is one."""
    if woken.reason != CUT_SHORT:
        return {ON_TIMER: "a timer of its own fires", ON_LOCK: "goes on: a lock is free"}.get(woken.reason, "goes on")
    left = f"{span_text(woken.left_ns)} of {span_text(cut.duration_ns)} left" if cut and woken.left_ns else ""
    text = f"goes on: a {cut.awaits} is free" if cut is not None and cut.awaits else "its sleep is cut"
    return f"{text}, {left}" if left else text


def failure_words(failure: Failure | None) -> str:
    """Say what an error tells: `failed.throttled, final error, retry after 2 s`; empty if it tells nothing."""
    if failure is None:
        return ""
    told = [] if failure.kind == FAILED else [failure.kind]
    told += ["final error"] if failure.final else []
    if failure.retry_after_ns >= 0:
        told.append(f"retry after {span_text(failure.retry_after_ns)}")
    elif failure.retry_after_ns == ASKS_TO_STOP:
        told.append("asks for no retry")
    return ", ".join(told)


def end_words(attempt: int, outcome: str, how: str, duration_ns: int, failure: Failure | None = None) -> str:
    """Say how an attempt ended, and by which outcome of the scenario or with what error if that explains it."""
    after = span_text(duration_ns)
    if how == KILLED:
        return f"attempt {attempt} dies with the server, after {after}"
    reason = _REASONS.get(outcome, "")
    if how == WITH_OTHERS:
        reason, how = "with the job that it shares", DIED
    elif how == DIED and not reason.startswith("crash"):
        reason = "system error"
    if how == CUT:
        reason = "time limit"
    reason = "; ".join(filter(None, (reason, failure_words(failure))))
    return f"attempt {attempt} {_ENDS.get(how, how)} after {after}" + (f" ({reason})" if reason else "")
