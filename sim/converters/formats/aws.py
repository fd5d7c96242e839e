"""AWS SDKs: `retry_mode` and `max_attempts`, one policy for each profile of a config file, the environment or a client.

Facts: botocore 1.44.8 retries/standard.py, quota.py, adaptive.py, retryhandler.py, data/_retry.json, configprovider.py.
The SDKs changed in 2026; since botocore 1.44.0 the new standard mode is the default, whatever AWS_NEW_RETRIES_2026
says.

Counting: tries in the file, in the environment and as `total_max_attempts`; `max_attempts` of a client counts retries.
Answers: throttling errors are `rejected` or `failed.throttled`, timeouts `timed_out`, other transient errors `failed`
or `conflict`.
Laws: standard U * min(0.05 * 2^(n-1), 20) s, after throttling U * min(2^(n-1), 20) s, with the quota of the client and
the server's hint between the delay and 5 s more; legacy U * 2^(n-1) s without a cap. (DynamoDB, with other numbers, is
not told apart: no file says which service is called.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sim.converters.converted import Converted, Policy
from sim.converters.delays import exponential
from sim.converters.fields import Fields, Reading
from sim.converters.nearest import Choice, Nearest
from sim.converters.same import canonical
from sim.converters.writing import Wanted, confirmed
from sim.kernel.durations import NS_PER_MS, NS_PER_S
from sim.retriers.presets import find

if TYPE_CHECKING:
    from sim.converters.documents import Document

TITLE: Final = "AWS"
MODES: Final = ("legacy", "standard", "adaptive")
TRIES: Final = {"legacy": 5, "standard": 3, "adaptive": 3}
ENVIRONMENT: Final = {
    "AWS_RETRY_MODE": "retry_mode",
    "AWS_MAX_ATTEMPTS": "max_attempts",
    "AWS_NEW_RETRIES_2026": "new_retries_2026",
}
THROTTLED: Final = ("rejected", "failed.throttled")
_CAP_NS: Final = 20 * NS_PER_S
CANNOT: Final = {
    **dict.fromkeys(
        ("attempts", "delay", "timeout", "deadline", "retry_on", "retry_after", "budget", "breaker", "hedge"),
        "an AWS config has `retry_mode` and `max_attempts`; all else belongs to the mode, standard or legacy",
    ),
    "cases": "the standard mode has one case, that of throttling; legacy has none",
}


_OF_OTHERS: Final = {
    "botocore-legacy-dynamodb": ("legacy", "botocore has these delays for DynamoDB alone"),
    "botocore-standard-1.43": (
        "standard",
        "botocore has these delays and this quota up to 1.43, other ones since 1.44",
    ),
    "botocore-standard-1.44-dynamodb": ("standard", "botocore has these delays for DynamoDB alone"),
    "aws-sdk-js-standard": ("standard", "the SDK of JavaScript cuts these delays to whole ms, others do not"),
}
"""Presets whose laws belong to a service, a version or an SDK, and no file says which that is."""


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether it has the keys of the SDKs, in a profile, the environment or the options of a client."""
    if ENVIRONMENT.keys() & values.keys() or "retry_mode" in values:
        return True
    retries = values.get("retries")
    if isinstance(retries, Mapping) and {"mode", "total_max_attempts", "max_attempts"} & retries.keys():
        return True
    names = [name for name in values if name == "default" or name.startswith("profile ")]
    profiles = [values[name] for name in names if isinstance(values[name], Mapping)]
    return any({"retry_mode", "max_attempts", "region"} & one.keys() for one in profiles)


def _small(key: str) -> str:
    return ENVIRONMENT.get(key.strip(), key.strip().lower())


