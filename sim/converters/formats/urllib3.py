"""urllib3: arguments of `Retry`, `{urllib3: {total: 3, backoff_factor: 0.1}}`, several of them by name.

Facts: urllib3 2.8.0 util/retry.py.

Counting: `total` counts retries, 10 by default; false is none. Counts by cause (`connect`, `read`, `status`, `other`)
are lost unless they are not below `total`.
Answers: connections that fail are `failed.connection`, reads that take too long `timed_out`; of `status_forcelist` 409
is `conflict`, 429 `rejected`, any other `failed.CODE`.
Law: 0 before the first retry, then factor * 2^(n-1) + U * jitter, at most `backoff_max`. Retry-After takes the place of
that, up to `retry_after_max`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.converters.answers import answer_of_status, status_of_answer
from sim.converters.converted import Converted, Policy
from sim.converters.delays import delayed, exponential
from sim.converters.fields import Fields, Reading
from sim.converters.library_options import has_options, options_of
from sim.converters.nearest import UsualCodes
from sim.converters.units import SECONDS
from sim.converters.writing import Wanted, confirmed, put, time, yaml_text
from sim.kernel.durations import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.converters.documents import Document

TITLE: Final = "urllib3"
RETRIES: Final = 10
CAP_NS: Final = 120 * NS_PER_S
HINT_NS: Final = 21_600 * NS_PER_S
ALWAYS: Final = ("failed.connection", "timed_out")
USUAL: Final = UsualCodes(
    "the statuses 500, 502, 503 and 504 and connections that fail stand",
    (ALWAYS[0], *(f"failed.{code}" for code in (500, 502, 503, 504))),
    ALWAYS,
)
OPTIONS: Final = (
    *("total", "connect", "read", "redirect", "status", "other", "allowed_methods", "status_forcelist"),
    *("backoff_factor", "backoff_max", "backoff_jitter", "respect_retry_after_header", "retry_after_max"),
)
CANNOT: Final = {
    "attempts": "total is a number of retries",
    "delay": "urllib3 has {exponential: {initial, factor: 2, cap, jitter: {plus}, cap_applies: after, first: 0s}}",
    "retry_on": (
        "urllib3 always retries failed.connection and timed_out, and statuses such as failed.503 and rejected (429)"
    ),
    "retry_after": "Retry-After is obeyed up to a bound, {obey: true, at_most, above: cap}, or ignored",
    "deadline": "Retry has no deadline of all tries",
    "timeout": "timeouts are not arguments of Retry",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether it is named after urllib3, or has arguments that only Retry has."""
    return has_options(values, "urllib3", ("status_forcelist", "backoff_factor", "backoff_jitter", "retry_after_max"))


def read(document: Document) -> Converted:
    """Read sets of arguments. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies = [
        Policy("retry" if name == "urllib3" else name, _retry(options))
        for name, options in options_of(reading, "urllib3", OPTIONS)
    ]
    return reading.converted(policies)


def _retry(options: Fields) -> dict[str, Any]:
    retries = _total(options)
    for name in ("connect", "read", "status", "other", "redirect"):
        if isinstance(options.peek(name), bool):
            options.lost(name, "counts by cause are not carried over; `total` alone counts")
            continue
        own = options.whole(name, None)
        if own is not None and own < retries:
            options.note(name, "counts by cause are not carried over; `total` alone counts")
    delay = _delay(options)
    obeys = options.flag("respect_retry_after_header", True)  # noqa: FBT003  # the default
    hint_ns = options.time("retry_after_max", SECONDS, HINT_NS)
    answers = list(ALWAYS)
    for path, code in options.items("status_forcelist"):
        if not isinstance(code, int) or isinstance(code, bool) or not 100 <= code <= 599:
            options.reading.wrong(path, "not a status code of HTTP, such as 503")
        else:
            answers.append(answer_of_status(code))
    options.lost("allowed_methods", "methods of HTTP are not modeled; what is called may be repeated")
    for name in ("raise_on_redirect", "raise_on_status"):
        options.lost(name, "it changes what the caller is told, not what is done")
    options.lost("remove_headers_on_redirect", "redirects are not modeled")
    options.rest("urllib3 knows no such argument of Retry", OPTIONS)
    if not retries:
        return {}
    hint = {"retry_after": {"obey": True, "at_most": time(hint_ns), "above": "cap"}} if obeys else {}
    return {"attempts": retries + 1, **delayed(delay), "retry_on": list(dict.fromkeys(answers)), **hint}


def _total(options: Fields) -> int:
    if isinstance(options.peek("total"), bool):
        if options.flag("total", False):  # noqa: FBT003  # the default
            options.wrong("total", "expected a number of retries, null or false")
        return 0
    if options.is_null("total"):
        counts = [options.peek(name) for name in ("connect", "read", "status", "other")]
        known = [one for one in counts if isinstance(one, int) and not isinstance(one, bool)]
        options.note("total", "without it the counts by cause rule; the largest of them is taken for all")
        return max(known, default=RETRIES)
    return options.whole("total", RETRIES)


def _delay(options: Fields) -> Any:
    initial_ns = options.time("backoff_factor", SECONDS, 0)
    jitter_ns = options.time("backoff_jitter", SECONDS, 0)
    cap_ns = options.time("backoff_max", SECONDS, CAP_NS)
    if not initial_ns and not jitter_ns:
        if "backoff_max" in options:
            options.note("backoff_max", "without a backoff_factor it has no effect")
        return "none"
    after = {"cap_applies": "after", "jitter": {"plus": time(jitter_ns)}} if jitter_ns else {}
    return exponential(initial_ns, 2, cap_ns, **after, first="0s")


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as arguments of Retry. Raises CannotWrite."""
    wanted = Wanted(policy)
    options: dict[str, Any] = {"total": (wanted.attempts or RETRIES + 1) - 1}
    if wanted.law("exponential"):
        for name, path in (
            ("backoff_factor", ("initial",)),
            ("backoff_max", ("cap",)),
            ("backoff_jitter", ("jitter", "plus")),
        ):
            duration_ns = wanted.ns("delay", "exponential", *path)
            if duration_ns is not None:
                options[name] = put(SECONDS, ("delay",), duration_ns)
    codes = [code for code in map(status_of_answer, wanted.retry_on) if code is not None]
    if codes:
        options["status_forcelist"] = codes
    if (hint_ns := wanted.ns("retry_after", "at_most")) is not None:
        options["retry_after_max"] = put(SECONDS, ("retry_after",), hint_ns)
    elif "retry_after" not in wanted.tree:
        options["respect_retry_after_header"] = False
    return confirmed(wanted, yaml_text({"urllib3": options}), read, TITLE, CANNOT)
