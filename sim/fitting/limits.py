"""What a log cannot tell, said of this log: each sentence names what to find elsewhere, and what it is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.fitting.units import duration, percent

if TYPE_CHECKING:
    from sim.fitting.findings import Findings


def limits_of(fitted: Findings) -> tuple[str, ...]:
    """Return sentences on what this log cannot tell."""
    return tuple(_limits(fitted))


def _limits(fitted: Findings) -> list[str]:
    found = []
    timeouts = [one for one in fitted.failures if one.is_timeout]
    lasts = [
        (one, spike)
        for one in fitted.statuses
        for spike in one.spikes
        if one.failed and not one.is_timeout and spike.is_last and spike.share > 0.2
    ]
    for one in timeouts:
        spike = max(one.spikes, key=lambda spike: spike.calls, default=None)
        at = f" after {duration(spike.at_ns)}" if spike is not None else ""
        found.append(
            f"How the {one.calls:,} calls with '{one.named}' would have ended{at}, and whether their effect happened: "
            "here they fail without one. If the work was done, that is an ack_lost; if it never ends, a hang."
        )
    found += [
        f"Why {percent(spike.share)} of the calls with '{one.named}' end after {duration(spike.at_ns)}: as a rule a "
        "timeout on the way, behind which the effect may have happened."
        for one, spike in lasts
    ]
    found += [
        (
            "Duplicates, and whether the receiver recognizes a repeated request (`idempotency`): a log of answers has "
            "no effects. Here every success has one effect, at the end of its latency (`effect_at`)."
        ),
        (
            "Calls that were never made: failures in the client before the call, and requests that a breaker, a limit "
            "or a full queue refused, unless the log has rows for them."
        ),
    ]
    if fitted.policy is None:
        more = (
            "" if fitted.rows == "attempts" else " Without a key for requests, a retry counts as a request of its own."
        )
        found.append(f"What retries would have done: each row of the log is one attempt.{more}")
    else:
        found.append(
            "What else decides on a retry: a budget, a breaker, a deadline, or a Retry-After show only in what they "
            "prevent."
        )
    if fitted.clustering is None:
        found.append("Whether failures hang together, and how requests arrive: the log has no times.")
    elif fitted.weather is not None:
        found.append(
            "Whether bad weather comes by chance, by a plan, or by load: here it comes by chance. If load makes calls "
            "fail, retries make it worse, which only a service in a shared world shows."
        )
    found.append(
        "What comes rarer than the log is long: a failure that it does not show, or an outage that it just missed."
    )
    return found
