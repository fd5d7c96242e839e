"""Celery: options of a task, `{celery: {max_retries: 5, retry_backoff: true}}`, several of them by name.

Facts: celery 5.7.0 app/task.py, app/autoretry.py, utils/time.py; kombu 5.7.0.

Counting: `max_retries` counts retries, 3 by default; null is for ever.
Answers: `autoretry_for: [Exception]` is every failure, TimeoutError is `timed_out`, any other class is `failed.NAME`
with its capitals as hyphens; `dont_autoretry_for` are cases of one try. Without `autoretry_for` the task's own code has
to call `retry()`, which is taken for granted and told; the options of backoff then have no effect.
Laws: 180 s; with `retry_backoff` (a whole factor of at least 1) whole seconds from 0 to min(max, factor * 2^(n-1)),
both included, without `retry_jitter` that bound itself.
With `acks_late` a task that outlasts the `visibility_timeout` of Redis is delivered again beside the first, which is no
retry. Settings of the app (`task_acks_late`, `broker_transport_options`) hold for all tasks beside them, and
`task_annotations` has options of tasks by name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from sim.converters.answers import EVERY, answer_of_error, class_of_path, error_of_answer, is_retried
from sim.converters.converted import Converted, Policy
from sim.converters.delays import constant, delayed, exponential, formula
from sim.converters.fields import Fields, Reading
from sim.converters.library_options import has_options, options_of
from sim.converters.units import SECONDS, WHOLE_SECONDS
from sim.converters.writing import Wanted, confirmed, duration, put, time, yaml_text
from sim.kernel.durations import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.converters.documents import Document

TITLE: Final = "Celery"
RETRIES: Final = 3
DELAY_NS: Final = 180 * NS_PER_S
MOST_NS: Final = 600 * NS_PER_S
OPTIONS: Final = (
    *("max_retries", "default_retry_delay", "autoretry_for", "dont_autoretry_for", "retry_backoff", "retry_kwargs"),
    *("retry_backoff_max", "retry_jitter", "acks_late", "task_reject_on_worker_lost", "broker_transport_options"),
)
_TELLING: Final = ("default_retry_delay", "autoretry_for", "retry_backoff_max", "acks_late", "retry_kwargs")
_BACKOFF: Final = ("retry_backoff", "retry_backoff_max", "retry_jitter")
JITTERED: Final = "floor(u * (min(cap, {factor}s * 2 ** (n - 1)) + 1s), 1s)"
_FACTOR: Final = re.compile(re.escape(JITTERED).replace(r"\{factor\}", "([0-9]{1,9})"))
CANNOT: Final = {
    "delay": "Celery has a constant delay, or whole seconds that double up to a cap, with its own jitter",
    "attempts": "max_retries is a number of retries or null",
    "retry_on": "autoretry_for names exceptions: all failures, timed_out, or kinds such as failed.value-error",
    "cases": "dont_autoretry_for is {on: [failed.NAME], attempts: 1}",
    "redeliver": "the visibility timeout is {after, from: start, counts: false}",
    "deadline": "a task has no deadline of all tries",
    "timeout": "the time limits of a worker are not written",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether it is named after Celery, or has options that only Celery has."""
    return (
        has_options(values, "celery", (*_TELLING, "task_annotations"))
        or {"retry_backoff", "max_retries"} <= values.keys()
    )


def read(document: Document) -> Converted:
    """Read sets of options. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies = [
        Policy("task" if name == "celery" else name, _task(options))
        for name, options in options_of(reading, "celery", OPTIONS, _name, "task_annotations")
    ]
    return reading.converted(policies)


def _name(key: str) -> str:
    """Return the name of a task's option for the setting that holds for all tasks."""
    return key.removeprefix("task_") if key in {"task_acks_late", "task_time_limit", "task_soft_time_limit"} else key


def _task(options: Fields) -> dict[str, Any]:
    keywords = options.below("retry_kwargs")
    source = keywords if keywords is not None and "max_retries" in keywords.names() else options
    forever = source.is_null("max_retries")
    retries = source.whole("max_retries", RETRIES)
    delay_ns = options.time("default_retry_delay", SECONDS, DELAY_NS)
    if keywords is not None:
        delay_ns = keywords.time("countdown", SECONDS, delay_ns)
        keywords.rest("it is not carried over")
    answers = list(dict.fromkeys(_answers(options, "autoretry_for")))
    kept = [answer for answer in _answers(options, "dont_autoretry_for") if answer.startswith("failed.")]
    if answers:
        delay = _delay(options, delay_ns)
    else:
        answers = list(EVERY)
        options.note(
            "autoretry_for", "without autoretry_for a task retries only if its code calls retry(); taken as always"
        )
        for name in _BACKOFF:
            options.lost(name, "Celery ignores it without autoretry_for")
        delay = constant(delay_ns)
    redeliver = _redelivered(options)
    for name, why in {
        "task_reject_on_worker_lost": "a worker that dies is the crash of an attempt, of the action",
        "reject_on_worker_lost": "a worker that dies is the crash of an attempt, of the action",
        "time_limit": "the time limits of a worker are not carried over",
        "soft_time_limit": "the time limits of a worker are not carried over",
        "rate_limit": "limits of a worker are not carried over",
    }.items():
        options.lost(name, why)
    kept = [answer for answer in kept if is_retried(answer, answers)]
    options.ignore("name", "queue")
    options.rest("it is not about retries", OPTIONS)
    tree = {"attempts": "unlimited" if forever else retries + 1, **delayed(delay), "retry_on": answers, **redeliver}
    return {**tree, "cases": [{"on": kept, "attempts": 1}]} if kept else tree


