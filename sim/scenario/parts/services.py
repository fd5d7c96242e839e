"""The services of a scenario: those of `sim.world.services`, with the calls that they make by retriers of their own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from typing_extensions import TypeAliasType

from sim.options.either import Either
from sim.options.model import DurationNs, Options
from sim.options.near_words import did_you_mean
from sim.options.part_name import PartName
from sim.retriers.base import ClientRetrier
from sim.scenario.mistakes.problems import Path, Problem, shorten
from sim.scenario.mistakes.pydantic_words import UNKNOWN_WORD
from sim.scenario.parts.own_service import OwnServiceOptions
from sim.scenario.parts.retrier import RetrierChoice, RetrierField, find_retrier
from sim.world.services.options import MOST_CALLS, FrontOptions, QueueingOptions, VersionedRow, refuse

MOST_SERVICES = 100
KINDS = ("versioned_row",)


class LayerOptions(Options):
    """A call that a service makes in the course of its work."""

    service: PartName = Field(description="The name of the service that is called.")
    retrier: Annotated[RetrierChoice, RetrierField()] = Field(
        default_factory=lambda: RetrierChoice(kind="none", options=find_retrier("none").Options()),
        description="How it is retried: `none` or another retrier that runs outside of the deployment.",
    )
    timeout: Annotated[DurationNs, Field(gt=0)] | None = Field(
        default=None, description="Of the whole call, retries included; none unless stated."
    )


class ServiceOptions(QueueingOptions):
    """A service with servers and a queue."""

    calls: Annotated[tuple[LayerOptions, ...], Field(strict=False, max_length=MOST_CALLS)] = Field(
        default=(),
        description="Calls of other services, made one after the other after the work's own latency.",
    )


def _kind(written: Mapping[str, Any], context: Any) -> type[Options]:
    if "kind" not in written:
        return ServiceOptions
    kind = written["kind"]
    if kind in getattr(context, "trusted", ()):
        return OwnServiceOptions
    if isinstance(kind, str) and ":" in kind:
        reason = "a file never imports code: name a class with --service NAME=MODULE:CLASS, here write no `kind`"
        refuse([("kind",)], reason)
    if written["kind"] not in KINDS:
        known = {"what": "kind of service", "word": written["kind"], "allowed": list(KINDS)}
        error = PydanticCustomError(UNKNOWN_WORD, "unknown", known)
        details = InitErrorDetails(type=error, loc=("kind",), input=written["kind"])
        raise ValidationError.from_exception_data("service", [details])
    return VersionedRow


AnyService = TypeAliasType(
    "AnyService",
    Annotated[ServiceOptions | VersionedRow, Either("service", "{servers: 10, latency: {constant: 50ms}}", _kind)],
)
"""`{servers: 10, ...}`, or `{kind: versioned_row, ...}`."""


Services = Annotated[dict[PartName, AnyService], Field(max_length=MOST_SERVICES)]
"""Services by their names."""


def problems_of_services(services: Mapping[str, Options], classes: Sequence[str] = ()) -> Iterator[Problem]:
    """Find what only all services together show: unknown names, circles of calls, retriers that cannot serve here."""
    for name, options in services.items():
        place = ("services", name)
        for position, layer in enumerate(options.calls if isinstance(options, ServiceOptions) else ()):
            here = (*place, "calls", position)
            if layer.service not in services:
                yield unknown_service((*here, "service"), layer.service, services)
            if not issubclass(layer.retrier.found, ClientRetrier):
                yield Problem(
                    (*here, "retrier"),
                    f"'{layer.retrier.kind}' lives inside a deployment, but a service calls from outside of it: write "
                    "none, policy, or a LoopRetrier of your own",
                )
        if isinstance(options, FrontOptions) and options.shed is not None:
            for number, asked in enumerate(options.shed.classes or ()):
                if asked not in classes:
                    known = f"the classes are {', '.join(classes)}" if classes else "the scenario has no `classes`"
                    reason = f"no class is called '{shorten(asked)}'; {known}{did_you_mean(asked, classes)}"
                    yield Problem((*place, "shed", "classes", number), reason)
    yield from _circles(services)


def unknown_service(place: Path, name: str, services: Mapping[str, Options]) -> Problem:
    """Return the problem of a name that no service has."""
    hint = did_you_mean(name, services)
    known = f"; the services are {', '.join(services)}" if services and not hint else ""
    none = "" if services else ": the scenario has no `services`"
    return Problem(place, f"no service is called '{shorten(name)}'{none}{hint or known}")


def _circles(services: Mapping[str, Options]) -> Iterator[Problem]:
    """Find calls that come back to the service that made them: a problem at the call that closes each circle."""
    ended: set[str] = set()

    def follow(name: str, way: tuple[str, ...]) -> Iterator[Problem]:
        options = services[name]
        if name in ended or not isinstance(options, ServiceOptions):
            return
        for position, layer in enumerate(options.calls):
            if layer.service in (*way, name):
                circle = (*way, name, layer.service)
                words = " calls ".join(circle[circle.index(layer.service) :])
                reason = f"calls go in a circle: {words}; a service must not wait for itself"
                yield Problem(("services", name, "calls", position, "service"), reason)
            elif layer.service in services:
                yield from follow(layer.service, (*way, name))
        ended.add(name)

    for name in services:
        yield from follow(name, ())
