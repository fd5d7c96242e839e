"""What comes out of a configuration: policies as plain values, what an action has to do to show them, and losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sim.converters.answers import EVERY

if TYPE_CHECKING:
    from sim.converters.losses import Loss


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy of a configuration, named after its method, route, instance or task."""

    name: str
    tree: dict[str, Any]
    """The policy as a scenario writes it, without `kind`."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What an action has to do so that a policy shows what it does."""

    kinds: tuple[str, ...]
    """The kinds of failures (`failed.NAME`, without `failed.`) that the policy tells apart."""
    plain: bool
    """Whether failures of no kind are retried."""
    rejected: bool
    """Whether rejections are told apart from other failures."""
    shared: bool
    """Whether the policy keeps something that requests share."""
    unlimited: bool
    """Whether nothing but the end of the simulation stops the tries."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A configuration as policies."""

    kind: str
    policies: tuple[Policy, ...]
    losses: tuple[Loss, ...]

    def picked(self, name: str) -> Policy | None:
        """Return the policy of this name."""
        return next((policy for policy in self.policies if policy.name == name), None)


SHARED_PARTS: Final = ("budget", "breaker", "bulkhead", "rate_limit")
"""The keys of a policy whose state outlives a request."""


def hints_of(tree: dict[str, Any]) -> Hints:
    """Return what an action has to do to show a policy."""
    answers = [*tree.get("retry_on", ()), *(kind for case in tree.get("cases", ()) for kind in case["on"])]
    kinds = dict.fromkeys(answer.partition(".")[2] for answer in answers if answer.startswith("failed."))
    return Hints(
        kinds=tuple(kinds),
        plain="failed" in tree.get("retry_on", EVERY),
        rejected=any(answer.partition(".")[0] == "rejected" for answer in answers) and set(answers) != set(EVERY),
        shared=any(part in tree for part in SHARED_PARTS),
        unlimited=tree.get("attempts") == "unlimited" and "deadline" not in tree,
    )
