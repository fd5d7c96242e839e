"""A policy as the configuration of a library: exactly if it can be said, else with the library's usual answers.

`retrysim convert --to` and `retrysim tune` print through `configuration_of`. Every choice that the policy does not have
comes along, to be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sim.converters.catalogue import FORMATS
from sim.converters.formats import aws, envoy, gateway, grpc, istio, urllib3
from sim.converters.writing import CannotWrite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sim.converters.nearest import Choice, Nearest
    from sim.retriers.presets import Preset

FORMAT_OF_LIBRARY: Final = {
    "gRPC": "grpc",
    "Envoy": "envoy",
    "Istio": "istio",
    "Gateway API": "gateway",
    "botocore": "aws",
    "@smithy/core": "aws",
    "Polly": "polly",
    "Microsoft.Extensions.Http.Resilience": "polly",
    "resilience4j": "resilience4j",
    "Temporal": "temporal",
    "Step Functions": "step-functions",
    "Cloud Tasks": "cloud-tasks",
    "App Engine queue.yaml": "cloud-tasks",
    "SQS": "sqs",
    "AWS Lambda": "sqs",
    "EventBridge": "sqs",
    "Pub/Sub": "pubsub",
    "Inngest": "inngest",
    "celery": "celery",
    "Sidekiq": "sidekiq",
    "bullmq": "bullmq",
    "urllib3": "urllib3",
    "tenacity": "tenacity",
}
"""The formats of the libraries of presets; all other libraries are configured by code alone."""
_NEAREST: Final[dict[str, Callable[[Mapping[str, Any]], Nearest | None]]] = {
    "grpc": grpc.USUAL.nearest,
    "envoy": envoy.USUAL.nearest,
    "istio": istio.USUAL.nearest,
    "gateway": gateway.USUAL.nearest,
    "urllib3": urllib3.USUAL.nearest,
    "aws": aws.nearest,
}
ENDINGS: Final = (".json", ".ini", ".yaml")


@dataclass(frozen=True, slots=True)
class Configuration:
    """A policy as one format has it."""

    kind: str
    title: str
    text: str
    choices: tuple[Choice, ...]
    """What the text says and the policy does not; empty if it reads back as the policy itself."""

    @property
    def ending(self) -> str:
        """What the name of its file ends with: one of `ENDINGS`."""
        if self.kind == "aws":
            return ".ini"
        return ".json" if self.text[:1] in {"{", "["} else ".yaml"


def configuration_of(kind: str, policy: Mapping[str, Any]) -> Configuration:
    """Write a policy in a format. Raises CannotWrite."""
    found = FORMATS[kind]
    try:
        return Configuration(kind, found.TITLE, found.write(policy), ())
    except CannotWrite:
        nearest = _NEAREST[kind](policy) if kind in _NEAREST else None
        if nearest is None:
            raise
    return Configuration(kind, found.TITLE, found.write(nearest.policy), nearest.choices)


def format_of(preset: Preset) -> str | None:
    """Return the format of a preset's library; None if the library is configured by code alone."""
    return FORMAT_OF_LIBRARY.get(preset.library)
