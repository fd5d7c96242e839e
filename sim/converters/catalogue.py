"""The formats by their names, and which of them a file has by its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from sim.converters.formats import (
    aws,
    bullmq,
    celery,
    cloud_tasks,
    envoy,
    gateway,
    grpc,
    inngest,
    istio,
    polly,
    pubsub,
    resilience4j,
    sidekiq,
    sqs,
    step_functions,
    temporal,
    tenacity,
    urllib3,
)
from sim.scenario.mistakes.problems import ScenarioError, whole_file

if TYPE_CHECKING:
    from sim.converters.converted import Converted
    from sim.converters.documents import Document


class Format(Protocol):
    """What a module of `formats` has."""

    TITLE: str
    """The name that people know it by."""

    def fits(self, values: Mapping[str, Any], /) -> bool:
        """Tell whether the keys are those of this format."""

    def read(self, document: Document, /) -> Converted:
        """Return the policies of a configuration. Raises ScenarioError."""

    def write(self, policy: Mapping[str, Any], /) -> str:
        """Return a policy as a configuration. Raises CannotWrite."""


FORMATS: Final[dict[str, Format]] = {
    "grpc": grpc,
    "envoy": envoy,
    "istio": istio,
    "gateway": gateway,
    "aws": aws,
    "polly": polly,
    "resilience4j": resilience4j,
    "temporal": temporal,
    "step-functions": step_functions,
    "cloud-tasks": cloud_tasks,
    "sqs": sqs,
    "pubsub": pubsub,
    "inngest": inngest,
    "celery": celery,
    "sidekiq": sidekiq,
    "bullmq": bullmq,
    "urllib3": urllib3,
    "tenacity": tenacity,
}


def fitting(document: Document) -> list[str]:
    """Return the formats that have the keys of a document."""
    roots = [root for _, value in document.roots for root in (value if isinstance(value, list) else [value])]
    mappings = [root for root in roots if isinstance(root, Mapping)]
    return [kind for kind, one in FORMATS.items() if any(map(one.fits, mappings))]


def guess(document: Document) -> str:
    """Return the one format that has the keys of a document. Raises ScenarioError if none or several have them."""
    kinds = fitting(document)
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        reason = f"its keys fit {' and '.join(kinds)}; say which it is with --from"
    else:
        reason = f"its keys fit no format; if it is one of these, say which with --from: {', '.join(FORMATS)}"
    raise ScenarioError([whole_file(document.source, reason)])