def read(document: Document) -> Converted:
    """Read profiles, variables of the environment, or the options of a client. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies = []
    for root in reading.roots(_small):
        retries = root.below("retries") if isinstance(root.peek("retries"), Mapping) else None
        if retries is not None:
            policies.append(Policy("client", _client(retries)))
            root.rest("it is not about retries")
        elif {"retry_mode", "max_attempts", "new_retries_2026"} & set(root.names()):
            policies.append(Policy("environment", _profile(root)))
        else:
            for name in root.names():
                if not isinstance(root.peek(name), Mapping):
                    continue
                profile = root.below(name)
                if profile is not None and (name == "default" or name.startswith("profile ")):
                    policies.append(Policy(name.removeprefix("profile ").strip(), _profile(profile)))
                elif profile is not None and name.startswith(("sso-session", "services")):
                    profile.rest("it is not about retries")
            root.rest("it is not a profile")
    return reading.converted(policies)


def _profile(profile: Fields) -> dict[str, Any]:
    mode = profile.choice("retry_mode", MODES, None)
    tries = profile.whole("max_attempts", None, 1, texts=True)
    profile.lost("new_retries_2026", "since botocore 1.44.0 the retries of 2026 hold without it, and it does nothing")
    profile.rest("it is not about retries")
    return _policy(profile, "retry_mode", mode, tries)


def _client(retries: Fields) -> dict[str, Any]:
    mode = retries.choice("mode", MODES, None)
    most = retries.whole("max_attempts", None, 0)
    tries = retries.whole("total_max_attempts", None, 1)
    if most is not None and tries is not None:
        retries.note("max_attempts", "`total_max_attempts` rules")
    retries.rest("the SDK knows no such key of retries")
    if tries is None and most is not None:
        tries = most + 1
    return _policy(retries, "mode", mode, tries)


def _policy(fields: Fields, field: str, mode: str | None, tries: int | None) -> dict[str, Any]:
    if mode == "adaptive":
        fields.note(
            field, "adaptive also slows the client down by a cubic rate after throttling; that is not carried over"
        )
    chosen = mode or "standard"
    tries = TRIES[chosen] if tries is None else tries
    return _legacy(tries) if chosen == "legacy" else _standard(tries)


def _legacy(tries: int) -> dict[str, Any]:
    return {"attempts": tries, "delay": exponential(NS_PER_S, 2, jitter="full")}


def _standard(tries: int) -> dict[str, Any]:
    throttled = exponential(NS_PER_S, 2, _CAP_NS, jitter="full")
    return {
        "attempts": tries,
        "delay": exponential(50 * NS_PER_MS, 2, _CAP_NS, jitter="full"),
        "cases": [{"on": list(THROTTLED), "delay": throttled}],
        "retry_after": {"obey": True, "as": "max(d, min(hint, d + 5s))"},
        "budget": {
            "tokens": {
                "capacity": 500,
                "cost": {**dict.fromkeys(THROTTLED, 5), "else": 14},
                "on_success": {"clean": 1, "retried": "last_cost"},
                "allows": "at_least_cost",
                "charges": "on_retry",
            }
        },
    }


def nearest(policy: Mapping[str, Any]) -> Nearest | None:
    """Return the policy with the laws of its mode, if its own are those of one service, version or SDK."""
    tree = canonical(policy)
    tries = tree.get("attempts", 1)
    for name, (mode, why) in _OF_OTHERS.items():
        if isinstance(tries, int) and tree == canonical({**find(name).policy, "attempts": tries}):
            made = _legacy(tries) if mode == "legacy" else _standard(tries)
            return Nearest(made, (Choice(("delay",), f"{why}; the file has only the mode"),))
    return None


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as the default profile of a config file. Raises CannotWrite."""
    wanted = Wanted(policy)
    mode = (
        "legacy" if wanted.get("delay", "exponential", "initial") == "1s" and not wanted.get("budget") else "standard"
    )
    text = f"[default]\nretry_mode = {mode}\nmax_attempts = {wanted.attempts or TRIES[mode]}\n"
    return confirmed(wanted, text, read, TITLE, CANNOT)