def _answers(options: Fields, name: str) -> list[str]:
    answers: list[str] = []
    for path in options.texts(name):
        own = class_of_path(path)
        if own in {"Exception", "BaseException"}:
            answers += EVERY
        elif own in {"TimeoutError", "Timeout", "SoftTimeLimitExceeded"}:
            answers.append("timed_out")
        else:
            answer = answer_of_error(own)
            if answer is None:
                options.note(name, f"'{own}' cannot be the name of a kind")
                continue
            answers.append(answer)
            if own != path or error_of_answer(answer) != own:
                options.note(name, f"'{path}' is carried over as {answer}, from which its module cannot be told again")
    return answers


def _delay(options: Fields, delay_ns: int) -> Any:
    backoff = options.peek("retry_backoff")
    if isinstance(backoff, bool) or backoff is None:
        factor: float = int(options.flag("retry_backoff", False))  # noqa: FBT003  # the default
    else:
        factor = options.number("retry_backoff", 0, least=0)
    most_ns = options.time("retry_backoff_max", SECONDS, MOST_NS)
    jitters = options.flag("retry_jitter", True)  # noqa: FBT003  # the default
    if not factor:
        for name in ("retry_backoff_max", "retry_jitter"):
            if name in options:
                options.note(name, "Celery ignores it without retry_backoff")
        return constant(delay_ns)
    whole = int(max(1, factor))
    if whole != factor:
        options.note("retry_backoff", f"Celery takes whole factors of at least 1: {factor} counts as {whole}")
    most_ns = most_ns - most_ns % NS_PER_S
    if not jitters:
        return exponential(whole * NS_PER_S, 2, most_ns)
    return formula(JITTERED.format(factor=whole), cap=time(most_ns))


def _redelivered(options: Fields) -> dict[str, Any]:
    late = options.flag("acks_late", False)  # noqa: FBT003  # the default
    transport = options.below("broker_transport_options")
    visible_ns = options.time("visibility_timeout", WHOLE_SECONDS, None, above=True)
    if transport is not None:
        visible_ns = transport.time("visibility_timeout", WHOLE_SECONDS, visible_ns, above=True)
        transport.rest("it is not about retries")
    if late and visible_ns is None:
        options.note("acks_late", "without a visibility_timeout, as Redis has it, nothing is delivered again")
    if not late and visible_ns is not None:
        name = "visibility_timeout" if transport is None else "broker_transport_options"
        options.note(name, "it matters for tasks with acks_late, and for countdowns that are longer")
    if not late or visible_ns is None:
        return {}
    return {"redeliver": {"after": time(visible_ns), "from": "start", "counts": False}}


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as the options of a task. Raises CannotWrite."""
    wanted = Wanted(policy)
    steady, grown, law = (wanted.law(kind) for kind in ("constant", "exponential", "formula"))
    options: dict[str, Any] = {"max_retries": None if wanted.attempts is None else wanted.attempts - 1}
    answers = wanted.retry_on
    names = ["Exception"] if set(EVERY) <= set(answers) else []
    names += ["TimeoutError"] if "timed_out" in answers and not names else []
    names += [name for name in map(error_of_answer, answers) if name]
    options["autoretry_for"] = names
    cases = wanted.get("cases")
    kept = [name for case in cases or [] for name in map(error_of_answer, case.get("on", ())) if name]
    if kept:
        options["dont_autoretry_for"] = kept
    if grown or law:
        cap_ns = duration((grown or law).get("cap"))
        jittered = _FACTOR.fullmatch(law.get("formula", ""))
        factor_ns = int(jittered[1]) * NS_PER_S if jittered else duration(grown.get("initial"))
        options["retry_backoff"] = put(SECONDS, ("delay",), factor_ns or NS_PER_S)
        if cap_ns is not None:
            options["retry_backoff_max"] = put(SECONDS, ("delay",), cap_ns)
        options["retry_jitter"] = bool(law)
    else:
        options["default_retry_delay"] = put(SECONDS, ("delay",), duration(steady.get("delay")) or 0)
    if (visible_ns := wanted.ns("redeliver", "after")) is not None:
        visible = put(WHOLE_SECONDS, ("redeliver",), visible_ns)
        options |= {"acks_late": True, "broker_transport_options": {"visibility_timeout": visible}}
    return confirmed(wanted, yaml_text({"celery": options}), read, TITLE, CANNOT)
